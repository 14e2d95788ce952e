import pytest
import torch
from torch import nn

from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.train.callback import Callback
from layerwise.core.train.log import LogEntry


class Gradient(Callback):
    order = 100
    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def before_step(self):
        self.seen.append(torch.cat([p.grad.flatten() for p in self.learn.model.parameters()]))


def gradients(make_learner, *cbs):
    keep = Gradient()
    learn = make_learner(cbs=[*cbs, keep], lr=0.0)
    learn.fit(1)
    return learn, keep.seen


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_gradients_are_scaled_down_to_the_norm(make_learner, norm_type):
    learn, clipped = gradients(make_learner, GradientClip(0.1, norm_type))
    _, plain = gradients(make_learner)
    for one, other in zip(clipped, plain, strict=True):
        norm = other.norm(norm_type)
        assert norm > 0.1
        torch.testing.assert_close(one, other * 0.1 / norm, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(learn.gradient_clip.norm, plain[-1].norm(norm_type))


def test_small_gradients_stay(make_learner):
    _, clipped = gradients(make_learner, GradientClip(1e6))
    _, plain = gradients(make_learner)
    assert all(torch.equal(one, other) for one, other in zip(clipped, plain, strict=True))


def test_the_scale_of_float16_is_gone_before_the_norm_is_taken(make_learner):
    clip = GradientClip(0.1)
    gradients(make_learner, clip, MixedPrecision(init_scale=1024.0))
    _, plain = gradients(make_learner)
    torch.testing.assert_close(clip.norm, plain[-1].norm(), rtol=1e-2, atol=0)


def test_the_norm_is_logged_once_a_step(make_learner):
    heard: list[LogEntry] = []
    learn = make_learner(cbs=GradientClip(0.1))
    learn.log_bus.subscribe(heard.append)
    learn.fit(2)
    norms = [entry for entry in heard if entry.name == "grad_norm"]
    assert len(norms) == 8
    assert all(entry.split == "train" and entry.item() > 0 for entry in norms)


@pytest.mark.parametrize("norm", [0, -1.0, float("nan")])
def test_a_norm_that_is_no_norm_is_refused(norm):
    with pytest.raises(ValueError, match="above 0"):
        GradientClip(norm)


def test_it_clips_what_has_a_gradient(make_learner):
    head = nn.Linear(3, 1)
    model = nn.Sequential(nn.Linear(3, 3), head)
    model[0].requires_grad_(False)
    learn = make_learner(model, cbs=GradientClip(1e-4), lr=1.0)
    before = head.weight.detach().clone()
    learn.fit(1)
    assert 0 < (head.weight - before).norm() < 4.1e-4  # four steps
