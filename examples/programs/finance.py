"""Options and rates: trees, paths, payoffs that depend on what was reached."""

import math

import numpy as np


def binomial_tree(spot, strike, rate, volatility, years, steps):
    """A European call by the tree of Cox, Ross and Rubinstein.

    Cox, Ross & Rubinstein, Journal of Financial Economics 7 (1979); Hull, Options, Futures, and
    Other Derivatives, 9th ed., section 21.1.
    """
    dt = years / steps
    up = math.exp(volatility * math.sqrt(dt))
    down = 1 / up
    p = (math.exp(rate * dt) - down) / (up - down)
    discount = math.exp(-rate * dt)
    values = [max(spot * up**j * down ** (steps - j) - strike, 0.0) for j in range(steps + 1)]
    for i in range(steps, 0, -1):
        for j in range(i):
            values[j] = discount * (p * values[j + 1] + (1 - p) * values[j])
    return values[0]


def american_put(spot, strike, rate, volatility, years, steps):
    """An American put: at each node exercised where that is worth more.

    Hull, 9th ed., section 21.1.
    """
    dt = years / steps
    up = np.exp(volatility * np.sqrt(dt))
    p = (np.exp(rate * dt) - 1 / up) / (up - 1 / up)
    discount = np.exp(-rate * dt)
    prices = spot * up ** (2.0 * np.arange(steps + 1) - steps)
    values = np.maximum(strike - prices, 0)
    for i in range(steps - 1, -1, -1):
        prices = prices[:-1] * up
        values[: i + 1] = discount * (p * values[1 : i + 2] + (1 - p) * values[: i + 1])
        values[: i + 1] = np.maximum(values[: i + 1], strike - prices)
    return values[0]


def asian_option(spot, strike, rate, volatility, years, normals):
    """An Asian call by Monte Carlo, path by path, with given normal numbers.

    Glasserman, Monte Carlo Methods in Financial Engineering, sections 1.1.2 and 3.2.
    """
    paths, steps = normals.shape
    dt = years / steps
    payoffs = np.zeros(paths)
    for i in range(paths):
        s = spot
        total = 0.0
        for j in range(steps):
            drift = (rate - 0.5 * volatility**2) * dt
            s *= np.exp(drift + volatility * np.sqrt(dt) * normals[i, j])
            total += s
        average = total / steps
        if average > strike:
            payoffs[i] = average - strike
    return np.exp(-rate * years) * payoffs.mean()


def barrier_option(spot, strike, barrier, volatility, normals):
    """A call that is worth nothing once the price has reached a barrier.

    Glasserman, section 3.2.2.
    """
    dt = 1.0 / normals.shape[1]
    total = 0.0
    for row in normals:
        s, alive = spot, True
        for z in row:
            s = s * np.exp(-0.5 * volatility**2 * dt + volatility * np.sqrt(dt) * z)
            if s >= barrier:
                alive = False
                break
        if alive and s > strike:
            total += s - strike
    return total / len(normals)


def heston_path(spot, v0, kappa, theta, xi, rho, normals):
    """A path with stochastic variance, truncated at zero.

    Andersen, Jäckel & Kahl, Simulation of square-root processes (2010): full truncation Euler;
    the model: Heston, Review of Financial Studies 6 (1993).
    """
    dt = 1.0 / len(normals)
    logs = np.empty(len(normals) + 1)
    logs[0], v = np.log(spot), v0
    for t, (z1, z2) in enumerate(normals):
        positive = max(v, 0.0)
        logs[t + 1] = logs[t] - 0.5 * positive * dt + np.sqrt(positive * dt) * z1
        z = rho * z1 + np.sqrt(1 - rho**2) * z2
        v = v + kappa * (theta - positive) * dt + xi * np.sqrt(positive * dt) * z
    return np.exp(logs)


def bootstrap_curve(swap_rates):
    """Discount factors from par swap rates, one maturity after the other.

    Hull, 9th ed., sections 4.5 and 7.
    """
    factors = np.zeros(len(swap_rates))
    for i, rate in enumerate(swap_rates):
        factors[i] = (1 - rate * factors[:i].sum()) / (1 + rate)
    return factors


def internal_rate(flows, guess):
    """The rate at which the flows are worth nothing, by Newton's method.

    Brealey, Myers & Allen, Principles of Corporate Finance, 10th ed., section 5.3.
    """
    rate = guess
    for _ in range(50):
        value = slope = 0.0
        for t, flow in enumerate(flows):
            value += flow / (1 + rate) ** t
            slope -= t * flow / (1 + rate) ** (t + 1)
        change = value / slope
        rate -= change
        if abs(change) < 1e-13:
            return rate
    raise ValueError("internal_rate: no rate was found")


def normal_cdf(x):
    """The distribution function of the standard normal distribution."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def implied_volatility(price, spot, strike, rate, years):
    """The volatility at which the formula of Black and Scholes gives the price; Newton's method.

    Black & Scholes, Journal of Political Economy 81 (1973); Hull, 9th ed., section 15.11.
    """
    sigma = 0.3
    for _ in range(30):
        d1 = (math.log(spot / strike) + (rate + sigma**2 / 2) * years) / (sigma * math.sqrt(years))
        d2 = d1 - sigma * math.sqrt(years)
        value = spot * normal_cdf(d1) - strike * math.exp(-rate * years) * normal_cdf(d2)
        vega = spot * math.exp(-(d1**2) / 2) * math.sqrt(years / (2 * math.pi))
        change = (value - price) / vega
        sigma -= change
        if abs(change) < 1e-12:
            break
    return sigma


def normal(seed, *shape):
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


PROGRAMS = [
    (binomial_tree, (100.0, 95.0, 0.03, 0.2, 1.0, 6), (90.0, 105.0, 0.05, 0.4, 2.0, 6)),
    (american_put, (100.0, 105.0, 0.03, 0.2, 1.0, 6), (103.0, 90.0, 0.02, 0.4, 2.0, 6)),
    (
        asian_option,
        (100.0, 99.0, 0.03, 0.2, 1.0, normal(0, 4, 3)),
        (90.0, 95.0, 0.02, 0.5, 1.0, normal(1, 4, 3)),
    ),
    (
        barrier_option,
        (100.0, 95.0, 115.0, 0.2, normal(0, 4, 5)),
        (90.0, 70.0, 120.0, 0.3, normal(1, 4, 5)),
    ),
    (
        heston_path,
        (100.0, 0.04, 1.5, 0.05, 0.4, -0.6, normal(0, 6, 2)),
        (90.0, 0.01, 1.0, 0.02, 0.9, -0.3, normal(1, 6, 2)),
    ),
    (bootstrap_curve, (np.linspace(0.01, 0.03, 6),), (np.linspace(0.04, 0.02, 6),)),
    (
        internal_rate,
        (np.array([-100.0, 30.0, 40.0, 50.0]), 0.1),
        (np.array([-80.0, 10.0, 10.0, 90.0]), 0.3),
    ),
    (implied_volatility, (10.0, 100.0, 100.0, 0.02, 1.0), (20.0, 100.0, 90.0, 0.03, 0.5)),
]
