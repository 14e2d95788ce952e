"""Steppers alone; whole recipes are compared in test_algorithms."""

import pytest
import torch

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.steppers import l2_reg, rectification, sgd_step, weight_decay


def params(value: float, grad: float) -> TensorList:
    return TensorList([torch.tensor([value])], grad=TensorList([torch.tensor([grad])]))


def test_rectification_is_that_of_the_paper():
    assert [rectification(0.999, step) for step in (1, 3, 5)] == [None] * 3
    # Algorithm 2 with beta_2 = 0.999, so that rho_inf = 1999.
    for step in (6, 100, 5000):
        rho = 1999 - 2 * step * 0.999**step / (1 - 0.999**step)
        expected = ((rho - 4) * (rho - 2) * 1999 / (1995 * 1997 * rho)) ** 0.5
        assert rectification(0.999, step) == pytest.approx(expected)


def test_decay_moves_the_parameter_and_l2_the_gradient():
    p = params(2.0, 1.0)
    weight_decay(p, lr=0.5, wd=0.5)
    assert p[0].tolist() == [1.5]
    original = p.grad[0]
    l2_reg(p, wd=2.0)
    assert p.grad[0].tolist() == [4.0]
    assert original.tolist() == [1.0]
    sgd_step(p, lr=0.25)
    assert p[0].tolist() == [0.5]


def test_decay_is_off_where_the_flag_says():
    p = params(2.0, 1.0)
    weight_decay(p, lr=0.5, wd=0.5, do_wd=False)
    l2_reg(p, wd=2.0, do_wd=False)
    assert (p[0].item(), p.grad[0].item()) == (2.0, 1.0)
