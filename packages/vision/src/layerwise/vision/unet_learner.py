"""`unet_learner`: a trained body, a decoder on its maps, and what belongs to them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.learner import Learner
from layerwise.core.nn.norm import NormType
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.vision.fit_to_data import add_norm, check_channels, outputs_of
from layerwise.vision.models.head import Cut
from layerwise.vision.models.mapped_body import mapped_body
from layerwise.vision.models.meta import ModelMeta
from layerwise.vision.models.network import Arch, record_network, resolved
from layerwise.vision.models.unet import DynamicUnet, UnetSplit
from layerwise.vision.models.zoo import Weights

__all__ = ["create_unet_model", "unet_learner"]


@names_nearest
def unet_learner(
    dls: Any,
    arch: Arch,
    normalize: bool = True,
    n_out: int | None = None,
    pretrained: bool = True,
    weights: Weights = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice = 1e-3,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    cut: Cut | None = None,
    img_size: tuple[int, int] | None = None,
    blur: bool = False,
    blur_final: bool = True,
    self_attention: bool = False,
    y_range: tuple[float, float] | None = None,
    last_cross: bool = True,
    bottle: bool = False,
    act_cls: Callable[[], nn.Module] = nn.ReLU,
    init: Callable[[Tensor], object] | None = nn.init.kaiming_normal_,
    norm_type: NormType | None = NormType.Batch,
    n_in: int = 3,
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> Learner:
    """A learner with a `DynamicUnet` over the body of `arch`; a pretrained body is frozen.

    For targets as large as the picture: classes of pixels, or another picture.

    Args:
        dls: loaders of pictures and masks, or of pictures and pictures.
        arch: a function that builds a network, or a name, see `vision_learner`; of timm those that
            give their maps.
        normalize: normalise batches by the statistics that the weights were trained with.
        n_out: channels of the output; for masks counted on their codes when None.
        pretrained: start from trained weights.
        weights: which ones, see `Weights`; the first that torchvision has when None.
        loss_func: see `Learner`, as is all from here to `moms`.
        opt_func: makes the optimizer.
        lr: default learning rate.
        splitter: parameter groups; the two halves of the body and the decoder when None.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        cut: where the body ends, see `create_body`; known for known architectures.
        img_size: see `DynamicUnet`, as is all from here to `norm_type`.
        blur: average neighbouring pixels of what was enlarged.
        blur_final: in the last block, too.
        self_attention: attention in the third block from the end.
        y_range: bounds of the output.
        last_cross: join the picture itself to the last map.
        bottle: make the residual block that does so narrow inside.
        act_cls: makes the activations.
        init: sets the weights of the decoder.
        norm_type: how to normalise in the decoder, or None.
        n_in: channels of the pictures.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        ValueError: when the number of outputs is not known, the pictures have not `n_in` channels,
            `arch` has no weights to start from, or it gives no maps.
    """
    n_out = outputs_of(dls) if n_out is None else n_out
    check_channels(dls, n_in)
    model, meta = _described_unet(
        arch, n_out, img_size, pretrained, weights, cut, n_in,
        blur=blur, blur_final=blur_final, self_attention=self_attention, y_range=y_range,
        last_cross=last_cross, bottle=bottle, act_cls=act_cls, init=init, norm_type=norm_type,
    )  # fmt: skip
    if normalize and pretrained and meta.stats is not None:
        add_norm(dls, meta.stats, n_in)
    learn = Learner(
        dls=dls, model=model, loss_func=loss_func, opt_func=opt_func, lr=lr,
        splitter=splitter or UnetSplit(), cbs=cbs, metrics=metrics, path=path,
        model_dir=model_dir, wd=wd, wd_bn_bias=wd_bn_bias, train_bn=train_bn, moms=moms,
        compile=compile,
    )  # fmt: skip
    if pretrained:
        learn.freeze()
    return learn


def create_unet_model(
    arch: Arch,
    n_out: int,
    img_size: tuple[int, int] | None = None,
    pretrained: bool = True,
    weights: Weights = None,
    cut: Cut | None = None,
    n_in: int = 3,
    **kwargs: Any,
) -> DynamicUnet:
    """The model of `unet_learner`: (B, n_in, H, W) to (B, n_out, H, W).

    Args:
        arch: see `unet_learner`, as are all that follow.
        n_out: channels of the output.
        img_size: height and width, for a body that takes one size only.
        pretrained: start from trained weights.
        weights: which ones.
        cut: where the body ends.
        n_in: channels of the pictures.
        kwargs: settings of `DynamicUnet`; unknown ones are refused by it.

    Example:
        >>> import torch
        >>> net = create_unet_model("vision/xresnet18", 4, pretrained=False)
        >>> net(torch.zeros(1, 3, 40, 56)).shape
        torch.Size([1, 4, 40, 56])
    """
    model, _ = _described_unet(arch, n_out, img_size, pretrained, weights, cut, n_in, **kwargs)
    return model


def _described_unet(
    arch: Arch,
    n_out: int,
    img_size: tuple[int, int] | None,
    pretrained: bool,
    weights: Weights,
    cut: Cut | None,
    n_in: int,
    **kwargs: Any,
) -> tuple[DynamicUnet, ModelMeta]:
    """The model, and what is known of its architecture."""
    arch = resolved(arch)
    body, meta = mapped_body(arch, pretrained, weights, cut, n_in)
    size = (meta.size, meta.size) if img_size is None and meta.size is not None else img_size
    model = DynamicUnet(body, n_out, size, **kwargs)
    record_network(
        model, create_unet_model, arch, n_out=n_out, img_size=img_size, pretrained=pretrained,
        weights=weights, cut=cut, n_in=n_in, **kwargs,
    )  # fmt: skip
    return model, meta
