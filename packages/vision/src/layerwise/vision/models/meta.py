"""What transfer learning has to know about each family of architectures."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from layerwise.vision.models.bodies import without_branches, without_classifier, without_heads
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
        size: side of the squares that it takes, where it takes no other size.
    """

    cut: Cut | None = None
    split: Callable[[nn.Module], list[list[nn.Parameter]]] = default_split
    stats: Stats | None = None
    size: int | None = None


# From -1 to 1.
_AROUND_ZERO: Stats = ([0.5] * 3, [0.5] * 3)


def _meta(
    cut: Cut,
    at: int,
    *,
    nested: bool = False,
    stats: Stats | None = imagenet_stats,
    size: int | None = None,
) -> ModelMeta:
    return ModelMeta(cut, BodySplit(at, nested), stats, size)


model_meta: dict[str, ModelMeta] = {
    "alexnet": _meta(-2, 6, nested=True),
    "convnext": _meta(-2, 4, nested=True),
    "densenet": _meta(-1, 7, nested=True),
    "efficientnet": _meta(-2, 4, nested=True),
    "efficientnet_v2_l": _meta(-2, 4, nested=True, stats=_AROUND_ZERO),
    "googlenet": _meta(without_branches, 5, stats=_AROUND_ZERO),
    "inception_v3": _meta(without_branches, 7, stats=_AROUND_ZERO),
    "maxvit": _meta(without_classifier, 2, size=224),
    "mnasnet": _meta(-1, 9, nested=True),
    "mobilenet_v2": _meta(-1, 7, nested=True),
    "mobilenet_v3": _meta(-2, 7, nested=True),
    "regnet": _meta(-2, 1),
    "resnet": _meta(-2, 6),
    "resnext": _meta(-2, 6),
    "shufflenet": _meta(-1, 3),
    "squeezenet": _meta(-1, 5, nested=True),
    "swin": _meta(3, 4, nested=True),
    "vgg": _meta(-2, 22, nested=True),
    "vgg11": _meta(-2, 11, nested=True),
    "vit": _meta(without_heads, 1, size=224),
    "wide_resnet": _meta(-2, 6),
    "xresnet": _meta(-4, 3),
    "xresnext": _meta(-4, 3),
    "xse_res": _meta(-4, 3),
    "xsenet": _meta(-4, 3),
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
