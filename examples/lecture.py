"""The two functions that a first lecture on backpropagation differentiates by hand."""

from collections.abc import Sequence

import numpy as np

from symdiff import value_and_grad


def product(x: float, y: float, z: float) -> float:
    """(x + y) z."""
    return (x + y) * z


def neuron(w0: float, x0: float, w1: float, x1: float, b: float) -> float:
    """A neuron with two inputs and a sigmoid."""
    return 1 / (1 + np.exp(-(w0 * x0 + w1 * x1 + b)))


def vector(numbers: Sequence[float], form: str) -> str:
    """The numbers in parentheses, as the lecture writes them."""
    return f"({', '.join(format(number, form) for number in numbers)})"


def main() -> None:
    """Print values and gradients, from floats and from ints."""
    for point in [(1.0, -3.0, 4.0), (1, -3, 4)]:
        value, gradient = value_and_grad(product, argnums=(0, 1, 2))(*point)
        print(f"(x + y) * z at {point}: value {value:g}, gradient {vector(gradient, 'g')}")

    for point in [(2.0, -1.0, -3.0, -2.0, -3.0), (2, -1, -3, -2, -3)]:
        value, gradient = value_and_grad(neuron, argnums=(0, 1, 2, 3, 4))(*point)
        print(f"neuron at {point}: value {value:.2f}, gradient {vector(gradient, '.2f')}")


if __name__ == "__main__":
    main()
