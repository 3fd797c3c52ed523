"""grad, value_and_grad, jit and function: the transformations used as decorators."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from symdiff.api.transformed import Transformed, decorated_method, found_by_name
from symdiff.errors import word
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.tracer import Tracer
from symdiff.ops import elementwise
from symdiff.pipeline import JIT, VJP


def grad(
    fun: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    math: str = "default",
    reuse: bool = False,
    backend: str = "numpy",
    max_memory: float | None = None,
) -> Any:
    """The gradient of a scalar function: same arguments, returns d fun / d argument.

    An argument may be any nesting of dict, list, tuple, namedtuple and dataclass, and so is its
    gradient; several argnums give a tuple. With `has_aux` the function returns (value, aux) and
    the result is (gradient, aux). For a complex argument z = x + iy it is df/dx - i df/dy.
    `argnames` may reach attributes, read at each call: "self.W", "model.layers.0.W".
    `math` is "ieee", "default" or "fast"; with `reuse` the emitted code computes in place and
    calls methods, for training loops. With `backend="c"` it is compiled to C; with "auto"
    NumPy answers until C is there (see `wait`), or where it cannot be. Of loops the
    derivative keeps no more than `max_memory` bytes, and computes the rest again. Usable as @grad
    and as @grad(argnums=(0, 1)).

    Raises NotDifferentiableError if the result is not a real scalar or an argument is not of
    floats, TraceError where the function cannot be traced, MemoryLimitError where `max_memory` is
    too little.
    """
    return _gradient(fun, "grad", argnums, has_aux, argnames, math, reuse, backend, max_memory)


def value_and_grad(
    fun: Callable[..., Any] | None = None,
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    math: str = "default",
    reuse: bool = False,
    backend: str = "numpy",
    max_memory: float | None = None,
) -> Any:
    """As `grad`, but returns (value, gradient), or ((value, aux), gradient) with `has_aux`.

    The value has the very bits that the function itself returns, unless a stability rewrite that
    `symdiff show --explain` names made it more accurate.
    """
    return _gradient(
        fun, "value_and_grad", argnums, has_aux, argnames, math, reuse, backend, max_memory
    )


def _gradient(
    fun: Callable[..., Any] | None,
    suffix: str,
    argnums: int | Sequence[int],
    has_aux: bool,
    argnames: str | Sequence[str] | None,
    math: str,
    reuse: bool,
    backend: str,
    max_memory: float | None,
) -> Any:
    if fun is None:
        return lambda fun: _gradient(
            fun, suffix, argnums, has_aux, argnames, math, reuse, backend, max_memory
        )
    options: dict[str, Any] = {
        "mode": VJP,
        "suffix": suffix,
        "argnums": argnums,
        "argnames": argnames,
        "has_aux": has_aux,
        "keep_value": suffix == "value_and_grad",
        "math": math,
        "reuse": reuse,
        "backend": backend,
        "max_memory": checked_bytes(max_memory),
    }
    names = (argnames,) if isinstance(argnames, str) else tuple(argnames or ())
    if any("." in each for each in names):
        from symdiff.api.attributes import OfAttributes  # which few programs need

        return OfAttributes(checked_callable(fun), names, options)
    return Transformed(checked_callable(fun), **options)


def jit(
    fun: Callable[..., Any] | None = None,
    *,
    math: str = "default",
    reuse: bool = False,
    backend: str = "numpy",
) -> Any:
    """The function itself: traced, optimized, emitted and compiled per signature.

    With `reuse` the emitted code computes in place and calls methods, for tight loops. With
    `backend="c"` it is compiled to C, but for what has no C form, which NumPy computes; with "auto"
    NumPy answers until C is there (see `wait`), or where it cannot be.

    Raises TraceError where the function cannot be traced, and CompileError with `backend="c"`
    where there is no compiler.
    """
    if fun is None:
        return functools.partial(jit, math=math, reuse=reuse, backend=backend)
    return Transformed(checked_callable(fun), mode=JIT, math=math, reuse=reuse, backend=backend)


class function:  # noqa: N801  a decorator, named as it is used
    """Decorator: keeps the function as it is, and adds .grad, .value_and_grad, .jvp and .show.

    Of a decorated `loss`, `loss(W, x)` is the function itself and `loss.grad(W, x)` its gradient
    with respect to the first argument (or those that `argnums` or `argnames` choose, as in
    @function(argnums=1)).
    """

    noting: ClassVar[bool] = False  # whether the arguments of calls are noted, for `symdiff show`

    def __new__(cls, fun: Callable[..., Any] | None = None, /, *args: Any, **options: Any) -> Any:
        if fun is None and options:
            return functools.partial(cls, **options)
        return super().__new__(cls)

    def __init__(
        self,
        fun: Callable[..., Any],
        argnums: int | Sequence[int] = 0,
        *,
        argnames: str | Sequence[str] | None = None,
    ) -> None:
        self.fun = checked_callable(fun)
        self.argnums = argnums
        self.argnames = argnames
        self.noted: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self.grad = grad(fun, argnums, argnames=argnames)
        self.value_and_grad = value_and_grad(fun, argnums, argnames=argnames)
        functools.update_wrapper(self, fun)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if function.noting:
            self.noted = args, kwargs
        return self.fun(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return function(self.fun.__get__(instance), self.argnums, argnames=self.argnames)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A decorated function of a module is found there."""
        if found_by_name(self):
            return self.fun.__qualname__
        if isinstance(decorated_method(self.fun), function):
            return getattr, (self.fun.__self__, self.fun.__name__)  # type: ignore[attr-defined]
        return super().__reduce_ex__(protocol)

    def __deepcopy__(self, memo: Any) -> Any:
        """As a function, itself; of a method, that of the copied object."""
        fun = copy.deepcopy(self.fun, memo)
        return self if fun is self.fun else function(fun, self.argnums, argnames=self.argnames)

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """The value and the directional derivative, as `symdiff.jvp`."""
        from symdiff.api.products import jvp

        return jvp(self.fun, primals, tangents)

    def show(self, *args: Any, **kwargs: Any) -> None:
        """Print the source of the gradient: for these arguments, or as it was last called."""
        self.grad.show(*args, **kwargs)


def show(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Print the source of a transformed function, or of the gradient of a plain one.

    It is compiled for these arguments; without any it is the one that was called last.
    """
    made = fun if isinstance(fun, (Transformed, function)) else grad(fun)
    made.show(*args, **kwargs)


def checked_callable(fun: Any) -> Callable[..., Any]:
    """`fun` itself. Raises TypeError if it cannot be called."""
    if not callable(fun):
        raise TypeError(f"a function is expected, not {type(fun).__name__}")
    return fun  # type: ignore[no-any-return]


def checked_bytes(max_memory: Any) -> float | None:
    """A number of bytes, or None. Raises TypeError or ValueError for anything else."""
    if max_memory is None:
        return None
    if isinstance(max_memory, (str, bytes)) or not float(max_memory) >= 0:
        what = f"max_memory is a number of bytes, not {max_memory!r}"
        raise ValueError(word(what, way_out="Say max_memory=500e6 for 500 MB."))
    return float(max_memory)


def stop_gradient(x: Any) -> Any:
    """x itself (any tree), taken as a constant by differentiation."""
    leaves, spec = flatten(x)
    return unflatten(
        spec,
        [elementwise.stop_gradient(leaf) if isinstance(leaf, Tracer) else leaf for leaf in leaves],
    )
