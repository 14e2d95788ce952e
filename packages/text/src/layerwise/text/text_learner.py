"""`TextLearner`: a learner for models of text, which share encoders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from layerwise.core.callback.rnn import rnn_cbs
from layerwise.core.errors import names_nearest
from layerwise.core.items import listify
from layerwise.core.learner import Learner
from layerwise.core.nn.module import get_model
from layerwise.core.nn.walk import trainable_params
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint import ModelFileError, load_weights
from layerwise.text.data_facts import steps_of, vocab_of
from layerwise.text.encoder_file import read_encoder, write_encoder
from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.hugging_face.writer import HuggingFaceWriter
from layerwise.text.models.classifier import SentenceEncoder
from layerwise.text.models.encoder import TextEncoder
from layerwise.text.models.match import (
    clean_raw_keys,
    load_model_text,
    load_pretrained_weights,
    match_embeds,
    read_vocab,
)

__all__ = ["TextLearner"]


class TextLearner(Learner):
    """A `Learner` for models with a memory and an encoder that others can take over.

    It adds what recurrent models train with: `ModelResetter`, `RNNCallback` and `RNNRegularizer`,
    where they are not among `cbs` already. So the model needs `reset()`.

    Args:
        dls: see `Learner`, as is all that is not named here.
        model: `SequentialRNN(encoder, head)` as `get_language_model` and `get_text_classifier` make
            it; a model of transformers as `hugging_face_classifier` and `hugging_face_writer` do;
            or one of your own, for which there is no encoder to save.
        alpha: weight of large activations in the loss, see `RNNRegularizer`.
        beta: weight of their fast changes.
        moms: momentum over a cycle; less than elsewhere, as for ULMFiT (Howard and Ruder, 2018).
        loss_func: the loss function.
        opt_func: makes the optimizer.
        lr: default learning rate.
        splitter: parameter groups.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        default_cbs: add the usual callbacks.
        compile: run the model through `torch.compile`.
    """

    @names_nearest
    def __init__(
        self,
        dls: Any,
        model: nn.Module,
        alpha: float = 2.0,
        beta: float = 1.0,
        moms: tuple[float, float, float] = (0.8, 0.7, 0.8),
        loss_func: Callable[..., Any] | None = None,
        opt_func: Callable[..., BaseOptimizer | torch.optim.Optimizer] = Adam,
        lr: float | slice = 1e-3,
        splitter: Callable[[nn.Module], Any] = trainable_params,
        cbs: Callback | Iterable[Callback] | None = None,
        metrics: Any = None,
        path: str | Path | None = None,
        model_dir: str = "models",
        wd: float | None = None,
        wd_bn_bias: bool = False,
        train_bn: bool = True,
        default_cbs: bool = True,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
    ) -> None:
        given = [cb() if isinstance(cb, type) else cb for cb in listify(cbs)]
        known = {type(cb) for cb in given}
        own = [cb for cb in rnn_cbs(alpha, beta) if type(cb) not in known]
        super().__init__(
            dls, model, loss_func, opt_func, lr, splitter, [*own, *given], metrics, path,
            model_dir, wd, wd_bn_bias, train_bn, moms, default_cbs, compile,
        )  # fmt: skip

    # -- the encoder -----------------------------------------------------------------------

    @property
    def encoder(self) -> Any:
        """What of the model reads texts: a `TextEncoder`, or of transformers all below the head.

        Raises:
            TypeError: if the model is of another kind.
        """
        model = get_model(self.model)
        if isinstance(model, HuggingFaceModel | HuggingFaceWriter):
            return model.body
        first = model[0] if isinstance(model, nn.Sequential) and len(model) else None
        found = first.module if isinstance(first, SentenceEncoder) else first
        if not isinstance(found, TextEncoder):
            raise TypeError(
                f"{type(model).__name__} has no encoder that another model could take over; models "
                "of get_language_model and get_text_classifier have one"
            )
        return found

    def save_encoder(self, file: str | Path) -> Path:
        """Write the encoder, and its vocabulary, to `path/model_dir/file`. Returns the path.

        Args:
            file: the suffix `.safetensors` is added when there is none.
        """
        return write_encoder(self._model_path(file), self.encoder, self._vocab())

    def load_encoder(self, file: str | Path) -> Self:
        """Read what `save_encoder` wrote, and freeze all but the head.

        Where this vocabulary is another one, each word that both have keeps its embedding, and new
        ones start with the mean of all.

        Args:
            file: as given to `save_encoder`; or the `.pth` of an encoder that fastai saved, for
                the same vocabulary.

        Raises:
            ModelFileError: if the file is missing or of another kind, or belongs to another
                architecture; then the model stays as it was.
        """
        path = self._model_path(file)
        weights, vocab = read_encoder(path)
        self._take_encoder(path, weights, vocab)
        return self

    def load_pretrained(
        self, wgts_fname: str | Path, vocab_fname: str | Path, model: nn.Module | None = None
    ) -> Self:
        """Load a trained language model, fitted to this vocabulary, and freeze all but the head.

        A classifier takes its encoder alone.

        Args:
            wgts_fname: weights by name, such as fast.ai's `lstm_fwd.pth`; in `path/model_dir`
                unless it is a whole path. The ending may be left out, as may that of the next.
            vocab_fname: the words of their rows, such as `itos_wt103.pkl`; see `read_vocab`.
            model: the language model to load into; that of the learner when None.

        Raises:
            ModelFileError: if a file is missing or of another kind, or does not fit; then the
                model stays as it was.
        """
        weights, words = self._file(wgts_fname, ".pth"), self._file(vocab_fname, ".pkl")
        if model is None and self._is_classifier:
            self._take_encoder(weights, _encoder_of(load_weights(weights)), read_vocab(words))
            return self
        target = get_model(self.model) if model is None else model
        load_pretrained_weights(target, weights, words, vocab_of(self.dls))
        self.freeze()
        return self

    def _take_encoder(self, path: Path, weights: Any, vocab: list[str] | None) -> None:
        encoder = self.encoder
        weights = dict(clean_raw_keys(dict(weights)))
        own = self._vocab()
        is_other = vocab is not None and own is not None and vocab != own
        if is_other and not isinstance(encoder, TextEncoder):
            raise ModelFileError(
                f"{path} has the vocabulary of another tokeniser than this "
                f"{type(encoder).__name__}; make the loaders with the one of the file"
            )
        if is_other and vocab is not None and own is not None:
            matched = match_embeds({f"0.{name}": w for name, w in weights.items()}, vocab, own)
            weights = {name.removeprefix("0."): w for name, w in matched.items()}
        state = encoder.state_dict()
        differing = sorted(
            f"{name} {tuple(state[name].shape)}" if name in state else name
            for name in state.keys() | weights.keys()
            if name not in state or name not in weights or state[name].shape != weights[name].shape
        )
        if differing:
            raise ModelFileError(
                f"{path} does not fit this encoder, a {type(encoder).__name__}: "
                f"{', '.join(differing[:5])} differ in shape or are on one side only. Make both "
                "models with one architecture and config, and for files without a vocabulary with "
                "one vocabulary: TextBlock(..., vocab=dls_lm.vocab)"
            )
        encoder.load_state_dict(weights)
        self.freeze()

    # -- training --------------------------------------------------------------------------

    def fine_tune(self, epochs: int, base_lr: float | None = None, **kwargs: Any) -> None:
        """Train the head with the encoder frozen, then all of it; see `Learner.fine_tune`.

        Args:
            epochs: epochs of the second part.
            base_lr: the largest rate of the first part; 2e-3 when None, and 2e-4 for a model of
                transformers, so that its blocks are trained with about 1e-5: more at the top and
                less further down, around the 2e-5 to 5e-5 of Devlin et al. (2019).
            kwargs: as of the function `fine_tune`.
        """
        if base_lr is None:
            model = get_model(self.model)
            base_lr = 2e-4 if isinstance(model, HuggingFaceModel | HuggingFaceWriter) else 2e-3
        super().fine_tune(epochs, base_lr, **kwargs)

    # -- parts -----------------------------------------------------------------------------

    @property
    def _is_classifier(self) -> bool:
        return isinstance(next(get_model(self.model).children(), None), SentenceEncoder)

    def _vocab(self) -> list[str] | None:
        """The vocabulary, if the loaders know one."""
        return vocab_of(self.dls) if steps_of(self.dls) else None

    def _file(self, name: str | Path, suffix: str) -> Path:
        path = self._model_path(name)
        return path if path.suffix else path.with_suffix(suffix)

    # -- files of others -------------------------------------------------------------------

    def load(
        self,
        file: str | Path,
        with_opt: bool = True,
        device: torch.device | str | None = None,
        strict: bool = True,
    ) -> Self:
        """Read what `save` wrote, or the `.pth` of plain weights that fastai did; see `Learner`.

        Args:
            file: as given to `save`.
            with_opt: read the optimizer's state too, where the file has it.
            device: where tensors go first.
            strict: raise where something does not fit, naming it.
        """
        path = self._model_path(file)
        if path.suffix not in (".pth", ".pt"):
            return super().load(file, with_opt, device, strict)
        load_model_text(path, self.model, self.opt if with_opt else None, with_opt, device, strict)
        return self


def _encoder_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Of the weights of a language model, those of its encoder."""
    return {k.removeprefix("0."): w for k, w in weights.items() if k.startswith("0.")}
