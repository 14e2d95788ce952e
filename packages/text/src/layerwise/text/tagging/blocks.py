"""`TokenBlock` and `TagBlock`: sentences, and the labels of their words."""

from __future__ import annotations

from collections.abc import Sequence

from layerwise.core.data.block import TransformBlock
from layerwise.core.errors import names_nearest
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.text.sorted_loader import SortedDL
from layerwise.text.tagging.pieces import PadPieces, TagPieces, WordPieces
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

__all__ = ["TagBlock", "TokenBlock"]


@names_nearest
def TokenBlock(tok: HuggingFaceTokenizer) -> TransformBlock:  # noqa: N802 - reads as a class, like all blocks
    """A block for sentences of which each word is to be labelled.

    Args:
        tok: the tokeniser of the model.

    Raises:
        ValueError: if none of its tokens pads.
    """
    if tok.pad_idx is None:
        raise ValueError(
            f"{tok!r} has no token that fills up, and sentences of a batch have one length; say "
            "which: HuggingFaceTokenizer(..., pad_token='<|endoftext|>')"
        )
    padding = PadPieces(tok.pad_idx)
    return TransformBlock(WordPieces(tok), dl_type=SortedDL, dls_kwargs={"before_batch": padding})


@names_nearest
def TagBlock(tok: HuggingFaceTokenizer, vocab: Sequence[str] | None = None) -> TransformBlock:  # noqa: N802
    """A block for the labels of the words of a sentence.

    Args:
        tok: the tokeniser that its `TokenBlock` has.
        vocab: the labels; those of the training split when None.
    """
    to_tags = TagPieces(tok, vocab)
    to_tags.loss_func = CrossEntropyLossFlat()  # type: ignore[attr-defined]  # read by the Learner
    return TransformBlock(to_tags)
