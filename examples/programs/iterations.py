"""Iterations that go on until a residual is small: the number of turns depends on the input."""

import numpy as np


def square_root(a):
    """Newton's iteration for the root of a, also called Heron's.

    Burden & Faires, Numerical Analysis, 9th ed., section 2.3.
    """
    y = a if a > 1 else 1.0
    while abs(y * y - a) > 1e-14 * a:
        y = 0.5 * (y + a / y)
    return y


def kepler(mean_anomaly, eccentricity, tol=1e-13):
    """The eccentric anomaly, by Newton's method: E - e sin E = M.

    Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., algorithm 2.
    """
    if -np.pi < mean_anomaly < 0 or mean_anomaly > np.pi:
        anomaly = mean_anomaly - eccentricity
    else:
        anomaly = mean_anomaly + eccentricity
    while True:
        change = (mean_anomaly - anomaly + eccentricity * np.sin(anomaly)) / (
            1 - eccentricity * np.cos(anomaly)
        )
        anomaly = anomaly + change
        if abs(change) < tol:
            return anomaly


def secant(c, x0, x1, tol=1e-12):
    """The root of x³ + x = c by the secant method.

    Burden & Faires, 9th ed., algorithm 2.4.
    """
    def f(x):
        return x**3 + x - c

    q0, q1 = f(x0), f(x1)
    for _ in range(50):
        x = x1 - q1 * (x1 - x0) / (q1 - q0)
        if abs(x - x1) < tol:
            return x
        x0, q0, x1, q1 = x1, q1, x, f(x)
    raise RuntimeError("secant: 50 steps were not enough")


def agm(a, b):
    """The arithmetic-geometric mean, and by it a complete elliptic integral.

    Abramowitz & Stegun, Handbook of Mathematical Functions, 17.6.
    """
    turns = 0
    while abs(a - b) > 1e-15 * abs(a):
        a, b = (a + b) / 2, np.sqrt(a * b)
        turns += 1
        if turns > 40:
            break
    return np.pi / (2 * a)


def continued_fraction(x, a):
    """The incomplete gamma function's continued fraction by Lentz's method.

    Press et al., Numerical Recipes, 3rd ed., sections 5.2 and 6.2 (gcf).
    """
    tiny = 1e-300
    b = x + 1.0 - a
    c = 1.0 / tiny
    d = 1.0 / b
    h = d
    for i in range(1, 200):
        an = -i * (i - a)
        b += 2.0
        d = an * d + b
        if abs(d) < tiny:
            d = tiny
        c = b + an / c
        if abs(c) < tiny:
            c = tiny
        d = 1.0 / d
        delta = d * c
        h *= delta
        if abs(delta - 1.0) <= 1e-15:
            break
    return np.exp(-x + a * np.log(x)) * h


def conjugate_gradients(a, b, tol):
    """A x = b for a positive definite matrix, until the residual is small.

    Trefethen & Bau, Numerical Linear Algebra, algorithm 38.1.
    """
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    rr = r @ r
    while np.sqrt(rr) > tol:
        ap = a @ p
        alpha = rr / (p @ ap)
        x += alpha * p
        r -= alpha * ap
        new = r @ r
        p = r + (new / rr) * p
        rr = new
    return x


def gmres(a, b, tol=1e-10):
    """A x = b by Arnoldi's process and a least squares problem per step.

    Trefethen & Bau, algorithms 33.1 and 35.1; rotations: Saad, 2nd ed., section 6.5.3.
    """
    n = len(b)
    q, h = np.zeros((n, n + 1)), np.zeros((n + 1, n))
    cs, sn, g = np.zeros(n), np.zeros(n), np.zeros(n + 1)
    g[0] = np.linalg.norm(b)
    q[:, 0] = b / g[0]
    size = 0
    for k in range(n):
        v = a @ q[:, k]
        for j in range(k + 1):
            h[j, k] = q[:, j] @ v
            v -= h[j, k] * q[:, j]
        h[k + 1, k] = np.sqrt(v @ v)
        if h[k + 1, k] > 1e-12 and k + 1 < n:
            q[:, k + 1] = v / h[k + 1, k]
        for j in range(k):
            h[j, k], h[j + 1, k] = (
                cs[j] * h[j, k] + sn[j] * h[j + 1, k],
                -sn[j] * h[j, k] + cs[j] * h[j + 1, k],
            )
        length = np.hypot(h[k, k], h[k + 1, k])
        cs[k], sn[k] = h[k, k] / length, h[k + 1, k] / length
        h[k, k], h[k + 1, k] = length, 0.0
        g[k], g[k + 1] = cs[k] * g[k], -sn[k] * g[k]
        size = k + 1
        if abs(g[k + 1]) < tol:
            break
    y = np.linalg.solve(h[:size, :size], g[:size])
    return q[:, :size] @ y


def gauss_seidel(a, b, tol=1e-14):
    """A x = b, row by row with the newest values, until nothing changes.

    Golub & Van Loan, Matrix Computations, 4th ed., section 11.2.2.
    """
    x = np.zeros(len(b))
    change = 1.0
    while change > tol:
        change = 0.0
        for i in range(len(b)):
            new = (b[i] - a[i, :i] @ x[:i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
            change = max(change, abs(new - x[i]))
            x[i] = new
    return x


def power_iteration(a, v, tol):
    """The greatest eigenvalue and its vector.

    Trefethen & Bau, algorithm 27.1.
    """
    value, last = 0.0, np.inf
    turns = 0
    while abs(value - last) > tol and turns < 200:
        last = value
        w = a @ v
        v = w / np.linalg.norm(w)
        value = v @ a @ v
        turns += 1
    return value, v


def pagerank(links, preference, damping, tol=1e-15):
    """The stationary distribution of a random surfer, who leaves a page without links anywhere.

    Brin & Page, Computer Networks 30 (1998); Langville & Meyer, Google's PageRank and Beyond, 4.6.
    """
    n = len(links)
    transition = np.zeros((n, n))
    for j in range(n):
        count = links[:, j].sum()
        if count > 0:
            transition[:, j] = links[:, j] / count
        else:
            transition[:, j] = preference
    rank = preference
    while True:
        new = damping * transition @ rank + (1 - damping) * preference
        if np.abs(new - rank).sum() < tol:
            return new
        rank = new


def model(parameters, t):
    """An exponential that decays to a level, and its Jacobian."""
    amplitude, rate, level = parameters
    e = np.exp(-rate * t)
    jacobian = np.empty((len(t), 3))
    jacobian[:, 0] = e
    jacobian[:, 1] = -amplitude * t * e
    jacobian[:, 2] = 1.0
    return amplitude * e + level, jacobian


def levenberg_marquardt(parameters, t, y, tol=1e-8):
    """A nonlinear least squares fit whose damping grows and shrinks with success.

    Madsen, Nielsen & Tingleff, Methods for Non-Linear Least Squares Problems, 2nd ed. (2004),
    algorithm 3.16.
    """
    x = parameters.copy()
    value, jacobian = model(x, t)
    f = value - y
    normal_matrix, g = jacobian.T @ jacobian, jacobian.T @ f
    mu, nu = 1e-3 * np.max(np.diag(normal_matrix)), 2.0
    found = np.max(np.abs(g)) <= tol
    k = 0
    while not found and k < 100:
        k += 1
        step = np.linalg.solve(normal_matrix + mu * np.eye(3), -g)
        if np.linalg.norm(step) <= tol * (np.linalg.norm(x) + tol):
            found = True
        else:
            x_new = x + step
            value, jacobian = model(x_new, t)
            f_new = value - y
            gain = (f @ f - f_new @ f_new) / (step @ (mu * step - g))
            if gain > 0:
                x, f = x_new, f_new
                normal_matrix, g = jacobian.T @ jacobian, jacobian.T @ f
                found = np.max(np.abs(g)) <= tol
                mu = mu * max(1 / 3, 1 - (2 * gain - 1) ** 3)
                nu = 2.0
            else:
                mu = mu * nu
                nu = 2 * nu
    return x


def nelder_mead(start, scale, turns):
    """The simplex that looks for the least value of Rosenbrock's function, after some turns.

    Nelder & Mead, The Computer Journal 7 (1965); Nocedal & Wright, Numerical Optimization, 2nd ed.,
    procedure 9.5.
    """
    def f(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    simplex = [start.copy(), start.copy(), start.copy()]
    simplex[1][0] += scale
    simplex[2][1] += scale
    values = [f(x) for x in simplex]
    for _ in range(turns):
        order = sorted(range(3), key=lambda i: values[i])
        simplex, values = [simplex[i] for i in order], [values[i] for i in order]
        centre = (simplex[0] + simplex[1]) / 2
        reflected = centre + (centre - simplex[2])
        fr = f(reflected)
        if values[0] <= fr < values[1]:
            simplex[2], values[2] = reflected, fr
        elif fr < values[0]:
            expanded = centre + 2 * (centre - simplex[2])
            fe = f(expanded)
            simplex[2], values[2] = (expanded, fe) if fe < fr else (reflected, fr)
        else:
            towards = reflected if fr < values[2] else simplex[2]
            contracted = centre + 0.5 * (towards - centre)
            fc = f(contracted)
            if fc < min(fr, values[2]):
                simplex[2], values[2] = contracted, fc
            else:
                for i in (1, 2):
                    simplex[i] = (simplex[0] + simplex[i]) / 2
                    values[i] = f(simplex[i])
    return min(values)


def armijo_descent(x, a, turns):
    """Steepest descent on a quartic, each step halved until it descends enough.

    Nocedal & Wright, 2nd ed., algorithm 3.1.
    """
    def f(x):
        return 0.5 * x @ a @ x + 0.25 * np.sum(x**4)

    for _ in range(turns):
        gradient = a @ x + x**3
        step, slope, value = 1.0, gradient @ gradient, f(x)
        while f(x - step * gradient) > value - 1e-4 * step * slope:
            step *= 0.5
        x = x - step * gradient
    return f(x)


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def definite(seed, n):
    """A symmetric matrix with eigenvalues above 1."""
    root = normal(seed, n, n)
    return root @ root.T + n * np.eye(n)


def links(seed):
    """A graph of four pages, one of which links nowhere, and where the surfer begins."""
    rng = np.random.default_rng(seed)
    graph = rng.integers(0, 2, (4, 4)) | np.eye(4, dtype=int)[[1, 2, 3, 0]]
    graph[:, 2] = 0
    return graph, rng.uniform(0.2, 0.3, 4)


def decay(seed):
    """A start, times and noisy data."""
    t = np.linspace(0, 4, 9)
    y = 2.0 * np.exp(-0.8 * t) + 0.5 + 0.05 * normal(seed, 9)
    return np.array([1.0, 0.5, 0.0]), t, y


START = np.array([-0.5, 0.8])
PROGRAMS = [
    (square_root, (2.0,), (0.3,)),
    (kepler, (1.2, 0.4), (4.5, 0.7)),
    (secant, (3.0, 0.5, 2.0), (20.0, 0.1, 2.0)),
    (agm, (1.0, 0.3), (2.0, 0.01)),
    (continued_fraction, (3.0, 1.5), (9.0, 0.7)),
    (
        conjugate_gradients,
        (definite(0, 5), normal(1, 5), 1e-2),
        (definite(2, 5), normal(3, 5), 1e-3),
    ),
    (gmres, (definite(0, 4), normal(1, 4)), (definite(2, 4), normal(3, 4))),
    (gauss_seidel, (definite(0, 3), normal(1, 3)), (definite(2, 3), normal(3, 3))),
    (power_iteration, (definite(0, 3), normal(1, 3), 1e-3), (definite(2, 3), normal(3, 3), 1e-2)),
    (pagerank, (*links(0), 0.3), (*links(1), 0.4)),
    (levenberg_marquardt, decay(0), decay(1)),
    (nelder_mead, (START, 0.3, 8), (START + 1.0, 0.2, 8)),
    (armijo_descent, (normal(0, 3), definite(1, 3), 4), (normal(2, 3), definite(3, 3), 4)),
]
