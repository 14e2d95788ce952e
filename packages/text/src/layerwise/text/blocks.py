"""`TextBlock`: texts for a language model or a classifier, from tokens to batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerwise.core.data.block import TransformBlock
from layerwise.core.errors import names_nearest
from layerwise.core.transforms.transform import Transform
from layerwise.core.types import PathLike
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.padding import Pad_Chunk, Pad_Input
from layerwise.text.reverse import ReverseText
from layerwise.text.sorted_loader import SortedDL
from layerwise.text.tokenizer import Tokenizer
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer
from layerwise.text.vocab import Numericalize

__all__ = ["TextBlock"]


class TextBlock(TransformBlock):
    """A block for texts: cut into tokens, each its number in a vocabulary.

    Batches for a language model are pieces of one long text, see `LMDataLoader`; otherwise those of
    `SortedDL`, padded by chunks of `seq_len`. With a `HuggingFaceTokenizer` vocabulary and padding
    are those of the tokeniser, and texts of language models are not cut at its `max_len`.

    Args:
        tok_tfm: a `Tokenizer`; or what one is made of, such as `SpacyTokenizer()` or any other
            function from texts to lists of tokens. None is the built-in tokeniser.
        vocab: the tokens, by their numbers; learnt from the training split when None.
        is_lm: for a language model.
        seq_len: tokens of each row in a batch of a language model; of a chunk, for a classifier.
        backwards: read texts from their end.
        min_freq: of the vocabulary that is learnt: how often a token has to come.
        max_vocab: of that: how many tokens at most.
        special_toks: of that: what it begins with; `text_spec_tok` when None.

    Raises:
        ValueError: if the tokeniser has tokens of its own and none of them pads.

    Example:
        >>> from layerwise.core.data.block import CategoryBlock, DataBlock
        >>> films = [("so good", "pos"), ("so bad", "neg")] * 8
        >>> block = DataBlock(
        ...     (TextBlock(min_freq=1), CategoryBlock), get_x=lambda o: o[0], get_y=lambda o: o[1]
        ... )
        >>> x, y = block.dataloaders(films, bs=4).one_batch()
        >>> type(x).__name__, x.shape, y.shape
        ('TensorText', torch.Size([4, 3]), torch.Size([4]))
    """

    @names_nearest
    def __init__(
        self,
        tok_tfm: Any = None,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60_000,
        special_toks: Sequence[str] | None = None,
    ) -> None:
        is_ready = isinstance(tok_tfm, Transform)
        tokenize = tok_tfm if is_ready else Tokenizer(_suited(tok_tfm, is_lm))
        own = getattr(tokenize, "tok", None)
        if vocab is None and isinstance(own, HuggingFaceTokenizer):
            vocab = own.vocab
        numbers = Numericalize(
            vocab, min_freq=min_freq, max_vocab=max_vocab, special_toks=special_toks
        )
        settings = {"seq_len": seq_len} if is_lm else {"before_batch": _padding(own, seq_len)}
        super().__init__(
            type_tfms=[tokenize, numbers, *([ReverseText()] if backwards else [])],
            dl_type=LMDataLoader if is_lm else SortedDL,
            dls_kwargs=settings,
        )

    @classmethod
    def from_df(
        cls,
        text_cols: str | int | Sequence[str | int],
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60_000,
        **kwargs: Any,
    ) -> TextBlock:
        """A block for texts in columns of a frame, which are cut into tokens once, all at a time.

        Args:
            text_cols: the column of the texts, or several that make up one text.
            vocab: see the class, as are those that follow.
            is_lm: for a language model.
            seq_len: tokens of each row, or of a chunk.
            backwards: read texts from their end.
            min_freq: how often a token has to come.
            max_vocab: how many tokens at most.
            kwargs: settings of `Tokenizer.from_df`: `tok`, `rules`, `n_workers`, ...
        """
        tok = _suited(kwargs.pop("tok", None), is_lm)
        tokenize = Tokenizer.from_df(text_cols, tok, **kwargs)
        return cls(tokenize, vocab, is_lm, seq_len, backwards, min_freq, max_vocab)

    @classmethod
    def from_folder(
        cls,
        path: PathLike,
        vocab: Sequence[str] | None = None,
        is_lm: bool = False,
        seq_len: int = 72,
        backwards: bool = False,
        min_freq: int = 3,
        max_vocab: int = 60_000,
        **kwargs: Any,
    ) -> TextBlock:
        """A block for files below `path`, which are cut into tokens now, all at a time.

        Args:
            path: the folder.
            vocab: see the class, as are those that follow.
            is_lm: for a language model.
            seq_len: tokens of each row, or of a chunk.
            backwards: read texts from their end.
            min_freq: how often a token has to come.
            max_vocab: how many tokens at most.
            kwargs: settings of `Tokenizer.from_folder`: `tok`, `rules`, `n_workers`, ...
        """
        tok = _suited(kwargs.pop("tok", None), is_lm)
        tokenize = Tokenizer.from_folder(path, tok, **kwargs)
        return cls(tokenize, vocab, is_lm, seq_len, backwards, min_freq, max_vocab)


def _suited(tok: Any, is_lm: bool) -> Any:
    """The tokeniser, without an end where it would cut the texts of a language model."""
    return tok.uncut() if is_lm and isinstance(tok, HuggingFaceTokenizer) else tok


def _padding(tok: Any, seq_len: int) -> Transform:
    """What fills up the texts of a batch."""
    if not isinstance(tok, HuggingFaceTokenizer):
        return Pad_Chunk(seq_len=seq_len)
    if tok.pad_idx is None:
        raise ValueError(
            f"{tok!r} has no token that fills up, and texts of a batch have one length; say which, "
            "as the model knows it: HuggingFaceTokenizer(..., pad_token='<|endoftext|>')"
        )
    return Pad_Input(pad_idx=tok.pad_idx)
