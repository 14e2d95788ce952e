"""A network by function or by name, with trained weights if wanted."""

from collections.abc import Callable
from inspect import signature

from torch import nn

from layerwise.core.registry import find
from layerwise.core.settings import record_built
from layerwise.vision.models import torchvision_models, torchvision_more
from layerwise.vision.models.layout import channels_last
from layerwise.vision.models.meta import arch_name
from layerwise.vision.models.zoo import Weights, first_weights, load_pretrained, torchvision_model

__all__: list[str] = []

Arch = str | Callable[..., nn.Module]
"""An architecture: a function that builds a network, or a name, see `resolved`."""

_MODULES = (torchvision_models, torchvision_more)

TORCHVISION: frozenset[str] = frozenset(name for module in _MODULES for name in module.__all__)
"""The names of torchvision's architectures."""


def resolved(arch: Arch) -> Arch:
    """A function that builds the network, or the name of a model of torchvision or of timm.

    A name with a slash is a registered one ("vision/xresnet34", "mine/net"), but for those that
    begin with "timm/"; one without is of torchvision if it has such a model, else of timm.

    Example:
        >>> resolved("vision/xresnet18").__name__, resolved("resnet18"), resolved("timm/resnet18")
        ('xresnet18', 'resnet18', 'timm/resnet18')
    """
    if isinstance(arch, str) and "/" in arch and not arch.startswith("timm/"):
        function: Arch = find("model", arch)
        return arch_name(function) if is_torchvision(function) else function
    if isinstance(arch, nn.Module):
        raise TypeError(
            f"arch is a {type(arch).__name__} that is built already; give what builds it, without "
            "calling it: vision_learner(dls, resnet34). Learner(dls, model) takes one that is built"
        )
    if isinstance(arch, str) or callable(arch):
        return arch
    raise TypeError(
        f"arch={arch!r} is a {type(arch).__name__}; give a function that builds a network, or the "
        "name of one, such as 'resnet34'"
    )


def is_torchvision(arch: Arch) -> bool:
    """Whether it is a name or a function of torchvision, or ours of that name."""
    if isinstance(arch, str):
        return arch in TORCHVISION
    module = getattr(arch, "__module__", "") or ""
    ours = any(module == each.__name__ for each in _MODULES)
    return ours or module.startswith("torchvision.")


def record_network(
    model: nn.Module, make: Callable[..., nn.Module], arch: Arch, **settings: object
) -> None:
    """Nothing; `model` then lies channels last, and exports say how `make` makes it again.

    Args:
        model: the whole model.
        make: the public function that makes it.
        arch: as `resolved` returns it.
        settings: the other keywords of `make`; what only sets weights is left out of exports,
            which hold these.
    """
    channels_last(model)
    name = arch_name(arch) if is_torchvision(arch) else arch
    blank = {"pretrained": False, "weights": None, "init": None}
    of_structure = {each: value for each, value in blank.items() if each in settings}
    record_built(model, make, {"arch": name, **settings}, of_structure)


def network_of(arch: Arch, pretrained: bool, weights: Weights) -> nn.Module:
    """The whole network of `arch`, which is none of timm's, with trained weights if wanted.

    Args:
        arch: as `resolved` returns it.
        pretrained: start from trained weights.
        weights: which ones; the first that there are when None.

    Raises:
        ValueError: if `weights` are given and not wanted, or wanted and there are none.
    """
    if weights is not None and not pretrained:
        raise ValueError("weights= with pretrained=False; leave one of them out")
    name = arch_name(arch)
    if isinstance(arch, str) or is_torchvision(arch):
        wanted = weights if weights is not None or not pretrained else first_weights(name)
        return torchvision_model(name, wanted)
    if not pretrained:
        return arch()
    if weights is not None:
        return load_pretrained(arch(), weights, name=name)
    for word in ("weights", "pretrained"):
        if word in signature(arch).parameters:
            return arch(**{word: "DEFAULT" if word == "weights" else True})
    raise ValueError(
        f"{name} has no pretrained weights of its own; pass pretrained=False to start without, or "
        "weights= as the path of a file"
    )
