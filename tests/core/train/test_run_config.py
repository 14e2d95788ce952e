"""A run that was written down as JSON is repeated bit for bit."""

import json
from functools import partial

import pytest
import torch
from torch import nn

from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import ConfigError
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import F1Score, accuracy
from layerwise.core.nn.conv import ConvLayer
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import RAdam
from layerwise.core.optim.schedules import SchedCos
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.random import set_seed
from layerwise.core.tensors import TensorImage
from layerwise.core.train.recorder import Recorder
from layerwise.core.train.run_config import loader_settings
from layerwise.core.transforms.numeric import IntToFloatTensor, Normalize


def pictures(count=24):
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 255, (count, 1, 6, 6), generator=generator, dtype=torch.uint8)
    return [(TensorImage(x), "ab"[i % 2]) for i, x in enumerate(pixels)]


def datasets():
    block = DataBlock(
        (TransformBlock, CategoryBlock),
        get_x=ItemGetter(0),
        get_y=ItemGetter(1),
        splitter=IndexSplitter(range(16, 24)),
    )
    return block.datasets(pictures())


def train(**settings):
    """A learner that was trained in several ways, and what it writes of itself."""
    set_seed(5)
    dls = datasets().dataloaders(
        bs=4, device="cpu", after_batch=[IntToFloatTensor(), Normalize.from_stats([0.5], [0.25])]
    )
    model = nn.Sequential(ConvLayer(1, 4), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 2))
    learn = Learner(dls, model, metrics=[accuracy, F1Score()], **settings)
    with learn.no_logging():
        learn.fit_one_cycle(2, 1e-2)
        learn.freeze()
        learn.fit(1, lr=slice(1e-4, 1e-3), cbs=ParamScheduler({"lr": SchedCos(1e-3, 1e-4)}))
        learn.fine_tune(1, 1e-3)
    return learn, json.loads(json.dumps(learn.to_config()))


VARIANTS = {
    "defaults": {},
    "torch's optimizer": {"opt_func": partial(OptimWrapper, opt=torch.optim.AdamW), "wd": 0.1},
    "a loss with weights": {
        "loss_func": CrossEntropyLossFlat(weight=torch.tensor([1.0, 0.3])),
        "opt_func": RAdam,
        "cbs": [GradientClip(0.5)],
    },
    "defaults with other settings": {"cbs": [Recorder(train_metrics=True), NaNGuard("skip")]},
}


@pytest.mark.parametrize("settings", VARIANTS.values(), ids=list(VARIANTS))
def test_a_run_is_repeated_bit_for_bit_from_its_configuration(settings):
    learn, config = train(**settings)
    set_seed(5)
    again = Learner.from_config(
        config, datasets().dataloaders(device="cpu", **loader_settings(config))
    )
    with again.no_logging():
        again.repeat(config)
    state = learn.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in again.model.state_dict().items())
    assert again.recorder.values == learn.recorder.values
    assert again.to_config() == config


def test_only_calls_from_outside_are_noted():
    _, config = train()
    methods = [call["method"] for call in config["calls"]]
    assert methods == ["fit_one_cycle", "freeze_to", "fit", "fine_tune"]


def test_loaders_that_do_something_else_are_refused():
    _, config = train()
    settings = {**loader_settings(config), "bs": 5}
    with pytest.raises(ConfigError, match="loader 0 has bs=5, the run had 4; make the"):
        Learner.from_config(config, datasets().dataloaders(device="cpu", **settings))
    settings = {**loader_settings(config), "after_batch": [IntToFloatTensor()]}
    with pytest.raises(ConfigError, match="loader 0 has after_batch"):
        Learner.from_config(config, datasets().dataloaders(device="cpu", **settings))


def test_what_has_no_name_is_refused():
    learn, _ = train()
    learn.opt_func = lambda params, lr: None
    with pytest.raises(ConfigError, match=r"opt_func is the function .*lambda"):
        learn.to_config()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(format="x"), "no configuration of the format"),
        (lambda c: c["learner"].update(lrs=1), "no setting 'lrs'. Did you mean 'lr'"),
        (lambda c: c["calls"].append({"method": "save", "file": "x"}), "cannot call 'save'"),
        (lambda c: c["arrays"].update(array9=3), "are damaged"),
    ],
    ids=["format", "setting", "call", "array"],
)
def test_a_damaged_configuration_says_what_is_wrong(change, told):
    _, config = train()
    settings = loader_settings(config)
    change(config)
    with pytest.raises(ConfigError, match=told):
        Learner.from_config(config, datasets().dataloaders(device="cpu", **settings)).repeat(
            {**config, "calls": config["calls"][-1:]}
        )


def test_a_misspelt_argument_of_fit_is_still_named():
    learn, _ = train()
    with pytest.raises(TypeError, match="Did you mean 'n_epoch'"):
        learn.fit(n_epochs=1)
