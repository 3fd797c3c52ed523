"""Functions and their approximation: polynomials, transforms, splines, quadrature, fractals."""

import numpy as np


def horner(coefficients, x):
    """A polynomial and its derivative at x, the highest power first.

    Burden & Faires, Numerical Analysis, 9th ed., algorithm 2.7.
    """
    y = z = coefficients[0]
    for c in coefficients[1:-1]:
        y = x * y + c
        z = x * z + y
    return x * y + coefficients[-1], z


def clenshaw(c, x):
    """A sum of Chebyshev polynomials by Clenshaw's recurrence.

    Press et al., Numerical Recipes, 3rd ed., section 5.8.
    """
    d = dd = 0.0
    for j in range(len(c) - 1, 0, -1):
        d, dd = 2 * x * d - dd + c[j], d
    return x * d - dd + 0.5 * c[0]


def neville(xs, ys, x):
    """The interpolating polynomial at x, in a triangular table.

    Burden & Faires, 9th ed., algorithm 3.1.
    """
    n = len(xs)
    q = np.zeros((n, n))
    q[:, 0] = ys
    for i in range(1, n):
        for j in range(1, i + 1):
            q[i, j] = ((x - xs[i - j]) * q[i, j - 1] - (x - xs[i]) * q[i - 1, j - 1]) / (
                xs[i] - xs[i - j]
            )
    return q[-1, -1]


def divided_differences(xs, ys):
    """The coefficients of Newton's form, computed in one array from the end.

    Burden & Faires, 9th ed., algorithm 3.2.
    """
    f = ys.copy()
    for j in range(1, len(xs)):
        for i in range(len(xs) - 1, j - 1, -1):
            f[i] = (f[i] - f[i - 1]) / (xs[i] - xs[i - j])
    return f


def natural_spline(x, a):
    """The coefficients of the natural cubic spline.

    Burden & Faires, 9th ed., algorithm 3.4.
    """
    n = len(x) - 1
    h = np.empty(n)
    for i in range(n):
        h[i] = x[i + 1] - x[i]
    alpha = np.zeros(n)
    for i in range(1, n):
        alpha[i] = 3 / h[i] * (a[i + 1] - a[i]) - 3 / h[i - 1] * (a[i] - a[i - 1])
    diagonal, mu, z = np.ones(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    for i in range(1, n):
        diagonal[i] = 2 * (x[i + 1] - x[i - 1]) - h[i - 1] * mu[i - 1]
        mu[i] = h[i] / diagonal[i]
        z[i] = (alpha[i] - h[i - 1] * z[i - 1]) / diagonal[i]
    b, c, d = np.zeros(n), np.zeros(n + 1), np.zeros(n)
    for j in range(n - 1, -1, -1):
        c[j] = z[j] - mu[j] * c[j + 1]
        b[j] = (a[j + 1] - a[j]) / h[j] - h[j] * (c[j + 1] + 2 * c[j]) / 3
        d[j] = (c[j + 1] - c[j]) / (3 * h[j])
    return b, c[:-1], d


def spline_value(x, a, t):
    """The natural spline at t, in the interval that bisection finds.

    Press et al., 3rd ed., section 3.1 (locate) and 3.3.
    """
    b, c, d = natural_spline(x, a)
    low, high = 0, len(x) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if t >= x[middle]:
            low = middle
        else:
            high = middle
    s = t - x[low]
    return a[low] + s * (b[low] + s * (c[low] + s * d[low]))


def de_casteljau(points, t):
    """A point of a Bézier curve.

    Farin, Curves and Surfaces for CAGD, 5th ed., section 4.2.
    """
    b = points.copy()
    n = len(b)
    for r in range(1, n):
        for i in range(n - r):
            b[i] = (1 - t) * b[i] + t * b[i + 1]
    return b[0]


def fft_radix_2(x):
    """The discrete Fourier transform by decimation in time: bits reversed, then butterflies.

    Cooley & Tukey, Mathematics of Computation 19 (1965); Press et al., 3rd ed., section 12.2.
    """
    n = len(x)
    y = x.astype(complex)
    j = 0
    for i in range(1, n):
        bit = n >> 1
        while j & bit:
            j ^= bit
            bit >>= 1
        j |= bit
        if i < j:
            y[i], y[j] = y[j], y[i]
    size = 2
    while size <= n:
        for start in range(0, n, size):
            for k in range(size // 2):
                w = np.exp(-2j * np.pi * k / size)
                even = y[start + k]
                odd = w * y[start + k + size // 2]
                y[start + k] = even + odd
                y[start + k + size // 2] = even - odd
        size *= 2
    return np.abs(y) ** 2


def fft_recursive(x):
    """The same transform, called recursively.

    Cormen et al., Introduction to Algorithms, 3rd ed., section 30.2 (RECURSIVE-FFT).
    """
    n = len(x)
    if n == 1:
        return x + 0j
    even, odd = fft_recursive(x[::2]), fft_recursive(x[1::2])
    y = np.empty(n, dtype=complex)
    w, turn = 1.0, np.exp(-2j * np.pi / n)
    for k in range(n // 2):
        y[k] = even[k] + w * odd[k]
        y[k + n // 2] = even[k] - w * odd[k]
        w = w * turn
    return y


def haar_wavelet(x):
    """The wavelet transform of Haar, level by level in place.

    Mallat, A Wavelet Tour of Signal Processing, 3rd ed., section 7.3.1.
    """
    n = len(x)
    while n > 1:
        half = n // 2
        means = (x[:n:2] + x[1:n:2]) / np.sqrt(2)
        details = (x[:n:2] - x[1:n:2]) / np.sqrt(2)
        x[:half], x[half:n] = means, details
        n = half


def matrix_exponential(a):
    """exp(A) by a Taylor series of a scaled matrix, squared as often as it was halved.

    Moler & Van Loan, SIAM Review 45 (2003), method 3.
    """
    norm = np.max(np.sum(np.abs(a), axis=1))
    halvings = 0
    while norm > 0.5:
        norm = norm / 2
        halvings += 1
    x = a / 2**halvings
    total = np.eye(len(a))
    term = np.eye(len(a))
    k = 1
    while np.max(np.abs(term)) > 1e-16:
        term = term @ x / k
        total += term
        k += 1
    for _ in range(halvings):
        total = total @ total
    return total


def simpson(a, b, k, tol=1e-6):
    """The integral of exp(-k x²) by a rule that divides intervals until they are good enough.

    Burden & Faires, 9th ed., section 4.6 (algorithm 4.3 as a recursion).
    """
    def f(x):
        return np.exp(-k * x * x)

    def integral(a, fa, b, fb, middle, fm, whole, tol):
        left, right = (a + middle) / 2, (middle + b) / 2
        fl, fr = f(left), f(right)
        first = (middle - a) / 6 * (fa + 4 * fl + fm)
        second = (b - middle) / 6 * (fm + 4 * fr + fb)
        difference = first + second - whole
        if abs(difference) <= 15 * tol:
            return first + second + difference / 15
        return integral(a, fa, middle, fm, left, fl, first, tol / 2) + integral(
            middle, fm, b, fb, right, fr, second, tol / 2
        )

    fa, fm, fb = f(a), f((a + b) / 2), f(b)
    return integral(a, fa, b, fb, (a + b) / 2, fm, (b - a) / 6 * (fa + 4 * fm + fb), tol)


def romberg(a, b, levels):
    """The integral of x sin x by extrapolation of the trapezoidal rule.

    Burden & Faires, 9th ed., algorithm 4.2.
    """
    def f(x):
        return x * np.sin(x)

    r = np.zeros((levels, levels))
    h = b - a
    r[0, 0] = h / 2 * (f(a) + f(b))
    for i in range(1, levels):
        h = h / 2
        total = 0.0
        for k in range(2 ** (i - 1)):
            total += f(a + (2 * k + 1) * h)
        r[i, 0] = r[i - 1, 0] / 2 + h * total
        for j in range(1, i + 1):
            r[i, j] = r[i, j - 1] + (r[i, j - 1] - r[i - 1, j - 1]) / (4**j - 1)
    return r[-1, -1]


def savitzky_golay(y, window, order):
    """Smoothed data: a polynomial fitted in each window, its value in the middle.

    Savitzky & Golay, Analytical Chemistry 36 (1964); Press et al., 3rd ed., section 14.9.
    """
    half = window // 2
    design = np.empty((window, order + 1))
    for i in range(window):
        for j in range(order + 1):
            design[i, j] = float(i - half) ** j
    weights = np.linalg.pinv(design)[0]
    smooth = y.copy()
    for i in range(half, len(y) - half):
        smooth[i] = 0.0
        for k in range(window):
            smooth[i] += weights[k] * y[i - half + k]
    return smooth


def lagged_correlation(x, y, lags):
    """Correlations at several lags, with means and deviations of the overlapping parts.

    Box, Jenkins & Reinsel, Time Series Analysis, 4th ed., section 12.1.2.
    """
    out = []
    for lag in range(lags):
        a, b = x[: len(x) - lag], y[lag:]
        a = a - a.mean()
        b = b - b.mean()
        out.append(np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2)))
    return np.array(out)


def potential_of_mandelbrot(x, y):
    """The escape potential of Mandelbrot's set outside of it, by iteration.

    Peitgen & Richter, The Beauty of Fractals, section 4.
    """
    c = x + 1j * y
    z = c
    n = 1
    while abs(z) < 1e3 and n < 60:
        z = z * z + c
        n += 1
    return np.log(abs(z)) / 2**n


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def nodes(seed, n):
    """Increasing places and values at them."""
    return np.arange(n) + 0.3 * np.abs(normal(seed, n)).clip(0, 1), normal(seed + 1, n)


PROGRAMS = [
    (horner, (normal(0, 5), 0.7), (normal(1, 5), -1.3)),
    (clenshaw, (normal(0, 6), 0.3), (normal(1, 6), -0.8)),
    (neville, (*nodes(0, 5), 2.2), (*nodes(2, 5), 0.4)),
    (divided_differences, nodes(0, 5), nodes(2, 5)),
    (natural_spline, nodes(0, 5), nodes(2, 5)),
    (spline_value, (*nodes(0, 6), 1.7), (*nodes(2, 6), 4.4)),
    (de_casteljau, (normal(0, 4, 2), 0.3), (normal(1, 4, 2), 0.8)),
    (fft_radix_2, (normal(0, 8),), (normal(1, 8),)),
    (fft_recursive, (normal(0, 8),), (normal(1, 8),)),
    (haar_wavelet, (normal(0, 8),), (normal(1, 8),)),
    (matrix_exponential, (0.3 * normal(0, 3, 3),), (2 * normal(1, 3, 3),)),
    (simpson, (0.0, 2.0, 1.0), (-1.0, 3.0, 2.0)),
    (romberg, (0.0, 2.0, 4), (-1.0, 1.5, 4)),
    (savitzky_golay, (normal(0, 9), 5, 2), (normal(1, 9), 5, 2)),
    (lagged_correlation, (normal(0, 9), normal(1, 9), 3), (normal(2, 9), normal(3, 9), 3)),
    (potential_of_mandelbrot, (0.5, 0.6), (-1.5, 0.8)),
]
