"""scipy.special: orthogonal polynomials. The derivative of one is another of a degree less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from symdiff.ops.primitive import Case, Primitive, Samples, case, composite
from symdiff.ops.special import WHOLE, in_doubles, no_formula, one_number, scipy_ufunc


def _cases(parameters: int) -> tuple[Case, ...]:
    """Whole degrees; parameters above 0."""
    return tuple(
        case(f"f[{shape}]:whole", *[f"f[{shape}]:positive"] * parameters, f"f[{shape}]")
        for shape in ("3", "", "0")
    )


def _polynomial(
    function: np.ufunc,
    slope: Callable[..., Any],
    parameters: tuple[str, ...] = (),
) -> Primitive:
    """A polynomial of degree n: `slope(n, n - 1, *parameters, x)` where n is not 0."""

    def partial(y: Any, n: Any, *rest: Any) -> Any:
        lower = np.maximum(n, 1)
        return np.where(n == 0, 0, slope(lower, lower - 1, *rest))

    rules = {"n": WHOLE} | no_formula(function.__name__, *parameters) | {"x": partial}
    return scipy_ufunc(function, partials=rules, samples=Samples(cases=_cases(len(parameters))))


eval_chebyt = _polynomial(special.eval_chebyt, lambda n, m, x: n * special.eval_chebyu(m, x))
eval_chebyu = _polynomial(special.eval_chebyu, lambda n, m, x: 2 * special.eval_gegenbauer(m, 2, x))
eval_laguerre = _polynomial(
    special.eval_laguerre, lambda n, m, x: -special.eval_genlaguerre(m, 1, x)
)
eval_legendre = _polynomial(
    special.eval_legendre, lambda n, m, x: (n + 1) / 2 * special.eval_jacobi(m, 1, 1, x)
)
eval_genlaguerre = _polynomial(
    special.eval_genlaguerre,
    lambda n, m, alpha, x: -special.eval_genlaguerre(m, alpha + 1, x),
    ("alpha",),
)
eval_gegenbauer = _polynomial(
    special.eval_gegenbauer,
    lambda n, m, alpha, x: 2 * alpha * special.eval_gegenbauer(m, alpha + 1, x),
    ("alpha",),
)
eval_jacobi = _polynomial(
    special.eval_jacobi,
    lambda n, m, alpha, beta, x: (
        (n + alpha + beta + 1) / 2 * special.eval_jacobi(m, alpha + 1, beta + 1, x)
    ),
    ("alpha", "beta"),
)


def _hermite(function: np.ufunc, factor: int) -> None:
    """A polynomial of Hermite's, whose degree is a number."""
    name = function.__name__
    record: Primitive = in_doubles(
        name,
        lambda x, n: function(n, x),
        slope=lambda y, x, n: factor * n * record(x, n=n - 1) if n else 0,
        source=f"scipy.special.{name}({{n}}, {{x}})",
        samples=Samples(cases=tuple(case(f"f[{3 if n else 0}]", n=n) for n in range(4))),
    )

    @composite(function)
    def polynomial(n: Any, x: Any) -> Any:
        """SciPy's own function; the degree is a number."""
        return record(x.astype(np.float64), n=one_number(name, n))


_hermite(special.eval_hermite, 2)
_hermite(special.eval_hermitenorm, 1)
