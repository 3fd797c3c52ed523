"""Partial differential equations on grids: loops over time steps that store into the grid."""

import numpy as np


def jacobi_2d(a, b, steps):
    """Jacobi sweeps of Laplace's equation, from one grid to the other and back.

    Pouchet & Yuki, PolyBench 4.2, kernel jacobi-2d; the method: Saad, Iterative Methods for Sparse
    Linear Systems, 2nd ed., section 4.1.
    """
    for _ in range(steps):
        b[1:-1, 1:-1] = 0.2 * (
            a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1]
        )
        a[1:-1, 1:-1] = 0.2 * (
            b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1]
        )


def gauss_seidel_2d(a, sweeps):
    """Gauss-Seidel sweeps: each point is the mean of its nine neighbours, new ones included.

    Pouchet & Yuki, PolyBench 4.2, kernel seidel-2d; Saad, section 4.1.
    """
    n = a.shape[0]
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                a[i, j] = (
                    a[i - 1, j - 1] + a[i - 1, j] + a[i - 1, j + 1]
                    + a[i, j - 1] + a[i, j] + a[i, j + 1]
                    + a[i + 1, j - 1] + a[i + 1, j] + a[i + 1, j + 1]
                ) / 9.0  # fmt: skip
    return a


def heat_3d(u, conductivity, steps):
    """The heat equation in three dimensions, explicit in time.

    Pouchet & Yuki, PolyBench 4.2, kernel heat-3d; LeVeque, Finite Difference Methods for Ordinary
    and Partial Differential Equations, section 9.1.
    """
    inner = slice(1, -1)
    for _ in range(steps):
        new = u.copy()
        new[inner, inner, inner] += conductivity * (
            (u[2:, inner, inner] - 2 * u[inner, inner, inner] + u[:-2, inner, inner])
            + (u[inner, 2:, inner] - 2 * u[inner, inner, inner] + u[inner, :-2, inner])
            + (u[inner, inner, 2:] - 2 * u[inner, inner, inner] + u[inner, inner, :-2])
        )
        u = new
    return u


def fdtd_2d(ex, ey, hz, source):
    """Maxwell's equations on Yee's staggered grid, driven at one side.

    Yee, IEEE Trans. Antennas and Propagation 14 (1966); PolyBench 4.2, kernel fdtd-2d.
    """
    for t in range(len(source)):
        ey[0, :] = source[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])
    return np.sum(hz**2)


def pressure_source(b, rho, dt, u, v, dx, dy):
    """The right hand side of the pressure equation, written into b."""
    ux = (u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx)
    vy = (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dy)
    uy = (u[2:, 1:-1] - u[:-2, 1:-1]) / (2 * dy)
    vx = (v[1:-1, 2:] - v[1:-1, :-2]) / (2 * dx)
    b[1:-1, 1:-1] = rho * ((ux + vy) / dt - ux**2 - 2 * uy * vx - vy**2)


def pressure_sweeps(p, b, dx, dy, sweeps):
    """Jacobi sweeps of the pressure equation, in place; the lid is open to the outside."""
    for _ in range(sweeps):
        old = p.copy()
        p[1:-1, 1:-1] = (
            (old[1:-1, 2:] + old[1:-1, :-2]) * dy**2
            + (old[2:, 1:-1] + old[:-2, 1:-1]) * dx**2
            - b[1:-1, 1:-1] * dx**2 * dy**2
        ) / (2 * (dx**2 + dy**2))
        p[:, -1] = p[:, -2]
        p[0, :] = p[1, :]
        p[:, 0] = p[:, 1]
        p[-1, :] = 0


def cavity_flow(u, v, p, lid, nu, steps):
    """The flow in a box whose lid moves: incompressible Navier-Stokes equations by projection.

    Chorin, Mathematics of Computation 22 (1968); discretized as in Barba & Forsyth, CFD Python:
    the 12 steps to Navier-Stokes equations, JOSE 2 (2018), step 11.
    """
    rho, dt = 1.0, 0.01
    dx = dy = 2.0 / (len(u) - 1)
    b = np.zeros_like(u)
    for _ in range(steps):
        pressure_source(b, rho, dt, u, v, dx, dy)
        pressure_sweeps(p, b, dx, dy, 3)
        un, vn = u.copy(), v.copy()
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (un[1:-1, 1:-1] - un[1:-1, :-2])
            - vn[1:-1, 1:-1] * dt / dy * (un[1:-1, 1:-1] - un[:-2, 1:-1])
            - dt / (2 * rho * dx) * (p[1:-1, 2:] - p[1:-1, :-2])
            + nu * dt / dx**2 * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, :-2])
            + nu * dt / dy**2 * (un[2:, 1:-1] - 2 * un[1:-1, 1:-1] + un[:-2, 1:-1])
        )
        v[1:-1, 1:-1] = (
            vn[1:-1, 1:-1]
            - un[1:-1, 1:-1] * dt / dx * (vn[1:-1, 1:-1] - vn[1:-1, :-2])
            - vn[1:-1, 1:-1] * dt / dy * (vn[1:-1, 1:-1] - vn[:-2, 1:-1])
            - dt / (2 * rho * dy) * (p[2:, 1:-1] - p[:-2, 1:-1])
            + nu * dt / dx**2 * (vn[1:-1, 2:] - 2 * vn[1:-1, 1:-1] + vn[1:-1, :-2])
            + nu * dt / dy**2 * (vn[2:, 1:-1] - 2 * vn[1:-1, 1:-1] + vn[:-2, 1:-1])
        )
        u[0, :] = u[:, 0] = u[:, -1] = 0
        u[-1, :] = lid
        v[0, :] = v[-1, :] = v[:, 0] = v[:, -1] = 0
    return u, v, p


def burgers_upwind(u, dt, dx, steps):
    """Burgers' equation, each point differenced against the side that the flow comes from.

    LeVeque, Finite Volume Methods for Hyperbolic Problems, section 12.2 (an upwind method).
    """
    for _ in range(steps):
        old = u.copy()
        for i in range(1, len(u) - 1):
            if old[i] > 0:
                u[i] = old[i] - dt / dx * old[i] * (old[i] - old[i - 1])
            else:
                u[i] = old[i] - dt / dx * old[i] * (old[i + 1] - old[i])
    return u


def tridiagonal_solve(lower, diag, upper, rhs):
    """Thomas' algorithm: elimination without pivots, then substitution, in copies.

    Press et al., Numerical Recipes, 3rd ed., section 2.4.
    """
    n = len(diag)
    c, x = np.empty(n), np.empty(n)
    beta = diag[0]
    x[0] = rhs[0] / beta
    for i in range(1, n):
        c[i] = upper[i - 1] / beta
        beta = diag[i] - lower[i] * c[i]
        if beta == 0.0:
            raise ZeroDivisionError("tridiagonal_solve: a pivot is zero")
        x[i] = (rhs[i] - lower[i] * x[i - 1]) / beta
    for i in range(n - 2, -1, -1):
        x[i] -= c[i + 1] * x[i + 1]
    return x


def crank_nicolson(u, diffusivity, dt, steps):
    """The heat equation in one dimension, implicit by halves: a tridiagonal system per step.

    Crank & Nicolson, Proc. Cambridge Phil. Soc. 43 (1947); Press et al., section 20.2.
    """
    n = len(u)
    r = diffusivity * dt * (n - 1) ** 2 / 2
    lower, diag, upper = np.full(n, -r), np.full(n, 1 + 2 * r), np.full(n, -r)
    diag[0] = diag[-1] = 1.0
    upper[0] = lower[-1] = 0.0
    for _ in range(steps):
        rhs = u.copy()
        rhs[1:-1] = u[1:-1] + r * (u[2:] - 2 * u[1:-1] + u[:-2])
        u = tridiagonal_solve(lower, diag, upper, rhs)
    return u


def grid(seed, *shape):
    """Values between 0 and 1."""
    return np.random.default_rng(seed).uniform(0, 1, shape)


def cavity(seed):
    """A flow that has begun."""
    return *(0.1 * grid(seed + i, 6, 6) for i in range(3)), 0.5 + grid(seed, 1)[0], 0.1, 3


def maxwell(seed):
    """Fields, and a source."""
    return grid(seed, 5, 6), grid(seed + 1, 5, 6), grid(seed + 2, 5, 6), grid(seed + 3, 4)


PROGRAMS = [
    (jacobi_2d, (grid(0, 6, 7), grid(1, 6, 7), 3), (grid(2, 6, 7), grid(3, 6, 7), 3)),
    (gauss_seidel_2d, (grid(0, 5, 5), 2), (grid(1, 5, 5), 2)),
    (heat_3d, (grid(0, 4, 5, 6), 0.1, 3), (grid(1, 4, 5, 6), 0.15, 3)),
    (fdtd_2d, maxwell(0), maxwell(9)),
    (cavity_flow, cavity(0), cavity(20)),
    (burgers_upwind, (grid(0, 8) - 0.5, 0.05, 0.5, 4), (grid(3, 8) - 0.5, 0.04, 0.5, 4)),
    (
        tridiagonal_solve,
        (grid(0, 6), 3 + grid(1, 6), grid(2, 6), grid(3, 6)),
        (grid(4, 6), 3 + grid(5, 6), grid(6, 6), grid(7, 6)),
    ),
    (crank_nicolson, (grid(0, 7), 0.3, 0.01, 3), (grid(1, 7), 0.2, 0.02, 3)),
]
