"""`MCDropoutCallback`: dropout is on in prediction, batch norm is not, and all is put back."""

import pytest
import torch
from torch import nn

from layerwise.core.callback.preds import MCDropoutCallback
from layerwise.core.train.callback import Callback


class MyDropout(nn.Module):
    def forward(self, x):
        return x + self.training


def network():
    return nn.Sequential(nn.Linear(3, 32), nn.BatchNorm1d(32), nn.Dropout(0.5), nn.Linear(32, 1))


def test_predictions_differ_with_it_and_not_without(make_learner):
    learn = make_learner(network())
    learn.fit(1)
    plain = [learn.get_preds()[0] for _ in range(2)]
    assert torch.equal(*plain)
    torch.manual_seed(0)
    varied = torch.stack([learn.get_preds(cbs=MCDropoutCallback())[0] for _ in range(400)])
    assert varied.std(0).min() > 0
    # Behind dropout there is a linear layer, so the mean is the plain prediction.
    error = varied.std(0) / 400**0.5
    assert ((varied.mean(0) - plain[0]).abs() < 5 * error).all()
    assert torch.equal(learn.get_preds()[0], plain[0])


def test_one_seed_gives_one_prediction(make_learner):
    learn = make_learner(network())
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(learn.get_preds(cbs=MCDropoutCallback())[0])
    assert torch.equal(*found)


def test_modes_in_and_after_prediction(make_learner):
    model = nn.Sequential(*network(), MyDropout())
    modes = []
    look = Callback(after_pred=lambda: modes.append([m.training for m in model]))
    learn = make_learner(model)
    learn.get_preds(cbs=[MCDropoutCallback(), look])
    assert modes[0] == [False, False, True, False, True]
    assert not any(m.training for m in model)


def test_modes_are_put_back_after_an_error(make_learner):
    def fails():
        raise KeyError

    model = network()
    learn = make_learner(model)
    with pytest.raises(KeyError):
        learn.get_preds(cbs=[MCDropoutCallback(), Callback(after_pred=fails)])
    assert not any(m.training for m in model)
