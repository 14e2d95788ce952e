"""`CollectDataCallback`: what it keeps is what went through."""

import torch
from torch import nn

from layerwise.core.callback.data import CollectDataCallback


def test_it_keeps_each_batch_with_prediction_and_loss(make_learner):
    collect = CollectDataCallback()
    learn = make_learner(cbs=collect, lr=0.0)
    learn.fit(2)
    assert len(collect.data) == 2 * (4 + 2)
    for (x,), (y,), pred, loss in collect.data:
        assert torch.equal(pred, learn.model(x).detach())
        torch.testing.assert_close(loss, nn.functional.mse_loss(pred, y))
        assert not pred.requires_grad
    kept = {tuple(row.tolist()) for (x,), *_ in collect.data[:4] for row in x}
    assert kept == {tuple(x.tolist()) for x, _ in learn.dls.train.dataset}


def test_training_alone_and_one_fit_alone(make_learner):
    collect = CollectDataCallback()
    collect.run_valid = False
    learn = make_learner(cbs=collect)
    learn.fit(1)
    learn.fit(2)
    assert len(collect.data) == 8
