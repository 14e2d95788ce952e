"""Names for classes and functions that a file may hold: those of the registry, and of torch's own.

A reference is a text: `"transform:vision/Resize"` for a name of the registry, `"torch:nn.Linear"`
for one of the table below. Nothing else is looked up: no module path, no attribute path.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from layerwise.core.errors import ConfigError, nearest
from layerwise.core.registry import KINDS, find, plugins, qualified_name

__all__ = ["TORCH_NAMES", "object_of", "reference_to"]

TORCH_NAMES: dict[str, str] = {
    "nn": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d AdaptiveMaxPool2d "
        "AdaptiveMaxPool3d AlphaDropout AvgPool1d AvgPool2d AvgPool3d BCELoss BCEWithLogitsLoss "
        "BatchNorm1d BatchNorm2d BatchNorm3d Bilinear CELU ConstantPad1d ConstantPad2d Conv1d "
        "Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CosineEmbeddingLoss "
        "CosineSimilarity CrossEntropyLoss Dropout Dropout1d Dropout2d Dropout3d ELU Embedding "
        "EmbeddingBag Flatten GELU GLU GRU GroupNorm Hardsigmoid Hardswish Hardtanh "
        "HingeEmbeddingLoss HuberLoss Identity InstanceNorm1d InstanceNorm2d InstanceNorm3d "
        "KLDivLoss "
        "L1Loss LSTM "
        "LayerNorm LeakyReLU Linear LogSigmoid LogSoftmax MSELoss MarginRankingLoss MaxPool1d "
        "MaxPool2d MaxPool3d Mish MultiLabelSoftMarginLoss NLLLoss PReLU PixelShuffle "
        "PixelUnshuffle PoissonNLLLoss RMSNorm RNN ReLU ReLU6 ReflectionPad1d ReflectionPad2d "
        "ReplicationPad1d ReplicationPad2d SELU Sequential SiLU Sigmoid SmoothL1Loss "
        "SoftMarginLoss Softmax Softplus Softsign Tanh TripletMarginLoss Unflatten Upsample "
        "ZeroPad1d ZeroPad2d"
    ),
    "nn.functional": (
        "binary_cross_entropy binary_cross_entropy_with_logits cross_entropy elu gelu huber_loss "
        "kl_div l1_loss leaky_relu log_softmax mish mse_loss nll_loss poisson_nll_loss relu "
        "sigmoid silu smooth_l1_loss softmax tanh"
    ),
    "nn.init": (
        "kaiming_normal_ kaiming_uniform_ normal_ ones_ orthogonal_ trunc_normal_ uniform_ "
        "xavier_normal_ xavier_uniform_ zeros_"
    ),
    "optim": "ASGD Adadelta Adagrad Adam AdamW Adamax NAdam RAdam RMSprop Rprop SGD",
    "": "exp log relu sigmoid softmax tanh",
}
"""The names of torch that a file may hold, by the module in which they stand."""

_TORCH = "torch:"


def _torch_table() -> dict[str, Any]:
    """The objects of `TORCH_NAMES` by their references."""
    table = {}
    for module, names in TORCH_NAMES.items():
        owner: Any = torch
        for part in filter(None, module.split(".")):
            owner = getattr(owner, part)
        for name in names.split():
            table[f"{_TORCH}{module}.{name}".replace(":.", ":")] = getattr(owner, name)
    return table


_torch_objects: dict[str, Any] = _torch_table()


def reference_to(value: Any) -> str | None:
    """The reference under which `object_of` gives back `value`, or None if it has none.

    Example:
        >>> reference_to(torch.nn.Linear), reference_to(lambda x: x)
        ('torch:nn.Linear', None)
    """
    found = qualified_name(value)
    if found is not None:
        return f"{found[0]}:{found[1]}"
    return next((name for name, known in _torch_objects.items() if known is value), None)


# Any: what stands behind a name is known only when the program runs.
def object_of(reference: Any, kinds: frozenset[str]) -> Any:
    """The class or function that `reference` means.

    Args:
        reference: as `reference_to` gave it.
        kinds: the kinds of names that are meant to stand there, of `KINDS` or `"torch"`.

    Raises:
        ConfigError: for anything else; names what to install or import.

    Example:
        >>> object_of("torch:nn.ReLU", frozenset({"torch"}))
        <class 'torch.nn.modules.activation.ReLU'>
    """
    kind, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if kind not in kinds or not name:
        raise ConfigError(
            f"{reference!r:.100} is no name that may stand here; such names begin with "
            f"{' or '.join(f'{k}:' for k in sorted(kinds))}"
        )
    if kind == "torch":
        if reference not in _torch_objects:
            raise ConfigError(
                f"{reference!r:.100} is none of the names of torch that files may hold."
                f"{nearest(reference, _torch_objects)}"
            )
        return _torch_objects[reference]
    return _registered(kind, name)


def _registered(kind: str, name: str) -> Any:
    prefix = name.partition("/")[0]
    try:
        return find(kind, name)
    except (LookupError, ImportError) as error:
        told = str(error) if prefix in plugins() else f"{kind}:{name} has no meaning here"
        raise ConfigError(
            f"{told}. Install the package that it belongs to; or, if a program of yours added it, "
            f"import the module that calls register({kind!r}, {name!r}, ...) before loading"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{kind}:{name!r:.100} cannot be looked up: {error}") from error


def how_to_name(value: Any) -> str:
    """What to do about a class or function without a name."""
    while isinstance(value, partial):
        value = value.func
    own = getattr(value, "__name__", type(value).__name__)
    if own == "<lambda>":
        return (
            "a lambda has no name: write it as a function in a module, and where the module "
            'defines it, register("function", "mine/its_name", its_name)'
        )
    kind = _kind_for(value)
    return (
        f"give it a name where it is defined, in a module that is imported wherever the file is "
        f'loaded: register("{kind}", "mine/{own}", {own})'
    )


def _kind_for(value: Any) -> str:
    """The kind that a class or function should be registered as, told by its bases' names."""
    bases = {base.__name__ for base in getattr(value, "__mro__", ())}
    wanted = {"Transform": "transform", "Callback": "callback", "Metric": "metric",
              "BaseLoss": "loss", "Module": "model", "TensorBase": "type"}  # fmt: skip
    return next(
        (kind for base, kind in wanted.items() if base in bases and kind in KINDS), "function"
    )
