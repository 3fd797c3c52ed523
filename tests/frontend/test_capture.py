"""Loops and branches are captured where that is possible; what is computed stays the same."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from symdiff.frontend import context
from symdiff.frontend.parameters import parameters_of
from symdiff.frontend.pytree import flatten, unflatten
from symdiff.frontend.trace import Leaf, leaf_names, trace
from symdiff.frontend.tracer import StaticArgument
from symdiff.ir.node import compilation
from symdiff.ir.types import type_of
from symdiff.ops.evaluate import evaluate

R = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def one_compilation():
    with compilation(fresh=True):
        yield


class Captured:
    """A function traced for some arguments: the roads that were taken, the results at others."""

    def __init__(self, function, *args):
        self.function = function
        self.parameters = parameters_of(function)
        static = set()
        token = context.capturing.set(context.Capturing())
        try:
            while True:
                try:
                    self._trace(args, static)
                    break
                except StaticArgument as decided:
                    static |= decided.names
        finally:
            context.capturing.reset(token)
        roads = self.traced.running.flow.roads.values()
        self.roads = [what.partition(":")[0] for _, what in roads]

    def _trace(self, args, static):
        leaves, spec = flatten(self.parameters.bind(copy.deepcopy(args), {}))
        kinds = [
            Leaf(None, static=each)
            if name in static or isinstance(each, bool)
            else Leaf(type_of(each), isinstance(each, np.ndarray))
            for each, name in zip(leaves, leaf_names(self.parameters, spec), strict=True)
        ]
        self.traced = trace(self.function, self.parameters, kinds, spec, leaves)

    def __call__(self, *args):
        """The result and the effects at other arguments."""
        traced, graph = self.traced, self.traced.graph
        leaves, _ = flatten(self.parameters.bind(copy.deepcopy(args), {}))
        values = {
            each: leaf for each, leaf in zip(traced.inputs, leaves, strict=True) if each is not None
        }
        values |= {each.input: each.read() for each in traced.captured if each.input is not None}
        found = evaluate((*graph.outputs, *graph.effects), values)
        assert all(found[len(graph.outputs) :])
        results = [found[r.output] if r.output is not None else r.static for r in traced.results]
        return unflatten(traced.out_spec, results)


def check(function, *calls):
    """Traced for the first call, the graph computes what the function does for all of them."""
    captured = Captured(function, *calls[0])
    for args in calls:
        found, _ = flatten(captured(*args))
        expected, _ = flatten(function(*copy.deepcopy(args)))
        for one, other in zip(found, expected, strict=True):
            assert np.shape(one) == np.shape(other)
            np.testing.assert_allclose(one, other, rtol=1e-12)
    return captured


def abs_(x):
    if x > 0:  # noqa: SIM108
        y = x * x
    else:
        y = -x
    return y


def early(x):
    if x > 1:
        return x * 2
    return x * 3


def tern(x): return x * 2 if x > 0 else x - 1


def newton(a):
    y = 1.0
    while abs(y * y - a) > 1e-12:
        y = 0.5 * (y + a / y)
    return y


def power(x, n):
    s = 1.0
    for i in range(n):
        s = s * x + i
    return s


def heat(u, steps, c):
    u = u.copy()
    for _ in range(steps):
        u[1:-1] += c * (u[2:] + u[:-2] - 2 * u[1:-1])
    return np.sum(u * u)


def rows(X):
    s = 0.0
    for r in X:
        s = s + np.tanh(r).sum()
    return s


def enum(x):
    s = 0.0
    for i, v in enumerate(x):
        if i % 2 == 0:
            s += v
        else:
            s -= v * 2
    return s


def numbered(x):
    s = 0.0
    for i, (a, b) in enumerate(zip(x, 2 * x, strict=True), start=2):
        s += a * b * i
    for i, (a, b) in enumerate(zip(x, x + 9), start=1):
        s += a / b * i
    return s


def zips(x, y):
    s = 0.0
    for a, b in zip(x, y):
        s += a * b
    return s


def cum(x):
    y = np.zeros(x.shape[0])
    y[0] = x[0]
    for i in range(1, x.shape[0]):
        y[i] = 0.5 * y[i - 1] + x[i]
    return y


def brk(x):
    s = 0.0
    for v in x:
        if s > 2.0:
            break
        s += v * v
    return s


def find(x):
    for i in range(len(x)):
        if x[i] > 0.5:
            return x[i] * i
    return -1.0


def cont(x):
    s = 0.0
    for v in x:
        if v < 0:
            continue
        s += v
    return s


def sgd(w, x):
    for _ in range(10):
        w = w - 0.1 * 2 * x.T @ (x @ w)
    return w


def sgd2(w, x):
    w = w.copy()
    for _ in range(10):
        w -= 0.1 * 2 * x.T @ (x @ w)
    return w


def fib(x):
    a, b = x, 1.0
    for _ in range(8):
        a, b = b, a + b
    return a


def chol(A):
    n = A.shape[0]
    L = np.zeros_like(A)
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                L[i, j] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    return L


def whil(x):
    k = 0
    while True:
        x = x / 2
        k += 1
        if x < 0.1:
            break
    return x * k


def collatz(x, t):
    s = 0.0
    while x < t and s < 100:
        s += x
        x = x * 1.5
    return s


def best(x):
    b = None
    for v in x:
        if b is None or v > b:
            b = v
    return b


def flag(x):
    first = True
    s = 0.0
    for v in x:
        if first:
            s = v
            first = False
        else:
            s = s * v
    return s


def app(x):
    out = []
    for i in range(5):
        out.append(x * i)  # noqa: PERF401
    return sum(out)


def rk(y, h, n):
    for _ in range(n):
        k1 = -y
        k2 = -(y + h / 2 * k1)
        y = y + h * k2
    return y


def mat(A, B):
    n = A.shape[0]
    C = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                C[i, j] += A[i, k] * B[k, j]
    return C


def rowset(X):
    X = X.copy()
    for r in X:
        r[0] = 1.0
        r *= 2
    return X


def elif_(x):
    if x < 0:
        y = 0.0
    elif x < 1:
        y = x
    elif x < 2:
        y = x ** 2
    else:
        y = 4.0
    return y


def chain(x):
    if (0 < x < 1 and x * x > 0.1) or x > 5:
        return x
    return -x


def bis(f0, a, b):
    for _ in range(60):
        m = (a + b) / 2
        if (m ** 3 - f0) > 0:
            b = m
        else:
            a = m
    return (a + b) / 2


def swap(u):
    u, v = u.copy(), u.copy()
    for _ in range(6):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u, v = v, u
    return u


def buf(x):
    y = np.zeros(3)
    if x > 0:
        y[0] = x
    else:
        y[1] = 2 * x
    return y


def tri(L, b):
    n = len(b)
    x = np.zeros(n)
    for i in range(n):
        x[i] = (b[i] - L[i, :i] @ x[:i]) / L[i, i]
    return x


def dynamic(x, n):
    s = 0.0
    for i in range(n):
        s += math.sin(x * i)
    return s


def plist(x):
    ws = [x, x * 2, x * 3]
    for _ in range(6):
        ws = [w - 0.1 * w ** 2 for w in ws]
    return ws

X = R.normal(size=6)
KERNELS = [
    (numbered, (X,), [(2 * X,)]),
    (abs_,(2.0,),[(-3.0,)]),(early,(2.0,),[(0.5,)]),(tern,(2.0,),[(-0.5,)]),
 (newton,(2.0,),[(9.0,)]),(power,(1.1,7),[(0.9,11),(2.0,0)]),
 (heat,(X,5,.1),[(X*2,9,.2)]),(rows,(R.normal(size=(5,3)),),[(R.normal(size=(5,3)),)]),
 (enum,(X,),[(X*2,)]),(zips,(X,X),[(X,X**2)]),(cum,(X,),[(X**2,)]),
 (brk,(X,),[(X*5,),(X*.1,)]),(find,(X,),[(X*0,),(X[::-1].copy(),)]),(cont,(X,),[(-X,)]),
 (sgd,(X[:3].copy(),R.normal(size=(4,3))),[(X[3:].copy(),R.normal(size=(4,3)))]),
 (sgd2,(X[:3].copy(),R.normal(size=(4,3))),[(X[3:].copy(),R.normal(size=(4,3)))]),
 (fib,(2.0,),[(3.0,)]),(chol,(np.eye(5)*5+1,),[(np.eye(5)*6+R.uniform(size=5)*0,)]),
 (whil,(3.0,),[(50.0,)]),(collatz,(1.0,9.0),[(2.0,50.0),(2.0,1.0)]),
 (best,(X,),[(-X,)]),(flag,(X,),[(-X,)]),(app,(2.0,),[(3.0,)]),(rk,(1.0,.1,10),[(2.0,.2,20)]),
 (mat,(R.normal(size=(4,4)),R.normal(size=(4,4))),[(R.normal(size=(4,4)),R.normal(size=(4,4)))]),
 (rowset,(R.normal(size=(5,3)),),[(R.normal(size=(5,3)),)]),
 (elif_,(.5,),[(-1.,),(1.5,),(3.,)]),(chain,(.5,),[(.1,),(6.,),(-1.,)]),
 (bis,(2.,0.,5.),[(3.,1.,4.)]),(swap,(X,),[(X*2,)]),(buf,(1.,),[(-1.,)]),
 (tri,(np.tril(R.normal(size=(5,5)))+3*np.eye(5),X[:5].copy()),[(np.tril(R.normal(size=(5,5)))+3*np.eye(5),X[1:].copy())]),
 (dynamic,(.3,5),[(.4,9)]),(plist,(.3,),[(.5,)]),
]
UNROLLED = {"app", "swap"}


@pytest.mark.parametrize(("function", "first", "others"), KERNELS)
def test_kernels(function, first, others):
    captured = check(function, first, *others)
    expected = {"unrolled"} if function.__name__ in UNROLLED else {"captured"}
    assert set(captured.roads) <= expected
