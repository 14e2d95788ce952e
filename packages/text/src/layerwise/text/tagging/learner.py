"""`token_classifier_learner`: a model of transformers that labels words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from layerwise.core.errors import names_nearest
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.text.data_facts import labels_of, pad_idx_of, vocab_of
from layerwise.text.hugging_face.groups import hugging_face_split
from layerwise.text.hugging_face.library import is_config
from layerwise.text.hugging_face.loading import hugging_face_classifier
from layerwise.text.text_learner import TextLearner

__all__ = ["token_classifier_learner"]

_LR, _LR_OF_TRAINED = 1e-3, 5e-5  # the second of Devlin et al. (2019)


@names_nearest
def token_classifier_learner(
    dls: Any,
    arch: Any,
    config: Mapping[str, Any] | None = None,
    pretrained: bool = True,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice | None = None,
    splitter: Callable[[nn.Module], Any] | None = None,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> TextLearner:
    """A learner that labels the words of texts; `predict` gives words with their labels.

    Args:
        dls: loaders of sentences, see `TokenDataLoaders`.
        arch: of transformers a model for tokens, its config (for weights that are drawn), its
            folder or its name on this computer, or `Pretrained`.
        config: settings of the configuration that are to differ.
        pretrained: load the weights of a folder or a name.
        loss_func: that of the labels when None.
        opt_func: makes the optimizer.
        lr: default learning rate; 1e-3 when None, and 5e-5 for a trained model.
        splitter: parameter groups; the embedding, a block each, the head, when None.
        cbs: callbacks.
        metrics: metrics, such as `tag_accuracy` and `EntityF1`.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        TypeError: if the loaders are none of texts, or the model is of another kind.
        ValueError: if the loaders know no labels; else as `hugging_face_classifier`.
    """
    labels = labels_of(dls)
    if not labels:
        raise ValueError("the data have no labels of words; make them by TokenDataLoaders")
    model = hugging_face_classifier(
        arch, len(labels), vocab_of(dls), pad_idx_of(dls), task="token", labels=labels,
        pretrained=pretrained, config=config,
    )  # fmt: skip
    usual = _LR_OF_TRAINED if pretrained and not is_config(arch) else _LR
    return TextLearner(
        dls, model, 0, 0, moms, loss_func, opt_func, usual if lr is None else lr,
        splitter or hugging_face_split, cbs, metrics, path, model_dir, wd, wd_bn_bias, train_bn,
        compile=compile,
    )  # fmt: skip
