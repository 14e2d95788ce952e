"""From an architecture, ours or another package's, to a model of sound with so many outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from torch import nn

from layerwise.core.nn.walk import params
from layerwise.core.registry import facts_of, find, registered_name

__all__ = ["audio_split", "create_audio_model"]

Arch = str | Callable[..., nn.Module]
"""A function or class that builds a model, or the name of one in the registry."""

_FOR_PICTURES = "vision/create_vision_model"

_CHANNELS = ("n_in", "c_in", "in_channels", "in_chans")
_OUTPUTS = ("n_out", "c_out", "num_classes", "n_classes")


def create_audio_model(
    arch: Arch,
    n_out: int,
    n_in: int = 1,
    pretrained: bool = False,
    config: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A model for `n_in` channels of sound with `n_out` outputs.

    Args:
        arch: a model of ours, such as `audio_resnet`, or any function or class that builds one from
            the numbers of channels and outputs; or the name of one, "M5" or "audio/M5". An
            architecture for pictures ("vision/xresnet34", "timm/resnet18", or the function) gets
            its head from the package it belongs to, and sees a spectrogram as a picture.
        n_out: outputs.
        n_in: channels of a clip, or of its spectrogram.
        pretrained: start from trained weights, where an architecture for pictures has some.
        config: other settings of the architecture, by name.

    Raises:
        TypeError: if `arch` is a model that is built already, or cannot be told how many channels
            and outputs there are.
        ValueError: if trained weights are wanted where there are none.
        RegistryError: if there is no such name; names the nearest.

    Example:
        >>> from layerwise.audio.models.m5 import M5
        >>> create_audio_model(M5, 10, config={"width": 8}).linear
        Linear(in_features=32, out_features=10, bias=True)
    """
    if isinstance(arch, nn.Module):
        raise TypeError(
            f"arch is a {type(arch).__name__} that is built already; give what builds it, without "
            "calling it: audio_learner(dls, M5). Learner(dls, model) takes one that is built"
        )
    arch = qualified(arch)
    settings = dict(config or {})
    if is_for_pictures(arch):
        make = find("model", _FOR_PICTURES)
        model: nn.Module = make(arch, n_out, pretrained=pretrained, n_in=n_in, **settings)
        return model
    if pretrained:
        raise ValueError(
            f"pretrained=True, and there are no trained weights for {arch!r}; leave it out, and "
            "load weights of your own by learn.load"
        )
    return _called(find("model", arch) if isinstance(arch, str) else arch, n_out, n_in, settings)


def qualified(arch: Arch) -> Arch:
    """`arch`; a plain name as that of a model of ours."""
    return f"audio/{arch}" if isinstance(arch, str) and "/" not in arch else arch


def is_for_pictures(arch: Arch) -> bool:
    """Whether the record of the package that `arch` belongs to says that it takes pictures."""
    if isinstance(arch, str) and arch.startswith("timm/"):
        return True
    name = arch if isinstance(arch, str) else registered_name("model", arch)
    return name is not None and facts_of("model", name).get("takes") == "pictures"


def _called(make: Any, n_out: int, n_in: int, settings: dict[str, Any]) -> nn.Module:
    if not callable(make):
        raise TypeError(
            f"arch={make!r} is a {type(make).__name__}; give a function or class that builds a "
            "model, or the name of one, such as 'audio/M5'"
        )
    known = signature(make).parameters
    names = []
    for wanted, what in ((_CHANNELS, "channels"), (_OUTPUTS, "outputs")):
        found = next((name for name in wanted if name in known), None)
        if found is None and any(p.kind is Parameter.VAR_KEYWORD for p in known.values()):
            found = wanted[0]
        if found is None:
            raise TypeError(
                f"{getattr(make, '__name__', make)} has no parameter for the number of {what} "
                f"({', '.join(wanted)}); wrap it in a function of n_in and n_out"
            )
        names.append(found)
    model: nn.Module = make(**{names[0]: n_in, names[1]: n_out, **settings})
    return model


def audio_split(model: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a model in two groups: all before its last layer or head, and that.

    The head is the last child with parameters.

    Example:
        >>> model = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 3), nn.Dropout())
        >>> [len(group) for group in audio_split(model)]
        [2, 2]
    """
    children = [child for child in model.children() if params(child)]
    head = params(children[-1]) if children else []
    of_head = {id(p) for p in head}
    return [[p for p in params(model) if id(p) not in of_head], head]
