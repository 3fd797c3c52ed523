"""scipy.spatial.distance: distances between all rows of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import distance

from symdiff.ir.types import ArrayType, array_type
from symdiff.ops.primitive import Primitive, Samples, array_of, case, composite, primitive

# The metrics of SciPy whose derivative is one formula; of those of other names the power is known.
_POWERS = {"cityblock": 1, "euclidean": 2, "chebyshev": np.inf}
_DIFFERENCES = "takes the differences of all pairs, which SciPy's loop in C does not keep"
_AT_ZERO = "The distance of equal rows has derivative 0."

# ---------------------------------------------------------------------------- formulas


def _pairs(XA: Any, XB: Any) -> Any:
    return XA[..., :, None, :] - XB[..., None, :, :]


def _of_pairs(diff: Any, metric: str, p: float) -> Any:
    """The distances, from the differences of all pairs."""
    size = np.abs(diff)
    if metric == "sqeuclidean":
        return np.sum(diff * diff, axis=-1)
    if metric == "chebyshev":
        return np.max(size, axis=-1)
    if metric == "cityblock":
        return np.sum(size, axis=-1)
    if metric == "euclidean":
        return np.sqrt(np.sum(diff * diff, axis=-1))
    return np.sum(size**p, axis=-1) ** (1 / p)


def _inverse(d: Any) -> Any:
    """1 / d; 0 for equal rows, at second order too."""
    return np.where(d == 0, 0, 1 / np.where(d == 0, 1, d))


def _tangent(d: Any, diff: Any, x_dot: Any, metric: str, p: float) -> Any:
    """What distances gain where the rows of the first array move by `x_dot`."""
    if metric == "sqeuclidean":
        return 2 * np.einsum("ijk,ik->ij", diff, x_dot)
    if metric == "cityblock":
        return np.einsum("ijk,ik->ij", np.sign(diff), x_dot)
    if metric == "euclidean":
        return np.einsum("ijk,ik->ij", diff, x_dot) * _inverse(d)
    if metric == "chebyshev":
        largest = np.abs(diff) == d[:, :, None]
        slope = np.sign(diff) * largest / np.sum(largest, axis=2, keepdims=True)
        return np.einsum("ijk,ik->ij", slope, x_dot)
    size = np.abs(diff) * _inverse(d)[:, :, None]
    return np.einsum("ijk,ik->ij", np.sign(diff) * size ** (p - 1), x_dot)


# ---------------------------------------------------------------------------- records


def _source(name: str) -> Any:
    def source(*args: str, metric: str, p: float) -> str:
        given = "" if metric == "euclidean" else f', "{metric}"'
        given += f", p={p}" if metric == "minkowski" else ""
        return f"scipy.spatial.distance.{name}({', '.join(args)}{given})"

    return source


def _options(metric: str, p: float) -> dict[str, Any]:
    return {"metric": metric, **({"p": p} if metric == "minkowski" else {})}


def _cdist_result(XA: ArrayType, XB: ArrayType, metric: str, p: float) -> ArrayType:
    return array_type(np.float64, (XA.shape[0], XB.shape[0]))


def _double(x: Any) -> Any:
    return x.astype(np.float64)


def _cdist_tangent(d: Any, XA: Any, XB: Any, x_dot: Any, metric: str, p: float) -> Any:
    return _tangent(d, _pairs(_double(XA), _double(XB)), _double(x_dot), metric, p)


def _cdist_second(d: Any, XA: Any, XB: Any, x_dot: Any, metric: str, p: float) -> Any:
    return _tangent(d.T, _pairs(_double(XB), _double(XA)), _double(x_dot), metric, p).T


_METRICS = [
    {"metric": name, "p": 2.5}  # which only Minkowski's reads
    for name in ("euclidean", "sqeuclidean", "cityblock", "chebyshev", "minkowski")
]

_cdist = primitive(
    lambda XA, XB, metric, p: distance.cdist(XA, XB, **_options(metric, p)),
    name="cdist",
    result=_cdist_result,
    jvp={"XA": _cdist_tangent, "XB": _cdist_second},
    numpy=_source("cdist"),
    batch=lambda XA, XB, metric, p: _of_pairs(_pairs(XA, XB), metric, p),
    convention=_AT_ZERO,
    cost=_DIFFERENCES,
    samples=Samples(
        cases=(
            *(case("f[3,2]:distinct", "f[4,2]", **each) for each in _METRICS),
            case("f[1,3]:distinct", "f[2,3]", **_METRICS[0]),
            case("f[0,2]", "f[3,2]", **_METRICS[0]),
        )
    ),
)


def _square_result(v: ArrayType, **params: Any) -> ArrayType:
    count = int(np.ceil(np.sqrt(2 * v.shape[0]))) or 1
    return array_type(v.dtype, (count, count))


# The matrix of all pairs from one number for each, and what both of its triangles add up to.
_to_square: Primitive = primitive(
    lambda v: distance.squareform(v, checks=False),
    name="squareform",
    arguments=("v",),
    result=_square_result,
    transpose={"v": lambda m_bar, v: _fold(m_bar)},
    numpy="scipy.spatial.distance.squareform({v}, checks=False)",
    batch=lambda v: np.stack([_to_square(each) for each in v]),
    samples=Samples(cases=(case("f[3]"), case("f[10]"), case("f[1]"))),
)
_fold: Primitive = primitive(
    lambda m: distance.squareform(m + m.T, checks=False),
    name="fold_triangles",
    arguments=("m",),
    result=lambda m: array_type(m.dtype, (m.shape[0] * (m.shape[0] - 1) // 2,)),
    transpose={"m": lambda v_bar, m: _to_square(v_bar)},
    numpy="scipy.spatial.distance.squareform({m} + {m}.T, checks=False)",
    repeats_operands=True,
    batch=lambda m: np.stack([_fold(each) for each in m]),
    samples=Samples(cases=(case("f[3,3]"), case("f[2,2]"))),
)


def _upper(m: Any) -> Any:
    """The upper triangle by rows, whatever stands in the lower one."""
    return _fold(np.triu(m, 1))


def _pdist_tangent(y: Any, X: Any, x_dot: Any, metric: str, p: float) -> Any:
    X = _double(X)
    first = _tangent(_to_square(y), _pairs(X, X), _double(x_dot), metric, p)
    return _fold(first)


def _pdist_batch(X: Any, metric: str, p: float) -> Any:
    i, j = np.triu_indices(X.shape[1], 1)
    return _of_pairs(_pairs(X, X), metric, p)[:, i, j]


_pdist = primitive(
    lambda X, metric, p: distance.pdist(X, **_options(metric, p)),
    name="pdist",
    result=lambda X, metric, p: array_type(
        np.float64, (X.shape[0] * (X.shape[0] - 1) // 2,)
    ),
    jvp={"X": _pdist_tangent},
    numpy=_source("pdist"),
    batch=_pdist_batch,
    convention=_AT_ZERO,
    cost=_DIFFERENCES,
    samples=Samples(cases=tuple(case("f[4,2]", **each) for each in _METRICS)),
)

# ---------------------------------------------------------------------------- SciPy's functions

_SHORT = {
    "cheby": "chebyshev", "city": "cityblock", "euclid": "euclidean", "sqeuclid": "sqeuclidean",
}  # fmt: skip


def _named(metric: Any) -> str:
    """A metric's name. Raises NotImplementedError for one that is no name of SciPy's."""
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "")
    if name != metric and getattr(metric, "__module__", "") != distance.__name__:
        raise NotImplementedError(
            "distances by a function of one's own are not traced; write them as a formula of "
            "X[:, None] - Y"
        )
    return _SHORT.get(name.lower(), name.lower())


def _weighted(rows: tuple[Any, ...], metric: str, p: float, w: Any) -> tuple[Any, ...]:
    """Rows whose plain distances are the weighted ones."""
    power = 1 / 2 if metric == "sqeuclidean" else 1 / p
    scale = np.asarray(w != 0, float) if metric == "chebyshev" else w**power
    return tuple(each * scale for each in rows)


def _distances(rows: tuple[Any, ...], metric: Any, options: dict[str, Any]) -> Any:
    """The distances of the rows of two arrays, or of one array among each other."""
    name = _named(metric)
    w, p = options.pop("w", None), options.pop("p", 2)
    of_columns = {key: options.pop(key, None) for key in _OF_COLUMNS.get(name, ())}
    if any(each is not None for each in options.values()):
        raise NotImplementedError(f"distances with {', '.join(options)}= are not traced")
    if name == "minkowski":
        name = next((each for each, power in _POWERS.items() if power == p), name)
    own = _pdist if len(rows) == 1 else _cdist
    if name in _POWERS or name in ("sqeuclidean", "minkowski"):
        rows = rows if w is None else _weighted(rows, name, _POWERS.get(name, p), w)
        return own(*rows, metric=name, p=p)
    if w is not None or name not in _FORMULAS:
        raise NotImplementedError(
            f"distances by {name} are not traced{' with w=' if name in _FORMULAS else ''}; write "
            "them as a formula of X[:, None] - Y"
        )
    square = _FORMULAS[name](rows[0], rows[-1], **of_columns)
    return square if len(rows) == 2 else _upper(square)


def _seuclidean(XA: Any, XB: Any, V: Any) -> Any:
    V = np.var(_together(XA, XB), axis=0, ddof=1) if V is None else V
    return _cdist(XA / np.sqrt(V), XB / np.sqrt(V), metric="euclidean", p=2)


def _mahalanobis(XA: Any, XB: Any, VI: Any) -> Any:
    diff = _pairs(XA, XB)
    VI = np.linalg.inv(np.cov(_together(XA, XB).T)).T if VI is None else VI
    squares = np.sum((diff @ VI) * diff, axis=-1)
    return np.where(squares > 0, np.sqrt(squares), 0)


def _together(XA: Any, XB: Any) -> Any:
    return XA if XA is XB else np.concatenate([XA, XB])


def _cosine(XA: Any, XB: Any) -> Any:
    return 1 - _unit(XA) @ _unit(XB).T


def _correlation(XA: Any, XB: Any) -> Any:
    return _cosine(*(each - np.mean(each, axis=1, keepdims=True) for each in (XA, XB)))


def _unit(X: Any) -> Any:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def _canberra(XA: Any, XB: Any) -> Any:
    total = np.abs(XA)[:, None] + np.abs(XB)
    return np.sum(np.where(total > 0, np.abs(_pairs(XA, XB)) / total, 0), axis=-1)


def _braycurtis(XA: Any, XB: Any) -> Any:
    return np.sum(np.abs(_pairs(XA, XB)), axis=-1) / np.sum(np.abs(_pairs(XA, -XB)), axis=-1)


_FORMULAS: dict[str, Any] = {
    "seuclidean": _seuclidean,
    "mahalanobis": _mahalanobis,
    "cosine": _cosine,
    "correlation": _correlation,
    "canberra": _canberra,
    "braycurtis": _braycurtis,
}
_OF_COLUMNS = {"seuclidean": ("V",), "mahalanobis": ("VI",)}


@composite(distance.cdist, cost=_DIFFERENCES)
def cdist(XA: Any, XB: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:
    """The distance of each row of XA from each of XB."""
    rows = _double(array_of(XA)), _double(array_of(XB))
    return _distances(rows, metric, {"out": out, **kwargs})


@composite(distance.pdist, cost=_DIFFERENCES)
def pdist(X: Any, metric: Any = "euclidean", *, out: Any = None, **kwargs: Any) -> Any:
    """The distance of each row from each later one."""
    return _distances((_double(array_of(X)),), metric, {"out": out, **kwargs})


@composite(distance.squareform)
def squareform(X: Any, force: str = "no", checks: bool = True) -> Any:
    """The matrix of the distances of all pairs, or the distances that stand in it."""
    X = array_of(X)
    if force.lower() not in ("no", "tomatrix" if X.ndim == 1 else "tovector"):
        raise ValueError(f"squareform of an array of {X.ndim} axes cannot be forced {force!r}")
    return _to_square(X) if X.ndim == 1 else _upper(X)
