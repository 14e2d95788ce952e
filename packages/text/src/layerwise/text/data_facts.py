"""What learners of texts ask of their loaders: vocabulary, padding, direction."""

from __future__ import annotations

from typing import Any

from layerwise.core.train.data_config import inference_loader
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.reverse import ReverseText
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer
from layerwise.text.tokens import PAD
from layerwise.text.vocab import Numericalize

__all__: list[str] = []

_PAD_IDX = 1  # where vocabularies have it


def steps_of(dls: Any) -> list[Any]:
    """The transforms that make numbers of a text, first to last; none where loaders have none."""
    dataset = getattr(inference_loader(dls), "dataset", None)
    first = getattr(dataset, "tls", [dataset])[0]
    return list(getattr(first, "tfms", ()))


def vocab_of(dls: Any) -> list[str]:
    """The vocabulary of the texts.

    Raises:
        TypeError: if the loaders are none of texts.
    """
    for step in steps_of(dls):
        # One with a tokeniser that numbers its tokens does both at once.
        is_known = isinstance(getattr(step, "tok", None), HuggingFaceTokenizer)
        vocab = getattr(step, "vocab", None)
        if vocab is not None and (is_known or isinstance(step, Numericalize)):
            return list(vocab)
    raise TypeError(
        f"these {type(dls).__name__} are none of texts, since no Numericalize stands among their "
        "transforms; make them with TextDataLoaders or a TextBlock. For other tokens, "
        "TextLearner(dls, model) takes a model of your own"
    )


def pad_idx_of(dls: Any) -> int:
    """The number of the token that pads."""
    for step in getattr(inference_loader(dls), "before_batch", ()):
        if hasattr(step, "pad_idx"):
            return int(step.pad_idx)
    vocab = vocab_of(dls)
    return vocab.index(PAD) if PAD in vocab else _PAD_IDX


def labels_of(dls: Any) -> list[Any] | None:
    """The labels of the targets by their numbers; None where these are none of labels."""
    lists: list[Any] = getattr(getattr(inference_loader(dls), "dataset", None), "tls", [])
    for step in getattr(lists[-1], "tfms", ()) if len(lists) > 1 else ():
        vocab = getattr(step, "vocab", None)
        if vocab is not None:
            return list(vocab)
    return None


def special_tokens_of(dls: Any) -> frozenset[str]:
    """The tokens that the tokeniser says stand for no text."""
    toks = (getattr(step, "tok", None) for step in steps_of(dls))
    return frozenset(token for tok in toks for token in getattr(tok, "special_tokens", ()))


def is_backwards(dls: Any) -> bool:
    """Whether texts are read from their end."""
    return any(isinstance(step, ReverseText) for step in steps_of(dls))


def is_lm(dls: Any) -> bool:
    """Whether the loaders are those of a language model."""
    return isinstance(inference_loader(dls), LMDataLoader)
