"""What is timed: plain NumPy functions, their data, and their gradients as an expert writes them.

A function here is what a user would write, and symdiff gets it as it stands. The peers get the
same code with their own array module in the place of `np` (`over`). A gradient written by hand does
all that a good colleague does who knows NumPy well, arithmetic in place included, but keeps no
buffers between two calls.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[Any]
Gradient = Callable[..., tuple[Any, Any]]  # arguments -> value, gradients


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A function, its arguments, and what differentiates it by hand."""

    name: str
    function: Callable[..., Any]
    argnums: int | tuple[int, ...]
    by_hand: Gradient  # ratios are to this one
    also_by_hand: Mapping[str, Gradient] = field(default_factory=dict)
    in_c: str = ""  # a function of hand.c
    products: Callable[..., Any] | None = None  # no more than the matrix products of `by_hand`
    data: Callable[..., tuple[Any, ...]]  # a random generator, then sizes -> arguments
    sizes: tuple[int, ...] = ()
    small: tuple[int, ...] = ()  # sizes at which a test is quick

    def arguments(self) -> tuple[Any, ...]:
        """The arguments, the same ones in every run."""
        return self.data(np.random.default_rng(0), *self.sizes)

    def small_arguments(self) -> tuple[Any, ...]:
        """Arguments of the same form, at sizes that suit finite differences."""
        return self.data(np.random.default_rng(0), *self.small)


def over(
    function: Callable[..., Any], module: ModuleType, special: ModuleType
) -> Callable[..., Any]:
    """`function` with modules in the place of NumPy and scipy.special: over other globals."""
    assert isinstance(function, FunctionType)
    names = {**function.__globals__, "np": module, "special": special}
    return FunctionType(function.__code__, names)


# The two functions of the lecture, on Python floats.


def product(x: float, y: float, z: float) -> float:
    """The lecture's first example."""
    return (x + y) * z


def product_by_hand(x: float, y: float, z: float) -> tuple[float, tuple[float, ...]]:
    """Shares the sum."""
    s = x + y
    return s * z, (z, z, s)


def product_data(rng: np.random.Generator) -> tuple[float, ...]:
    """The lecture's numbers."""
    return 1.0, -3.0, 4.0


def neuron(w0: float, x0: float, w1: float, x1: float, b: float) -> Any:
    """The lecture's sigmoid neuron."""
    return 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + b)))


def neuron_by_hand(
    w0: float, x0: float, w1: float, x1: float, b: float
) -> tuple[float, tuple[float, ...]]:
    """Python floats throughout: on them `math.exp` is many times as fast as `np.exp`."""
    p = 1 / (1 + math.exp(-(w0 * x0 + w1 * x1 + b)))
    d = p * (1 - p)
    return p, (d * x0, d * w0, d * x1, d * w1, d)


def neuron_by_hand_in_numpy(
    w0: float, x0: float, w1: float, x1: float, b: float
) -> tuple[float, tuple[float, ...]]:
    """With the function's own `np.exp`, which makes everything after it a NumPy scalar."""
    p = 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + b)))
    d = p * (1 - p)
    return p, (d * x0, d * w0, d * x1, d * w1, d)


def neuron_data(rng: np.random.Generator) -> tuple[float, ...]:
    """The lecture's numbers."""
    return 2.0, -1.0, -3.0, -2.0, -3.0


# Rosenbrock's function.


def rosenbrock(x: Array) -> Any:
    """The valley of many variables, as SciPy's documentation writes it."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_by_hand(x: Array) -> tuple[Any, Array]:
    """No more than four arrays at a time; the value is the function's to the last bit.

    Float literals, since NumPy takes longer to fit an int to a float array.
    """
    a = x[:-1]
    t = a * a
    np.subtract(x[1:], t, out=t)
    u = 1.0 - a
    grad = np.empty_like(x)
    head = grad[:-1]
    terms = t * t
    terms *= 100.0
    np.multiply(u, u, out=head)
    terms += head
    value = terms.sum()
    t *= 200.0
    np.multiply(a, t, out=head)
    head += u
    head *= -2.0
    grad[-1] = 0.0
    grad[1:] += t
    return value, grad


def rosenbrock_by_hand_with_dot_products(x: Array) -> tuple[Any, Array]:
    """Sums by `dot`: two passes less, in another order, so other bits than the function's."""
    a = x[:-1]
    t = a * a
    np.subtract(x[1:], t, out=t)
    u = 1.0 - a
    value = 100.0 * t.dot(t) + u.dot(u)
    t *= 200.0
    grad = np.empty_like(x)
    grad[0] = 0.0
    grad[1:] = t
    t *= a
    t += u
    t += t
    grad[:-1] -= t
    return value, grad


def rosenbrock_in_textbook_form(x: Array) -> tuple[Any, Array]:
    """One expression for each formula."""
    a = x[:-1]
    t = x[1:] - a * a
    u = 1 - a
    value = np.sum(100 * t * t + u * u)
    grad = np.zeros_like(x)
    grad[:-1] = -400 * a * t - 2 * u
    grad[1:] += 200 * t
    return value, grad


def rosenbrock_data(rng: np.random.Generator, n: int) -> tuple[Array]:
    """A point far from the minimum."""
    return (rng.standard_normal(n),)


# Prices of options, each with its own parameters.


def black_scholes(spot: Array, strike: Array, time: Array, rate: Array, vol: Array) -> Any:
    """The value of calls, one of each."""
    spread = vol * np.sqrt(time)
    d1 = (np.log(spot / strike) + (rate + vol**2 / 2) * time) / spread
    d2 = d1 - spread
    half = math.sqrt(0.5)
    reached, paid = 0.5 + 0.5 * special.erf(half * d1), 0.5 + 0.5 * special.erf(half * d2)
    return np.sum(spot * reached - strike * np.exp(-rate * time) * paid)


def black_scholes_by_hand(
    spot: Array, strike: Array, time: Array, rate: Array, vol: Array
) -> tuple[Any, tuple[Array, ...]]:
    """The formulas of the greeks, in which most of what the chain rule gives cancels."""
    root = np.sqrt(time)
    spread = vol * root
    d1 = vol * vol
    d1 *= 0.5
    d1 += rate
    d1 *= time
    d1 += np.log(spot / strike)
    d1 /= spread
    delta = special.ndtr(d1)
    np.subtract(d1, spread, out=spread)
    paid = special.ndtr(spread, out=spread)
    discount = rate * time
    np.negative(discount, out=discount)
    np.exp(discount, out=discount)
    discount *= strike
    paid *= discount
    value = np.vdot(spot, delta) - paid.sum()
    d1 *= d1
    d1 *= -0.5
    vega = np.exp(d1, out=d1)
    vega *= spot
    vega *= root
    vega *= 1 / math.sqrt(2 * math.pi)
    theta = vega * vol
    theta *= 0.5
    theta /= time
    rho = np.multiply(paid, time, out=discount)
    paid *= rate
    theta += paid
    return value, (delta, theta, rho, vega)


def black_scholes_data(rng: np.random.Generator, n: int) -> tuple[Array, ...]:
    """Options around the money, of up to two years."""
    spot = rng.uniform(80, 120, n)
    strike = rng.uniform(80, 120, n)
    return spot, strike, *(rng.uniform(a, b, n) for a, b in ((0.1, 2), (0.01, 0.05), (0.1, 0.5)))


# Elementwise operations, one after the other.


def chain(x: Array) -> Any:
    """Ten of them."""
    e = np.exp(np.sin(x) / 2)
    h = np.tanh(np.sqrt(1 + e * e) - 1)
    return np.sum(np.log(1 + h * h) * e)


def chain_by_hand(x: Array) -> tuple[Any, Array]:
    """Seven arrays, each written more than once."""
    e = np.sin(x)
    e *= 0.5
    np.exp(e, out=e)
    r = e * e
    r += 1.0
    np.sqrt(r, out=r)
    h = r - 1.0
    np.tanh(h, out=h)
    squares = h * h
    q = 1.0 + squares
    logs = np.log(q)
    value = np.vdot(logs, e)
    h += h
    h /= q
    h *= e
    np.subtract(1.0, squares, out=squares)
    h *= squares
    h *= e
    h /= r
    h += logs
    h *= e
    h *= np.cos(x, out=q)
    h *= 0.5
    return value, h


def chain_data(rng: np.random.Generator, n: int) -> tuple[Array]:
    """All over the first periods."""
    return (rng.standard_normal(n),)


# A mixture of Gaussians, each with the inverse of a factor of its covariance.


def mixture_loss(alpha: Array, mu: Array, q: Array, lower: Array, x: Array) -> Any:
    """Log-likelihood up to a constant; the factors have exp(q) on the diagonal."""
    centered = x - mu[:, np.newaxis]
    z = centered * np.exp(q)[:, np.newaxis] + centered @ lower
    s = (alpha + np.sum(q, axis=1))[:, np.newaxis] - 0.5 * np.sum(z * z, axis=2)
    most = np.max(s, axis=0)
    each = most + np.log(np.sum(np.exp(s - most), axis=0))
    top = np.max(alpha)
    return np.sum(each) - len(x) * (top + np.log(np.sum(np.exp(alpha - top))))


def mixture_by_hand(
    alpha: Array, mu: Array, q: Array, lower: Array, x: Array
) -> tuple[Any, tuple[Array, ...]]:
    """The diagonals in the products; all components in one array."""
    diagonal = np.exp(q)
    places = np.arange(q.shape[1])
    factors = lower.copy()
    factors[:, places, places] += diagonal
    centered = x - mu[:, np.newaxis]
    z = centered @ factors
    s = np.einsum("knd,knd->kn", z, z)
    s *= -0.5
    s += (alpha + q.sum(axis=1))[:, np.newaxis]
    most = s.max(axis=0)
    s -= most
    p = np.exp(s, out=s)
    total = p.sum(axis=0)
    p /= total
    top = alpha.max()
    weights = np.exp(alpha - top)
    weight = weights.sum()
    value = most.sum() + np.log(total).sum() - len(x) * (top + np.log(weight))
    share = p.sum(axis=1)
    z *= -p[:, :, np.newaxis]
    lower_bar = centered.transpose(0, 2, 1) @ z
    mu_bar = -(z.sum(axis=1)[:, np.newaxis] @ factors.transpose(0, 2, 1))[:, 0]
    q_bar = lower_bar[:, places, places] * diagonal + share[:, np.newaxis]
    return value, (share - len(x) * weights / weight, mu_bar, q_bar, lower_bar)


def mixture_data(rng: np.random.Generator, n: int, d: int, k: int) -> tuple[Array, ...]:
    """Points of one cloud, and components around it."""
    lower = np.tril(rng.standard_normal((k, d, d)) / d, -1)
    return (
        rng.standard_normal(k),
        rng.standard_normal((k, d)),
        0.1 * rng.standard_normal((k, d)),
        lower,
        rng.standard_normal((n, d)),
    )


# Logistic regression, labels -1 and 1.


def logistic_loss(w: Array, b: float, x: Array, y: Array) -> Any:
    """Mean negative log-likelihood."""
    margin = y * (x @ w + b)
    return np.mean(np.log(1 + np.exp(-margin)))


def logistic_by_hand(w: Array, b: float, x: Array, y: Array) -> tuple[Any, tuple[Array, Any]]:
    """Two vectors of the length of the data serve all steps; only the short results are scaled."""
    n = len(y)
    odds = x @ w
    odds += b
    odds *= y
    np.negative(odds, out=odds)
    np.exp(odds, out=odds)
    total = 1 + odds
    odds /= total
    odds *= y
    value = np.log(total, out=total).sum() / n
    return value, (odds @ x / -n, odds.sum() / -n)


def logistic_by_hand_in_blocks(
    w: Array, b: float, x: Array, y: Array
) -> tuple[Any, tuple[Array, Any]]:
    """Reads the data from memory once, not twice; sums in another order than the function."""
    block, value, w_bar, b_bar = 1_000, 0.0, np.zeros_like(w), 0.0
    for start in range(0, len(y), block):
        rows = slice(start, start + block)
        share = len(y[rows]) / len(y)
        block_value, (block_w_bar, block_b_bar) = logistic_by_hand(w, b, x[rows], y[rows])
        value += share * block_value
        w_bar += share * block_w_bar
        b_bar += share * block_b_bar
    return value, (w_bar, b_bar)


def logistic_products(w: Array, b: float, x: Array, y: Array) -> Any:
    """Scores, and the gradient from residuals."""
    return x @ w, y @ x


def logistic_data(rng: np.random.Generator, n: int, d: int) -> tuple[Array, float, Array, Array]:
    """Noisy labels of a random plane."""
    x = rng.standard_normal((n, d))
    w = rng.standard_normal(d) / np.sqrt(d)
    y = np.where(x @ w + rng.standard_normal(n) > 0, 1.0, -1.0)
    return w, 0.1, x, y


# What both networks below spend most of their time on.


def network_products(weights: Sequence[Array], x: Array) -> list[Array]:
    """The gradient of a network without anything but products."""
    layers = [x]
    for W in weights:
        layers.append(layers[-1].dot(W))
    bar = layers.pop()
    weight_bars = [layers.pop().T.dot(bar)]
    while layers:
        bar = bar.dot(weights[len(layers)].T)
        weight_bars.append(layers.pop().T.dot(bar))
    return weight_bars


# Classifiers of images: ReLU layers, softmax cross-entropy, float32.


def classifier_loss(
    weights: Sequence[Array], biases: Sequence[Array], images: Array, labels: Array
) -> Any:
    """ReLU layers and a mean softmax cross-entropy."""
    h = images
    for W, b in zip(weights[:-1], biases[:-1]):
        h = np.maximum(0, h @ W + b)
    scores = h @ weights[-1] + biases[-1]
    scores = scores - np.max(scores, axis=1, keepdims=True)
    log_p = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


def classifier_by_hand(
    weights: Sequence[Array], biases: Sequence[Array], images: Array, labels: Array
) -> tuple[Any, tuple[list[Array], list[Array]]]:
    """Masks by product, which takes a third of the time of `np.where` on random signs."""
    layers = [images]
    for W, b in zip(weights[:-1], biases[:-1]):
        h = layers[-1] @ W
        h += b
        layers.append(np.maximum(h, 0, out=h))
    scores = layers[-1] @ weights[-1]
    scores += biases[-1]
    value, bar = cross_entropy_by_hand(scores, labels)
    weight_bars, bias_bars = [], []
    while True:
        h = layers.pop()
        weight_bars.append(h.T @ bar)
        bias_bars.append(bar.sum(axis=0))
        if not layers:
            return value, (weight_bars[::-1], bias_bars[::-1])
        bar = bar @ weights[len(layers)].T
        bar *= h > 0


def cross_entropy_by_hand(scores: Array, labels: Array) -> tuple[Any, Array]:
    """The mean loss and its gradient; `scores` is overwritten."""
    n = len(labels)
    picked = np.arange(n), labels
    scores -= scores.max(axis=1, keepdims=True)
    true_scores = scores[picked]
    p = np.exp(scores, out=scores)
    totals = p.sum(axis=1)
    value = (np.log(totals).sum() - true_scores.sum()) / n
    p /= totals[:, None]
    p[picked] -= 1
    p /= n
    return value, p


def classifier_data(
    rng: np.random.Generator, batch: int, *widths: int
) -> tuple[list[Array], list[Array], Array, Array]:
    """Weights as at the start of training, and images of noise."""
    weights = [
        (rng.standard_normal((m, n)) * np.sqrt(2 / m)).astype(np.float32)
        for m, n in pairwise(widths)
    ]
    biases = [np.full(n, 0.1, dtype=np.float32) for n in widths[1:]]
    images = rng.uniform(-0.5, 0.5, (batch, widths[0])).astype(np.float32)
    return weights, biases, images, rng.integers(0, widths[-1], batch)


# A deep and narrow network.


def deep_loss(weights: Sequence[Array], x: Array, y: Array) -> Any:
    """Tanh layers without biases and a mean squared error."""
    h = x
    for W in weights:
        h = np.tanh(h @ W)
    return np.mean((h - y) ** 2)


def deep_by_hand(weights: Sequence[Array], x: Array, y: Array) -> tuple[Any, list[Array]]:
    """On matrices as small as these `.dot` takes three quarters of the time of `@`."""
    layers = [x]
    for W in weights:
        layers.append(np.tanh(layers[-1].dot(W)))
    bar = layers[-1] - y
    value = np.vdot(bar, bar) / bar.size
    bar *= 2 / bar.size
    weight_bars = []
    while True:
        h = layers.pop()
        bar -= bar * h * h
        weight_bars.append(layers[-1].T.dot(bar))
        if len(layers) == 1:
            return value, weight_bars[::-1]
        bar = bar.dot(weights[len(layers) - 1].T)


def deep_by_hand_with_matmul(
    weights: Sequence[Array], x: Array, y: Array
) -> tuple[Any, list[Array]]:
    """The formulas as one writes them down."""
    layers = [x]
    for W in weights:
        layers.append(np.tanh(layers[-1] @ W))
    bar = layers[-1] - y
    value = np.mean(bar * bar)
    bar = 2 / bar.size * bar
    weight_bars = []
    for i in reversed(range(len(weights))):
        h = layers[i + 1]
        bar = bar * (1 - h * h)
        weight_bars.append(layers[i].T @ bar)
        bar = bar @ weights[i].T
    return value, weight_bars[::-1]


def deep_data(
    rng: np.random.Generator, layers: int, width: int, batch: int
) -> tuple[list[Array], Array, Array]:
    """Weights that keep the scale of the signal."""
    weights = [rng.standard_normal((width, width)) / np.sqrt(width) for _ in range(layers)]
    return weights, rng.standard_normal((batch, width)), rng.standard_normal((batch, width))


def rosenbrock_workload(n: int) -> Workload:
    """Rosenbrock's function of `n` variables."""
    return Workload(
        name=f"rosenbrock-{n}",
        function=rosenbrock,
        argnums=0,
        by_hand=rosenbrock_by_hand,
        also_by_hand={
            "sums by dot": rosenbrock_by_hand_with_dot_products,
            "textbook form": rosenbrock_in_textbook_form,
        },
        in_c="rosenbrock",
        data=rosenbrock_data,
        sizes=(n,),
        small=(7,),
    )


def chain_workload(n: int) -> Workload:
    """Elementwise operations on `n` numbers."""
    return Workload(
        name=f"chain-{n}",
        function=chain,
        argnums=0,
        by_hand=chain_by_hand,
        in_c="chain",
        data=chain_data,
        sizes=(n,),
        small=(7,),
    )


def mixture_workload(d: int, k: int) -> Workload:
    """A mixture of `k` Gaussians in `d` dimensions, at 1,000 points."""
    return Workload(
        name=f"mixture-{d}",
        function=mixture_loss,
        argnums=(0, 1, 2, 3),
        by_hand=mixture_by_hand,
        in_c="mixture",
        data=mixture_data,
        sizes=(1_000, d, k),
        small=(5, 3, 4),
    )


def classifier_workload(name: str, *widths: int, small: tuple[int, ...]) -> Workload:
    """A classifier with these layer widths, at batch 128."""
    return Workload(
        name=name,
        function=classifier_loss,
        argnums=(0, 1),
        by_hand=classifier_by_hand,
        products=lambda weights, biases, images, labels: network_products(weights, images),
        data=classifier_data,
        sizes=(128, *widths),
        small=small,
    )


WORKLOADS = (
    Workload(
        name="product",
        function=product,
        argnums=(0, 1, 2),
        by_hand=product_by_hand,
        data=product_data,
    ),
    Workload(
        name="neuron",
        function=neuron,
        argnums=(0, 1, 2, 3, 4),
        by_hand=neuron_by_hand,
        also_by_hand={"np.exp": neuron_by_hand_in_numpy},
        data=neuron_data,
    ),
    rosenbrock_workload(10),
    rosenbrock_workload(1_000),
    rosenbrock_workload(1_000_000),
    Workload(
        name="black-scholes",
        function=black_scholes,
        argnums=(0, 2, 3, 4),
        by_hand=black_scholes_by_hand,
        in_c="black_scholes",
        data=black_scholes_data,
        sizes=(1_000_000,),
        small=(7,),
    ),
    chain_workload(1_000),
    chain_workload(1_000_000),
    mixture_workload(10, 25),
    mixture_workload(64, 50),
    Workload(
        name="logistic",
        function=logistic_loss,
        argnums=(0, 1),
        by_hand=logistic_by_hand,
        also_by_hand={"in blocks of rows": logistic_by_hand_in_blocks},
        in_c="logistic",
        products=logistic_products,
        data=logistic_data,
        sizes=(20_000, 100),
        small=(20, 3),
    ),
    classifier_workload("net-100", 3072, 100, 10, small=(6, 5, 4, 3)),
    classifier_workload("net-256x4", 3072, 256, 256, 256, 256, 10, small=(6, 5, 4, 4, 4, 3)),
    Workload(
        name="deep-200",
        function=deep_loss,
        argnums=0,
        by_hand=deep_by_hand,
        also_by_hand={"@, not in place": deep_by_hand_with_matmul},
        products=lambda weights, x, y: network_products(weights, x),
        data=deep_data,
        sizes=(200, 32, 32),
        small=(3, 4, 5),
    ),
)
