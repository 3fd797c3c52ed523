"""The functions that programs are made of: NumPy's bits and types, derivatives as differences."""

import re

import numpy as np
import pytest
import scipy.special

from symdiff import UnsupportedFunctionError, grad, jit

RNG = np.random.default_rng(0)
X = RNG.uniform(0.3, 1.7, (3, 4))
ARGUMENTS = {
    "x": X,
    "a": RNG.uniform(-1, 1, (3, 3)) + 3 * np.eye(3),
    "v": RNG.uniform(0.3, 0.9, 4),
    "q": RNG.uniform(0.3, 1.7, (2, 3, 4)),
    "z": X + 1j * X[::-1],
}
NAMES = {"np": np, "sp": scipy.special}

FUNCTIONS = """
    np.sum(x,1) np.sum(x,(0,1),keepdims=True) np.mean(x,0)
    np.mean(x,dtype=np.float64) np.max(x,0) np.min(x,(0,1)) np.prod(x,1) np.var(x,1,ddof=1)
    np.std(x,0,keepdims=True) np.cumsum(x,1) np.cumsum(x) np.cumprod(x,0) np.ptp(x,1)
    x.reshape(2,-1) np.reshape(x,(4,3)) np.transpose(q,(2,0,1)) np.swapaxes(q,0,-1)
    np.moveaxis(q,(0,1),(-1,0)) np.expand_dims(x,(0,-1)) np.squeeze(x[None],0)
    np.broadcast_to(v,(3,4)) np.concatenate([x,x*2],1) np.concatenate([x,x],None)
    np.stack([x,x],-1) np.split(x,[1],1)[1] np.split(x,2,axis=1)[0] np.array_split(v,3)[1]
    x.astype(complex) np.pad(x,1) np.pad(x,((1,2),(0,1)),constant_values=3)
    np.pad(x,1,'edge') np.pad(x,1,'reflect') np.pad(x,((1,0),(0,2)),'wrap') np.pad(x,1,'symmetric')
    np.flip(x) np.flip(x,1) np.roll(x,1) np.roll(x,(1,2),(0,1)) np.roll(x,-1,axis=1)
    np.dot(x,x.T) np.matmul(q,v) x@v np.outer(v,v) np.inner(x,x) np.tensordot(x,x,axes=0)
    np.tensordot(q,x,([1,2],[0,1])) np.einsum('ij,kj->ik',x,x) np.einsum('ii',a)
    np.einsum('ij->i',x) np.einsum('...i,i',q,v) np.trace(a) np.diag(a) np.diag(v,1)
    np.linalg.norm(x) np.linalg.norm(x,axis=1) np.linalg.norm(x,1) np.linalg.norm(x,np.inf)
    np.linalg.norm(x,2) np.linalg.norm(x,'nuc') np.linalg.norm(v,3) np.linalg.norm(v,0)
    np.linalg.norm(q,axis=(0,2)) np.linalg.norm(z,2) np.linalg.solve(a,a) np.linalg.solve(a,v[:3])
    np.linalg.inv(a) np.linalg.det(a) np.linalg.slogdet(a)[1] np.linalg.cholesky(a@a.T)
    sp.expit(x) sp.logsumexp(x) sp.logsumexp(x,axis=1,keepdims=True) sp.softmax(x,axis=1)
    sp.softmax(x) sp.log_softmax(x,axis=0) sp.erf(x) sp.xlogy(x,x) sp.gammaln(x)
    np.maximum(x,1) np.minimum(x,v) np.where(x>1,x,-x) np.clip(x,.5,1.) np.clip(x,None,v)
    np.abs(z) np.sign(x) np.sqrt(x) np.power(x,2) np.power(x,x) x**-1 x**3 2**x x**.5
    np.float_power(x,2) np.square(x) np.exp(z) np.log(z) np.sin(z) np.abs(x-1) np.hypot(x,v)
"""
REFUSED = """
    np.linalg.qr(x,mode="raw")
"""


def function_of(expression):
    names = [name for name in ARGUMENTS if re.search(rf"(?<!\w){name}(?!\w)", expression)]
    source = f"lambda {', '.join(names)}: {expression}"
    return eval(compile(source, __file__, "eval"), NAMES), [ARGUMENTS[name] for name in names]


@pytest.mark.parametrize("expression", FUNCTIONS.split())
def test_value_and_derivative(expression):
    function, values = function_of(expression)
    found, expected = jit(function)(*values), function(*values)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected, strict=True)

    def loss(*values):
        result = function(*values)
        return np.sum(np.cos(np.abs(result) ** 2))

    bars = grad(loss, tuple(range(len(values))))(*values)
    steps = [RNG.normal(size=each.shape) * 1e-6 for each in values]
    steps = [step * (1 - 2j) if np.iscomplexobj(x) else step for step, x in zip(steps, values)]
    slope = loss(*map(np.add, values, steps)) - loss(*map(np.subtract, values, steps))
    along = sum(np.sum((bar * step).real) for bar, step in zip(bars, steps))
    np.testing.assert_allclose(2 * along, slope, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("expression", REFUSED.split())
def test_what_is_not_traced_is_refused_at_the_users_line(expression):
    function, values = function_of(expression)
    with pytest.raises(UnsupportedFunctionError, match=r"\n  test_functions\.py:"):
        jit(function)(*values)
