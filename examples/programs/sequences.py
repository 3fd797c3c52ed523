"""Recursions along sequences: filters, dynamic programs, recurrent networks."""

import numpy as np


def kalman_filter(observations, transition, noise, start):
    """The log-likelihood of observations under a linear Gaussian model with two states.

    Kalman (1960); as in Durbin & Koopman, Time Series Analysis by State Space Methods, 2nd ed.,
    sections 4.3.1 and 7.2.
    """
    state, covariance = start.copy(), np.eye(2)
    seen = np.array([[1.0, 0.0]])
    likelihood = 0.0
    for y in observations:
        state = transition @ state
        covariance = transition @ covariance @ transition.T + noise[0] * np.eye(2)
        innovation = y - seen @ state
        spread = seen @ covariance @ seen.T + noise[1]
        gain = covariance @ seen.T @ np.linalg.inv(spread)
        state = state + gain @ innovation
        covariance = (np.eye(2) - gain @ seen) @ covariance
        likelihood -= 0.5 * (np.log(2 * np.pi * spread[0, 0]) + innovation[0] ** 2 / spread[0, 0])
    return likelihood


def forward_algorithm(log_start, log_transition, log_emission, observations):
    """The log-likelihood of observations under a hidden Markov model, in the logarithmic domain.

    Rabiner, Proceedings of the IEEE 77 (1989), section III.A, equations 18 to 21.
    """
    states = len(log_start)
    alpha = log_start + log_emission[:, observations[0]]
    for t in range(1, len(observations)):
        new = np.empty(states)
        for j in range(states):
            terms = alpha + log_transition[:, j]
            peak = terms.max()
            new[j] = peak + np.log(np.exp(terms - peak).sum()) + log_emission[j, observations[t]]
        alpha = new
    peak = alpha.max()
    return peak + np.log(np.sum(np.exp(alpha - peak)))


def viterbi(log_start, log_transition, log_emission, observations):
    """The likeliest path of a hidden Markov model and the logarithm of its probability.

    Rabiner, section III.B, equations 32 to 35.
    """
    count, states = len(observations), len(log_start)
    delta = np.zeros((count, states))
    psi = np.zeros((count, states), dtype=int)
    delta[0] = log_start + log_emission[:, observations[0]]
    for t in range(1, count):
        for j in range(states):
            terms = delta[t - 1] + log_transition[:, j]
            psi[t, j] = np.argmax(terms)
            delta[t, j] = terms[psi[t, j]] + log_emission[j, observations[t]]
    path = np.zeros(count, dtype=int)
    path[-1] = np.argmax(delta[-1])
    for t in range(count - 2, -1, -1):
        path[t] = psi[t + 1, path[t + 1]]
    return delta[-1, path[-1]], path


def soft_dtw(x, y, gamma):
    """Dynamic time warping with a soft minimum.

    Cuturi & Blondel, Soft-DTW, ICML 2017, algorithm 1.
    """
    n, m = len(x), len(y)
    r = np.full((n + 1, m + 1), np.inf)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            z = -np.array([r[i - 1, j - 1], r[i - 1, j], r[i, j - 1]]) / gamma
            top = np.max(z)
            soft = -gamma * (top + np.log(np.sum(np.exp(z - top))))
            r[i, j] = (x[i - 1] - y[j - 1]) ** 2 + soft
    return r[n, m]


def dtw(x, y):
    """Dynamic time warping: the least cost of walking through two sequences together.

    Sakoe & Chiba, IEEE Trans. Acoustics, Speech and Signal Processing 26 (1978).
    """
    n, m = len(x), len(y)
    d = np.full((n + 1, m + 1), np.inf)
    d[0, 0] = 0
    for i in range(n):
        for j in range(m):
            d[i + 1, j + 1] = abs(x[i] - y[j]) + min(d[i, j], d[i, j + 1], d[i + 1, j])
    return d[n, m]


def needleman_wunsch(similarity, gap):
    """The best alignment's score and its pairs, traced back through the table.

    Needleman & Wunsch, Journal of Molecular Biology 48 (1970); Durbin et al., Biological Sequence
    Analysis, section 2.3.
    """
    n, m = similarity.shape
    f = np.zeros((n + 1, m + 1))
    f[:, 0] = -gap * np.arange(n + 1)
    f[0, :] = -gap * np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            match = f[i - 1, j - 1] + similarity[i - 1, j - 1]
            f[i, j] = max(match, f[i - 1, j] - gap, f[i, j - 1] - gap)
    pairs = []
    i, j = n, m
    while i > 0 and j > 0:
        if f[i, j] == f[i - 1, j - 1] + similarity[i - 1, j - 1]:
            pairs.append((i - 1, j - 1))
            i, j = i - 1, j - 1
        elif f[i, j] == f[i - 1, j] - gap:
            i -= 1
        else:
            j -= 1
    return f[n, m], pairs[::-1]


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1 / (1 + np.exp(-x))


def lstm(xs, w, b, size):
    """Long short-term memory with a forget gate, one step per row; the sum of what it says.

    Hochreiter & Schmidhuber, Neural Computation 9 (1997); Gers et al., Neural Computation 12
    (2000).
    """
    h, c = np.zeros(size), np.zeros(size)
    for x in xs:
        gates = w @ np.concatenate([x, h]) + b
        i, f, o, g = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def gru(xs, parameters):
    """Gated recurrent units; the states of all steps.

    Cho et al., EMNLP 2014, equations 5 to 8.
    """
    size = len(parameters["bz"])
    states = np.zeros((len(xs) + 1, size))
    for t, x in enumerate(xs):
        h = states[t]
        z = sigmoid(parameters["Wz"] @ x + parameters["Uz"] @ h + parameters["bz"])
        r = sigmoid(parameters["Wr"] @ x + parameters["Ur"] @ h + parameters["br"])
        candidate = np.tanh(parameters["W"] @ x + parameters["U"] @ (r * h))
        states[t + 1] = z * h + (1 - z) * candidate
    return states[1:]


def garch(returns, omega, alpha, beta):
    """The negative log-likelihood of a GARCH(1, 1) model.

    Bollerslev, Journal of Econometrics 31 (1986), section 5.
    """
    variance = np.zeros(len(returns))
    variance[0] = np.var(returns)
    for t in range(1, len(returns)):
        variance[t] = omega + alpha * returns[t - 1] ** 2 + beta * variance[t - 1]
    return 0.5 * np.sum(np.log(2 * np.pi * variance) + returns**2 / variance)


def iir_filter(b, a, x):
    """A recursive linear filter in transposed direct form II, sample by sample.

    Oppenheim & Schafer, Discrete-Time Signal Processing, 3rd ed., section 6.3.
    """
    order = len(a) - 1
    state = np.zeros(order + 1)
    y = np.empty_like(x)
    for n in range(len(x)):
        y[n] = (b[0] * x[n] + state[0]) / a[0]
        for i in range(order):
            state[i] = b[i + 1] * x[n] - a[i + 1] * y[n] + state[i + 1]
    return y


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def markov_model(seed):
    """Logarithms of the probabilities of three states and four symbols, and what was seen."""
    rng = np.random.default_rng(seed)
    start, transition = rng.uniform(0.1, 1, 3), rng.uniform(0.1, 1, (3, 3))
    return np.log(start), np.log(transition), np.log(rng.uniform(0.1, 1, (3, 4))), [0, 3, 1, 1, 2]


def gates(seed):
    """Inputs and the parameters of gated units with two inputs and three states."""
    shapes = {
        "Wz": (3, 2), "Uz": (3, 3), "bz": (3,),
        "Wr": (3, 2), "Ur": (3, 3), "br": (3,),
        "W": (3, 2), "U": (3, 3),
    }  # fmt: skip
    parameters = {name: normal(seed + i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return normal(seed, 4, 2), parameters


PROGRAMS = [
    (
        kalman_filter,
        (normal(0, 5), np.array([[1.0, 0.5], [0.0, 0.9]]), np.array([0.1, 0.2]), normal(1, 2)),
        (normal(2, 5), np.array([[0.9, 0.3], [0.1, 1.0]]), np.array([0.3, 0.1]), normal(3, 2)),
    ),
    (forward_algorithm, markov_model(0), markov_model(1)),
    (viterbi, markov_model(0), markov_model(1)),
    (soft_dtw, (normal(0, 4), normal(1, 5), 1), (normal(2, 4), normal(3, 5), 2)),
    (dtw, (normal(0, 4), normal(1, 5)), (normal(2, 4), normal(3, 5))),
    (needleman_wunsch, (normal(0, 4, 5), 0.4), (normal(1, 4, 5), 0.3)),
    (
        lstm,
        (normal(0, 4, 2), normal(1, 12, 5), normal(2, 12), 3),
        (normal(3, 4, 2), normal(4, 12, 5), normal(5, 12), 3),
    ),
    (gru, gates(0), gates(20)),
    (garch, (normal(0, 8), 0.1, 0.2, 0.7), (normal(1, 8), 0.2, 0.1, 0.6)),
    (
        iir_filter,
        (np.array([0.2, 0.3, 0.1]), np.array([1.0, -0.4, 0.2]), normal(0, 8)),
        (np.array([0.5, 0.1, 0.2]), np.array([2.0, 0.3, -0.1]), normal(1, 8)),
    ),
]
