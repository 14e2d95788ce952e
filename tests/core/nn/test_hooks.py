"""Hooks and what they tell of a model."""

import gc
import weakref
from collections import namedtuple

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    Hook,
    Hooks,
    Module,
    dummy_eval,
    has_params,
    hook_output,
    hook_outputs,
    model_sizes,
    num_features_model,
    total_params,
)

Pair = namedtuple("Pair", "first second")


class ManyOutputs(Module):
    def __init__(self):
        self.layer = nn.Linear(3, 2)

    def forward(self, x):
        return {"out": self.layer(x), "pair": Pair(x * 2, [x * 3]), "note": "text"}


def test_a_hook_stores_what_its_function_returns_until_removed():
    layer, x = nn.Linear(3, 2), torch.rand(4, 3)
    with Hook(layer, lambda m, i, o: (m is layer, i[0].shape, o.mean())) as hook:
        out = layer(x)
    assert hook.stored[:2] == (True, (4, 3))
    torch.testing.assert_close(hook.stored[2], out.mean().detach())
    stored = hook.stored
    layer(x)
    assert hook.stored is stored
    assert hook.removed
    assert not layer._forward_hooks


def test_a_hook_is_removed_after_an_error():
    layer = nn.Linear(3, 2)
    with pytest.raises(RuntimeError), hook_output(layer):
        layer(torch.zeros(1, 5))
    assert not layer._forward_hooks


def test_stored_outputs_have_no_graph_unless_asked():
    layer, x = nn.Linear(3, 2), torch.rand(4, 3)
    with hook_output(layer) as bare, hook_output(layer, detach=False) as whole:
        out = layer(x)
    assert bare.stored.grad_fn is None
    assert not bare.stored.requires_grad
    assert whole.stored is out


def test_the_graph_dies_with_its_last_user():
    class Saved:
        def __init__(self, x):
            self.x = x.detach()  # the output itself would keep its own graph
            kept.append(weakref.ref(self))

    kept: list[weakref.ref[Saved]] = []
    layer = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    with (
        torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.x),
        hook_output(layer) as hook,
    ):
        out = layer(torch.rand(4, 3))
    assert any(ref() is not None for ref in kept)
    torch.testing.assert_close(hook.stored, out.detach())
    del out
    gc.collect()
    assert all(ref() is None for ref in kept)


def test_nested_outputs_are_detached_and_keep_their_kinds():
    model = ManyOutputs()
    with hook_output(model, cpu=True) as hook:
        model(torch.rand(2, 3, requires_grad=True))
    stored = hook.stored
    assert isinstance(stored["pair"], Pair)
    assert stored["note"] == "text"
    assert not stored["out"].requires_grad
    assert not stored["pair"].second[0].requires_grad


def test_gradients_of_outputs_are_stored():
    layer = nn.Linear(3, 2)
    with hook_output(layer, grad=True) as hook:
        (layer(torch.rand(4, 3, requires_grad=True)) * 5).sum().backward()
    torch.testing.assert_close(hook.stored[0], torch.full((4, 2), 5.0))


def test_hooks_are_a_sequence_with_what_each_stored():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    with hook_outputs(model) as hooks:
        model(torch.rand(4, 3))
    assert len(hooks) == 3
    assert [h.stored.shape for h in hooks] == [(4, 2), (4, 2), (4, 1)]
    assert hooks[2].stored is hooks.stored[2]
    assert all(not m._forward_hooks for m in model)
    with Hooks(model, lambda m, i, o: type(m).__name__) as names:
        model(torch.rand(4, 3))
    assert names.stored == ["Linear", "ReLU", "Linear"]


def body():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Dropout(), nn.Conv2d(8, 6, 3, 2, 1)
    )


def test_a_dummy_run_leaves_modes_statistics_and_random_state():
    model = body().train()
    model[1].eval()
    state, mean = torch.get_rng_state(), model[1].running_mean.clone()
    out = dummy_eval(model, (16, 12))
    assert out.shape == (1, 6, 4, 3)
    assert not out.requires_grad
    assert [m.training for m in model] == [True, False, True, True]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(model[1].running_mean, mean)
    torch.testing.assert_close(dummy_eval(model, (16, 12)), out)


def test_sizes_follow_the_children():
    assert [tuple(s) for s in model_sizes(body(), (16, 12))] == [
        (1, 8, 8, 6), (1, 8, 8, 6), (1, 8, 8, 6), (1, 6, 4, 3),
    ]  # fmt: skip


def test_features_are_counted_with_larger_images_where_needed():
    assert num_features_model(body()) == 6
    assert num_features_model(nn.Sequential(nn.Conv2d(1, 5, 100))) == 5


def test_a_body_that_never_works_is_explained():
    with pytest.raises(ValueError, match="fails for pictures up to 2048") as caught:
        num_features_model(nn.Sequential(nn.Conv2d(1, 2, 1, stride=64), nn.Conv2d(3, 5, 1)))
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_parameters_are_counted():
    assert total_params(nn.Linear(10, 2)) == (22, True)
    assert total_params(nn.Linear(10, 2).requires_grad_(False)) == (22, False)
    assert total_params(nn.ReLU()) == (0, False)
    assert has_params(nn.Linear(1, 1))
    assert not has_params(nn.ReLU())
