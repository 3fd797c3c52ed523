"""Polynomials: values, coefficients, roots and fits.

Coefficients that happen to be 0 stay: NumPy drops leading ones in products and quotients.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.polynomial._polybase import ABCPolyBase

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.equations import PSEUDOINVERSE
from symdiff.ops.primitive import (
    Jvp,
    Primitive,
    Samples,
    Transpose,
    array_of,
    case,
    composite,
    linear,
    primitive,
    register,
)

# ---------------------------------------------------------------------------- powers


def _vander_tangent(y: Any, x: Any, x_dot: Any, N: int, increasing: bool) -> Any:
    if N < 2:
        return 0
    powers, zeros = vander(x, N=N - 1, increasing=increasing), np.zeros((np.shape(x)[0], 1))
    if increasing:
        slopes = np.concatenate([zeros, powers * np.arange(1, N)], axis=1)
    else:
        slopes = np.concatenate([powers * np.arange(N - 1, 0, -1), zeros], axis=1)
    return slopes * x_dot[:, None]


def _vander_batch(x: Any, N: int, increasing: bool) -> Any:
    count, length = np.shape(x)
    rows = vander(np.ravel(x), N=N, increasing=increasing)
    return np.reshape(rows, (count, length, N))


def _vander_source(x: str, N: int, increasing: bool) -> str:
    return f"np.vander({x}, {N}{', increasing=True' if increasing else ''})"


vander: Primitive = primitive(
    np.vander,
    result=lambda x, N, increasing: array_type(np.promote_types(x.dtype, int), (*x.shape, N)),
    jvp={"x": _vander_tangent},
    call=lambda x, N=None, increasing=False: (
        (x,),
        {"N": len(x) if N is None else operator.index(N), "increasing": bool(increasing)},
    ),
    batch=_vander_batch,
    numpy=_vander_source,
    cost="sums over the powers of each element, in rows that are short",
    samples=Samples(
        cases=(
            case("f[4]", N=3, increasing=False),
            case("f[2]", N=4, increasing=True),
            case("f[3]", N=1, increasing=False),
            case("c[2]", N=3, increasing=False),
        )
    ),
)


def _rows_of_powers(x: Any, count: int) -> Any:
    """The powers of all elements of x, the highest first, in the dtype of x."""
    return np.vander(np.ravel(x), count).astype(x.dtype)


# ---------------------------------------------------------------------------- values


def _slope(y: Any, p: Any, x: Any, x_dot: Any) -> Any:
    return polyval(np.polyder(p), x) * x_dot if np.shape(p)[0] > 1 else 0


def _coefficients_bar(y_bar: Any, p: Any, x: Any) -> Any:
    return np.ravel(y_bar) @ _rows_of_powers(x, np.shape(p)[0])


def _polyval_batch(p: Any, x: Any, batched: tuple[bool, bool]) -> Any:
    if not batched[0]:
        return polyval(p, x)
    ndim = np.ndim(x) - batched[1]
    y: Any = 0
    for i in range(np.shape(p)[1]):  # NumPy takes one polynomial at a time
        y = y * x + np.reshape(p[:, i], (-1, *(1,) * ndim))
    return y


_WRITTEN_OUT = 32  # coefficients up to which C has a polynomial as one expression


def _by_horner(p: Any, x: Any) -> Any:
    """For C: the polynomial written out, as NumPy adds it up."""
    if np.shape(p)[0] > _WRITTEN_OUT:
        return NotImplemented
    y = np.zeros_like(x, np.result_type(p.dtype, x.dtype))
    for i in range(np.shape(p)[0]):
        y = y * x + p[i]
    return y


# The polynomial of one axis of coefficients, the highest power first, at each element of x.
polyval: Primitive = register(
    Primitive(
        name="polyval",
        function=np.polyval,
        arguments=("p", "x"),
        result=lambda p, x: array_type(p.dtype, x.shape),
        rules={"p": Transpose(_coefficients_bar), "x": Jvp(_slope)},
        batch=_polyval_batch,
        numpy="np.polyval",
        c_expansion=_by_horner,
        samples=Samples(
            cases=(
                case("f[4]", "f[3]"),
                case("f[1]", "f[2]"),
                case("f[2]", "f[]"),
                case("f[3]", "f[2,2]"),
                case("c[3]", "c[2]"),
            )
        ),
    )
)


@composite(np.polyval, cost="takes all powers of x, against which the cotangent is multiplied")
def polynomial(p: Any, x: Any) -> Any:
    """The polynomial with coefficients p, the highest power first."""
    p = np.asarray(p.coeffs) if isinstance(p, np.poly1d) else p
    if isinstance(x, np.poly1d):
        _refuse_objects(x)
    p, x = (np.asarray(each) if not hasattr(each, "dtype") else each for each in (p, x))
    if len(p) == 0:
        return np.zeros_like(x)
    if np.ndim(p) == 1:
        return polyval(p, x)
    y: Any = 0
    for i in range(np.shape(p)[0]):
        y = y * x + p[i]
    return y


def _refuse_objects(*arguments: Any) -> None:
    """Raises NotImplementedError where one is an np.poly1d."""
    if any(isinstance(each, np.poly1d) for each in arguments):
        raise NotImplementedError(
            "np.poly1d objects are not traced: work with their coefficients, p.coeffs"
        )


def _coefficients(*polynomials: Any) -> list[Any]:
    _refuse_objects(*polynomials)
    return [np.atleast_1d(each) for each in polynomials]


# ---------------------------------------------------------------------------- arithmetic


def _aligned(a1: Any, a2: Any) -> list[Any]:
    """Two polynomials with zeros before the shorter one."""
    pair = _coefficients(a1, a2)
    length = max(len(each) for each in pair)
    return [
        each if len(each) == length
        else np.concatenate([np.zeros(length - len(each), each.dtype), each])
        for each in pair
    ]  # fmt: skip


@composite(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """The sum of two polynomials."""
    p, q = _aligned(a1, a2)
    return p + q


@composite(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """The difference of two polynomials."""
    p, q = _aligned(a1, a2)
    return p - q


@composite(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """The product of two polynomials."""
    return np.convolve(*_coefficients(a1, a2))


@composite(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """The quotient of two polynomials and the remainder, of one coefficient less than v."""
    u, v = _coefficients(u, v)
    rest, divisor = u + 0.0, v + 0.0
    dtype = np.result_type(rest, divisor)
    count, length = len(u) - len(v) + 1, len(v)
    if count < 1:
        return np.zeros(1, dtype), rest.astype(dtype)
    scale = 1.0 / divisor[0]
    quotient = []
    for _ in range(count):
        factor = scale * rest[0]
        quotient.append(factor)
        rest = np.concatenate([(rest[:length] - factor * divisor)[1:], rest[length:]])
    return np.stack(quotient), rest if length > 1 else np.zeros(1, dtype)


@composite(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """The coefficients of the derivative of order m."""
    (p,) = _coefficients(p)
    if operator.index(m) < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@composite(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """The coefficients of the integral of order m, with constants k."""
    (p,) = _coefficients(p)
    if operator.index(m) < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else np.atleast_1d(k)
    if len(constants) == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


# ---------------------------------------------------------------------------- roots


@composite(np.poly, cost="is written out, one product for each root")
def poly(seq_of_zeros: Any) -> Any:
    """The polynomial with these roots, or with the eigenvalues of a matrix.

    It is real where these are given by real numbers.
    """
    (roots,) = _coefficients(seq_of_zeros)
    real = not np.iscomplexobj(roots)
    if np.ndim(roots) == 2:
        roots = np.linalg.eigvals(roots)
    elif np.ndim(roots) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if len(roots) == 0:
        return 1.0
    roots = roots.astype(np.mintypecode(roots.dtype.char))
    p, zero = np.ones(1, roots.dtype), np.zeros(1, roots.dtype)
    for i in range(len(roots)):
        p = np.concatenate([p, zero]) - np.concatenate([zero, roots[i] * p])
    return p.real if real and np.iscomplexobj(p) else p


def _roots(p: Any, leading: int) -> Any:
    return np.asarray(np.roots(p), _complex(p.dtype))


def _complex(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.promote_types(dtype, np.complex64)


def _roots_type(p: ArrayType, leading: int) -> ArrayType:
    return array_type(_complex(p.dtype), (p.shape[0] - 1 - leading,))


def _roots_tangent(r: Any, p: Any, p_dot: Any, leading: int) -> Any:
    """By the implicit function theorem: the polynomial stays 0 at each root."""
    p, p_dot = p.astype(r.dtype), p_dot.astype(r.dtype)
    return -polyval(p_dot, r) / polyval(polyder(p), r)


def _roots_batch(p: Any, leading: int) -> Any:
    """The eigenvalues of the companion matrices."""
    count, length = np.shape(p)
    rows = np.expand_dims(-p[:, 1:] / p[:, :1], 1)
    below = np.eye(length - 2, length - 1, dtype=p.dtype)
    below = np.broadcast_to(below, (count, length - 2, length - 1))
    return np.linalg.eigvals(np.concatenate([rows, below], 1))


# The roots as complex numbers, of coefficients of which some leading ones are 0.
roots: Primitive = primitive(
    _roots,
    name="roots",
    result=_roots_type,
    jvp={"p": _roots_tangent},
    batch=_roots_batch,
    numpy=lambda p, leading, types: f"np.roots({p}).astype(np.{_complex(types[0].dtype)})",
    convention="np.roots is complex; of a root that is a multiple one there is no derivative.",
    samples=Samples(
        cases=(case("f[4]", leading=0), case("f[2]", leading=0), case("c[3]", leading=0))
    ),
)


# ---------------------------------------------------------------------------- fits


@composite(np.polyfit, cost=PSEUDOINVERSE)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """The polynomial of a degree with the least sum of squares, in NumPy's order of operations."""
    count = operator.index(deg) + 1
    x, y = array_of(x) + 0.0, array_of(y) + 0.0
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if np.ndim(x) != 1 or np.size(x) == 0 or np.ndim(y) not in (1, 2):
        raise ValueError("np.polyfit takes a vector x that is not empty, and y of 1 or 2 axes")
    if np.shape(x)[0] != np.shape(y)[0]:
        raise ValueError("expected x and y to have same length")
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = np.vander(x, count), y
    if w is not None:
        weights = np.reshape(array_of(w) + 0.0, (-1, 1))
        left = left * weights
        right = right * (weights if np.ndim(y) == 2 else weights[:, 0])
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, values = np.linalg.lstsq(left, right, rcond)
    c = np.transpose(np.transpose(c) / scale)
    if full:
        return c, residuals, rank, values, rcond
    if not cov:
        return c
    spread = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    if isinstance(cov, str) and cov == "unscaled":
        factor: Any = 1
    elif len(x) <= count:
        raise ValueError(
            "the number of data points must exceed order to scale the covariance matrix"
        )
    else:
        factor = residuals / (len(x) - count)
    return c, (spread if np.ndim(y) == 1 else np.expand_dims(spread, -1)) * factor


# ---------------------------------------------------------------------------- np.polynomial

_BASES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "laguerre": "lag",
    "hermite": "herm",
    "hermite_e": "herme",
}


def _basis(module_name: str, prefix: str) -> None:
    """The records of one module of np.polynomial: values, derivatives and powers of a basis."""
    module = getattr(np.polynomial, module_name)
    value_of, derivative_of, rows_of = (
        getattr(module, f"{prefix}{name}") for name in ("val", "der", "vander")
    )

    def source(name: str) -> str:
        return f"np.polynomial.{module_name}.{prefix}{name}"

    def matrix(length: int) -> Any:
        """The derivative as a matrix, of which the coefficients are columns."""
        return derivative_of(np.eye(length))

    def in_powers(length: int) -> Any:
        """The elements of the basis as rows of coefficients of powers."""
        made = np.eye(length)
        if prefix != "poly":
            for i, row in enumerate(np.eye(length)):
                made[i, : i + 1] = getattr(module, f"{prefix}2poly")(row[: i + 1])
        return made

    def derivative_type(c: ArrayType) -> ArrayType:
        return c.with_shape((max(c.shape[0] - 1, 1),))

    def batch_of_derivatives(c: Any) -> Any:
        return c @ matrix(np.shape(c)[-1]).T.astype(c.dtype)

    derivative = linear(
        derivative_of,
        name=f"{module_name}_{prefix}der",
        result=derivative_type,
        transpose={"c": lambda y_bar, c: y_bar @ matrix(np.shape(c)[0]).astype(c.dtype)},
        batch=batch_of_derivatives,
        numpy=source("der"),
        samples=Samples(cases=(case("f[5]"), case("f[1]"), case("f[2]"))),
    )

    def rows_batch(x: Any, deg: int) -> Any:
        return rows(x, deg=deg)

    def rows_tangent(y: Any, x: Any, x_dot: Any, deg: int) -> Any:
        if not deg:
            return 0
        slopes = rows(x, deg=deg - 1) @ matrix(deg + 1).astype(x.dtype)
        return slopes * np.expand_dims(x_dot, -1)

    rows = primitive(
        rows_of,
        name=f"{module_name}_{prefix}vander",
        result=lambda x, deg: x.with_shape((*x.shape, deg + 1)),
        jvp={"x": rows_tangent},
        batch=rows_batch,
        numpy=lambda x, deg: f"{source('vander')}({x}, {deg})",
        samples=Samples(cases=(case("f[3]", deg=4), case("f[2,2]", deg=1), case("f[2]", deg=0))),
    )

    def slope(y: Any, x: Any, c: Any, x_dot: Any) -> Any:
        return value(x, derivative(c)) * x_dot if np.shape(c)[0] > 1 else 0

    def coefficients_bar(y_bar: Any, x: Any, c: Any) -> Any:
        return np.ravel(y_bar) @ rows(np.ravel(x), deg=np.shape(c)[0] - 1)

    def value_batch(x: Any, c: Any, batched: tuple[bool, bool]) -> Any:
        if not batched[1]:
            return value(x, c)
        if not batched[0]:
            found = np.expand_dims(rows(np.ravel(x), deg=np.shape(c)[1] - 1), 0)
            return np.reshape(found @ np.expand_dims(c, -1), (np.shape(c)[0], *np.shape(x)))
        found = rows(np.reshape(x, (np.shape(x)[0], -1)), deg=np.shape(c)[1] - 1)
        return np.reshape(found @ np.expand_dims(c, -1), np.shape(x))

    value = register(
        Primitive(
            name=f"{module_name}_{prefix}val",
            function=value_of,
            arguments=("x", "c"),
            result=lambda x, c: array_type(c.dtype, x.shape),
            rules={"x": Jvp(slope), "c": Transpose(coefficients_bar)},
            batch=value_batch,
            numpy=source("val"),
            samples=Samples(
                cases=(case("f[3]", "f[5]"), case("f[]", "f[2]"), case("f[2,2]", "f[1]"))
            ),
        )
    )

    @composite(value_of)
    def values(x: Any, c: Any, tensor: bool = True) -> Any:
        c = np.atleast_1d(_inexact(c))
        if isinstance(x, ABCPolyBase):
            return _composed(c @ in_powers(len(c)).astype(c.dtype), x)
        x = _inexact(x)
        if np.ndim(c) == 1:
            return value(x, c)
        powers = rows(np.ravel(x), deg=np.shape(c)[0] - 1)
        if tensor:  # each column of coefficients at each x
            found = np.tensordot(c, powers, (0, 1))
            return np.reshape(found, np.shape(c)[1:] + np.shape(x))
        powers = np.reshape(powers.T, (len(c), *(1,) * (np.ndim(c) - 1 - np.ndim(x)), *np.shape(x)))
        return np.sum(c * powers, axis=0)

    @composite(derivative_of)
    def derivatives(c: Any, m: int = 1, scl: Any = 1, axis: int = 0) -> Any:
        c = _inexact(np.atleast_1d(c))
        for _ in range(operator.index(m)):
            c = c if _is_one(scl) else c * scl
            if np.ndim(c) == 1:
                c = derivative(c)
            else:
                slopes = np.moveaxis(c, axis, -1) @ matrix(np.shape(c)[axis]).T.astype(c.dtype)
                c = np.moveaxis(slopes, -1, axis)
        return c

    @composite(rows_of)
    def powers(x: Any, deg: int) -> Any:
        x = np.atleast_1d(x)
        if operator.index(deg) < 0:
            raise ValueError("deg must be non-negative")
        return rows(_inexact(x), deg=operator.index(deg))


def _composed(c: Any, x: Any) -> Any:
    """The polynomial with these coefficients, the lowest power first, of another polynomial."""
    y = x * 0 + c[-1]
    for i in range(2, len(c) + 1):
        y = y * x + c[-i]
    return y


def _inexact(x: Any) -> Any:
    """An array of floating point numbers: integers are taken as doubles."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _is_one(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 1


for _module, _prefix in _BASES.items():
    _basis(_module, _prefix)
