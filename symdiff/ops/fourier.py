"""Discrete Fourier transforms: linear, so that each is differentiated by transforms.

Transposes keep Re(sum(y_bar * y)), without conjugation: the matrix of `fft` is symmetric, and
`fft` its own transpose. Those that keep half of the spectrum of a real signal come in pairs.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.elementwise import convert
from symdiff.ops.primitive import Case, Primitive, Samples, case, composite, linear, same_type
from symdiff.ops.reductions import normalize_axes, one_axis

Extents = tuple[int, ...]


class Transform(NamedTuple):
    """One of the transforms of a library: its functions over one axis and over several."""

    name: str  # "rfft": of its source, over one axis
    one: Callable[..., Any]
    several: Callable[..., Any] | None
    library: str  # as emitted source names it: "np.fft"

    def __call__(self, x: Any, axes: Extents, s: Extents | None, norm: str) -> Any:
        """x transformed over the axes, to the extents s there (None: those it has by itself)."""
        if self.several is None or len(axes) == 1:
            return self.one(x, s and s[0], axes[0], norm)
        return self.several(x, s, axes, norm)

    def result(self, x: ArrayType, axes: Extents, s: Extents | None, norm: str) -> ArrayType:
        shape = list(x.shape)
        for i, extent in zip(axes, s or self.natural(x.shape, axes), strict=True):
            shape[i] = extent
        if self.name in ANALYSES:
            shape[axes[-1]] = half(shape[axes[-1]])
        return array_type(_dtype(self, x.dtype, len(axes)), tuple(shape))

    def natural(self, shape: Extents, axes: Extents) -> Extents:
        """The extents to which an array of this shape is transformed by itself."""
        own = tuple(shape[i] for i in axes)
        return (*own[:-1], 2 * (own[-1] - 1)) if self.name in SYNTHESES else own

    def source(
        self, x: str, axes: Extents, s: Extents | None, norm: str, types: tuple[ArrayType, ...]
    ) -> str:
        """`np.fft.rfft2(x, s=(8, 8), norm="ortho")`."""
        ndim = types[0].ndim
        options = "" if norm == "backward" else f', norm="{norm}"'
        if len(axes) == 1:
            extent = f", {s[0]}" if s else ""
            place = "" if axes[0] == ndim - 1 else f", axis={axes[0]}"
            return f"{self.library}.{self.name}({x}{extent}{place}{options})"
        extent = f", s={s}" if s else ""
        if axes == (ndim - 2, ndim - 1):
            return f"{self.library}.{self.name}2({x}{extent}{options})"
        place = "" if axes == tuple(range(ndim)) and not s else f", axes={axes}"
        return f"{self.library}.{self.name}n({x}{extent}{place}{options})"


@lru_cache(maxsize=256)
def _dtype(transform: Transform, dtype: np.dtype[Any], ndim: int) -> np.dtype[Any]:
    """The dtype of a transform, which the library itself says."""
    made = transform(np.ones((2,) * ndim, dtype), tuple(range(ndim)), None, "backward")
    return made.dtype  # type: ignore[no-any-return]


def half(extent: int) -> int:
    """How many coefficients say all about the spectrum of a real signal."""
    return extent // 2 + 1


# ---------------------------------------------------------------------------- transposes

ANALYSES = ("rfft", "ihfft")  # from a real signal to half of its spectrum
SYNTHESES = ("hfft", "irfft")  # from half of a spectrum to a real signal


def like(x: Any, x_bar: Any, axes: Extents) -> Any:
    """A cotangent in shape and dtype of x, which the transform had cropped or padded."""
    shape = np.shape(x)
    crop = tuple(slice(extent) if i in axes else slice(None) for i, extent in enumerate(shape))
    missing = [max(have - got, 0) for have, got in zip(shape, np.shape(x_bar), strict=True)]
    if any(got > have for have, got in zip(shape, np.shape(x_bar), strict=True)):
        x_bar = x_bar[crop]
    if any(missing):
        x_bar = np.pad(x_bar, [(0, extent) for extent in missing])
    if np.iscomplexobj(x_bar) and not np.iscomplexobj(x):
        x_bar = np.real(x_bar)
    return x_bar if x_bar.dtype == x.dtype else convert(x_bar, dtype=x.dtype)


def _weights(inner: float, extent: int, x: Any, axis: int) -> Any:
    """Of half a spectrum, 1 for coefficients that stand for themselves, `inner` for the others."""
    weights = np.full(half(extent), inner, x.real.dtype)
    weights[0] = 1
    if extent % 2 == 0:
        weights[-1] = 1
    return weights.reshape(-1, *(1,) * (np.ndim(x) - 1 - axis))


def _of_spectrum(own: dict[str, Primitive], name: str) -> Any:
    def transpose(y_bar: Any, x: Any, axes: Extents, s: Extents | None, norm: str) -> Any:
        """A symmetric matrix is its own transpose."""
        return like(x, own[name](y_bar, axes=axes, s=None, norm=norm), axes)

    return transpose


def _of_analysis(own: dict[str, Primitive], others: str, back: str) -> Any:
    def transpose(y_bar: Any, x: Any, axes: Extents, s: Extents | None, norm: str) -> Any:
        """A synthesis, in which the inner coefficients would count twice."""
        *rest, last = axes
        extent = s[-1] if s else np.shape(x)[last]
        if rest:
            y_bar = own[others](y_bar, axes=tuple(rest), s=None, norm=norm)
        halved = y_bar * _weights(0.5, extent, y_bar, last)
        return like(x, own[back](halved, axes=(last,), s=(extent,), norm=norm), axes)

    return transpose


def _of_synthesis(own: dict[str, Primitive], others: str, back: str) -> Any:
    def transpose(y_bar: Any, x: Any, axes: Extents, s: Extents | None, norm: str) -> Any:
        """An analysis, of which the inner coefficients count twice."""
        *rest, last = axes
        spectrum = own[back](y_bar, axes=(last,), s=None, norm=norm)
        x_bar = spectrum * _weights(2, np.shape(y_bar)[last], spectrum, last)
        if rest:
            x_bar = own[others](x_bar, axes=tuple(rest), s=None, norm=norm)
        return like(x, x_bar, axes)

    return transpose


# ---------------------------------------------------------------------------- declarations


def _cases(name: str, several: bool) -> tuple[Case, ...]:
    kinds = "f" if name in ANALYSES else "cf"
    n = 5 if name in SYNTHESES else 6
    one = [
        case(f"{kind}[4]", axes=(0,), s=s, norm=norm)
        for kind in kinds
        for s, norm in ((None, "backward"), ((n,), "ortho"), ((3,), "forward"))
    ]
    one += [
        case(f"{kinds[0]}[5,2]", axes=(0,), s=None, norm="backward"),
        case(f"{kinds[0]}[2]", axes=(0,), s=(1,), norm="backward"),
        case(f"{kinds[0]}[0,3]", axes=(1,), s=None, norm="backward"),
    ]
    more = [
        case(f"{kinds[0]}[3,4]", axes=(0, 1), s=None, norm="backward"),
        case(f"{kinds[-1]}[2,3,4]", axes=(2, 0), s=(3, 5), norm="ortho"),
    ]
    return (*one, *(more if several else []))


def transforms(library: str, prefix: str, functions: Any) -> dict[str, Primitive]:
    """The records of the transforms of a library, by the name over one axis, and its composites.

    `functions` is the module.
    """
    own: dict[str, Primitive] = {}
    rules = {
        "fft": _of_spectrum(own, "fft"),
        "ifft": _of_spectrum(own, "ifft"),
        "rfft": _of_analysis(own, "fft", "hfft"),
        "ihfft": _of_analysis(own, "ifft", "irfft"),
        "hfft": _of_synthesis(own, "fft", "rfft"),
        "irfft": _of_synthesis(own, "ifft", "ihfft"),
    }
    for name, rule in rules.items():
        several = getattr(functions, f"{name}n", None)
        each = Transform(name, getattr(functions, name), several, library)
        own[name] = linear(
            each.__call__,
            name=f"{prefix}{name}",
            result=each.result,
            transpose={"x": rule},
            batch=_shifted(own, name),
            numpy=each.source,
            samples=Samples(cases=_cases(name, several is not None)),
        )
        _compose(own[name], each, functions)
    return own


def _shifted(own: dict[str, Primitive], name: str) -> Any:
    def batch(x: Any, axes: Extents, s: Extents | None, norm: str) -> Any:
        return own[name](x, axes=tuple(i + 1 for i in axes), s=s, norm=norm)

    return batch


def _compose(op: Primitive, transform: Transform, functions: Any) -> None:
    """The library's functions, over one axis, two and several, as calls of the primitive.

    How SciPy is to use memory and threads changes no value.
    """

    @composite(transform.one)
    def over_one(
        a: Any, n: Any = None, axis: Any = -1, norm: Any = None, overwrite_x: bool = False,
        workers: Any = None, *, plan: Any = None,
    ) -> Any:
        return _applied(op, transform, a, None if n is None else (n,), (axis,), norm)

    if transform.several is None:
        return

    @composite(getattr(functions, f"{transform.name}2"))
    def over_two(
        a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, overwrite_x: bool = False,
        workers: Any = None, *, plan: Any = None,
    ) -> Any:
        return _applied(op, transform, a, s, axes, norm)

    @composite(transform.several)
    def over_several(
        a: Any, s: Any = None, axes: Any = None, norm: Any = None, overwrite_x: bool = False,
        workers: Any = None, *, plan: Any = None,
    ) -> Any:
        if axes is None:
            axes = range(-np.ndim(a) if s is None else -len(s), 0)
        return _applied(op, transform, a, s, axes, norm)


def _applied(op: Primitive, transform: Transform, a: Any, s: Any, axes: Any, norm: Any) -> Any:
    """The transform with its parameters as the primitive has them."""
    name = f"{transform.library}.{transform.name}"
    if transform.name in ANALYSES and a.dtype.kind == "c":
        raise TypeError(f"{name} is of real signals, and this one is complex")
    return op(a, **parameters(name, np.shape(a), s, axes, norm, transform.natural))


def parameters(
    name: str, shape: Extents, s: Any, axes: Any, norm: Any, natural: Callable[..., Extents]
) -> dict[str, Any]:
    """Axes from the front, extents that are not the natural ones, and the name of the norm."""
    axes = tuple(one_axis(each, len(shape)) for each in axes)
    if len(set(axes)) != len(axes) or not axes:
        raise NotImplementedError(f"{name} over no axis, or over one twice, is not traced")
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    if s is not None and len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    own = natural(shape, axes)
    extents = own if s is None else tuple(
        shape[i] if each == -1 else operator.index(each)
        for i, each in zip(axes, s, strict=True)
    )
    if any(extent < 1 for extent in extents):
        raise ValueError(f"Invalid number of FFT data points ({min(extents)}) specified.")
    s = None if extents == own else extents
    return {"axes": axes, "s": s, "norm": norm or "backward"}


TRANSFORMS = transforms("np.fft", "", np.fft)


# ---------------------------------------------------------------------------- frequencies


def _rolled(name: str, function: Callable[..., Any], back: str) -> None:
    """A record of np.fft.fftshift or ifftshift, and the call of it."""

    def inverse(y_bar: Any, x: Any, axes: Extents) -> Any:
        return SHIFTS[back](y_bar, axes=axes)

    def batch(x: Any, axes: Extents) -> Any:
        return SHIFTS[name](x, axes=tuple(i + 1 for i in axes))

    def source(x: str, axes: Extents, types: tuple[ArrayType, ...]) -> str:
        every = axes == tuple(range(types[0].ndim))
        return f"np.fft.{name}({x}{'' if every else f', axes={axes}'})"

    SHIFTS[name] = linear(
        function,
        result=same_type,
        transpose={"x": inverse},
        call=lambda x, axes=None: ((x,), {"axes": normalize_axes(axes, np.ndim(x))}),
        batch=batch,
        numpy=source,
        samples=Samples(
            cases=(
                case("f[5]", axes=(0,)),
                case("c[3,4]", axes=(0, 1)),
                case("f[3,4]", axes=(1,)),
                case("f[0]", axes=(0,)),
            )
        ),
    )


SHIFTS: dict[str, Primitive] = {}
_rolled("fftshift", np.fft.fftshift, "ifftshift")
_rolled("ifftshift", np.fft.ifftshift, "fftshift")


def frequencies(function: Callable[..., Any]) -> Callable[..., Any]:
    """np.fft.fftfreq or rfftfreq of a traced distance between samples."""

    def of_distance(n: Any, d: Any = 1.0, **where: Any) -> Any:
        n = operator.index(n)
        places = np.rint(function(n) * n)  # whole numbers, but for rounding
        return places.astype(np.int64) * (1.0 / (n * d))

    return of_distance


composite(np.fft.fftfreq)(frequencies(np.fft.fftfreq))
composite(np.fft.rfftfreq)(frequencies(np.fft.rfftfreq))
