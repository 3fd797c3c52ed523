"""Programs as people write them, in plain NumPy and SciPy: what the differential tests run.

A row is a function under `@program` with its arguments. The file is also run with the array modules
of other libraries for `np` and `special`, hence the data comes from `numpy`, spelled out.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy
import numpy as np
import scipy.special as special


@dataclass(frozen=True)
class Program:
    """A function, the point where its derivatives are compared, and what holds for it."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    argnums: int | tuple[int, ...]
    analytic: bool  # defined on complex numbers, so that a complex step finds its derivative
    stabilized: bool  # a rewrite makes the value more accurate, so the bits may differ
    beyond_autograd: bool  # autograd lacks a function of it, or a rule


PROGRAMS: dict[str, Program] = {}
rng = numpy.random.default_rng(20)


def normal(*shape):
    return rng.standard_normal(shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, shape)


def spd(n):
    """A symmetric matrix with eigenvalues above 1."""
    root = normal(n, n)
    return root @ root.T + numpy.eye(n) * n


def program(*args, wrt=0, analytic=False, stabilized=False, beyond_autograd=False):
    def enter(function):
        PROGRAMS[function.__name__] = Program(
            function, args, wrt, analytic, stabilized, beyond_autograd
        )
        return function

    return enter


# ---------------------------------------------------------------------------- statistics


@program(positive(7), positive(7), wrt=(0, 1), analytic=True)
def weighted_mean(x, w):
    return np.sum(w * x) / np.sum(w)


@program(normal(9))
def skewness(x):
    centred = x - np.mean(x)
    return np.mean(centred**3) / np.std(x) ** 3


@program(normal(9), normal(9), wrt=(0, 1), analytic=True)
def correlation(x, y):
    x = x - np.mean(x)
    y = y - np.mean(y)
    return np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y))


@program(normal(6, 3), analytic=True)
def covariance_entry(data):
    centred = data - data.mean(axis=0)
    cov = centred.T @ centred / (len(data) - 1)
    return cov[0, 1] + 2 * cov[2, 2]


@program(normal(3), spd(3), normal(3), wrt=(0, 1, 2), analytic=True)
def gaussian_log_density(mean, cov, x):
    diff = x - mean
    return -0.5 * diff @ np.linalg.solve(cov, diff) - 0.5 * np.log(np.linalg.det(cov))


@program(normal(3), positive(3), normal(8, 1), wrt=(0, 1))
def mixture_log_likelihood(means, scales, x):
    weights = np.array([0.2, 0.5, 0.3])
    densities = np.exp(-(((x - means) / scales) ** 2) / 2) / scales
    return np.sum(np.log(np.sum(weights * densities, axis=1)))


@program(normal(4), normal(10, 4), (normal(10) > 0) * 1.0, stabilized=True)
def logistic_regression(w, x, y):
    z = x @ w
    return np.mean(np.log(1 + np.exp(z)) - y * z) + 0.1 * np.sum(w**2)


@program(normal(4), normal(10, 4), rng.poisson(2.0, 10), analytic=True)
def poisson_regression(w, x, counts):
    eta = x @ w
    return np.sum(np.exp(eta) - counts * eta)


@program(normal(5), normal(5))
def huber(x, y, delta=0.7):
    r = np.abs(x - y)
    return np.sum(np.where(r < delta, 0.5 * r**2, delta * (r - 0.5 * delta)))


@program(normal(5), normal(5), 0.3)
def quantile_loss(x, y, q):
    e = y - x
    return np.mean(np.maximum(q * e, (q - 1) * e))


@program(positive(6), positive(6), wrt=(0, 1), analytic=True)
def kullback_leibler(p, q):
    p, q = p / p.sum(), q / q.sum()
    return np.sum(p * np.log(p / q))


@program(normal(11), beyond_autograd=True)
def median_and_range(x):
    return np.median(x) + np.ptp(x)


@program(normal(8))
def trimmed_mean(x):
    return np.mean(np.sort(x)[2:-2])


@program(positive(5), 3.0, wrt=(0, 1), analytic=True)
def power_mean(x, p):
    return np.mean(x**p) ** (1 / p)


@program(normal(4, 5))
def analysis_of_variance(groups):
    between = np.var(groups.mean(axis=1))
    within = groups.var(axis=1).mean()
    return between / within


# ---------------------------------------------------------------------------- physics


@program(normal(4, 3), positive(4), wrt=(0, 1), analytic=True)
def gravity(position, mass):
    energy = 0.0
    for i in range(len(mass)):
        for j in range(i):
            r = position[i] - position[j]
            energy = energy - mass[i] * mass[j] / np.sqrt(np.sum(r * r) + 0.01)
    return energy


@program(numpy.array([[0.0, 0, 0], [1.1, 0.1, 0], [0.2, 1.3, 0.1]]), analytic=True)
def lennard_jones(position):
    i, j = np.triu_indices(len(position), k=1)
    r2 = np.sum((position[i] - position[j]) ** 2, axis=1)
    return np.sum(4 * (r2**-6 - r2**-3))


@program(0.7, 0.3, wrt=(0, 1), analytic=True)
def pendulum(angle, speed):
    for _ in range(20):
        speed = speed - 0.1 * np.sin(angle)
        angle = angle + 0.1 * speed
    return 0.5 * speed**2 - np.cos(angle)


@program(normal(3), 0.01, wrt=(0, 1), analytic=True)
def lorenz_by_runge_kutta(state, step):
    def slope(s):
        x, y, z = s
        return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    for _ in range(3):
        k1 = slope(state)
        k2 = slope(state + step / 2 * k1)
        k3 = slope(state + step / 2 * k2)
        k4 = slope(state + step * k3)
        state = state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum(state**2)


@program(normal(10), 0.1, wrt=(0, 1), analytic=True)
def heat_equation(u, k):
    for _ in range(5):
        u = u + k * (np.roll(u, 1) - 2 * u + np.roll(u, -1))
    return np.sum(u**2)


@program(normal(5, 6), analytic=True)
def laplace_residual(u):
    inner = u[1:-1, 1:-1]
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return np.sum((around - 4 * inner) ** 2)


@program(normal(4, 4))
def ising_energy(spins):
    s = np.tanh(spins)
    neighbours = sum(np.roll(s, 1, axis=axis) for axis in (0, 1))
    return -np.sum(s * neighbours) + 0.1 * np.abs(np.sum(s))


@program(1.2, analytic=True)
def planck(x):
    return x**3 / np.expm1(x)


@program(normal(3), normal(3), wrt=(0, 1), analytic=True)
def torque(r, force):
    return np.sum(np.cross(r, force) ** 2)


@program(normal(6))
def spectrum_power(signal):
    n = np.arange(len(signal))
    waves = np.exp(-2j * np.pi * np.outer(n, n) / len(signal))
    return np.sum(np.abs(waves @ signal) ** 2 * n)


@program(normal(3), normal(5, 3), wrt=(0, 1))
def rotation(angles, points):
    a, b, c = angles
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.sum(np.maximum(points @ (rx @ ry @ rz).T, 0.1))


# ---------------------------------------------------------------------------- layers

NETWORK = {
    "layers": [
        {"W": normal(4, 6), "b": normal(6)},
        {"W": normal(6, 3), "b": normal(3)},
    ],
    "scale": 0.5,
}


@program(NETWORK, normal(5, 4), analytic=True)
def tanh_network(params, x):
    for layer in params["layers"]:
        x = np.tanh(x @ layer["W"] + layer["b"])
    return params["scale"] * np.mean(x**2)


@program(NETWORK, normal(5, 4), numpy.array([0, 2, 1, 1, 0]))
def relu_classifier(params, x, labels):
    first, last = params["layers"]
    h = np.maximum(0, x @ first["W"] + first["b"])
    scores = h @ last["W"] + last["b"]
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(log_p[np.arange(len(labels)), labels])


@program(normal(5, 4), positive(4), normal(4), wrt=(0, 1, 2))
def batch_norm(x, gamma, beta):
    mean = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    return np.sum(np.sin(gamma * (x - mean) / np.sqrt(var + 1e-5) + beta))


@program(normal(5, 4), positive(4), wrt=(0, 1), analytic=True)
def layer_norm(x, gamma):
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.sum((gamma * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)) ** 3)


@program(normal(3, 4), normal(5, 4), normal(5, 2), wrt=(0, 1, 2))
def attention(q, k, v):
    scores = q @ k.T / np.sqrt(k.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return np.sum((weights @ v) ** 2)


@program(normal(2, 3, 4, 5), normal(2, 3, 6, 5), wrt=(0, 1), analytic=True)
def attention_scores_by_einsum(q, k):
    return np.sum(np.tanh(np.einsum("bhqd,bhkd->bhqk", q, k)))


@program(normal(2, 7), normal(3, 2, 3), wrt=(0, 1), analytic=True)
def convolution_by_slices(x, kernel):
    width = kernel.shape[-1]
    out = 0.0
    for k in range(width):
        out = out + kernel[:, :, k] @ x[:, k : x.shape[1] - width + 1 + k]
    return np.sum(out**2)


@program(normal(4, 6))
def max_pool(x):
    blocks = x.reshape(2, 2, 3, 2)
    return np.sum(blocks.max(axis=(1, 3)) ** 2)


@program(normal(7, 3), normal(3, 4), normal(4, 4), wrt=(0, 1, 2), analytic=True)
def recurrent_network(x, W_in, W):
    h = np.zeros(4)
    for step in x:
        h = np.tanh(step @ W_in + h @ W)
    return np.sum(h**2)


@program(normal(5), normal(3, 3, 5), wrt=(0, 1), stabilized=True)
def gated_unit(h, W):
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    pre = W @ h
    gate = sigmoid(pre[0])
    return np.sum(gate * np.tanh(pre[1]) + (1 - gate) * pre[2])


@program(normal(6, 3), numpy.array([0, 2, 2, 5]), analytic=True)
def embedding(table, tokens):
    return np.sum(np.mean(table[tokens], axis=0) ** 2)


@program(normal(9))
def gelu(x):
    return np.sum(0.5 * x * (1 + special.erf(x / np.sqrt(2))))


@program(normal(9), stabilized=True)
def swish(x):
    return np.sum(x / (1 + np.exp(-x)))


@program(normal(4, 3), normal(4, 3), wrt=(0, 1), beyond_autograd=True)
def contrastive(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    similarity = a @ b.T / 0.5
    return np.mean(special.logsumexp(similarity, axis=1) - np.diag(similarity))


@program(normal(3, 4), normal(4))
def hinge(W, x, target=1):
    scores = W @ x
    margins = np.maximum(0, scores - scores[target] + 1)
    return np.sum(margins) - 1


@program(normal(4), normal(4), numpy.array([True, False, True, True]), analytic=True)
def dropout(x, w, mask):
    return np.sum((x * mask / 0.7 * w) ** 2)


# ---------------------------------------------------------------------------- recursions


@program(0.6, analytic=True)
def logistic_map(x):
    for _ in range(12):
        x = 3.5 * x * (1 - x)
    return x


@program(2.0, analytic=True)
def newton_square_root(a):
    x = a
    for _ in range(6):
        x = (x + a / x) / 2
    return x


@program(normal(6), 0.3, wrt=(0, 1), analytic=True)
def horner(coefficients, x):
    total = 0.0
    for c in coefficients[::-1]:
        total = total * x + c
    return total


@program(positive(5), analytic=True)
def continued_fraction(a):
    value = a[-1]
    for each in a[-2::-1]:
        value = each + 1 / value
    return value


@program(0.9, analytic=True)
def recursive_chebyshev(x):
    def t(n):
        return 1.0 if n == 0 else x if n == 1 else 2 * x * t(n - 1) - t(n - 2)

    return t(7)


@program(normal(7), normal(2), wrt=(0, 1), analytic=True)
def autoregression(x, phi):
    errors = [x[t] - phi[0] * x[t - 1] - phi[1] * x[t - 2] for t in range(2, len(x))]
    return np.sum(np.array(errors) ** 2)


@program(positive(3, 3), positive(3, 4), numpy.array([0, 2, 1, 3, 3]), wrt=(0, 1), analytic=True)
def hidden_markov(transition, emission, observed):
    transition = transition / np.sum(transition, axis=1, keepdims=True)
    emission = emission / np.sum(emission, axis=1, keepdims=True)
    alpha = emission[:, observed[0]] / 3
    for o in observed[1:]:
        alpha = (alpha @ transition) * emission[:, o]
    return np.log(np.sum(alpha))


@program(normal(5), analytic=True, beyond_autograd=True)
def running_products(x):
    return np.sum(np.cumprod(1 + 0.1 * x) * np.cumsum(x))


@program(normal(6))
def soft_dynamic_time_warping(x):
    best = np.zeros(3)
    for value in x:
        costs = (value - np.array([-1.0, 0.0, 1.0])) ** 2
        best = costs + np.logaddexp(best, np.roll(best, 1))
    return np.sum(best)


@program(positive(4), analytic=True)
def functional_reduce(x):
    return functools.reduce(lambda total, each: total / each + each**2, list(x), 1.0)


@program(normal(4))
def branch_on_shape_and_value(x, steps=3):
    if x.ndim == 1 and len(x) > 2:
        for _ in range(steps):
            x = x[1:] * x[:-1] if len(x) % 2 == 0 else np.concatenate([x, x[:1]])
    return np.sum(np.sinh(x))


# ---------------------------------------------------------------------------- linear algebra


@program(spd(4), normal(4), wrt=(0, 1), analytic=True)
def quadratic_form_of_inverse(A, x):
    return x @ np.linalg.inv(A) @ x


@program(normal(5, 3), normal(5), wrt=(0, 1), analytic=True)
def least_squares(A, y):
    w = np.linalg.solve(A.T @ A, A.T @ y)
    return np.sum((A @ w - y) ** 2)


@program(spd(4))
def log_determinant_by_cholesky(A):
    L = np.linalg.cholesky((A + A.T) / 2)
    return 2 * np.sum(np.log(np.diag(L)))


@program(normal(3, 3), analytic=True)
def matrix_power_series(A):
    term, total = np.eye(3), np.eye(3)
    for k in range(1, 6):
        term = term @ A / k
        total = total + term
    return np.trace(total)


@program(normal(4, 4))
def frobenius_norm(A):
    return np.linalg.norm(A - A.T)


@program(spd(3), normal(3), wrt=(0, 1), analytic=True)
def rayleigh_quotient(A, v):
    for _ in range(3):
        v = A @ v
    return (v @ A @ v) / (v @ v)


@program(normal(2, 3), normal(4, 2), wrt=(0, 1), analytic=True)
def kronecker(A, B):
    return np.sum(np.kron(A, B) ** 3)


@program(normal(3, 4, 5), normal(5, 4), wrt=(0, 1), analytic=True)
def tensor_contraction(T, M):
    return np.sum(np.tensordot(T, M, axes=([1, 2], [1, 0])) ** 2)


@program(normal(3, 3), normal(3, 3), normal(3), wrt=(0, 1, 2), analytic=True, beyond_autograd=True)
def bilinear_einsum(A, B, x):
    return np.einsum("i,ij,kj,k->", x, A, B, x) + np.einsum("ii", A @ B)


@program(normal(2, 3, 3), normal(2, 3), wrt=(0, 1), analytic=True)
def batched_solve(A, b):
    A = A + 5 * np.eye(3)
    return np.sum(np.linalg.solve(A, b[..., None]) ** 2)


@program(normal(4), normal(3), wrt=(0, 1), beyond_autograd=True)
def outer_and_inner(a, b):
    return np.sum(np.outer(a, b) ** 2) + np.inner(a[:3], b) + np.dot(b, b) + np.vdot(b, b)


# ------------------------------------------------------------ closures, classes, arguments

CENTRE = normal(3)


def distance_to(centre, power):
    def distance(x):
        return np.sum((x - centre) ** power)

    return distance


@program(normal(3), analytic=True)
def closure_over_a_global(x):
    return distance_to(CENTRE, 4)(x) + distance_to(0.5, 2)(x)


class Polynomial:
    """A class of the user's, with state and operators."""

    def __init__(self, coefficients):
        self.coefficients = coefficients

    def __call__(self, x):
        return sum(c * x**i for i, c in enumerate(self.coefficients))

    def __mul__(self, other):
        products = [0.0] * (len(self.coefficients) + len(other.coefficients) - 1)
        for i, a in enumerate(self.coefficients):
            for j, b in enumerate(other.coefficients):
                products[i + j] = products[i + j] + a * b
        return Polynomial(products)

    @property
    def slope(self):
        return Polynomial([i * c for i, c in enumerate(self.coefficients)][1:])


@program(normal(4), 0.7, wrt=(0, 1), analytic=True)
def polynomial_objects(coefficients, x):
    p = Polynomial(coefficients)
    return (p * p)(x) + p.slope(x)


class Momentum:
    """Steps that remember."""

    def __init__(self, rate=0.1, decay=0.9):
        self.rate, self.decay, self.velocity = rate, decay, 0.0

    def step(self, x, slope):
        self.velocity = self.decay * self.velocity - self.rate * slope
        return x + self.velocity


@program(normal(3), analytic=True)
def unrolled_descent(x):
    optimizer = Momentum()
    for _ in range(4):
        x = optimizer.step(x, 4 * x**3 - x)
    return np.sum(x**2)


@program({"w": normal(3), "pair": (normal(2), 2.0)}, [normal(3), normal(2)], analytic=True)
def nested_arguments(params, data):
    u, factor = params["pair"]
    return np.sum(params["w"] * data[0]) ** 2 + factor * np.sum(np.exp(u * data[1]))


@program(normal(3), normal(3), normal(3), wrt=(0, 2), analytic=True)
def keyword_arguments(x, *rest, scale=2.0, **options):
    total = sum((each * x for each in rest), np.zeros(3))
    return scale * np.sum(total**2) + options.get("offset", 0.0)


@program(normal(5), analytic=True)
def comprehension_and_stack(x):
    rows = np.stack([np.sin(k * x) for k in range(1, 4)])
    return np.sum(np.prod(rows, axis=0))


# ---------------------------------------------------------------------------- special functions


@program(positive(5))
def gamma_functions(x):
    return np.sum(special.gammaln(x) + special.digamma(x) * x)


@program(normal(5), beyond_autograd=True)
def normal_distribution_function(x):
    return np.sum(special.ndtr(x) * x + special.erfc(x))


@program(rng.uniform(0.1, 0.9, 5))
def logits(p):
    return np.sum(special.logit(p) * special.expit(p))


@program(normal(4), beyond_autograd=True)
def bessel_and_entropy(x):
    return np.sum(special.i0(x)) + np.sum(special.xlogy(x**2, x**2 + 1))


@program(normal(3, 4))
def soft_maximum(x):
    return np.sum(special.logsumexp(x, axis=0) ** 2)


@program(rng.uniform(-0.9, 0.9, 6), analytic=True)
def inverse_trigonometry(x):
    return np.sum(np.arcsin(x) * np.arccos(x) + np.arctan(x) * np.arctanh(x))


@program(positive(6), analytic=True)
def roots_and_logs(x):
    return np.sum(np.sqrt(x) * np.log1p(x) + np.log2(x) - np.log10(x) + np.arcsinh(x))


@program(normal(6), normal(6), wrt=(0, 1))
def angles(x, y):
    return np.sum(np.arctan2(y, x) * np.hypot(x, y))


# ---------------------------------------------------------------------------- indexing and shape


@program(normal(4, 5), normal(5), normal(4, 1), wrt=(0, 1, 2), analytic=True)
def broadcasting(A, row, column):
    return np.sum((A * row + column) ** 2 / (1 + column**2))


@program(normal(3, 4, 2), analytic=True)
def slices(x):
    return np.sum(x[::2, 1:-1, -1] * x[::2, :2, 0]) + np.sum(x[..., None, 0] ** 2)


@program(normal(6), numpy.array([[0, 5], [3, 3]]), analytic=True)
def gather_with_repeats(x, index):
    return np.sum(x[index] ** 3) + x[-1] * x[2]


@program(normal(2, 3, 4), analytic=True)
def permutations(x):
    y = np.transpose(x, (2, 0, 1)).reshape(4, -1)
    z = np.swapaxes(x, 0, 1)[::-1]
    return np.sum(y[:, ::2] ** 2) + np.sum(np.moveaxis(z, 0, -1)[0] ** 3)


@program(normal(3), normal(2), wrt=(0, 1), analytic=True)
def joining(a, b):
    c = np.concatenate([a, b, a[:1]])
    d = np.vstack([a, a * 2]) + np.hstack([b, b[:1]])
    return np.sum(c[1:] * c[:-1]) + np.sum(d**2)


@program(normal(3, 3), analytic=True)
def triangles_and_diagonals(A):
    return np.sum(np.tril(A) @ np.triu(A, 1)) + np.sum(np.diag(A) ** 2) + np.trace(A @ A)


@program(normal(3, 2), analytic=True, beyond_autograd=True)
def repeating(x):
    wide = np.repeat(x, 2, axis=1) * np.tile(x, (1, 2))
    return np.sum(np.pad(wide, 1) ** 2) + np.sum(np.flip(wide, 0)[0])


@program(normal(5), normal(5), wrt=(0, 1))
def choosing(x, y):
    return np.sum(np.where(x > y, x**2, y)) + np.sum(np.clip(x, -0.5, 0.5) * np.minimum(x, y))


@program(normal(4, 3))
def extremes(x):
    rows = np.argmax(x, axis=0)
    return np.sum(x[rows, np.arange(3)] ** 2) + np.max(x) * np.sum(np.amax(x, axis=1)) - np.amin(x)


# ---------------------------------------------------------------------------- complex


@program(normal(3), normal(3), wrt=(0, 1))
def complex_modulus(a, b):
    z = a + 1j * b
    return np.sum(np.abs(z * z + 1) ** 2)


@program(normal(4))
def phases(x):
    z = np.exp(1j * x)
    return np.real(np.sum(z * np.conj(np.roll(z, 1)))) + np.imag(np.prod(z))


@program(normal(3), normal(2, 2), wrt=(0, 1), beyond_autograd=True)
def impedance(x, y):
    z = 1 / (1 + 1j * x) + 1j * np.sum(y)
    return np.sum(z.real**2 + z.imag) + np.abs(np.sum(z))


# ---------------------------------------------------------------------------- results of many parts


@program(normal(3), analytic=True)
def vector_field(x):
    return np.array([x[0] * x[1], np.sin(x[2]), np.sum(x**2), 1.0 * x[0]])


@program(normal(4, 3), normal(3), wrt=(0, 1), analytic=True, beyond_autograd=True)
def affine_map(A, x):
    return np.cosh(A @ x)


@program(positive(3), analytic=True)
def spherical_coordinates(p):
    r, theta, phi = p
    return np.stack(
        [r * np.sin(theta) * np.cos(phi), r * np.sin(theta) * np.sin(phi), r * np.cos(theta)]
    )


@program(normal(2, 3))
def softmax_rows(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)
