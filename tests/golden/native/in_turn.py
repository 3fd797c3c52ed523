import numpy as np


def in_turn(x):
    """`in_turn`, for arguments of these types.

    Takes x: f64[8].
    Returns value: f64[].
    """
    for i in range(12):
        x_in = np.abs(np.fft.fft(part_1(x, i)))
        x = x_in / 8
    return x.sum()
