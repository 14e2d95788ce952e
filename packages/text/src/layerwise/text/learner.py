"""`language_model_learner` and `text_classifier_learner`: transfer learning for texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from torch import nn

from layerwise.core.errors import names_nearest, warn_user
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.category import get_c
from layerwise.text.data_facts import is_backwards, is_lm, labels_of, pad_idx_of, vocab_of
from layerwise.text.hugging_face.groups import hugging_face_lm_split, hugging_face_split
from layerwise.text.hugging_face.library import is_config
from layerwise.text.hugging_face.loading import (
    hugging_face_classifier,
    hugging_face_writer,
    is_hugging_face,
)
from layerwise.text.lm_learner import LMLearner
from layerwise.text.models.archs import Arch, text_arch
from layerwise.text.models.classifier import get_text_classifier
from layerwise.text.models.language_model import get_language_model
from layerwise.text.text_learner import TextLearner

__all__ = ["language_model_learner", "text_classifier_learner"]

Moms = tuple[float, float, float]
Split = Callable[[nn.Module], list[list[nn.Parameter]]]
_MOMS: Moms = (0.8, 0.7, 0.8)  # of ULMFiT (Howard and Ruder, 2018)
_MOMS_OF_TRANSFORMERS: Moms = (0.95, 0.85, 0.95)  # as of Learner
_LR, _LR_OF_TRAINED = 1e-3, 5e-5  # the second of Devlin et al. (2019)


@names_nearest
def language_model_learner(
    dls: Any,
    arch: Arch | Any,
    config: Mapping[str, Any] | None = None,
    drop_mult: float = 1.0,
    backwards: bool = False,
    pretrained: bool = True,
    pretrained_fnames: Sequence[str | Path] | None = None,
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
    moms: Moms | None = None,
    alpha: float = 2.0,
    beta: float = 1.0,
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> LMLearner:
    """A learner with a language model for the vocabulary of `dls`.

    Args:
        dls: loaders of a language model: of `TextBlock(..., is_lm=True)`, or `TextDataLoaders`
            with `is_lm=True`.
        arch: an encoder, such as `AWD_LSTM`, or its name in the registry; or of transformers a
            model, its config (for weights that are drawn), its folder or its name on this computer,
            or `Pretrained`. For these the settings of recurrent models are refused, and all of a
            trained model is trained from the beginning, unless `fine_tune` or `freeze` are called.
        config: settings that differ from those of the architecture.
        drop_mult: factor of all dropout.
        backwards: the model reads from the end, as the loaders have to.
        pretrained: start from trained weights, and freeze all but the embedding. They are those of
            `pretrained_fnames`: none are fetched.
        pretrained_fnames: files of weights and of their words, see `TextLearner.load_pretrained`.
        loss_func: cross entropy when None.
        opt_func: makes the optimizer.
        lr: default learning rate; 1e-3 when None, and 5e-5 for a trained model of transformers.
        splitter: parameter groups; a layer each, the embedding last, when None.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle; when None that of ULMFiT, for transformers that of `Learner`.
        alpha: see `TextLearner`.
        beta: see `TextLearner`.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        TypeError: if the loaders are none of texts; for an unknown setting in `config`.
        ValueError: if they are those of a classifier, or read in the other direction.
        ModelFileError: if the files of `pretrained_fnames` are missing or do not fit.
    """
    vocab = vocab_of(dls)
    if not is_lm(dls):
        raise ValueError(
            "these loaders are those of a classifier; make them with is_lm=True, or use "
            "text_classifier_learner"
        )
    _check_direction(dls, backwards)
    is_foreign = is_hugging_face(arch)
    if is_foreign:
        _refuse_recurrent(
            language_model_learner, drop_mult=drop_mult, alpha=alpha, beta=beta,
            pretrained_fnames=pretrained_fnames,
        )  # fmt: skip
        model: nn.Module = hugging_face_writer(arch, vocab, pretrained=pretrained, config=config)
        split: Split = hugging_face_lm_split
        alpha = beta = 0.0  # it gives no activations
    else:
        model = get_language_model(arch, len(vocab), config, drop_mult)
        split = text_arch(arch).lm_split
    learn = LMLearner(
        dls, model, alpha, beta, moms or (_MOMS_OF_TRANSFORMERS if is_foreign else _MOMS),
        CrossEntropyLossFlat() if loss_func is None else loss_func, opt_func,
        _rate(lr, arch, is_trained=is_foreign and pretrained), splitter or split, cbs, metrics,
        path, model_dir, wd, wd_bn_bias, train_bn, compile=compile,
    )  # fmt: skip
    if not is_foreign:
        _start(learn, pretrained, pretrained_fnames, "language_model_learner")
    return learn


@names_nearest
def text_classifier_learner(
    dls: Any,
    arch: Arch | Any,
    seq_len: int = 72,
    config: Mapping[str, Any] | None = None,
    backwards: bool = False,
    pretrained: bool = True,
    drop_mult: float = 0.5,
    n_out: int | None = None,
    lin_ftrs: Sequence[int] | None = None,
    ps: Sequence[float] | None = None,
    max_len: int | None = 72 * 20,
    y_range: tuple[float, float] | None = None,
    pretrained_fnames: Sequence[str | Path] | None = None,
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
    moms: Moms | None = None,
    alpha: float = 2.0,
    beta: float = 1.0,
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> TextLearner:
    """A learner with a classifier, or a regressor, of the texts of `dls`.

    Args:
        dls: loaders of texts and their targets.
        arch: an encoder, such as `AWD_LSTM`, or its name in the registry; or of transformers a
            model, its config (for weights that are drawn), its folder or its name on this computer,
            or `Pretrained`. For these the settings of recurrent models are refused, and all of a
            trained model is trained from the beginning, unless `fine_tune` or `freeze` are called.
        seq_len: tokens that the encoder reads at a time.
        config: settings that differ from those of the architecture.
        backwards: the model reads from the end, as the loaders have to.
        pretrained: start from a trained language model, and freeze all but the head. It is that of
            `pretrained_fnames`: none is fetched. One of your own is loaded by `load_encoder`.
        drop_mult: factor of all dropout.
        n_out: outputs; as many as the targets need when None.
        lin_ftrs: features of layers in the head; one of 50 when None.
        ps: shares of features hidden behind each of them; 0.1 each when None.
        max_len: tokens at the end of a text that count; all when None.
        y_range: (low, high) that outputs are squashed into.
        pretrained_fnames: files of weights and of their words, see `TextLearner.load_pretrained`.
        loss_func: that of the targets when None.
        opt_func: makes the optimizer.
        lr: default learning rate; 1e-3 when None, and 5e-5 for a trained model of transformers.
        splitter: parameter groups; the embedding, a layer each, the head, when None.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle; when None that of ULMFiT, for transformers that of `Learner`.
        alpha: see `TextLearner`.
        beta: see `TextLearner`.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        TypeError: if the loaders are none of texts; for an unknown setting in `config`.
        ValueError: if they are those of a language model, read in the other direction, or the
            number of outputs is not known.
        ModelFileError: if the files of `pretrained_fnames` are missing or do not fit.
    """
    vocab = vocab_of(dls)
    if is_lm(dls):
        raise ValueError(
            "these loaders are those of a language model; make them without is_lm, with a target, "
            "or use language_model_learner"
        )
    _check_direction(dls, backwards)
    n_out = get_c(dls) if n_out is None else n_out
    if not n_out:
        raise ValueError("the data do not say how many outputs their targets need; pass n_out=")
    is_foreign = is_hugging_face(arch)
    if is_foreign:
        _refuse_recurrent(
            text_classifier_learner, seq_len=seq_len, drop_mult=drop_mult, lin_ftrs=lin_ftrs, ps=ps,
            max_len=max_len, alpha=alpha, beta=beta, pretrained_fnames=pretrained_fnames,
        )  # fmt: skip
        model: nn.Module = hugging_face_classifier(
            arch, n_out, vocab, pad_idx_of(dls), labels=labels_of(dls), pretrained=pretrained,
            config=config, y_range=y_range,
        )  # fmt: skip
        split: Split = hugging_face_split
        alpha = beta = 0.0  # it gives no activations
    else:
        model = get_text_classifier(
            arch, len(vocab), n_out, seq_len, config, drop_mult, lin_ftrs, ps, pad_idx_of(dls),
            max_len, y_range,
        )  # fmt: skip
        split = text_arch(arch).clas_split
    learn = TextLearner(
        dls, model, alpha, beta, moms or (_MOMS_OF_TRANSFORMERS if is_foreign else _MOMS),
        loss_func, opt_func, _rate(lr, arch, is_trained=is_foreign and pretrained),
        splitter or split, cbs, metrics, path, model_dir, wd, wd_bn_bias, train_bn, compile=compile,
    )  # fmt: skip
    if not is_foreign:
        _start(learn, pretrained, pretrained_fnames, "text_classifier_learner")
    return learn


def _refuse_recurrent(learner: Callable[..., Any], **given: Any) -> None:
    """Refuse settings that a model of transformers does not have."""
    usual = signature(learner).parameters
    meant = [name for name, value in given.items() if value != usual[name].default]
    if meant:
        raise ValueError(
            f"{', '.join(meant)} is a setting of the recurrent models, which a model of "
            "transformers does not have; leave it out. What such a model has goes to config={...}, "
            "and the longest text to HuggingFaceTokenizer(..., max_len=...)"
        )


def _rate(lr: float | slice | None, arch: Any, *, is_trained: bool) -> float | slice:
    if lr is not None:
        return lr
    return _LR_OF_TRAINED if is_trained and not is_config(arch) else _LR


def _check_direction(dls: Any, backwards: bool) -> None:
    if backwards and not is_backwards(dls):
        raise ValueError(
            "backwards=True, and these loaders read from the beginning; make them with "
            "backwards=True too"
        )


def _start(
    learn: TextLearner, pretrained: bool, fnames: Sequence[str | Path] | None, caller: str
) -> None:
    """Load trained weights, if there are some."""
    if fnames is not None:
        if not pretrained or len(fnames) != 2 or isinstance(fnames, str):
            raise ValueError(
                f"pretrained_fnames={fnames!r:.100}, pretrained={pretrained}; give the file of the "
                "weights and that of their words, and leave pretrained=True"
            )
        weights, words = fnames
        learn.load_pretrained(weights, words)
    elif pretrained:
        warn_user(
            f"{caller}: no weights are fetched, so the model starts from random numbers. Pass "
            "pretrained_fnames=(weights, words) for files that you have, or load_encoder one of "
            "your own; pretrained=False says that nothing else is meant"
        )
