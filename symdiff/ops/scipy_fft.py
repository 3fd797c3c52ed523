"""scipy.fft: loaded when a program first meets it, since importing SciPy takes its time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.fourier import Extents, frequencies, like, parameters, transforms
from symdiff.ops.primitive import Primitive, Samples, case, composite, linear

TRANSFORMS = transforms("scipy.fft", "scipy_", fft)

# NumPy's own, under other names
composite(fft.fftshift)(lambda x, axes=None: np.fft.fftshift(x, axes))
composite(fft.ifftshift)(lambda x, axes=None: np.fft.ifftshift(x, axes))
composite(fft.fftfreq)(frequencies(np.fft.fftfreq))
composite(fft.rfftfreq)(frequencies(np.fft.rfftfreq))

# ---------------------------------------------------------------------------- cosines and sines

WAVES: dict[str, Primitive] = {}
_OTHER = {2: 3, 3: 2}  # the type of the inverse, but for a factor, where it is another one


@lru_cache(maxsize=64)
def _dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return fft.dct(np.ones(2, dtype)).dtype  # type: ignore[no-any-return]


def _type(x: ArrayType, axes: Extents, s: Extents | None, **how: Any) -> ArrayType:
    shape = list(x.shape)
    for i, extent in zip(axes, s or (), strict=False):
        shape[i] = extent
    return array_type(_dtype(x.dtype), tuple(shape))


def _ends(name: str, type: int, x: Any, axes: Extents) -> list[Any]:
    """For each axis, how much more than other elements those at the ends count, as factors."""
    found = []
    for axis in axes:
        factors = np.ones(x.shape[axis], x.real.dtype)
        if type == 1 and name.endswith("dct"):
            factors[1:-1] = 2
        elif type in _OTHER:
            factors[0 if name.endswith("dct") else -1] = 2
        found.append(factors.reshape(-1, *(1,) * (len(x.shape) - 1 - axis)))
    return found


def _transpose(name: str) -> Any:
    def transpose(y_bar: Any, x: Any, axes: Extents, type: int, **how: Any) -> Any:
        """The transform of the other type; the ends count as much as others if orthogonal."""
        how |= {"axes": axes, "s": None, "type": _OTHER.get(type, type)}
        forward = _OTHER.get(type, type) if name.startswith("i") else type
        ends = [] if how["orthogonalize"] else _ends(name, forward, y_bar, axes)
        if forward == 1:
            for factors in ends:
                y_bar = y_bar / factors
        if forward == 2:
            for factors in ends:
                y_bar = y_bar * factors
        x_bar = WAVES[name](y_bar, **how)
        for factors in ends:
            x_bar = x_bar * factors if forward == 1 else x_bar / factors if forward == 3 else x_bar
        return like(x, x_bar, axes)

    return transpose


def _source(name: str) -> Any:
    def source(
        x: str,
        axes: Extents,
        s: Extents | None,
        norm: str,
        type: int,
        orthogonalize: bool,
        types: tuple[ArrayType, ...],
    ) -> str:
        ndim = types[0].ndim
        options = f", type={type}" if type != 2 else ""
        if len(axes) == 1:
            options += f", n={s[0]}" if s else ""
            options += "" if axes[0] == ndim - 1 else f", axis={axes[0]}"
        else:
            options += f", s={s}" if s else ""
            options += "" if axes == tuple(range(ndim)) and not s else f", axes={axes}"
        options += "" if norm == "backward" else f', norm="{norm}"'
        options += "" if orthogonalize == (norm == "ortho") else f", orthogonalize={orthogonalize}"
        return f"scipy.fft.{name}{'n' if len(axes) > 1 else ''}({x}{options})"

    return source


_PLAIN = {"s": None, "norm": "backward", "type": 2, "orthogonalize": False}
_CASES = (
    *(case("f[5]", **_PLAIN | {"axes": (0,), "type": type}) for type in (1, 2, 3, 4)),
    *(
        case("f[4]", axes=(0,), s=(5,), norm="ortho", type=type, orthogonalize=own)
        for type in (1, 2, 3, 4)
        for own in (True, False)
    ),
    case("c[4]", **_PLAIN | {"axes": (0,), "s": (3,), "norm": "forward"}),
    case("f[3,4]", **_PLAIN | {"axes": (0, 1)}),
    case("f[2,3,4]", **_PLAIN | {"axes": (2, 0), "type": 3, "s": (3, 2)}),
    case("f[3,2]", **_PLAIN | {"axes": (0,)}),
)


def _own(shape: Extents, axes: Extents) -> Extents:
    return tuple(shape[i] for i in axes)


def _waves(name: str) -> None:
    """The record of a transform into cosines or sines, and the functions that are it."""
    one, several = getattr(fft, name), getattr(fft, f"{name}n")

    def apply(x: Any, axes: Extents, s: Extents | None, type: int, **how: Any) -> Any:
        if len(axes) == 1:
            return one(x, type, s and s[0], axes[0], **how)
        return several(x, type, s, axes, **how)

    WAVES[name] = op = linear(
        apply,
        name=name,
        result=_type,
        transpose={"x": _transpose(name)},
        batch=lambda x, axes, **how: WAVES[name](x, axes=tuple(i + 1 for i in axes), **how),
        numpy=_source(name),
        samples=Samples(cases=_CASES),
    )

    def applied(x: Any, type: Any, s: Any, axes: Any, norm: Any, orthogonalize: Any) -> Any:
        if type not in (1, 2, 3, 4):
            raise ValueError(f"type {type} of scipy.fft.{name} is not one of 1, 2, 3 and 4")
        how = parameters(f"scipy.fft.{name}", np.shape(x), s, axes, norm, _own)
        extents = how["s"] or _own(np.shape(x), how["axes"])
        if type == 1 and name.endswith("dct") and min(extents) < 2:
            raise ValueError(f"scipy.fft.{name} of type 1 needs two elements at least")
        own = norm == "ortho" if orthogonalize is None else bool(orthogonalize)
        return op(x, **how, type=int(type), orthogonalize=own)

    @composite(one)
    def over_one(
        x: Any, type: Any = 2, n: Any = None, axis: Any = -1, norm: Any = None,
        overwrite_x: bool = False, workers: Any = None, orthogonalize: Any = None,
    ) -> Any:
        return applied(x, type, None if n is None else (n,), (axis,), norm, orthogonalize)

    @composite(several)
    def over_several(
        x: Any, type: Any = 2, s: Any = None, axes: Any = None, norm: Any = None,
        overwrite_x: bool = False, workers: Any = None, *, orthogonalize: Any = None,
    ) -> Any:
        if axes is None:
            axes = range(-np.ndim(x) if s is None else -len(s), 0)
        return applied(x, type, s, axes, norm, orthogonalize)


for _name in ("dct", "idct", "dst", "idst"):
    _waves(_name)
