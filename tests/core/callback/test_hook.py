"""Hooks during training: there when they should be, gone after it, and right in what they tell."""

import math

import pytest
import torch
from torch import nn

from layerwise.core.callback.hook import ActivationStats, HookCallback
from layerwise.core.train.callback import Callback


class Shapes(HookCallback):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.seen = []

    def hook(self, module, inputs, output):
        return tuple(output.shape) if isinstance(output, torch.Tensor) else output[0]

    def after_batch(self):
        self.seen.append(None if self.hooks is None else self.hooks.stored)
        super().after_batch()


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))


def hook_count(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(8, 4), (8, 1)]),
        ({"include_paramless": True}, [(8, 4), (8, 4), (8, 1)]),
    ],
    ids=["with parameters", "all"],
)
def test_layers_are_hooked_and_let_go(make_learner, settings, expected):
    shapes = Shapes(**settings)
    learn = make_learner(network(), cbs=shapes)
    learn.fit(1)
    assert shapes.seen == [expected] * 6
    assert hook_count(learn.model) == 0


def test_one_batch_of_so_many_is_hooked(make_learner):
    shapes = Shapes(every=3)
    make_learner(network(), cbs=shapes).fit(2)
    hooked = [row is not None for row in shapes.seen]
    # Four batches of training, two of validation, twice; training batches 0, 3 and 6.
    assert [at for at, there in enumerate(hooked) if there] == [0, 3, 8]


def test_chosen_layers_alone_and_kept_after_the_fit(make_learner):
    model = network()
    shapes = Shapes(modules=model[2], remove_end=False)
    learn = make_learner(model, cbs=shapes)
    learn.fit(1)
    assert shapes.seen[0] == [(8, 1)]
    assert hook_count(model) == 1
    shapes.remove()
    assert hook_count(model) == 0


def test_hooks_are_let_go_when_an_error_ends_the_fit(make_learner):
    def fails():
        raise KeyError

    learn = make_learner(network(), cbs=Shapes())
    with pytest.raises(KeyError):
        learn.fit(1, cbs=Callback(after_loss=fails))
    assert hook_count(learn.model) == 0


def test_gradients_of_outputs_can_be_hooked(make_learner):
    grads = []

    class Grads(HookCallback):
        run_valid = False

        def hook(self, module, inputs, output):
            return output[0].clone()

        def after_batch(self):
            grads.append((self.learn.pred.detach(), self.learn.y, self.hooks.stored[-1]))

    model = network()
    make_learner(model, cbs=Grads(modules=model[2], is_forward=False)).fit(1)
    for pred, target, found in grads:
        torch.testing.assert_close(found, 2 * (pred - target) / len(pred))  # of the mean square


def test_without_a_hook_method_it_says_what_to_write(make_learner):
    with pytest.raises(NotImplementedError, match=r"write `def hook\(self, module, inputs"):
        make_learner(network(), cbs=HookCallback()).fit(1)
    with pytest.raises(ValueError, match="every=0"):
        HookCallback(every=0)


def test_statistics_are_those_of_the_outputs(make_learner):
    stats = ActivationStats(with_hist=True)
    outputs = []
    model = network()
    keep = Callback(after_pred=lambda: outputs.append(learn.pred.detach()))
    keep.run_valid = False
    learn = make_learner(model, cbs=[stats, keep])
    learn.fit(2)
    found, hist = stats.layer_stats(-1), stats.hist(-1)
    assert hist.shape == (40, 8)
    for batch, out in enumerate(outputs):
        assert found["mean"][batch] == pytest.approx(out.mean().item(), abs=1e-6)
        assert found["std"][batch] == pytest.approx(out.std(correction=0).item(), abs=1e-6)
        assert found["near_zero"][batch] == (out <= 0.05).float().mean().item()
        counted = torch.histc(out.clamp(0, 10), 40, 0, 10)
        torch.testing.assert_close(hist[:, batch], counted.log1p())


def test_each_output_of_a_layer_is_measured(make_learner):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)

        def forward(self, x):
            return self.head(self.lstm(x[:, None])[0][:, -1])

    stats = ActivationStats()
    make_learner(Recurrent(), cbs=stats).fit(1)
    assert [len(outputs) for outputs in stats.stats[0]] == [3, 1]
    # The output of one time step is the hidden state.
    assert stats.layer_stats(0, 0) == stats.layer_stats(0, 1)
    assert stats.layer_stats(0, 0) != stats.layer_stats(0, 2)
    with pytest.raises(IndexError, match=r"layer 1: Linear has 1 output\(s\)"):
        stats.layer_stats(1, 1)


def test_a_histogram_bears_what_is_no_number(make_learner):
    stats = ActivationStats(with_hist=True)
    found = stats.hook(nn.ReLU(), None, torch.tensor([math.nan, -5.0, 1e9, 10.0]))
    assert found[0]["hist"].tolist() == [2, *[0] * 38, 2]


def test_statistics_say_what_is_missing(make_learner):
    stats = ActivationStats()
    with pytest.raises(ValueError, match="call fit first"):
        stats.layer_stats(0)
    make_learner(network(), cbs=stats).fit(1)
    with pytest.raises(ValueError, match="with_hist=True"):
        stats.hist(0)
    with pytest.raises(IndexError, match="give 0 to 1"):
        stats.layer_stats(2)


def test_a_validation_forgets_nothing_and_measures_nothing(make_learner):
    stats = ActivationStats()
    learn = make_learner(network(), cbs=stats)
    learn.fit(1)
    learn.validate()
    assert len(stats.stats) == 4
    assert hook_count(learn.model) == 0


def test_the_pictures_show_every_batch(make_learner):
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot as plt

    stats = ActivationStats(with_hist=True)
    make_learner(network(), cbs=stats).fit(2)
    axes = stats.plot_layer_stats(0)
    assert [len(ax.lines[0].get_ydata()) for ax in axes[:3]] == [8, 8, 8]
    assert axes[3].images[0].get_array().shape == (40, 8)
    assert stats.color_dim(-1).get_title() == "layer 1: Linear"
    plt.close("all")
