import pytest

from symdiff import value_and_grad


def test_prints_what_the_lecture_computes(run):
    neuron = "value 0.73, gradient (-0.20, 0.39, -0.39, -0.59, 0.20)"
    assert run().out == (
        "(x + y) * z at (1.0, -3.0, 4.0): value -8, gradient (4, 4, -2)\n"
        "(x + y) * z at (1, -3, 4): value -8, gradient (4, 4, -2)\n"
        f"neuron at (2.0, -1.0, -3.0, -2.0, -3.0): {neuron}\n"
        f"neuron at (2, -1, -3, -2, -3): {neuron}\n"
    )


@pytest.mark.parametrize("number", [float, int])
def test_gradient_of_the_product_is_exact(example, number):
    point = [number(x) for x in (1, -3, 4)]
    assert value_and_grad(example.product, argnums=(0, 1, 2))(*point) == (-8, (4, 4, -2))


@pytest.mark.parametrize("number", [float, int])
def test_gradient_of_the_neuron_follows_from_its_value(example, number):
    w0, x0, w1, x1, b = (number(x) for x in (2, -1, -3, -2, -3))
    value, gradient = value_and_grad(example.neuron, argnums=(0, 1, 2, 3, 4))(w0, x0, w1, x1, b)
    slope = value * (1 - value)
    assert value == pytest.approx(0.7310585786300049, rel=1e-15)
    assert gradient == pytest.approx([x0 * slope, w0 * slope, x1 * slope, w1 * slope, slope])
