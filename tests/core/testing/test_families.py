"""Core's own losses, metrics, optimizers, callbacks and transforms keep the contract they set.

Each family is found by looking, so that a new member joins by being there; a member that needs
arguments or special data has a line in a table, and a test says so where the line is missing.
"""

import importlib
import inspect
import pkgutil

import pytest
import torch

import layerwise.core.callback
import layerwise.core.metrics
import layerwise.core.train
import layerwise.core.transforms
from layerwise.core.callback.lr_find import LRFinder
from layerwise.core.callback.mixup import MixHandler
from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.callback.skip import SkipToEpoch
from layerwise.core.metrics import collected, metric
from layerwise.core.metrics.metric import Metric
from layerwise.core.nn import losses
from layerwise.core.optim import algorithms
from layerwise.core.optim.schedules import SchedLin
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.core.testing import (
    check_callback,
    check_loss,
    check_metric,
    check_optimizer,
    check_transform,
)
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.category import (
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
)
from layerwise.core.transforms.numeric import (
    IntToFloatTensor,
    Normalize,
    RegressionSetup,
    ToTensor,
)
from layerwise.core.transforms.transform import Transform


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def members(package, base):
    """The public subclasses of `base` that the modules of `package` define, by name."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value):
                found[name] = value
    return found


# -- losses and metrics --------------------------------------------------------------------

CLASSES = drawn(12, 3), torch.arange(12) % 3
TWO_CLASSES = drawn(12, 2), torch.arange(12) % 2
PIXELS = drawn(6, 3, 4, 4), torch.arange(96).view(6, 4, 4) % 3
TWO_PIXELS = drawn(6, 2, 4, 4), torch.arange(96).view(6, 4, 4) % 2
LABELS = drawn(12, 3), (torch.arange(36).view(12, 3) % 5 < 2).float()
CHANCES = drawn(12, 3).sigmoid(), LABELS[1]
NUMBERS = drawn(12, 1), drawn(13, 1)[1:]
POSITIVE = NUMBERS[0].abs() + 1, NUMBERS[1].abs() + 1
TOKENS = drawn(6, 7, 10), torch.arange(42).view(6, 7) % 10

LOSSES = {
    "BCELossFlat": CHANCES,
    "BCEWithLogitsLossFlat": LABELS,
    "CrossEntropyLossFlat": CLASSES,
    "DiceLoss": PIXELS,
    "FocalLoss": CLASSES,
    "FocalLossFlat": CLASSES,
    "L1LossFlat": NUMBERS,
    "LabelSmoothingCrossEntropy": CLASSES,
    "LabelSmoothingCrossEntropyFlat": CLASSES,
    "MSELossFlat": NUMBERS,
}


@pytest.mark.parametrize("name", losses.__all__)
def test_a_loss_keeps_the_contract(name):
    assert name in LOSSES, f"give {name} a line in LOSSES, with outputs and targets"
    check_loss(getattr(losses, name)(), *LOSSES[name])


@pytest.mark.parametrize(
    "name",
    [n for n in losses.__all__ if "axis" in inspect.signature(getattr(losses, n)).parameters],
)
def test_a_loss_with_an_axis_keeps_the_contract_over_pixels(name):
    if LOSSES[name] is CLASSES:
        check_loss(getattr(losses, name)(axis=1), *PIXELS)


# The data that a class of metric is for, by the module that defines it.
DATA = {
    "classification": TWO_CLASSES,
    "multilabel": LABELS,
    "multilabel_probability": LABELS,
    "probability": TWO_CLASSES,
    "regression": NUMBERS,
    "segmentation": PIXELS,
    "text": TOKENS,
}
FUNCTIONS = {
    "accuracy": CLASSES,
    "accuracy_multi": LABELS,
    "error_rate": CLASSES,
    "exp_rmspe": NUMBERS,
    "foreground_acc": PIXELS,
    "mae": NUMBERS,
    "mse": NUMBERS,
    "msle": POSITIVE,
    "perplexity": TOKENS,
    "rmse": NUMBERS,
    "top_k_accuracy": TOKENS,
}
GIVEN = {
    "AccumMetric": (lambda: collected.AccumMetric(torch.nn.functional.mse_loss), NUMBERS),
    "AvgMetric": (lambda: metric.AvgMetric(torch.nn.functional.l1_loss), NUMBERS),
    "CohenKappa": (None, CLASSES),
    "Dice": (None, TWO_PIXELS),
    "FBeta": (lambda: members(layerwise.core.metrics, Metric)["FBeta"](2), TWO_CLASSES),
    "FBetaMulti": (lambda: members(layerwise.core.metrics, Metric)["FBetaMulti"](2), LABELS),
    "JaccardCoeff": (None, TWO_PIXELS),
    "RocAuc": (None, CLASSES),
    "ValueMetric": (lambda: metric.ValueMetric(lambda: 0.5, "half"), NUMBERS),
}
# Not for a table of predictions: interfaces, and what follows the loss of a training loop.
NOT_TRIED = {
    "AvgLoss", "AvgSmoothLoss", "CollectedMetric", "CountMetric", "LabelScore", "LossMetric",
    "Metric", "MultiLabelScore", "Perplexity", "PooledMetric", "RunningMean", "WeightedMetric",
}  # fmt: skip
CLASSES_OF_METRICS = members(layerwise.core.metrics, Metric)


@pytest.mark.parametrize("name", sorted(CLASSES_OF_METRICS.keys() - NOT_TRIED))
def test_a_metric_keeps_the_contract(name):
    kind = CLASSES_OF_METRICS[name]
    home = kind.__module__.rpartition(".")[2]
    assert name in GIVEN or home in DATA, f"give {name} a line in GIVEN"
    make, data = GIVEN.get(name, (None, DATA.get(home)))
    check_metric(make() if make else kind, *data)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_that_is_a_metric_keeps_the_contract(name):
    homes = [importlib.import_module(f"layerwise.core.metrics.{home}") for home in DATA]
    function = next(getattr(m, name) for m in homes if hasattr(m, name))
    check_metric(function, *FUNCTIONS[name])


# -- optimizers ----------------------------------------------------------------------------

OPTIMIZERS = {
    "Lars": {"lr": 0.1},
    "Larc": {"lr": 0.1},
    "RAdam": {"steps": 60},
    "ranger": {"steps": 60},
}


def lookahead(groups, lr):
    return algorithms.Lookahead(algorithms.SGD(groups, lr=lr))


def wrapped(groups, lr):
    return OptimWrapper(groups, torch.optim.AdamW, lr=lr)


@pytest.mark.parametrize("name", [n for n in algorithms.__all__ if n != "Lookahead"])
def test_an_optimizer_keeps_the_contract(name):
    check_optimizer(getattr(algorithms, name), **OPTIMIZERS.get(name, {}))


@pytest.mark.parametrize("opt_func", [lookahead, wrapped])
def test_an_optimizer_around_another_keeps_the_contract(opt_func):
    check_optimizer(opt_func)


# -- callbacks -----------------------------------------------------------------------------

CALLBACKS = members(layerwise.core.train, Callback) | members(layerwise.core.callback, Callback)
# Followers of a service: they need its library and an account, and have tests of their own.
SERVICES = {"wandb", "tensorboard", "comet", "azureml", "captum", "optuna"}
MADE = {
    "LRFinder": lambda: LRFinder(num_it=5),
    "ParamScheduler": lambda: ParamScheduler({"lr": SchedLin(0.1, 0.01)}),
    "SkipToEpoch": lambda: SkipToEpoch(0),
    "MixHandler": lambda: MixHandler(0.4),
}
# Those that need pictures, a recurrent model or another callback train in tests of their own.
UNTRAINED = {
    "CutMix",
    "HookCallback",
    "ProgressiveResizing",
    "MixHandler",
    "ModelResetter",
    "RNNRegularizer",
}
TRIED = [n for n, c in sorted(CALLBACKS.items()) if c.__module__.split(".")[-1] not in SERVICES]


@pytest.mark.parametrize("name", TRIED)
def test_a_callback_keeps_the_contract(name):
    check_callback(MADE.get(name, CALLBACKS[name])(), epochs=int(name not in UNTRAINED))


# -- transforms ----------------------------------------------------------------------------

TRANSFORMS = {
    "Categorize": (lambda: Categorize(["cat", "dog"]), "dog", {}),
    "EncodedMultiCategorize": (
        lambda: EncodedMultiCategorize(["cat", "dog"]),
        [0.0, 1.0],
        {"decoded": ["dog"]},
    ),
    "IntToFloatTensor": (
        IntToFloatTensor,
        (
            TensorImage(torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)),
            TensorMask(torch.ones(1, 2, 2, dtype=torch.long)),
        ),
        {},
    ),
    "MultiCategorize": (lambda: MultiCategorize(["cat", "dog"]), ["dog", "cat"], {}),
    "Normalize": (
        lambda: Normalize.from_stats([0.5] * 3, [0.2] * 3),
        TensorImage(drawn(2, 3, 4, 4)),
        {},
    ),
    "OneHotEncode": (
        lambda: OneHotEncode(4),
        MultiCategorize(["a", "b", "c", "d"])(["b", "d"]),
        {},
    ),
    "RegressionSetup": (RegressionSetup, 1.5, {}),
    "ToTensor": (ToTensor, (1, "text"), {}),
}
INTERFACES = {
    "DisplayedTransform",
    "InplaceTransform",
    "ItemTransform",
    "RandTransform",
    "Transform",
}


@pytest.mark.parametrize(
    "name", sorted(members(layerwise.core.transforms, Transform).keys() - INTERFACES)
)
def test_a_transform_keeps_the_contract(name):
    assert name in TRANSFORMS, f"give {name} a line in TRANSFORMS: how it is made, what it takes"
    make, x, options = TRANSFORMS[name]
    check_transform(make(), x, **options)
