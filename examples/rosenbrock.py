"""The minimum of Rosenbrock's valley by SciPy's BFGS, which asks for value and gradient at once."""

import numpy as np
from scipy.optimize import minimize

from symdiff import value_and_grad


def rosenbrock(x: np.ndarray) -> float:
    """Zero at (1, ..., 1), the end of a long curved valley; x: [n]."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def main() -> None:
    """Minimize in ten dimensions, with the gradient and with SciPy's differences."""
    start = np.full(10, -1.0)
    exact = minimize(value_and_grad(rosenbrock), start, jac=True, method="BFGS")
    differences = minimize(rosenbrock, start, method="BFGS")
    print(f"start        f {rosenbrock(start):.1f}")
    for name, found in [("gradient", exact), ("differences", differences)]:
        print(f"{name:12} f {found.fun:.0e} after {found.nfev} evaluations")
    print(f"minimum      {np.round(exact.x, 4)}")


if __name__ == "__main__":
    main()
