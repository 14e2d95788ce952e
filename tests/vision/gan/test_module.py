"""`GANModule`: who is called, and what is frozen."""

import pytest
import torch
from torch import nn

from layerwise.vision.gan import GANModule, gan_parts, set_freeze_model


@pytest.fixture
def model():
    return GANModule(nn.Linear(2, 3), nn.Linear(3, 1))


def test_a_switch_changes_who_is_called(model):
    assert model(torch.zeros(1, 3)).shape == (1, 1)
    model.switch()
    assert model(torch.zeros(1, 2)).shape == (1, 3)
    model.switch(True)
    assert model.gen_mode
    model.switch(False)
    assert not model.gen_mode


def test_a_frozen_module_has_no_gradient_to_give(model):
    set_freeze_model(model.critic, rg=False)
    model.critic(model.generator(torch.ones(1, 2))).sum().backward()
    assert model.generator.weight.grad is not None
    assert model.critic.weight.grad is None
    set_freeze_model(model.critic, rg=True)
    assert all(p.requires_grad for p in model.critic.parameters())


def test_the_parts_have_all_parameters_once(model):
    parts = gan_parts(model)
    assert list(parts) == ["generator", "critic"]
    together = [id(p) for part in parts.values() for p in part]
    assert together == [id(p) for p in model.parameters()]


def test_the_parts_of_another_model_are_refused():
    with pytest.raises(TypeError, match="splits a GANModule, not a Linear"):
        gan_parts(nn.Linear(1, 1))
