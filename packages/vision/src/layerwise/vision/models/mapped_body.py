"""A body that gives its maps, of any architecture: what a decoder or a detector is put on."""

from torch import nn

from layerwise.vision.models.head import Cut, create_body
from layerwise.vision.models.meta import ModelMeta, meta_of
from layerwise.vision.models.network import Arch, is_torchvision, network_of
from layerwise.vision.models.timm_models import fixed_size, refuse_for_timm, timm_maps
from layerwise.vision.models.zoo import Weights

__all__: list[str] = []


def mapped_body(
    arch: Arch,
    pretrained: bool = True,
    weights: Weights = None,
    cut: Cut | None = None,
    n_in: int = 3,
) -> tuple[nn.Module, ModelMeta]:
    """The body of an architecture, as `stages_of` takes it, and what is known of it.

    Args:
        arch: as `resolved` returns it; of timm those that give their maps.
        pretrained: start from trained weights.
        weights: which ones, see `network_of`.
        cut: where the body ends, see `create_body`; known for known architectures.
        n_in: channels of the pictures.

    Example:
        >>> body, meta = mapped_body("resnet18", pretrained=False)
        >>> len(body), meta.cut
        (8, -2)
    """
    if isinstance(arch, str) and not is_torchvision(arch):
        refuse_for_timm(arch, weights, cut)
        maps, cfg = timm_maps(arch.removeprefix("timm/"), pretrained, n_in)
        stats = (list(cfg["mean"]), list(cfg["std"]))
        # What takes one size only takes a square, as far as timm has any.
        size = fixed_size(cfg)
        return maps, ModelMeta(stats=stats, size=None if size is None else size[0])
    meta = meta_of(arch)
    network = network_of(arch, pretrained, weights)
    return create_body(network, n_in, pretrained, meta.cut if cut is None else cut), meta
