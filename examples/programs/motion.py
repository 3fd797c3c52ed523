"""Ordinary differential equations: fixed, adaptive and implicit time steps, and impacts."""

import numpy as np


def lorenz(state):
    """Lorenz' equations, with his parameters."""
    x, y, z = state
    return np.array([10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z])


def runge_kutta_4(state, dt, steps):
    """The classical Runge-Kutta method; all states are kept.

    Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, 2nd ed., section II.1,
    table 1.2.
    """
    path = np.empty((steps + 1, len(state)))
    path[0] = state
    for i in range(steps):
        k1 = lorenz(path[i])
        k2 = lorenz(path[i] + dt / 2 * k1)
        k3 = lorenz(path[i] + dt / 2 * k2)
        k4 = lorenz(path[i] + dt * k3)
        path[i + 1] = path[i] + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return path


def van_der_pol(y, mu):
    """The oscillator of van der Pol."""
    return np.array([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])


NODES = [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
]
ERROR = np.array(
    [71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40],
)


def dormand_prince(y, mu, end, tol=1e-4):
    """An embedded pair of orders 5 and 4 whose steps are as long as the tolerance allows.

    Hairer, Nørsett & Wanner, sections II.4 (step size control) and II.5 (table 5.2).
    """
    t, h = 0.0, 0.1
    while t < end:
        h = min(h, end - t)
        k = []
        for row in NODES:
            stage = y.copy()
            for a, slope in zip(row, k):
                stage = stage + h * a * slope
            k.append(van_der_pol(stage, mu))
        error = h * sum(e * slope for e, slope in zip(ERROR, k))
        scale = tol * (1 + np.maximum(np.abs(y), np.abs(stage)))
        norm = np.sqrt(np.mean((error / scale) ** 2))
        if norm <= 1:
            t = t + h
            y = stage
        h = h * min(5.0, max(0.2, 0.9 * norm ** (-1 / 5)))
    return y


def robertson(y, rates):
    """Robertson's stiff reactions, and their Jacobian."""
    a, b, c = rates
    f = np.array([-a * y[0] + b * y[1] * y[2], 0.0, c * y[1] ** 2])
    f[1] = -f[0] - f[2]
    jacobian = np.zeros((3, 3))
    jacobian[0] = [-a, b * y[2], b * y[1]]
    jacobian[2, 1] = 2 * c * y[1]
    jacobian[1] = -jacobian[0] - jacobian[2]
    return f, jacobian


def implicit_euler(y, rates, dt, steps):
    """The implicit Euler method, each step solved by Newton's method to rounding.

    Hairer & Wanner, Solving Ordinary Differential Equations II, 2nd ed., section IV.8; the problem:
    Robertson (1966).
    """
    for _ in range(steps):
        new = y.copy()
        for _ in range(20):
            f, jacobian = robertson(new, rates)
            change = np.linalg.solve(np.eye(3) - dt * jacobian, y + dt * f - new)
            new += change
            if np.linalg.norm(change) < 1e-12:
                break
        y = new
    return y


def accelerations(x, masses, softening):
    """Newton's law of gravitation for all pairs."""
    n = len(masses)
    a = np.zeros_like(x)
    for i in range(n):
        for j in range(i + 1, n):
            d = x[j] - x[i]
            force = d / (d @ d + softening**2) ** 1.5
            a[i] += masses[j] * force
            a[j] -= masses[i] * force
    return a


def n_body(x, v, masses, dt, steps):
    """Bodies that attract each other, by the leapfrog method in its velocity form.

    Aarseth, Gravitational N-Body Simulations, section 1.2; Hairer, Lubich & Wanner, Geometric
    Numerical Integration, 2nd ed., section I.1.4.
    """
    a = accelerations(x, masses, 0.1)
    for _ in range(steps):
        v += dt / 2 * a
        x += dt * v
        a = accelerations(x, masses, 0.1)
        v += dt / 2 * a
    return 0.5 * np.sum(masses * np.sum(v**2, axis=1))


def hamiltonian_trajectory(q, p, precision, epsilon, steps):
    """One proposal of Hamiltonian Monte Carlo: leapfrog steps, then the momentum is reversed.

    Neal, MCMC using Hamiltonian dynamics, in Handbook of Markov Chain Monte Carlo (2011), figure 2.
    """
    def gradient(q):
        return precision @ q + 0.1 * q**3

    p = p - epsilon * gradient(q) / 2
    for i in range(steps):
        q = q + epsilon * p
        if i != steps - 1:
            p = p - epsilon * gradient(q)
    p = p - epsilon * gradient(q) / 2
    p = -p
    return q, p


def bouncing_ball(height, speed, restitution, dt, steps):
    """A ball that falls, with the time of each impact found by interpolation.

    Baraff, An introduction to physically based modeling (SIGGRAPH course notes, 1997), part on
    collisions: stop at the impact, reflect, go on for the rest of the step.
    """
    gravity = 9.81
    heights = []
    for _ in range(steps):
        new_speed = speed - gravity * dt
        new_height = height + dt * (speed + new_speed) / 2
        if new_height < 0:
            impact = (speed + np.sqrt(speed**2 + 2 * gravity * height)) / gravity
            rebound = -restitution * (speed - gravity * impact)
            rest = dt - impact
            new_speed = rebound - gravity * rest
            new_height = rebound * rest - gravity * rest**2 / 2
        height, speed = new_height, new_speed
        heights.append(height)
    return np.array(heights)


def double_pendulum(angles, rates, lengths, dt, steps):
    """Two links with a joint limit that pushes back, in semi-implicit Euler steps.

    Goldstein, Classical Mechanics, 3rd ed., section 1.6 (the equations of motion).
    """
    g = 9.81
    l1, l2 = lengths
    q, w = angles.copy(), rates.copy()
    for _ in range(steps):
        delta = q[0] - q[1]
        mass = np.array([[2 * l1**2, l1 * l2 * np.cos(delta)], [l1 * l2 * np.cos(delta), l2**2]])
        force = np.array(
            [
                -l1 * l2 * w[1] ** 2 * np.sin(delta) - 2 * g * l1 * np.sin(q[0]),
                l1 * l2 * w[0] ** 2 * np.sin(delta) - g * l2 * np.sin(q[1]),
            ]
        )
        if abs(delta) > 0.8:
            push = 50.0 * (abs(delta) - 0.8) * np.sign(delta)
            force[0] -= push
            force[1] += push
        w += dt * np.linalg.solve(mass, force)
        q += dt * w
    return q, w


class Spring:
    """A spring between two particles, which writes its force into their arrays."""

    def __init__(self, i, j, stiffness, rest):
        self.i, self.j = i, j
        self.stiffness, self.rest = stiffness, rest

    def apply(self, x, forces):
        """Hooke's law."""
        d = x[self.j] - x[self.i]
        length = np.sqrt(d @ d)
        force = self.stiffness * (length - self.rest) * d / length
        forces[self.i] += force
        forces[self.j] -= force


def mass_spring(x, v, stiffness, dt, steps):
    """Particles, springs and a floor: symplectic Euler steps, with a penalty below the floor.

    Witkin, Physically based modeling: particle system dynamics (SIGGRAPH course notes, 1997).
    """
    springs = [Spring(0, 1, stiffness, 1.0), Spring(1, 2, stiffness, 1.0), Spring(0, 2, 5.0, 1.2)]
    forces = np.empty_like(x)
    for _ in range(steps):
        forces[:] = 0.0
        forces[:, 1] -= 9.81
        for spring in springs:
            spring.apply(x, forces)
        below = x[:, 1] < 0
        forces[below, 1] -= 200.0 * x[below, 1]
        v += dt * forces
        x += dt * v
    return x


def uniform(seed, *shape):
    """Values between 0 and 1."""
    return np.random.default_rng(seed).uniform(0, 1, shape)


def bodies(seed):
    """Places, velocities and masses of three bodies."""
    x, v = 2 * uniform(seed, 3, 3), uniform(seed + 1, 3, 3) - 0.5
    return x, v, 1 + uniform(seed + 2, 3), 0.02, 3


def particles(seed):
    """A triangle near the floor."""
    corners = np.array([[0.0, 0.05], [1.0, 0.1], [0.4, 0.9]])
    return corners + 0.1 * uniform(seed, 3, 2), uniform(seed + 1, 3, 2) - 1.0, 30.0 + seed, 0.02, 5


PROGRAMS = [
    (runge_kutta_4, (1 + uniform(0, 3), 0.01, 5), (5 + uniform(1, 3), 0.02, 5)),
    (dormand_prince, (1 + uniform(0, 2), 1.0, 1.5), (2 + uniform(1, 2), 3.0, 1.5)),
    (
        implicit_euler,
        (np.array([1.0, 1e-4, 0.1]), np.array([0.04, 1e1, 3e2]), 0.1, 3),
        (np.array([0.9, 1e-3, 0.2]), np.array([0.05, 2e1, 1e2]), 0.2, 3),
    ),
    (n_body, bodies(0), bodies(5)),
    (
        hamiltonian_trajectory,
        (uniform(0, 2), uniform(1, 2), np.eye(2) + 0.2, 0.1, 5),
        (uniform(2, 2), uniform(3, 2), np.eye(2) + 0.5, 0.2, 5),
    ),
    (bouncing_ball, (0.5, 0.0, 0.8, 0.05, 12), (0.3, 1.0, 0.7, 0.05, 12)),
    (
        double_pendulum,
        (np.array([1.0, 0.1]), np.zeros(2), np.array([1.0, 0.7]), 0.02, 5),
        (np.array([0.5, 0.2]), np.ones(2), np.array([0.9, 0.8]), 0.02, 5),
    ),
    (mass_spring, particles(0), particles(3)),
]
