"""`vision_learner`: a trained body, a new head, and what belongs to them."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.vision.fit_to_data import add_norm, check_channels, outputs_of
from layerwise.vision.models.bodies import features_of
from layerwise.vision.models.head import Cut, add_head, create_body
from layerwise.vision.models.meta import ModelMeta, meta_of
from layerwise.vision.models.network import (
    Arch,
    is_torchvision,
    network_of,
    record_network,
    resolved,
)
from layerwise.vision.models.timm_models import create_timm_model, refuse_for_timm
from layerwise.vision.models.zoo import Weights

__all__ = ["cnn_learner", "create_cnn_model", "create_vision_model", "vision_learner"]

Splitter = Callable[[nn.Module], Any]


@names_nearest
def vision_learner(
    dls: Any,
    arch: Arch,
    normalize: bool = True,
    n_out: int | None = None,
    pretrained: bool = True,
    weights: Weights = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice = 1e-3,
    splitter: Splitter | None = None,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    cut: Cut | None = None,
    init: Callable[[Tensor], object] | None = nn.init.kaiming_normal_,
    custom_head: nn.Module | None = None,
    concat_pool: bool = True,
    pool: bool = True,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: tuple[float, float] | None = None,
    n_in: int = 3,
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> Learner:
    """A learner with the body of `arch` and a new head; a pretrained body is frozen.

    Args:
        dls: loaders of pictures.
        arch: a function that builds a network (of ours, of torchvision, your own), or a name: of
            torchvision ("resnet34"), of a registered model ("vision/xresnet34"), else of timm.
        normalize: normalise batches by the statistics that the weights were trained with.
        n_out: outputs; counted on the data when None.
        pretrained: start from trained weights.
        weights: which ones, see `Weights`; the first that torchvision has when None.
        loss_func: see `Learner`, as is all from here to `moms`.
        opt_func: makes the optimizer.
        lr: default learning rate.
        splitter: parameter groups; the two halves of the body and the head when None.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        cut: where the body ends, see `create_body`; known for known architectures.
        init: sets the weights of the head.
        custom_head: a head in place of `create_head`; what follows to `y_range` is for that one.
        concat_pool: see `create_head`.
        pool: see `create_head`.
        lin_ftrs: see `create_head`.
        ps: see `create_head`.
        first_bn: see `create_head`.
        bn_final: see `create_head`.
        lin_first: see `create_head`.
        y_range: see `create_head`.
        n_in: channels of the pictures.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        ValueError: when the number of outputs is not known, the pictures have not `n_in` channels,
            or `arch` has no weights to start from.
    """
    n_out = outputs_of(dls) if n_out is None else n_out
    check_channels(dls, n_in)
    model, meta = _described_model(
        arch, n_out, pretrained, weights, cut, n_in, init, custom_head,
        concat_pool=concat_pool, pool=pool, lin_ftrs=lin_ftrs, ps=ps, first_bn=first_bn,
        bn_final=bn_final, lin_first=lin_first, y_range=y_range,
    )  # fmt: skip
    if normalize and pretrained and meta.stats is not None:
        add_norm(dls, meta.stats, n_in)
    learn = Learner(
        dls=dls, model=model, loss_func=loss_func, opt_func=opt_func, lr=lr,
        splitter=splitter or meta.split, cbs=cbs, metrics=metrics, path=path, model_dir=model_dir,
        wd=wd, wd_bn_bias=wd_bn_bias, train_bn=train_bn, moms=moms, compile=compile,
    )  # fmt: skip
    if pretrained:
        learn.freeze()
    return learn


def create_vision_model(
    arch: Arch,
    n_out: int,
    pretrained: bool = True,
    weights: Weights = None,
    cut: Cut | None = None,
    n_in: int = 3,
    init: Callable[[Tensor], object] | None = nn.init.kaiming_normal_,
    custom_head: nn.Module | None = None,
    **kwargs: Any,
) -> nn.Sequential:
    """The model of `vision_learner`: a body and a head, (B, n_in, H, W) to (B, n_out).

    Args:
        arch: see `vision_learner`, as are all that follow.
        n_out: outputs.
        pretrained: start from trained weights.
        weights: which ones.
        cut: where the body ends.
        n_in: channels of the pictures.
        init: sets the weights of the head.
        custom_head: a head in place of `create_head`.
        kwargs: settings of `create_head`; unknown ones are refused by it.
    """
    model, _ = _described_model(
        arch, n_out, pretrained, weights, cut, n_in, init, custom_head, **kwargs
    )
    return model


def _described_model(
    arch: Arch,
    n_out: int,
    pretrained: bool,
    weights: Weights,
    cut: Cut | None,
    n_in: int,
    init: Callable[[Tensor], object] | None,
    custom_head: nn.Module | None,
    **kwargs: Any,
) -> tuple[nn.Sequential, ModelMeta]:
    """The model, and what is known of its architecture."""
    arch = resolved(arch)
    model, meta = _body_and_head(
        arch, n_out, pretrained, weights, cut, n_in, init, custom_head, **kwargs
    )
    record_network(
        model, create_vision_model, arch, n_out=n_out, pretrained=pretrained, weights=weights,
        cut=cut, n_in=n_in, init=init, custom_head=custom_head, **kwargs,
    )  # fmt: skip
    return model, meta


def _body_and_head(
    arch: Arch,
    n_out: int,
    pretrained: bool,
    weights: Weights,
    cut: Cut | None,
    n_in: int,
    init: Callable[[Tensor], object] | None,
    custom_head: nn.Module | None,
    *,
    pool: bool = True,
    **kwargs: Any,
) -> tuple[nn.Sequential, ModelMeta]:
    if isinstance(arch, str) and not is_torchvision(arch):
        refuse_for_timm(arch, weights, cut)
        model, cfg = create_timm_model(
            arch.removeprefix("timm/"), n_out, pretrained, n_in, init, custom_head, pool=pool,
            **kwargs,
        )  # fmt: skip
        return model, ModelMeta(stats=(list(cfg["mean"]), list(cfg["std"])))
    meta = meta_of(arch)
    network = network_of(arch, pretrained, weights)
    body = create_body(network, n_in, pretrained, meta.cut if cut is None else cut)
    nf, is_map = features_of(body, meta.size)
    full = add_head(body, nf, n_out, init=init, head=custom_head, pool=pool and is_map, **kwargs)
    return full, meta


def create_cnn_model(*args: Any, **kwargs: Any) -> nn.Sequential:
    """`create_vision_model`, under its old name; leaves with version 0.2."""
    _deprecated("create_cnn_model", "create_vision_model")
    return create_vision_model(*args, **kwargs)


def cnn_learner(*args: Any, **kwargs: Any) -> Learner:
    """`vision_learner`, under its old name; leaves with version 0.2."""
    _deprecated("cnn_learner", "vision_learner")
    return vision_learner(*args, **kwargs)


def _deprecated(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is called {new} now; {old} leaves with version 0.2",
        DeprecationWarning,
        stacklevel=3,
    )
