"""Models of transformers made ready for data: from a model, a configuration, a folder or a name."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import LayerwiseError, names_nearest, nearest, warn_user
from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.hugging_face.library import (
    Task,
    auto_class,
    is_config,
    is_model,
    made_of,
    transformers_module,
)
from layerwise.text.hugging_face.writer import HuggingFaceWriter
from layerwise.text.models.archs import text_arch

__all__ = [
    "Pretrained",
    "hugging_face_classifier",
    "hugging_face_writer",
    "is_hugging_face",
]


@dataclass(frozen=True)
class Pretrained:
    """A model of Hugging Face by its folder or its name, and how it is to be got.

    Args:
        name: a folder that `save_pretrained` wrote, or a name such as
            "distilbert/distilbert-base-uncased".
        local_files_only: take it from this computer, and fetch nothing.
        revision: which version of what is fetched.
        ignore_mismatched_sizes: draw weights anew whose shapes do not fit, such as those of a head
            for other labels.

    Example:
        >>> Pretrained("distilbert/distilbert-base-uncased").local_files_only
        True
    """

    name: str | Path
    local_files_only: bool = True
    revision: str = "main"
    ignore_mismatched_sizes: bool = False


_SURPLUS = 1024  # rows more than tokens that embeddings may have to be of a round size


def is_hugging_face(arch: object) -> bool:
    """Whether `arch` is meant to be a model of transformers, and none of ours.

    Args:
        arch: a name is first looked for among ours, then among the models on this computer.

    Raises:
        ValueError: for a name that is none of either.
    """
    if isinstance(arch, Pretrained | Path) or is_model(arch) or is_config(arch):
        return True
    if not isinstance(arch, str):
        return False
    if Path(arch).is_dir():
        return True
    try:
        text_arch(arch)
    except (LayerwiseError, ValueError) as error:
        if _is_cached(arch):
            return True
        error.add_note(
            "For a model of Hugging Face give its folder; or its name, if it is to be fetched: "
            f"Pretrained({arch!r}, local_files_only=False)"
        )
        raise
    return False


def _is_cached(name: str) -> bool:
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except (ImportError, OSError):
        return False
    try:
        return isinstance(try_to_load_from_cache(name, "config.json"), str)
    except HFValidationError:
        return False


@names_nearest
def hugging_face_classifier(
    source: Any,
    n_out: int,
    vocab: Sequence[str],
    pad_idx: int,
    *,
    task: Task = "sequence",
    labels: Sequence[Any] | None = None,
    pretrained: bool = True,
    config: Mapping[str, Any] | None = None,
    y_range: tuple[float, float] | None = None,
) -> HuggingFaceModel:
    """A model of transformers that decides on texts, or on each of their tokens.

    Args:
        source: a model, used as it is; a configuration, whose weights are drawn; a folder or a
            name, whose weights are loaded, but for those of a new head. A configuration takes
            vocabulary, padding and labels from here.
        n_out: how many scores.
        vocab: the tokens by their numbers.
        pad_idx: the token of padding.
        task: "sequence" for a decision on a text, "token" for one on each token.
        labels: names of the scores, which the configuration keeps.
        pretrained: load weights; False draws them for a folder or a name, too.
        config: settings of the configuration that are to differ.
        y_range: (low, high) that scores are squashed into.

    Raises:
        TypeError: if `source` is nothing of that, or has no such setting as one of `config`.
        ValueError: if the model has another number of scores, another padding, other labels, or
            fewer embeddings than there are tokens.
        OSError: if nothing is found in the folder, or by that name.
        MissingDependencyError: without transformers.
    """
    told = {"pad_token_id": pad_idx, **_told_of(labels, n_out)}
    model = _found(source, task, vocab, told, pretrained, config)
    _refuse_other_order(model.config, labels)
    _check_vocab(model, vocab)
    adapter = HuggingFaceModel(model, pad_idx, y_range)
    _check_scores(adapter, n_out, task)
    return adapter


@names_nearest
def hugging_face_writer(
    source: Any,
    vocab: Sequence[str],
    *,
    pretrained: bool = True,
    config: Mapping[str, Any] | None = None,
) -> HuggingFaceWriter:
    """A language model of transformers.

    Args:
        source: as of `hugging_face_classifier`, and so are all others.
        vocab: the tokens by their numbers.
        pretrained: load weights.
        config: settings of the configuration that are to differ.

    Raises:
        ValueError: if it sees the tokens that it is to predict, or has fewer embeddings than there
            are tokens; all else as `hugging_face_classifier`.
    """
    model = _found(source, "causal", vocab, {}, pretrained, config)
    _check_vocab(model, vocab)
    return HuggingFaceWriter(model)


# -- getting it --------------------------------------------------------------------------------


def _found(
    source: Any,
    task: Task,
    vocab: Sequence[str],
    told: Mapping[str, Any],
    pretrained: bool,
    given: Mapping[str, Any] | None,
) -> Any:
    library = transformers_module()
    if is_model(source):
        if given:
            raise ValueError(
                f"the {type(source).__name__} is made already, so config={dict(given)!r:.80} comes "
                "too late; give its config, or its folder"
            )
        return source
    if is_config(source):
        fresh = {"vocab_size": len(vocab), **told}
        return made_of(_changed(copy.deepcopy(source), fresh, given), task)
    where = source if isinstance(source, Pretrained) else Pretrained(source)
    if not isinstance(where.name, str | Path):
        raise TypeError(
            f"{type(source).__name__} is no model of transformers; give a model, a config, the "
            "folder of one, its name, or Pretrained(name)"
        )
    name = _place(where)
    kept: dict[str, Any] = {"local_files_only": where.local_files_only, "revision": where.revision}
    own = library.AutoConfig.from_pretrained(name, **kept)
    if not pretrained:
        return made_of(_changed(own, {"vocab_size": len(vocab), **told}, given), task)
    _refuse_other_order(own, list(told.get("id2label", {}).values()))
    own = _changed(own, told if own.pad_token_id is None else _without_pad(told), given)
    # In the precision that the learner trains in, whatever they are stored in.
    return auto_class(task).from_pretrained(
        name, config=own, dtype=torch.float32,
        ignore_mismatched_sizes=where.ignore_mismatched_sizes, **kept,
    )  # fmt: skip


def _without_pad(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "pad_token_id"}


def _place(where: Pretrained) -> str:
    if isinstance(where.name, Path) and not where.name.is_dir():
        raise FileNotFoundError(
            f"there is no folder {where.name}; give one that save_pretrained wrote, or the name of "
            "a model as a text"
        )
    return str(where.name)


def _changed(config: Any, told: Mapping[str, Any], given: Mapping[str, Any] | None) -> Any:
    """The configuration with other settings, each of which it has to have."""
    known = set(config.to_dict()) | set(config.attribute_map)
    for name in given or {}:
        if name not in known:
            raise TypeError(
                f"{type(config).__name__} has no setting {name!r}.{nearest(name, known)}"
            )
    for name, value in {**told, **(given or {})}.items():
        setattr(config, name, value)
    return config


def _told_of(labels: Sequence[Any] | None, n_out: int) -> dict[str, Any]:
    """What a configuration keeps of the labels."""
    if labels is None or len(labels) != n_out:
        return {"num_labels": n_out}
    named = {i: str(label) for i, label in enumerate(labels)}
    return {"id2label": named, "label2id": {label: i for i, label in named.items()}}


# -- whether it fits ---------------------------------------------------------------------------


def _refuse_other_order(config: Any, labels: Sequence[Any] | None) -> None:
    """A model that was trained on these labels in another order would be wrong without a word."""
    own = [str(label) for label in (config.id2label or {}).values()]
    named = [str(label) for label in labels or ()]
    if own != named and sorted(own) == sorted(named):
        raise ValueError(
            f"the labels of the model are {own}, and those of the data {named}: make the loaders "
            f"with vocab={own}"
        )


def _check_vocab(model: Any, vocab: Sequence[str]) -> None:
    count = model.get_input_embeddings().num_embeddings
    if count < len(vocab):
        raise ValueError(
            f"{type(model).__name__} has {count} embeddings, and the vocabulary {len(vocab)} "
            "tokens; make the loaders with the tokeniser of the model (tok_tfm="
            "HuggingFaceTokenizer(folder)), or give the config of a model to train from the start"
        )
    if count - len(vocab) >= _SURPLUS:
        warn_user(
            f"{type(model).__name__} has {count} embeddings for a vocabulary of {len(vocab)} "
            "tokens; is the tokeniser that of another model?"
        )


def _check_scores(adapter: HuggingFaceModel, n_out: int, task: Task) -> None:
    """Let the model read two tokens: what it gives for them says what it is made for."""
    device = next(adapter.parameters()).device
    was_training = adapter.training
    adapter.eval()
    try:
        with torch.no_grad():
            scores = _scores(adapter, torch.full((1, 2), 1 + adapter.pad_idx % 2, device=device))
    finally:
        adapter.train(was_training)
    name = type(adapter.model).__name__
    if scores is None or scores.ndim != (3 if task == "token" else 2):
        whole = "each token" if task == "token" else "a text as a whole"
        raise TypeError(
            f"{name} gives no scores for {whole}; give a model of "
            f"{auto_class(task).__name__}, or the config or folder of one"
        )
    if scores.shape[-1] != n_out:
        raise ValueError(
            f"{name} decides among {scores.shape[-1]} labels and the data need {n_out} scores; "
            f"make it with num_labels={n_out}, or give its config or its folder"
        )


def _scores(adapter: nn.Module, tokens: Tensor) -> Tensor | None:
    try:
        scores: Tensor = adapter(tokens)
    except AttributeError:  # no logits: a body without a head
        return None
    return scores
