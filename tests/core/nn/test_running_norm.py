"""Running batch normalisation: against its definition in numpy, and against torch."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import RunningBatchNorm


def by_hand(batches, mom, eps):
    """The output for the last batch, with weighted sums written out in float64."""
    nf = batches[0].shape[1]
    sums, squares, count, seen = np.zeros(nf), np.zeros(nf), 0.0, 0
    for x in batches:
        x = x.numpy().astype(np.float64)
        share = 1 - (1 - mom) / np.sqrt(max(len(x) - 1, 1))
        rows = np.moveaxis(x, 1, 0).reshape(nf, -1)
        sums = (1 - share) * sums + share * rows.sum(1)
        squares = (1 - share) * squares + share * (rows**2).sum(1)
        count = (1 - share) * count + share * rows.shape[1]
        seen += len(x)
    mean = sums / count
    var = np.maximum(squares / count - mean**2, 0.01 if seen < 20 else 0)
    over = (1, nf) + (1,) * (batches[-1].ndim - 2)
    last = batches[-1].numpy().astype(np.float64)
    return (last - mean.reshape(over)) / np.sqrt(var.reshape(over) + eps)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    space=st.sampled_from([(), (6,), (3, 4), (2, 3, 2)]),
    mom=st.floats(0.01, 0.9),
    seed=st.integers(0, 1000),
)
def test_training_follows_the_definition(sizes, space, mom, seed):
    generator = torch.Generator().manual_seed(seed)
    batches = [torch.randn(n, 3, *space, generator=generator) * 2 + 1 for n in sizes]
    layer = RunningBatchNorm(3, mom=mom)
    for x in batches:
        out = layer(x)
    np.testing.assert_allclose(
        out.detach().numpy(), by_hand(batches, mom, 1e-5), rtol=1e-3, atol=1e-3
    )


def test_evaluation_agrees_with_batch_norm_once_both_have_converged():
    x = torch.randn(64, 4, 6, 6, generator=torch.Generator().manual_seed(0)) * 3 + 2
    ours, theirs = RunningBatchNorm(4), nn.BatchNorm2d(4)
    for _ in range(200):
        ours(x)
        theirs(x)
    # torch's running variance is divided by n - 1: a difference of 1 in 2304.
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-3, atol=1e-3)


def test_training_on_single_items_learns_the_statistics_of_the_set():
    generator = torch.Generator().manual_seed(1)
    layer = RunningBatchNorm(2, mom=0.02)
    for _ in range(600):
        layer(torch.randn(1, 2, 4, 4, generator=generator) * 3 + 5)
    out = layer.eval()(torch.randn(500, 2, 4, 4, generator=generator) * 3 + 5)
    torch.testing.assert_close(out.mean((0, 2, 3)), torch.zeros(2), atol=0.15, rtol=0)
    torch.testing.assert_close(out.std((0, 2, 3)), torch.ones(2), atol=0.15, rtol=0)


def test_evaluation_changes_nothing_and_an_untrained_layer_leaves_its_input():
    layer, x = RunningBatchNorm(3).eval(), torch.randn(2, 3, 4, 4)
    before = copy.deepcopy(layer.state_dict())
    torch.testing.assert_close(layer(x), x, rtol=1e-4, atol=1e-4)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name])


def test_gradients_are_those_of_finite_differences():
    layer = RunningBatchNorm(2).double()
    x = torch.randn(3, 2, 4, dtype=torch.double, requires_grad=True)
    layer(torch.rand(2, 2, 4, dtype=torch.double))

    # Each call starts from the same running sums.
    def run(x):
        return copy.deepcopy(layer)(x)

    assert torch.autograd.gradcheck(run, (x,))


def test_a_layer_may_be_used_twice_before_the_backward_pass():
    layer, x = RunningBatchNorm(2), torch.rand(3, 2, 4, requires_grad=True)
    (layer(x) * layer(x * 2)).sum().backward()
    assert x.grad is not None


def test_two_steps_of_training_do_not_share_a_graph():
    layer = RunningBatchNorm(2)
    for _ in range(2):
        layer(torch.rand(2, 2, 3, 3)).sum().backward()


def test_half_precision_keeps_its_type_and_its_digits():
    x = torch.randn(8, 2, 16, generator=torch.Generator().manual_seed(0)) + 50
    wanted, out = RunningBatchNorm(2)(x), RunningBatchNorm(2)(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float().std(), wanted.std(), rtol=0.1, atol=0)


def test_a_wrong_number_of_channels_is_explained():
    with pytest.raises(ValueError, match=r"give \(batch, 3, \.\.\.\)"):
        RunningBatchNorm(3)(torch.zeros(2, 4, 5))
