import numpy as np


def test_prints_a_falling_loss_and_the_line(run):
    assert run().out == (
        "step   0   loss 0.6931\n"
        "step  20   loss 0.2821\n"
        "step  40   loss 0.2773\n"
        "step  60   loss 0.2766\n"
        "step  80   loss 0.2764\n"
        "step 100   loss 0.2764   |gradient| 8e-04\n"
        "weights [ 2.18 -1.26], bias 0.20, 86.8% correct\n"
    )


def test_gradient_is_a_model_with_the_derivatives(example):
    x, sign = example.two_clouds(50)
    model = example.Model(np.array([0.5, -2.0]), 0.25)
    pull = -sign / (1 + np.exp(sign * (x @ model.weights + model.bias))) / len(x)

    _, bar = example.loss(model, x, sign)
    assert isinstance(bar, example.Model)
    assert isinstance(bar.bias, float)
    np.testing.assert_allclose(bar.weights, pull @ x, rtol=1e-12)
    np.testing.assert_allclose(bar.bias, np.sum(pull), rtol=1e-12)


def test_what_is_emitted(example, golden):
    x, sign = example.two_clouds(count=500)
    example.loss(example.Model(np.zeros(2), 0.0), x, sign)
    golden("logistic/loss.py", example.loss.source)
