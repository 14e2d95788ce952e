import json
from functools import partial

import torch
from torch import nn

from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.run_args import gather_args
from layerwise.core.optim.algorithms import SGD


def test_a_training_is_described_in_values_that_json_holds(make_learner):
    learn = make_learner(
        nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), lr=slice(1e-4, 1e-2),
        opt_func=partial(SGD, mom=0.9), cbs=GradientClip(0.5),
    )  # fmt: skip
    learn.fit(2)
    found = json.loads(json.dumps(gather_args(learn)))
    assert found["model"] == "Sequential"
    assert found["model_parameters"] == 3 * 4 + 4 + 4 + 1
    assert found["lr"] == {"start": 1e-4, "stop": 1e-2}
    assert found["opt_func"] == "SGD(mom=0.9)"
    assert found["loss_func"] == "MSELoss"
    assert (found["batch_size"], found["n_epoch"], found["wd"]) == (8, 2, None)
    assert found["callback/GradientClip"]["max_norm"] == 0.5
    assert found["torch"] == str(torch.__version__)


def test_the_learner_gives_them_too_and_makes_no_optimizer(make_learner):
    learn = make_learner()
    assert learn.gather_args() == gather_args(learn)
    assert learn._opt is None
