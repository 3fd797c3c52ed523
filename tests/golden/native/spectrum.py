import numpy as np


def spectrum_value_and_grad(x):
    """Value and gradient of `spectrum` with respect to x.

    Takes x: f64[8].
    Returns value: f64[], x_bar: f64[8].

    np.abs has derivative 0 at 0.
    """
    tanh, sin, add = part_1(x)
    rfft_1 = np.fft.rfft(add)
    value, divide = part_2(np.abs(rfft_1))
    multiply_1 = divide * np.conj(rfft_1) * np.array([1.0, 0.5, 0.5, 0.5, 1.0])
    # from: return np.tanh(x) * np.sin(x) + x**2
    x_bar = part_3(tanh, x, np.fft.hfft(multiply_1, 8), sin)
    return value, x_bar
