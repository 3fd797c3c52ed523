"""scipy.stats: densities, probabilities and quantiles as formulas of NumPy's and scipy.special's.

Each distribution is stated with location 0 and scale 1. Outside of its support a density is 0, and
so is every derivative; where a parameter is not valid the result is NaN, as SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special, stats

from symdiff.ops.primitive import composite

Formula = Callable[..., Any]
INF = math.inf
LOG_SQRT_2PI = math.log(math.sqrt(2 * math.pi))


class Family:
    """A distribution: its formulas of (z, *shapes), its support and its valid shapes."""

    def __init__(
        self,
        distribution: Any,
        formulas: Mapping[str, Formula],
        support: tuple[float, float] = (-INF, INF),
        closed: bool = True,
        valid: Formula | None = None,
        discrete: bool = False,
        interior: float | None = None,
    ) -> None:
        self.name = distribution.name
        self.shapes = [each.strip() for each in (distribution.shapes or "").split(",") if each]
        self.formulas = formulas
        self.lower, self.upper = support
        self.closed = closed
        self.valid = valid
        self.discrete = discrete
        self.interior = interior

    def parameters(
        self, args: Sequence[Any], named: Mapping[str, Any]
    ) -> tuple[list[Any], Any, Any]:
        """The shapes, the location and the scale that a call gives. Raises TypeError."""
        names = [*self.shapes, "loc", *([] if self.discrete else ["scale"])]
        given = dict(zip(names, args, strict=False)) | dict(named)
        missing = [each for each in self.shapes if each not in given]
        if missing or len(args) > len(names) or set(named) - set(names):
            raise TypeError(f"{self.name}: the parameters are {', '.join(names)}")
        shapes = [given[each] for each in self.shapes]
        return shapes, given.get("loc", 0), given.get("scale", 1)

    def inside(self, z: Any) -> Any:
        """Where z is in the support; True where that is everywhere."""
        masks = []
        if self.lower > -INF:
            masks.append(z >= self.lower if self.closed else z > self.lower)
        if self.upper < INF:
            masks.append(z <= self.upper)
        if self.discrete:
            masks.append(z == np.floor(z))
        return _all(masks)

    def quiet(self, z: Any) -> Any:
        """z, but in the interior where it is outside and the formulas would warn."""
        return z if self.interior is None else np.where(self.inside(z), z, self.interior)

    def checked(self, value: Any, shapes: Sequence[Any], scale: Any, positive: bool) -> Any:
        """The value, NaN where a parameter is not valid."""
        masks = [self.valid(*shapes)] if self.valid is not None else []
        if not positive:
            masks.append(np.greater(scale, 0))
        good = _all([each for each in masks if not _surely(each)])
        return value if good is True else np.where(good, value, np.nan)


def _all(masks: list[Any]) -> Any:
    found: Any = True
    for each in masks:
        found = each if found is True else found & each
    return found


def _surely(mask: Any) -> bool:
    """Whether a mask is known, and true everywhere."""
    return type(mask) in (bool, np.bool, np.ndarray) and bool(np.all(mask))


def _is_number(value: Any, number: float) -> bool:
    return type(value) in (int, float) and value == number


def _doubles(x: Any) -> Any:
    """x as an array of doubles, in which SciPy computes."""
    return (x if hasattr(x, "dtype") else np.asarray(x)).astype(np.float64)


def _standard(x: Any, loc: Any, scale: Any) -> Any:
    """(x - loc) / scale, in doubles."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    centred = x if _is_number(loc, 0) else x - loc
    return _doubles(centred if _is_number(scale, 1) else centred / scale)


def declare(
    distribution: Any,
    *,
    support: tuple[float, float] = (-INF, INF),
    closed: bool = True,
    valid: Formula | None = None,
    interior: float | None = None,
    **formulas: Formula,
) -> None:
    """Make composites of the methods of a continuous distribution, from those given.

    With `interior`, formulas that would warn outside of the support are computed there instead.
    """
    family = Family(distribution, formulas, support, closed, valid, interior=interior)

    def log_density(x: Any, *args: Any, **named: Any) -> Any:
        shapes, loc, scale = family.parameters(args, named)
        z = _standard(x, loc, scale)
        value = formulas["logpdf"](family.quiet(z), *shapes)
        if not _is_number(scale, 1):
            value = value - np.log(scale)
        # the logarithm of the scale is NaN where it should
        return family.checked(_unless_outside(family, z, value, -INF), shapes, scale, positive=True)

    def density(x: Any, *args: Any, **named: Any) -> Any:
        return np.exp(log_density(x, *args, **named))

    def distributed(formula: Formula, below: float, above: float) -> Formula:
        def probability(x: Any, *args: Any, **named: Any) -> Any:
            shapes, loc, scale = family.parameters(args, named)
            z = _standard(x, loc, scale)
            value = formula(family.quiet(z), *shapes)
            if family.lower > -INF:
                value = np.where(z > family.lower, value, below)
            if family.upper < INF:
                value = np.where(z < family.upper, value, above)
            return family.checked(value, shapes, scale, positive=False)

        return probability

    def quantile(formula: Formula) -> Formula:
        def point(q: Any, *args: Any, **named: Any) -> Any:
            shapes, loc, scale = family.parameters(args, named)
            value = formula(_doubles(q), *shapes)
            value = value if _is_number(scale, 1) else value * scale
            value = value if _is_number(loc, 0) else value + loc
            return family.checked(value, shapes, scale, positive=False)

        return point

    composite(distribution.logpdf)(log_density)
    composite(distribution.pdf)(density)
    for name, (below, above) in _PROBABILITIES.items():
        formula = _formula_of(name, formulas)
        if formula is not None:
            composite(getattr(distribution, name))(distributed(formula, below, above))
    for name in ("ppf", "isf"):
        if name in formulas:
            composite(getattr(distribution, name))(quantile(formulas[name]))


_PROBABILITIES = {"cdf": (0, 1), "sf": (1, 0), "logcdf": (-INF, 0), "logsf": (0, -INF)}


def _formula_of(name: str, formulas: Mapping[str, Formula]) -> Formula | None:
    """The formula of a probability, or the logarithm of one."""
    plain = formulas.get(name.removeprefix("log"))
    if name in formulas or plain is None or not name.startswith("log"):
        return formulas.get(name)
    return lambda *args: np.log(plain(*args))


def _unless_outside(family: Family, z: Any, value: Any, otherwise: float) -> Any:
    inside = family.inside(z)
    return value if inside is True else np.where(inside, value, otherwise)


def declare_discrete(
    distribution: Any,
    *,
    support: tuple[float, float] = (0, INF),
    valid: Formula | None = None,
    within: Formula | None = None,
    **formulas: Formula,
) -> None:
    """Make composites of the methods of a distribution on whole numbers."""
    family = Family(distribution, formulas, support, valid=valid, discrete=True)

    def log_mass(k: Any, *args: Any, **named: Any) -> Any:
        shapes, loc, _ = family.parameters(args, named)
        z = _standard(k, loc, 1)
        value = _unless_outside(family, z, formulas["logpmf"](z, *shapes), -INF)
        if within is not None:
            value = np.where(within(z, *shapes), value, -INF)
        return family.checked(value, shapes, 1, positive=True)

    def mass(k: Any, *args: Any, **named: Any) -> Any:
        return np.exp(log_mass(k, *args, **named))

    def distributed(formula: Formula, below: float) -> Formula:
        def probability(k: Any, *args: Any, **named: Any) -> Any:
            shapes, loc, _ = family.parameters(args, named)
            z = np.floor(_standard(k, loc, 1))
            value = np.where(z >= family.lower, formula(z, *shapes), below)
            return family.checked(value, shapes, 1, positive=True)

        return probability

    composite(distribution.logpmf)(log_mass)
    composite(distribution.pmf)(mass)
    for name, (below, _) in _PROBABILITIES.items():
        formula = _formula_of(name, formulas)
        if formula is not None:
            composite(getattr(distribution, name))(distributed(formula, below))


def _positive(*shapes: Any) -> Any:
    return _all([np.greater(each, 0) for each in shapes])


def _fraction(p: Any) -> Any:
    return np.greater_equal(p, 0) & np.less_equal(p, 1)


def _in_unit(q: Any, value: Any) -> Any:
    """The quantile, where q is a probability."""
    return np.where((q >= 0) & (q <= 1), value, np.nan)


# ---------------------------------------------------------------------------- continuous

declare(
    stats.norm,
    logpdf=lambda z: -(z**2) / 2 - LOG_SQRT_2PI,
    cdf=special.ndtr,
    sf=lambda z: special.ndtr(-z),
    logcdf=special.log_ndtr,
    logsf=lambda z: special.log_ndtr(-z),
    ppf=special.ndtri,
    isf=lambda q: -special.ndtri(q),
)
declare(
    stats.halfnorm,
    support=(0, INF),
    logpdf=lambda z: -(z**2) / 2 + math.log(2 / math.pi) / 2,
    cdf=lambda z: special.erf(z / math.sqrt(2)),
    sf=lambda z: special.erfc(z / math.sqrt(2)),
    ppf=lambda q: _in_unit(q, special.ndtri(0.5 * (1 + q))),
)
declare(
    stats.lognorm,
    support=(0, INF),
    interior=1,
    closed=False,
    valid=_positive,
    logpdf=lambda z, s: -(np.log(z) ** 2) / (2 * s**2) - np.log(s * z * math.sqrt(2 * math.pi)),
    cdf=lambda z, s: special.ndtr(np.log(z) / s),
    sf=lambda z, s: special.ndtr(-np.log(z) / s),
    logcdf=lambda z, s: special.log_ndtr(np.log(z) / s),
    logsf=lambda z, s: special.log_ndtr(-np.log(z) / s),
    ppf=lambda q, s: np.exp(s * special.ndtri(q)),
)
declare(
    stats.expon,
    support=(0, INF),
    logpdf=lambda z: -z,
    cdf=lambda z: -np.expm1(-z),
    sf=lambda z: np.exp(-z),
    logsf=lambda z: -z,
    ppf=lambda q: _in_unit(q, -np.log1p(-q)),
    isf=lambda q: _in_unit(q, -np.log(q)),
)
declare(
    stats.uniform,
    support=(0, 1),
    logpdf=lambda z: 0 * z,
    cdf=lambda z: z,
    sf=lambda z: 1 - z,
    ppf=lambda q: _in_unit(q, q),
    isf=lambda q: _in_unit(q, 1 - q),
)
declare(
    stats.laplace,
    logpdf=lambda z: -math.log(2) - np.abs(z),
    cdf=lambda z: np.where(z > 0, 1 - 0.5 * np.exp(-z), 0.5 * np.exp(z)),
    sf=lambda z: np.where(z > 0, 0.5 * np.exp(-z), 1 - 0.5 * np.exp(z)),
    logcdf=lambda z: np.where(z > 0, np.log1p(-0.5 * np.exp(-np.abs(z))), z - math.log(2)),
    logsf=lambda z: np.where(z > 0, -z - math.log(2), np.log1p(-0.5 * np.exp(-np.abs(z)))),
    ppf=lambda q: np.where(q > 0.5, -np.log(2 * (1 - q)), np.log(2 * q)),
)
declare(
    stats.logistic,
    logpdf=lambda z: -np.abs(z) - 2 * np.log1p(np.exp(-np.abs(z))),
    cdf=special.expit,
    sf=lambda z: special.expit(-z),
    logcdf=special.log_expit,
    logsf=lambda z: special.log_expit(-z),
    ppf=special.logit,
    isf=lambda q: -special.logit(q),
)
declare(
    stats.cauchy,
    logpdf=lambda z: -math.log(math.pi) - np.log1p(z * z),
    cdf=lambda z: np.arctan2(1, -z) / math.pi,
    sf=lambda z: np.arctan2(1, z) / math.pi,
    ppf=lambda q: np.where(q == 1, INF, _in_unit(q, -1 / np.tan(math.pi * q))),
)
declare(
    stats.halfcauchy,
    support=(0, INF),
    logpdf=lambda z: math.log(2 / math.pi) - np.log1p(z * z),
    cdf=lambda z: 2 / math.pi * np.arctan(z),
    sf=lambda z: 2 / math.pi * np.arctan2(1, z),
)
declare(
    stats.gumbel_r,
    logpdf=lambda z: -z - np.exp(-z),
    cdf=lambda z: np.exp(-np.exp(-z)),
    sf=lambda z: -np.expm1(-np.exp(-z)),
    logcdf=lambda z: -np.exp(-z),
    ppf=lambda q: -np.log(-np.log(q)),
)
declare(
    stats.rayleigh,
    support=(0, INF),
    closed=False,
    interior=1,
    logpdf=lambda z: np.log(z) - 0.5 * z * z,
    cdf=lambda z: -np.expm1(-0.5 * z * z),
    sf=lambda z: np.exp(-0.5 * z * z),
    logsf=lambda z: -0.5 * z * z,
)
declare(
    stats.t,
    valid=_positive,
    logpdf=lambda z, df: (
        special.gammaln(0.5 * (df + 1))
        - special.gammaln(0.5 * df)
        - 0.5 * np.log(math.pi * df)
        - 0.5 * (df + 1) * np.log1p(z * z / df)
    ),
    cdf=lambda z, df: special.stdtr(df, z),
    sf=lambda z, df: special.stdtr(df, -z),
    ppf=lambda q, df: np.where(q == 0, -INF, special.stdtrit(df, q)),
    isf=lambda q, df: np.where(q == 0, INF, -special.stdtrit(df, q)),
)
declare(
    stats.gamma,
    support=(0, INF),
    valid=_positive,
    logpdf=lambda z, a: special.xlogy(a - 1, z) - z - special.gammaln(a),
    cdf=lambda z, a: special.gammainc(a, z),
    sf=lambda z, a: special.gammaincc(a, z),
    ppf=lambda q, a: special.gammaincinv(a, q),
    isf=lambda q, a: special.gammainccinv(a, q),
)
declare(
    stats.invgamma,
    support=(0, INF),
    interior=1,
    closed=False,
    valid=_positive,
    logpdf=lambda z, a: -(a + 1) * np.log(z) - special.gammaln(a) - 1 / z,
    cdf=lambda z, a: special.gammaincc(a, 1 / z),
    sf=lambda z, a: special.gammainc(a, 1 / z),
    ppf=lambda q, a: 1 / special.gammainccinv(a, q),
)
declare(
    stats.chi2,
    support=(0, INF),
    valid=_positive,
    logpdf=lambda z, df: (
        special.xlogy(0.5 * df - 1, z)
        - 0.5 * z
        - special.gammaln(0.5 * df)
        - 0.5 * math.log(2) * df
    ),
    cdf=lambda z, df: special.chdtr(df, z),
    sf=lambda z, df: special.chdtrc(df, z),
    ppf=lambda q, df: 2 * special.gammaincinv(0.5 * df, q),
    isf=lambda q, df: 2 * special.gammainccinv(0.5 * df, q),
)
declare(
    stats.beta,
    support=(0, 1),
    valid=_positive,
    logpdf=lambda z, a, b: (
        special.xlog1py(b - 1, -z) + special.xlogy(a - 1, z) - special.betaln(a, b)
    ),
    cdf=lambda z, a, b: special.betainc(a, b, z),
    sf=lambda z, a, b: special.betaincc(a, b, z),
    ppf=lambda q, a, b: special.betaincinv(a, b, q),
    isf=lambda q, a, b: special.betainccinv(a, b, q),
)
declare(
    stats.weibull_min,
    support=(0, INF),
    interior=1,
    valid=_positive,
    logpdf=lambda z, c: np.log(c) + special.xlogy(c - 1, z) - z**c,
    cdf=lambda z, c: -np.expm1(-(z**c)),
    sf=lambda z, c: np.exp(-(z**c)),
    logsf=lambda z, c: -(z**c),
    ppf=lambda q, c: _in_unit(q, (-np.log1p(-q)) ** (1 / c)),
)
declare(
    stats.pareto,
    support=(1, INF),
    interior=2,
    valid=_positive,
    logpdf=lambda z, b: np.log(b) - (b + 1) * np.log(z),
    cdf=lambda z, b: 1 - z**-b,
    sf=lambda z, b: z**-b,
    logsf=lambda z, b: -b * np.log(z),
    ppf=lambda q, b: _in_unit(q, (1 - q) ** (-1 / b)),
)

declare(
    stats.vonmises,
    valid=_positive,
    logpdf=lambda z, kappa: (
        kappa * special.cosm1(z) - math.log(2 * math.pi) - np.log(special.i0e(kappa))
    ),
)

# ---------------------------------------------------------------------------- discrete

declare_discrete(
    stats.poisson,
    valid=lambda mu: np.greater_equal(mu, 0),
    logpmf=lambda k, mu: special.xlogy(k, mu) - special.gammaln(k + 1) - mu,
    cdf=special.pdtr,
    sf=special.pdtrc,
)
declare_discrete(
    stats.bernoulli,
    support=(0, 1),
    valid=_fraction,
    logpmf=lambda k, p: special.xlogy(k, p) + special.xlog1py(1 - k, -p),
    cdf=lambda k, p: np.where(k >= 1, 1, 1 - p),
    sf=lambda k, p: np.where(k >= 1, 0, p),
)
declare_discrete(
    stats.binom,
    valid=lambda n, p: np.greater_equal(n, 0) & np.equal(n, np.floor(n)) & _fraction(p),
    within=lambda k, n, p: k <= n,
    logpmf=lambda k, n, p: (
        special.gammaln(n + 1.0)
        - (special.gammaln(k + 1) + special.gammaln(n - k + 1))
        + special.xlogy(k, p)
        + special.xlog1py(n - k, -p)
    ),
    cdf=lambda k, n, p: np.where(
        k < n, special.betaincc(k + 1, np.where(k < n, n - k, 1), p), 1
    ),
    sf=lambda k, n, p: np.where(k < n, special.betainc(k + 1, np.where(k < n, n - k, 1), p), 0),
)
declare_discrete(
    stats.geom,
    support=(1, INF),
    valid=_fraction,
    logpmf=lambda k, p: special.xlog1py(k - 1, -p) + np.log(p),
    cdf=lambda k, p: -np.expm1(k * np.log1p(-p)),
    sf=lambda k, p: np.exp(k * np.log1p(-p)),
    logsf=lambda k, p: k * np.log1p(-p),
)
declare_discrete(
    stats.nbinom,
    valid=lambda n, p: np.greater(n, 0) & _fraction(p),
    logpmf=lambda k, n, p: (
        special.gammaln(n + k)
        - special.gammaln(k + 1)
        - special.gammaln(n)
        + n * np.log(p)
        + special.xlog1py(k, -p)
    ),
)

# ---------------------------------------------------------------------------- several dimensions


@composite(stats.multivariate_normal.logpdf)
def multivariate_normal_logpdf(
    x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False
) -> Any:
    """The logarithm of the density, for a covariance that is a matrix, variances or a number."""
    if allow_singular:
        raise NotImplementedError(
            "scipy.stats.multivariate_normal with allow_singular= is not traced"
        )
    x = _doubles(x)
    deviation = x if mean is None else x - mean
    size = np.size(mean) if mean is not None else np.shape(cov)[0] if np.ndim(cov) else 1
    if size == 1 and np.ndim(x) < 2:
        deviation = np.expand_dims(deviation, -1)
    if np.ndim(cov) < 2:
        variances = np.broadcast_to(cov, (size,))
        squares = np.sum(deviation * deviation / variances, axis=-1)
        log_det = np.sum(np.log(variances))
    else:
        lower = np.linalg.cholesky(0.5 * (cov + np.transpose(cov)))
        columns = np.reshape(deviation, (-1, size)).T
        solved = np.linalg.solve(lower, columns)
        squares = np.reshape(np.sum(solved * solved, axis=0), np.shape(deviation)[:-1])
        log_det = 2 * np.sum(np.log(np.diagonal(lower)))
    return np.squeeze(-0.5 * (size * math.log(2 * math.pi) + log_det + squares))


@composite(stats.multivariate_normal.pdf)
def multivariate_normal_pdf(
    x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False
) -> Any:
    """The density."""
    return np.exp(multivariate_normal_logpdf(x, mean, cov, allow_singular))


@composite(stats.dirichlet.logpdf)
def dirichlet_logpdf(x: Any, alpha: Any) -> Any:
    """The logarithm of the density of shares x, all of them, along axis 0."""
    x, alpha = _doubles(x), _doubles(alpha)
    if np.shape(x)[0] != np.shape(alpha)[0]:
        raise NotImplementedError(
            "scipy.stats.dirichlet of all shares but the last is not traced: append 1 - np.sum(x)"
        )
    powers = np.transpose(special.xlogy(alpha - 1, np.transpose(x)))
    log_beta = np.sum(special.gammaln(alpha)) - special.gammaln(np.sum(alpha))
    return np.sum(powers, axis=0) - log_beta


@composite(stats.dirichlet.pdf)
def dirichlet_pdf(x: Any, alpha: Any) -> Any:
    """The density."""
    return np.exp(dirichlet_logpdf(x, alpha))
