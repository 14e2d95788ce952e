"""Architectures of timm, by name; timm is imported when one is asked for."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.nn.module import Module
from layerwise.core.registry import names
from layerwise.core.torchvision_operators import stand_in_for_operators
from layerwise.vision.models.bodies import run_noise
from layerwise.vision.models.head import add_head
from layerwise.vision.models.network import TORCHVISION

__all__ = ["TimmBody", "create_timm_model"]

_SIDE = 224


def timm_module(needed_for: str = "architectures of timm") -> ModuleType:
    """The module `timm`, imported even where the compiled operators of torchvision do not load.

    Raises:
        MissingDependencyError: when it is not there.
    """
    try:
        stand_in_for_operators()  # timm imports torchvision
        import timm
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError.of(
            "timm", needed_for=needed_for, install="layerwise-vision[timm]"
        ) from error
    module: ModuleType = timm
    return module


class TimmBody(Module):
    """A model of timm without its head: (B, C, H, W) to (B, F, h, w), or (B, F) of some.

    One pass of noise shows whether its features are a map that a head can pool; timm pools those
    of others, of transformers for example.

    Args:
        model: has the methods `forward_features` and `forward_head`, as all models of timm do.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.has_map = True
        config: Any = model.default_cfg
        size = fixed_size(config)
        out = run_noise(self, size)
        if not isinstance(out, Tensor) or out.ndim != 4 or out.shape[1] != model.num_features:
            self.has_map = False
            out = run_noise(self, size)
        self.num_features = int(out.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        model: Any = self.model
        features = model.forward_features(x)
        result: Tensor = features if self.has_map else model.forward_head(features, pre_logits=True)
        return result


def fixed_size(config: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width that a model of timm was made for; None where it takes any.

    Args:
        config: what timm tells of it, its `default_cfg`.
    """
    if config.get("fixed_input_size") or config.get("pool_size") is None:
        _, height, width = config.get("input_size", (3, _SIDE, _SIDE))
        return height, width
    return None


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
    model = _timm_model(arch, pretrained=pretrained, num_classes=0, in_chans=n_in)
    body = TimmBody(model)
    full = add_head(
        body,
        body.num_features,
        n_out,
        init=init,
        head=custom_head,
        pool=pool and body.has_map,
        concat_pool=concat_pool,
        **kwargs,
    )
    config: Any = model.default_cfg
    return full, dict(config)


def timm_maps(arch: str, pretrained: bool = True, n_in: int = 3) -> tuple[nn.Module, Any]:
    """A model of timm that returns its maps, largest first, and timm's description of it.

    Args:
        arch: name that timm knows.
        pretrained: load the weights that timm has.
        n_in: channels of the input.

    Raises:
        MissingDependencyError: when timm is not there.
        ValueError: when timm has no model of that name, or it gives no maps.
    """
    try:
        model = _timm_model(arch, pretrained=pretrained, features_only=True, in_chans=n_in)
    except (AttributeError, RuntimeError, AssertionError) as error:
        raise ValueError(
            f"timm gives no maps of {arch!r}, which a decoder needs ({error}); take a "
            "convolutional net, such as 'resnet34' or 'timm/convnext_atto'"
        ) from error
    from timm.models import get_pretrained_cfg

    config: Any = get_pretrained_cfg(arch)
    return model, dict(config.to_dict())


def refuse_for_timm(arch: str, weights: Any, cut: Any) -> None:
    """Nothing, or an error where settings are given that models of timm do not take."""
    for name, given in (("weights", weights), ("cut", cut)):
        if given is not None:
            raise ValueError(
                f"{name}= is not for models of timm, such as {arch!r}: its weights are chosen by "
                "the tag behind the name ('resnet50.a1_in1k'), and its bodies end where timm says"
            )


def _timm_model(arch: str, **settings: Any) -> nn.Module:
    try:
        timm: Any = timm_module(f"architectures of timm (such as {arch!r})")
        if not timm.is_model(arch):
            raise ValueError(f"timm has no model {arch!r}.{nearest(arch, timm.list_models())}")
    except (ImportError, ValueError) as error:
        if names("model", f"vision/{arch}"):
            error.add_note(f"layerwise has a model of that name: 'vision/{arch}'.")
        if close := nearest(arch, TORCHVISION):
            error.add_note(f"Of torchvision's:{close}")
        raise
    model: nn.Module = timm.create_model(arch, **settings)
    return model
