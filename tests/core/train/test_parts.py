"""Several losses by name, and several optimizers, in one step."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from layerwise.core.optim.algorithms import SGD
from layerwise.core.optim.several import Optimizers
from layerwise.core.train.callback import Callback


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.maker, self.critic = nn.Linear(3, 1), nn.Linear(1, 1)

    def forward(self, x):
        made = self.maker(x)
        return made, self.critic(made)


def two_losses(pred, y):
    made, judged = pred
    return {
        "maker": F.mse_loss(made, y) + judged.mean(),
        "critic": -judged.mean() + judged.pow(2).mean(),
    }


def parts_of(model):
    return {"maker": [list(model.maker.parameters())], "critic": [list(model.critic.parameters())]}


def by_hand(model, learn, scale=1.0):
    """One epoch of two optimizers, each loss for its own part, in plain torch."""
    maker = torch.optim.SGD(model.maker.parameters(), lr=0.05)
    critic = torch.optim.SGD(model.critic.parameters(), lr=0.02)
    for x, y in learn.dls.train:
        losses = two_losses(model(x), y)
        own = torch.autograd.grad(
            losses["maker"] * scale, list(model.maker.parameters()), retain_graph=True
        )
        theirs = torch.autograd.grad(losses["critic"] * scale, list(model.critic.parameters()))
        for p, g in zip(
            [*model.maker.parameters(), *model.critic.parameters()], [*own, *theirs], strict=True
        ):
            p.grad = g
        maker.step()
        critic.step()


class Seeded(Callback):
    """The same batches as a loop by hand."""

    def before_train(self):
        self.learn.run_seed = 5


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_each_loss_trains_its_own_part(make_learner, scale):
    class Scaled(Callback):
        def before_backward(self):
            self.learn.loss_grad = self.learn.loss_grad * scale

    make = Optimizers.of(maker=partial(SGD), critic=torch.optim.SGD)
    learn = make_learner(Pair(), loss_func=two_losses, opt_func=make, splitter=parts_of, wd=None)
    twin = Pair()
    twin.load_state_dict(learn.model.state_dict())
    learn.fit(1, lr=[0.05, 0.02], cbs=[Seeded(), Scaled()])
    learn.dls.train.set_epoch(5, 0)
    by_hand(twin, learn, scale)
    for own, theirs in zip(learn.model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(own, theirs, atol=1e-6)


def test_one_optimizer_takes_the_sum(make_learner):
    learn = make_learner(Pair(), loss_func=two_losses)
    twin = Pair()
    twin.load_state_dict(learn.model.state_dict())
    learn.fit(1, cbs=Seeded())
    learn.dls.train.set_epoch(5, 0)
    opt = torch.optim.SGD(twin.parameters(), lr=0.1)
    for x, y in learn.dls.train:
        sum(two_losses(twin(x), y).values()).backward()
        opt.step()
        opt.zero_grad()
    for own, theirs in zip(learn.model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(own, theirs, atol=1e-6)


def test_the_loss_to_report_is_the_sum(make_learner):
    learn = make_learner(Pair(), loss_func=two_losses)
    with torch.no_grad():
        expected = [sum(two_losses(learn.model(x), y).values()).item() for x, y in learn.dls.valid]
    assert learn.validate()[0] == pytest.approx(sum(expected) / len(expected), rel=1e-5)


def test_parts_can_be_read_after_the_loss(make_learner):
    heard = []

    class Reads(Callback):
        def after_loss(self):
            heard.append(sorted(self.learn.parted.parts))

    make_learner(Pair(), loss_func=two_losses).fit(1, cbs=Reads())
    assert heard[0] == ["critic", "maker"]


def test_no_losses_at_all_is_an_error(make_learner):
    with pytest.raises(ValueError, match="empty mapping"):
        make_learner(loss_func=lambda pred, y: {}).fit(1)
