"""R2: for any configuration, a training that goes on ends in the same bits as one undisturbed."""

import random
import shutil
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data as torch_data
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core import all as core
from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.channels_last import ChannelsLast
from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.csv_log import CSVLogger
from layerwise.core.callback.data import CollectDataCallback
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.hook import ActivationStats
from layerwise.core.callback.json_log import JSONLogger
from layerwise.core.callback.lsuv import LSUV
from layerwise.core.callback.mixup import CutMix, MixUp
from layerwise.core.callback.nan_guard import NaNGuard, TerminateOnNaNCallback
from layerwise.core.callback.oom import AutoMicroBatch
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.sam import SAM
from layerwise.core.callback.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
)
from layerwise.core.callback.training import BnFreeze, ShortEpochCallback
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.partial import PartialDL
from layerwise.core.data.weighted import WeightedDL
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import (
    SGD,
    Adam,
    Lamb,
    Larc,
    Lookahead,
    QHAdam,
    RAdam,
    RMSProp,
    ranger,
)
from layerwise.core.random import generator
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint_folder import CheckpointFolder, read_checkpoint
from layerwise.core.train.snapshot import take

WIDTH, BATCH, BATCHES = 6, 4, 7
EPOCHS = 2


# -- data ------------------------------------------------------------------------------------


class Noisy:
    """Samples that draw from all generators."""

    def __init__(self, count, seed):
        draw = torch.Generator().manual_seed(seed)
        self.x = torch.randn(count, WIDTH, generator=draw)
        self.y = self.x[:, :3].argmax(1)
        self.x = self.x.reshape(count, 1, 2, 3)  # small pictures, which can be cut

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        noise = torch.randn(1, 2, 3, generator=generator()) + random.random() + np.random.rand()  # noqa: S311
        return self.x[index] + 0.1 * noise, self.y[index]


class Stream:
    """The same samples, of unknown number."""

    def __init__(self, count, seed):
        self.of = Noisy(count, seed)

    def __iter__(self):
        return (self.of[i] for i in range(len(self.of)))


class TorchStream(torch_data.IterableDataset):
    def __init__(self, count, seed):
        self.of = Noisy(count, seed)

    def __iter__(self):
        return (self.of[i] for i in torch.randperm(len(self.of)).tolist())


def own(train, **settings):
    return DataLoader(train, BATCH, shuffle=True, **settings)


def weighted(train):
    weights = torch.arange(1.0, len(train) + 1)

    def sample():
        return torch.multinomial(weights, len(train), True, generator=generator()).tolist()

    return DataLoader(train, BATCH, sample=sample)


def stock(train):
    return torch_data.DataLoader(train, BATCH, shuffle=True)


def stock_generator(train):
    return torch_data.DataLoader(
        train, BATCH, shuffle=True, generator=torch.Generator().manual_seed(3)
    )


def stock_weighted(train):
    sampler = torch_data.WeightedRandomSampler([1.0 + i for i in range(len(train))], len(train))
    return torch_data.DataLoader(train, BATCH, sampler=sampler)


LOADERS: dict[str, Any] = {
    "own": own,
    "own weighted": lambda train: WeightedDL(train, BATCH, wgts=range(len(train))),
    "own partial": lambda train: PartialDL(train, BATCH, partial_n=BATCH * (BATCHES - 1)),
    "own dropping": partial(own, drop_last=True),
    "weighted": weighted,
    "stream": lambda train: DataLoader(Stream(len(train), 0), BATCH),
    "stock": stock,
    "stock with a generator": stock_generator,
    "stock weighted": stock_weighted,
    "stock stream": lambda train: torch_data.DataLoader(TorchStream(len(train), 0), BATCH),
}
STREAMS = ("stream", "stock stream")


# -- training --------------------------------------------------------------------------------


class RandomWidth(Callback):
    """Draws from every global generator in the loop, and remembers."""

    keeps = ("drawn",)

    def before_fit(self):
        self.drawn = []

    def before_batch(self):
        if self.learn.training:
            # numpy makes normal numbers in pairs and keeps the second, which has to be kept too
            draws = (random.gauss(0, 1), float(np.random.randn()), float(torch.randn(())))
            self.learn.xb = (self.learn.xb[0] * (1 + 0.01 * sum(draws)),)
            self.drawn.append(draws[0])


CALLBACKS: dict[str, Any] = {
    "MixUp": MixUp,
    "CutMix": CutMix,
    "accumulation": lambda: GradientAccumulation(10),
    "clip": lambda: GradientClip(0.5),
    "EMA": lambda: EMA(0.9),
    "EMA kept": lambda: EMA(0.5, keep=True),
    "bf16": lambda: MixedPrecision("bf16"),
    "fp16": lambda: MixedPrecision("fp16", init_scale=64.0, growth_interval=3),
    "SAM": SAM,
    "BnFreeze": BnFreeze,
    "short epochs": lambda: ShortEpochCallback(0.6),
    "early stopping": lambda: EarlyStoppingCallback(patience=1),
    "reduce on plateau": lambda: ReduceLROnPlateau(patience=1, min_delta=10.0),
    "save model": SaveModelCallback,
    "save model and optimizer": lambda: SaveModelCallback(with_opt=True),
    "random": RandomWidth,
    "collect": CollectDataCallback,
    "activations": lambda: ActivationStats(with_hist=True, every=2),
    "LSUV": LSUV,
    "NaN guard": lambda: NaNGuard("skip"),
    "NaN ends": TerminateOnNaNCallback,
    "micro batches": lambda: AutoMicroBatch(3),
    "channels last": ChannelsLast,
    "table file": CSVLogger,
    "log file": JSONLogger,
}
# Callbacks that no training above has, each with the reason.
LEFT_OUT = {
    "a base of others": {"Callback", "HookCallback", "LoggerCallback", "MixHandler",
                         "TensorBoardBaseCallback", "TrackerCallback"},
    "in every training": {"Checkpoint", "ParamScheduler", "ProgressCallback", "Recorder",
                          "TrainEvalCallback"},
    "not while a model is trained": {"FetchPredsCallback", "GatherPredsCallback", "LRFinder",
                                     "MCDropoutCallback"},
    "tests/core/distributed": {"DistributedTrainer", "ParallelTrainer"},
    "another way to begin in the middle": {"SkipToEpoch"},
    "keeps nothing that training reads": {"OptunaPruningCallback", "ProfileCallback",
                                          "ShowGraphCallback"},
    "the service goes on by itself": {"AzureMLCallback", "CometCallback", "TensorBoardCallback",
                                      "TensorBoardProjectorCallback", "WandbCallback"},
    "recurrent models alone": {"ModelResetter", "RNNCallback", "RNNRegularizer"},
    "sizes follow from pct_train": {"ProgressiveResizing"},
}  # fmt: skip
APART = [
    {"MixUp", "CutMix"},
    {"EMA", "EMA kept"},
    {"bf16", "fp16"},
    {"SAM", "accumulation"},
    {"SAM", "fp16"},
    {"LSUV", "fp16"},  # weights made from four items: they may overflow, which the guard refuses
    {"save model", "save model and optimizer"},
]
OPTIMIZERS = {
    "SGD": partial(SGD, mom=0.9),
    "Adam": Adam,
    "RAdam": RAdam,
    "RMSProp": RMSProp,
    "QHAdam": QHAdam,
    "Lamb": Lamb,
    "Larc": Larc,
    "ranger": ranger,
    "Lookahead": lambda params, lr: Lookahead(SGD(params, lr=lr), k=3),
    "torch AdamW": torch.optim.AdamW,
    "torch amsgrad": partial(torch.optim.Adam, amsgrad=True),
    "torch Adagrad": torch.optim.Adagrad,
    "torch SGD": partial(torch.optim.SGD, momentum=0.9),
}
FITS = {
    "fit": lambda learn, **more: learn.fit(EPOCHS, 0.01, **more),
    "one cycle": lambda learn, **more: learn.fit_one_cycle(EPOCHS, 0.01, **more),
    "flat cos": lambda learn, **more: learn.fit_flat_cos(EPOCHS, 0.01, **more),
    "sgdr": lambda learn, **more: learn.fit_sgdr(2, 1, 0.01, cycle_mult=1, **more),
    "fine tune": lambda learn, **more: learn.fine_tune(1, 0.01, **more),
}


def two_groups(model):
    return [list(model[:2].parameters()), list(model[2:].parameters())]


def make(config, folder, *, every="1ba", background=False):
    """A learner of this configuration, the same each time."""
    random.seed(config["seed"])
    np.random.seed(config["seed"])
    torch.manual_seed(config["seed"])
    model = nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(WIDTH, 8)),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(8, 3),
    )
    train, valid = Noisy(BATCH * BATCHES - 1, 0), Noisy(9, 1)
    dls = DataLoaders(LOADERS[config["loader"]](train), DataLoader(valid, BATCH))
    taken = [CALLBACKS[name]() for name in config["callbacks"]]
    learn = Learner(
        dls, model, CrossEntropyLossFlat(), path=folder, splitter=two_groups, metrics=accuracy,
        opt_func=OPTIMIZERS[config["opt"]],
        cbs=taken,
    )  # fmt: skip
    learn.recorder.train_metrics = config["train_metrics"]
    learn.add_cb(Checkpoint(every, background=background, signals=()))
    learn.logger = lambda row: None
    return learn


class Break(Callback):
    """Ends the training with an error at an event of a step of all fits."""

    order = 3000

    def __init__(self, event, step):
        super().__init__()
        self.step, self.count = step, 0
        setattr(self, event, self._go)

    def _go(self):
        if self.learn.training:
            self.count += 1
            if self.count == self.step:
                raise Interrupted


class Interrupted(Exception):
    pass


def test_r2_every_callback_of_core_is_drawn_or_left_out_for_a_reason():
    drawn = {type(make()).__name__ for make in CALLBACKS.values()} - {"RandomWidth"}
    left_out = set().union(*LEFT_OUT.values())
    classes = {n for n, c in vars(core).items() if isinstance(c, type) and issubclass(c, Callback)}
    assert drawn & left_out == set()
    assert drawn | left_out == classes


def everything(learn):
    """All that a snapshot has, but for names of files and times."""
    state = take(learn, 0, 0, finished=True)
    state["callbacks"].pop("checkpoint")
    state["callbacks"]["recorder"].pop("seconds")
    for name in ("csv_logger", "json_logger"):  # how long a file is: times differ in it
        state["callbacks"].pop(name, None)
    state["files"] = written(learn)
    return state


def written(learn):
    """What is in the files of loggers by step, but for times; a checkpoint may begin a new line."""
    found: dict[str, list[Any]] = {}
    for log in [cb.read_log() for cb in learn.cbs if isinstance(cb, CSVLogger | JSONLogger)]:
        for row in log:
            row.pop("time", None)
            place = f"{row['epoch']} {row.get('step')} {row.get('split')}"
            found.setdefault(place, []).extend(row.items())
    return {place: sorted(set(values)) for place, values in found.items()}


def differences(a, b, at=""):
    """Where two values differ; compared exactly."""
    if type(a) is not type(b):
        return [f"{at}: {type(a).__name__} and {type(b).__name__}"]
    if isinstance(a, torch.Tensor):
        same = a.dtype == b.dtype and a.shape == b.shape
        # By their bytes: a loss may be NaN in both, and 0.0 is not -0.0.
        return [] if same and a.numpy().tobytes() == b.numpy().tobytes() else [at]
    if isinstance(a, np.ndarray):
        return [] if a.dtype == b.dtype and a.tobytes() == b.tobytes() else [at]
    if isinstance(a, dict):
        if a.keys() != b.keys():
            return [f"{at}: {sorted(map(str, a.keys() ^ b.keys()))}"]
        return [line for key in a for line in differences(a[key], b[key], f"{at}.{key}")]
    if isinstance(a, list | tuple):
        if len(a) != len(b):
            return [f"{at}: {len(a)} and {len(b)}"]
        pairs = enumerate(zip(a, b, strict=True))
        return [line for i, (x, y) in pairs for line in differences(x, y, f"{at}.{i}")]
    return [] if a == b or (a != a and b != b) else [f"{at}: {a} and {b}"]


def allowed(config):
    """`config` without what our own checks refuse."""
    if "reduce on plateau" in config["callbacks"]:  # which no other schedule may move
        config["fit"] = "fit"
    if config["opt"] == "torch Adagrad" and config["fit"] in ("one cycle", "fine tune"):
        config["fit"] = "sgdr"  # it has no momentum
    return config


@st.composite
def configurations(draw):
    names = draw(st.lists(st.sampled_from(sorted(CALLBACKS)), max_size=5, unique=True))
    for apart in APART:
        both = [name for name in names if name in apart]
        names = [name for name in names if name not in both[1:]]
    loader = draw(st.sampled_from(sorted(LOADERS)))
    fit = "fit" if loader in STREAMS else draw(st.sampled_from(sorted(FITS)))
    if loader in STREAMS:
        names = [name for name in names if name != "short epochs"]
    opt = draw(st.sampled_from(sorted(OPTIMIZERS)))
    return allowed(
        {
            "callbacks": names,
            "loader": loader,
            "fit": fit,
            "opt": opt,
            "train_metrics": draw(st.booleans()),
            "seed": draw(st.integers(0, 3)),
        }
    )


EVENTS = ["before_batch", "after_pred", "after_backward", "after_step", "after_batch",
          "before_epoch", "after_epoch", "after_train"]  # fmt: skip


def check_resumed_equals_undisturbed(config, every, event, step):
    folder = Path(tempfile.mkdtemp())
    fit = FITS[config["fit"]]
    try:
        with warnings.catch_warnings():
            # What torch says of float16 and schedulers is not looked at here.
            warnings.simplefilter("ignore")
            whole = make(config, folder / "whole", every="100ep")
            fit(whole)
            expected = everything(whole)
            broken = make(config, folder / "broken", every=every)
            try:
                fit(broken, cbs=Break(event, step))
                was_broken = False
            except Interrupted:
                was_broken = True
            resumed = make(config, folder / "broken", every=every)
            saved = CheckpointFolder(folder / "broken" / "checkpoints").entries()
            if saved:  # what else the process has drawn meanwhile does not matter
                torch.rand(5), np.random.rand(3), random.random()  # noqa: S311
            fit(resumed, resume=True)
            assert differences(everything(resumed), expected) == []
            assert differences(resumed.recorder.losses, whole.recorder.losses) == []
            if was_broken and saved:  # a state of another moment is not equal
                assert differences(everything(broken), expected)
    finally:
        shutil.rmtree(folder)


common = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # an example is told as it is; shrinking takes minutes
)
drawn = given(
    configurations(),
    st.sampled_from(["1ba", "2ba", "3ba", "1ep"]),
    st.sampled_from(EVENTS),
    st.integers(1, 2 * BATCHES),
)


@settings(common, max_examples=25, derandomize=True)
@drawn
def test_r2_resumed_equals_undisturbed_for_any_configuration(config, every, event, step):
    check_resumed_equals_undisturbed(config, every, event, step)


DEGENERATE = {  # a batch of one item four times, so that LSUV makes weights which overflow
    "callbacks": ["BnFreeze", "short epochs", "LSUV", "fp16", "NaN guard"],
    "loader": "stock weighted", "fit": "fit", "opt": "Lookahead", "train_metrics": True, "seed": 3,
}  # fmt: skip


@pytest.mark.slow
@settings(common, max_examples=200)
@example(DEGENERATE, "3ba", "after_epoch", 7)
@drawn
def test_r2_resumed_equals_undisturbed_in_200_examples(config, every, event, step):
    check_resumed_equals_undisturbed(config, every, event, step)


PLAIN = {"callbacks": [], "loader": "own", "fit": "one cycle", "opt": "Adam",
         "train_metrics": False, "seed": 0}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CALLBACKS), ids=str)
def test_r2_each_callback_alone(name):
    config = allowed({**PLAIN, "callbacks": [name]})
    check_resumed_equals_undisturbed(config, "2ba", "after_step", 10)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS), ids=str)
def test_r2_each_optimizer(name):
    check_resumed_equals_undisturbed(allowed({**PLAIN, "opt": name}), "2ba", "after_step", 5)


@pytest.mark.parametrize("name", sorted(LOADERS), ids=str)
def test_r2_each_loader(name):
    fit = "fit" if name in STREAMS else "flat cos"
    config = {**PLAIN, "loader": name, "fit": fit, "train_metrics": True}
    check_resumed_equals_undisturbed(config, "3ba", "before_batch", 5)


@pytest.mark.parametrize("name", sorted(FITS), ids=str)
@pytest.mark.parametrize("step", [3, 11])
def test_r2_each_schedule(name, step):
    check_resumed_equals_undisturbed({**PLAIN, "fit": name}, "1ba", "after_pred", step)


def test_r2_a_checkpoint_of_another_epoch_is_not_equal(tmp_path):
    learn = make(PLAIN, tmp_path, every="1ep")
    learn.fit(2)
    first, second = [CheckpointFolder(tmp_path / "checkpoints").entries()[i].path for i in range(2)]
    found = differences(read_checkpoint(first), read_checkpoint(second))
    for part in (".model.weights.0.1.weight", ".opt.state.0.grad_avg", ".random.torch_state"):
        assert part in found
