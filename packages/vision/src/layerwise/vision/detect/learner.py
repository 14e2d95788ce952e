"""`detection_learner`: a trained body, a pyramid and subnets on it, and what belongs to them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from layerwise.core.errors import names_nearest
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.vision.detect.anchors import Anchors
from layerwise.vision.detect.loss import RetinaLoss
from layerwise.vision.detect.model import RetinaNet, RetinaSplit
from layerwise.vision.fit_to_data import add_norm, check_channels
from layerwise.vision.models.head import Cut
from layerwise.vision.models.mapped_body import mapped_body
from layerwise.vision.models.meta import ModelMeta
from layerwise.vision.models.network import Arch, record_network, resolved
from layerwise.vision.models.zoo import Weights

__all__ = ["create_detection_model", "detection_learner"]

Splitter = Callable[[nn.Module], Any]


@names_nearest
def detection_learner(
    dls: Any,
    arch: Arch,
    normalize: bool = True,
    n_classes: int | None = None,
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
    anchors: Anchors | None = None,
    width: int = 128,
    depth: int = 2,
    finest: int = 8,
    levels: int = 5,
    n_in: int = 3,
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> Learner:
    """A learner that finds boxes and their classes, a `RetinaNet` on the body of `arch`.

    The loss function, a `RetinaLoss`, also says which boxes are shown, predicted and measured:
    `learn.loss_func.threshold = 0.3` shows less sure ones. A pretrained body is frozen; `fine_tune`
    trains the rest for an epoch before it trains all. Predictions are not averaged over augmented
    pictures: `tta` has no meaning for lists of boxes.

    Args:
        dls: loaders of pictures, boxes and labels, such as those of a `DataBlock` with blocks
            `(ImageBlock, BBoxBlock, BBoxLblBlock)` and `n_inp=1`.
        arch: see `vision_learner`; a convolutional one.
        normalize: normalise batches by the statistics that the weights were trained with.
        n_classes: classes without the background; those of the vocabulary when None.
        pretrained: start from trained weights.
        weights: see `vision_learner`.
        loss_func: `RetinaLoss()` when None.
        opt_func: see `Learner`, as is all from here to `moms`.
        lr: default learning rate.
        splitter: parameter groups; `RetinaSplit` when None.
        cbs: callbacks.
        metrics: metrics, such as `MeanAP()`.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        cut: where the body ends, see `create_body`.
        anchors: sizes and shapes of boxes to start from, `Anchors()` when None; larger ones where
            pictures are large and nothing in them is small.
        width: see `RetinaNet`.
        depth: see `RetinaNet`.
        finest: see `RetinaNet`.
        levels: see `RetinaNet`.
        n_in: channels of the pictures.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        ValueError: when the classes are not known, or `arch` has no weights to start from.
    """
    n_classes = _classes(dls) if n_classes is None else n_classes
    check_channels(dls, n_in)
    model, meta = _described_model(
        arch, n_classes, pretrained, weights, cut, n_in,
        anchors=anchors, width=width, depth=depth, finest=finest, levels=levels,
    )  # fmt: skip
    if normalize and pretrained and meta.stats is not None:
        add_norm(dls, meta.stats, n_in)
    learn = Learner(
        dls=dls, model=model, loss_func=RetinaLoss() if loss_func is None else loss_func,
        opt_func=opt_func, lr=lr, splitter=splitter or RetinaSplit(), cbs=cbs, metrics=metrics,
        path=path, model_dir=model_dir, wd=wd, wd_bn_bias=wd_bn_bias, train_bn=train_bn, moms=moms,
        compile=compile,
    )  # fmt: skip
    if pretrained:
        learn.freeze()
    return learn


@names_nearest
def create_detection_model(
    arch: Arch,
    n_classes: int,
    pretrained: bool = True,
    weights: Weights = None,
    cut: Cut | None = None,
    n_in: int = 3,
    *,
    anchors: Anchors | None = None,
    width: int = 128,
    depth: int = 2,
    finest: int = 8,
    levels: int = 5,
) -> RetinaNet:
    """The model of `detection_learner`: a `RetinaNet` on the body of `arch`.

    Args:
        arch: see `vision_learner`, as are all up to `n_in`.
        n_classes: classes without the background.
        pretrained: start from trained weights.
        weights: which ones.
        cut: where the body ends.
        n_in: channels of the pictures.
        anchors: see `RetinaNet`, as are all that follow.
        width: channels of pyramid and subnets.
        depth: layers of the subnets before the last.
        finest: pixels from place to place of the largest map.
        levels: maps.
    """
    model, _ = _described_model(
        arch, n_classes, pretrained, weights, cut, n_in,
        anchors=anchors, width=width, depth=depth, finest=finest, levels=levels,
    )  # fmt: skip
    return model


def _described_model(
    arch: Arch,
    n_classes: int,
    pretrained: bool,
    weights: Weights,
    cut: Cut | None,
    n_in: int,
    **kwargs: Any,
) -> tuple[RetinaNet, ModelMeta]:
    """The model, and what is known of its architecture."""
    arch = resolved(arch)
    body, meta = mapped_body(arch, pretrained, weights, cut, n_in)
    size = None if meta.size is None else (meta.size, meta.size)
    model = RetinaNet(body, n_classes, img_size=size, **kwargs)
    record_network(
        model, create_detection_model, arch, n_classes=n_classes, pretrained=pretrained,
        weights=weights, cut=cut, n_in=n_in, **kwargs,
    )  # fmt: skip
    return model, meta


def _classes(dls: Any) -> int:
    """The names in the vocabulary of the data besides that of the background."""
    vocab = getattr(dls, "vocab", None)
    if vocab is not None and len(vocab) and not isinstance(vocab[-1], str):
        vocab = vocab[-1]  # of several vocabularies, that of the last target
    if vocab is None or len(vocab) < 2 or vocab[0] != "#na#":
        raise ValueError(
            "the data do not say which classes boxes have (their vocabulary would begin with "
            f"'#na#', and is {vocab!r:.100}); give the DataBlock the blocks (ImageBlock, "
            "BBoxBlock, BBoxLblBlock) and n_inp=1, or pass n_classes= for labels that go from 1"
        )
    return len(vocab) - 1
