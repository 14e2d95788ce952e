"""Architectures of timm, by name; timm is imported when one is asked for."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.nn.module import Module
from layerwise.vision.models.head import add_head
from layerwise.vision.models.zoo import stand_in_for_operators

__all__ = ["TimmBody", "create_timm_model"]


class TimmBody(Module):
    """A model of timm without its head: (B, C, H, W) to (B, F, h, w), or (B, F) of some.

    Args:
        model: has a method `forward_features`, as all models of timm do.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        model: Any = self.model
        features = model.forward_features(x)
        result: Tensor = features if self.has_map else model.forward_head(features, pre_logits=True)
        return result

    @property
    def has_map(self) -> bool:
        """Whether the features are a map that a head can pool."""
        return self.model.default_cfg.get("pool_size") is not None  # type: ignore[union-attr, operator]  # an attribute of timm


def create_timm_model(
    arch: str,
    n_out: int,
    pretrained: bool = True,
    n_in: int = 3,
    init: Callable[[Tensor], object] | None = nn.init.kaiming_normal_,
    custom_head: nn.Module | None = None,
    concat_pool: bool = True,
    pool: bool = True,
    **kwargs: Any,
) -> tuple[nn.Sequential, dict[str, Any]]:
    """A model of timm with a head of ours, and timm's description of it.

    Args:
        arch: name that timm knows.
        n_out: outputs.
        pretrained: load the weights that timm has.
        n_in: channels of the input.
        init: sets the weights of the head.
        custom_head: in place of `create_head`.
        concat_pool: see `create_head`.
        pool: see `create_head`; switched off where the body pools itself.
        kwargs: other settings of `create_head`.

    Raises:
        MissingDependencyError: when timm is not there.
        ValueError: when timm has no model of that name.
    """
    try:
        stand_in_for_operators()  # timm imports torchvision
        import timm
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError.of(
            "timm", needed_for=f"architectures of timm (such as {arch!r})",
            install="layerwise-vision[timm]",
        ) from error  # fmt: skip
    if not timm.is_model(arch):
        raise ValueError(f"timm has no model {arch!r}.{nearest(arch, timm.list_models())}")
    model = timm.create_model(arch, pretrained=pretrained, num_classes=0, in_chans=n_in)
    body = TimmBody(model)
    full = add_head(
        body,
        int(model.num_features),
        n_out,
        init=init,
        head=custom_head,
        pool=pool and body.has_map,
        concat_pool=concat_pool,
        **kwargs,
    )
    return full, dict(model.default_cfg)
