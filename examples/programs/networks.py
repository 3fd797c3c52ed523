"""Neural networks written out as loops over pixels, filters and layers."""

import numpy as np


def convolve(image, filters, bias):
    """A valid convolution, pixel by pixel."""
    count, _, size, _ = filters.shape
    out = np.empty((count, image.shape[1] - size + 1, image.shape[2] - size + 1))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = image[:, i : i + size, j : j + size]
            out[:, i, j] = np.sum(window * filters, axis=(1, 2, 3)) + bias
    return out


def max_pool(image):
    """The greatest of each square of four."""
    out = np.empty((image.shape[0], image.shape[1] // 2, image.shape[2] // 2))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            out[:, i, j] = np.max(image[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2], axis=(1, 2))
    return out


def lenet(image, filters1, bias1, filters2, bias2, weights, bias):
    """A small network of the form of LeNet-5, and the loss of the first class.

    LeCun et al., Proceedings of the IEEE 86 (1998), section II.B; here with ReLU and max pooling.
    """
    h = max_pool(np.maximum(convolve(image, filters1, bias1), 0))
    h = max_pool(np.maximum(convolve(h, filters2, bias2), 0))
    scores = h.reshape(-1) @ weights + bias
    scores = scores - np.max(scores)
    return np.log(np.sum(np.exp(scores))) - scores[0]


def deep_tanh(x, weights, biases):
    """A network of as many layers as there are weights.

    Goodfellow, Bengio & Courville, Deep Learning, section 6.5.1 (algorithm 6.3, forward).
    """
    h = x
    for w, b in zip(weights, biases):
        h = np.tanh(h @ w + b)
    return np.sum(h * h)


def batch_norm_network(x, layers, eps):
    """Layers with normalization over the batch; parameters are dictionaries in a list.

    Ioffe & Szegedy, ICML 2015, algorithm 1.
    """
    h = x
    for layer in layers:
        z = h @ layer["w"]
        centred = z - z.mean(axis=0)
        z = centred / np.sqrt((centred**2).mean(axis=0) + eps)
        h = np.maximum(layer["scale"] * z + layer["shift"], 0.01 * z)
    return h.mean()


def attention(x, wq, wk, wv):
    """Causal self-attention, one query after the other.

    Vaswani et al., Attention is all you need (2017), section 3.2.1.
    """
    q, k, v = x @ wq, x @ wk, x @ wv
    out = np.zeros_like(v)
    for t in range(len(x)):
        scores = np.array([q[t] @ k[s] for s in range(t + 1)]) / np.sqrt(q.shape[1])
        weights = np.exp(scores - scores.max())
        weights /= weights.sum()
        for s in range(t + 1):
            out[t] += weights[s] * v[s]
    return out


def adam_training(x, y, w, rate, steps):
    """A logistic regression trained by Adam, differentiated through the training.

    Kingma & Ba, ICLR 2015, algorithm 1.
    """
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (p - y) / len(y)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        w = w - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def backpropagation(x, y, w1, w2, rate):
    """One step of gradient descent with the gradients written out by hand, in place.

    Rumelhart, Hinton & Williams, Nature 323 (1986).
    """
    h = np.tanh(x @ w1)
    error = h @ w2 - y
    w2_bar = h.T @ error
    h_bar = error @ w2.T
    w1_bar = x.T @ (h_bar * (1 - h**2))
    w1 -= rate * w1_bar
    w2 -= rate * w2_bar
    return 0.5 * np.sum(error**2)


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def picture(seed):
    """A picture of two channels, filters and weights."""
    return (
        normal(seed, 1, 10, 10), normal(seed + 1, 2, 1, 3, 3), normal(seed + 2, 2),
        normal(seed + 3, 3, 2, 3, 3), normal(seed + 4, 3), normal(seed + 5, 3, 4), normal(seed, 4),
    )  # fmt: skip


def stack(seed, depth):
    """Weights and biases of square layers."""
    weights = [0.5 * normal(seed + i, 3, 3) for i in range(depth)]
    return normal(seed, 4, 3), weights, [0.1 * normal(seed - i, 3) for i in range(-depth, 0)]


def layers(seed):
    """Two layers of dictionaries."""
    parts = [
        {"w": normal(seed + i, 3, 3), "scale": 1 + 0.1 * normal(i, 3), "shift": normal(seed + i, 3)}
        for i in range(2)
    ]
    return normal(seed, 5, 3), parts, 1e-3


def labelled(seed):
    """Points with labels, and a start."""
    y = (normal(seed + 1, 6) > 0).astype(float)
    return normal(seed, 6, 2), y, normal(seed + 2, 2), 0.1, 4


PROGRAMS = [
    (lenet, picture(0), picture(10)),
    (deep_tanh, stack(0, 5), stack(9, 5)),
    (batch_norm_network, layers(0), layers(9)),
    (
        attention,
        (normal(0, 4, 3), normal(1, 3, 2), normal(2, 3, 2), normal(3, 3, 2)),
        (normal(4, 4, 3), normal(5, 3, 2), normal(6, 3, 2), normal(7, 3, 2)),
    ),
    (adam_training, labelled(0), labelled(5)),
    (
        backpropagation,
        (normal(0, 4, 3), normal(1, 4, 2), normal(2, 3, 3), normal(3, 3, 2), 0.1),
        (normal(5, 4, 3), normal(6, 4, 2), normal(7, 3, 3), normal(8, 3, 2), 0.2),
    ),
]
