"""`layerwise train text`: a classifier of texts, or a language model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from layerwise.core.errors import ConfigError, DataError
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.multilabel import accuracy_multi
from layerwise.core.metrics.text import Perplexity
from layerwise.core.restore import load_learner
from layerwise.text.data import TextDataLoaders
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.text_learner import TextLearner

__all__ = ["text_training"]


def text_training(
    data: Path,
    *,
    task: Literal["label", "language-model"] = "label",
    model: str = "AWD_LSTM",
    language_model: Path | None = None,
    text: str = "text",
    label: str = "label",
    label_delim: str | None = None,
    backwards: bool = False,
    drop_mult: float = 0.5,
    valid_pct: float = 0.2,
    bs: int = 64,
    workers: int | None = None,
    seed: int = 42,
) -> Learner:
    """Train a net that labels texts, or one that goes on with them.

    `data` is a table of separated values with a column of texts and one of labels, or a folder with
    a folder of text files for each label (below `train` and `valid`, where there are such folders).
    A language model of many texts makes a classifier of few better: train one with `--task
    language-model`, then name its `model.lw` as `--language-model`.

    Args:
        data: the table or the folder.
        task: labels of texts, or a language model, which needs no labels.
        model: AWD_LSTM, GRUEncoder, LSTMEncoder, TextTransformer, or another that is registered.
        language_model: the export of a language model with the same model, whose encoder and
            vocabulary the classifier starts from, frozen at first.
        text: column of the texts.
        label: column of the labels.
        label_delim: what parts the labels of a text that has several.
        backwards: read texts from the end.
        drop_mult: times the dropout that is usual for the model.
        valid_pct: the share that validates, where no folders say which do.
        bs: texts in a batch.
        workers: processes that make batches.
        seed: of the share that validates.
    """
    is_lm = task == "language-model"
    if is_lm and language_model is not None:
        raise ConfigError("--language-model is for --task label, which starts from one")
    known = None if language_model is None else load_learner(language_model)
    settings: dict[str, Any] = {
        "bs": bs, "seed": seed, "is_lm": is_lm, "backwards": backwards,
        "text_vocab": None if known is None else known.dls.vocab,
    }  # fmt: skip
    if workers is not None:
        settings["num_workers"] = workers
    if data.is_file():
        columns: dict[str, Any] = {"text_col": text}
        if not is_lm:
            columns.update(label_col=label, label_delim=label_delim)
        dls = TextDataLoaders.from_csv(
            data.parent, data.name, valid_pct=valid_pct, **columns, **settings
        )
    elif label_delim is not None:
        raise DataError(f"--label-delim parts labels of a table, and {str(data)!r} is none")
    elif data.is_dir():
        has_split = (data / "train").is_dir() and (data / "valid").is_dir()
        dls = TextDataLoaders.from_folder(
            data, valid_pct=None if has_split else valid_pct, **settings
        )
    else:
        raise DataError(f"{str(data)!r} is neither a table nor a folder of texts")
    usual: dict[str, Any] = {
        "drop_mult": drop_mult, "pretrained": False, "backwards": backwards,
        "lr": 2e-3 if "transformer" in model.lower() else 1e-2,
    }  # fmt: skip
    if is_lm:
        return language_model_learner(dls, model, metrics=[accuracy, Perplexity()], **usual)
    metrics = accuracy_multi if label_delim else accuracy
    learn = text_classifier_learner(dls, model, metrics=metrics, **usual)
    if known is not None:
        writer = TextLearner(known.dls, known.model, loss_func=known.loss_func)
        with TemporaryDirectory() as folder:
            learn.load_encoder(writer.save_encoder(Path(folder).resolve() / "encoder"))
    return learn
