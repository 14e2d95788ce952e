"""Several optimizers behind the interface of one."""

import pytest
import torch
from torch import nn

from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.several import Optimizers


def pieces():
    torch.manual_seed(0)
    return nn.Linear(2, 2), nn.Linear(2, 1)


def made(**kinds):
    a, b = pieces()
    parts = {"a": [list(a.parameters())], "b": [[b.weight], [b.bias]]}
    return Optimizers.of(**(kinds or {"a": Adam, "b": torch.optim.SGD}))(parts, lr=0.1), a, b


def give_gradients(*modules):
    for module in modules:
        for param in module.parameters():
            param.grad = torch.ones_like(param)


def test_a_step_is_a_step_of_each():
    opt, a, b = made()
    twin_a, twin_b = pieces()
    alone = Adam(list(twin_a.parameters()), lr=0.1), torch.optim.SGD(twin_b.parameters(), lr=0.1)
    for _ in range(3):
        give_gradients(a, b, twin_a, twin_b)
        opt.step()
        for one in alone:
            one.step()
    assert torch.equal(a.weight, twin_a.weight)
    assert torch.allclose(b.weight, twin_b.weight)


def test_rates_go_to_the_groups_in_order():
    opt, *_ = made()
    opt.set_hyper("lr", [1.0, 2.0, 3.0])
    assert [h["lr"] for h in opt.hypers] == [1.0, 2.0, 3.0]
    assert [h["lr"] for h in opt["b"].hypers] == [2.0, 3.0]


def test_a_hyper_parameter_that_one_of_them_has_is_set_there():
    opt, *_ = made(a=Adam, b=torch.optim.Adagrad)
    opt.set_hyper("sqr_mom", 0.5)
    assert opt["a"].hypers[0]["sqr_mom"] == 0.5
    with pytest.raises(ValueError, match="sqr_mom"):
        opt.set_hyper("sqr_mmo", 0.5)


def test_freezing_counts_groups_over_all():
    opt, a, b = made()
    opt.freeze_to(2)
    give_gradients(a, b)
    before = a.weight.clone(), b.weight.clone(), b.bias.clone()
    opt.step()
    assert torch.equal(a.weight, before[0])
    assert not torch.equal(b.bias, before[2])
    opt.unfreeze()
    give_gradients(a, b)
    opt.step()
    assert not torch.equal(a.weight, before[0])


def test_the_state_comes_back():
    opt, a, b = made()
    give_gradients(a, b)
    opt.step()
    other, *_ = made()
    assert other.load_state_dict(opt.state_dict()) == []
    assert torch.equal(
        other["a"].state[other["a"].param_lists[0][0]]["grad_avg"],
        opt["a"].state[a.weight]["grad_avg"],
    )


def test_a_state_of_other_optimizers_is_refused():
    opt, *_ = made()
    with pytest.raises(ValueError, match="c: not known"):
        opt.load_state_dict({"a": opt["a"].state_dict(), "c": {}})


def test_a_parameter_in_two_is_refused():
    a, _ = pieces()
    with pytest.raises(ValueError, match="two of these"):
        Optimizers({"x": SGD(list(a.parameters()), lr=1), "y": SGD(list(a.parameters()), lr=1)})


def test_the_splitter_has_to_name_the_parts():
    a, b = pieces()
    make = Optimizers.of(a=SGD, b=SGD)
    with pytest.raises(TypeError, match="by name"):
        make([[*a.parameters()], [*b.parameters()]], lr=1)
    with pytest.raises(ValueError, match="named a"):
        make({"a": list(a.parameters())}, lr=1)
