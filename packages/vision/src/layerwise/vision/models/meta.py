"""What transfer learning has to know about each family of architectures."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from layerwise.vision.models.head import BodySplit, Cut, default_split
from layerwise.vision.types import imagenet_stats

__all__ = ["ModelMeta", "arch_name", "meta_of", "model_meta"]

Stats = tuple[list[float], list[float]]


@dataclass(frozen=True)
class ModelMeta:
    """What transfer learning has to know about an architecture.

    Attributes:
        cut: where its body ends, see `cut_model`; found by pooling if None.
        split: parameters of body and head in groups for learning rates.
        stats: mean and standard deviation that its weights were trained with; None if it has none.
    """

    cut: Cut | None = None
    split: Callable[[nn.Module], list[list[nn.Parameter]]] = default_split
    stats: Stats | None = None


def _meta(cut: int, at: int, *, nested: bool = False) -> ModelMeta:
    return ModelMeta(cut, BodySplit(at, nested), imagenet_stats)


model_meta: dict[str, ModelMeta] = {
    "xresnet": ModelMeta(-4, BodySplit(3), imagenet_stats),
    "alexnet": _meta(-2, 6, nested=True),
    "convnext": _meta(-2, 4, nested=True),
    "densenet": _meta(-1, 7, nested=True),
    "efficientnet": _meta(-2, 4, nested=True),
    "mnasnet": _meta(-1, 9, nested=True),
    "mobilenet_v2": _meta(-1, 7, nested=True),
    "mobilenet_v3": _meta(-2, 7, nested=True),
    "regnet": _meta(-2, 1),
    "resnet": _meta(-2, 6),
    "resnext": _meta(-2, 6),
    "shufflenet": _meta(-1, 3),
    "squeezenet": _meta(-1, 5, nested=True),
    "vgg": _meta(-2, 22, nested=True),
    "wide_resnet": _meta(-2, 6),
}
"""What is known of each family, by the beginning of its names."""


def arch_name(arch: object) -> str:
    """The name of an architecture: of a function its own."""
    return arch if isinstance(arch, str) else str(getattr(arch, "__name__", arch))


def meta_of(arch: object) -> ModelMeta:
    """What is known of an architecture, given as function or name; defaults for unknown ones.

    Example:
        >>> meta_of("resnet34").cut, meta_of("mine").cut
        (-2, None)
    """
    name = arch_name(arch)
    families = [family for family in model_meta if name.startswith(family)]
    return model_meta[max(families, key=len)] if families else ModelMeta()
