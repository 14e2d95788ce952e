"""Padding: texts of one batch filled up to one length, on either side, and the filling dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from layerwise.core.errors import DataError, names_nearest
from layerwise.core.items import listify
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.transform import Transform
from layerwise.text.types import TensorText

__all__ = ["Pad_Chunk", "Pad_Input", "pad_chunk", "pad_input", "pad_input_chunk"]

# T: tokens of a text. P: of the longest text of a batch.


def pad_input(
    samples: Sequence[Any],
    pad_idx: int = 1,
    pad_fields: int | Sequence[int] = 0,
    pad_first: bool = False,
    backwards: bool = False,
) -> list[Any]:
    """Samples whose texts have one length each, so that they stack: what `before_batch` calls.

    Args:
        samples: tuples with texts (T,) in them, or texts alone.
        pad_idx: what fills up; 1 is where vocabularies have `xxpad`.
        pad_fields: the members of a sample that are filled up, each to its own longest.
        pad_first: fill up in front; behind the text otherwise.
        backwards: turn each text round besides, last token first.

    Returns:
        The samples, their texts (P,).

    Raises:
        DataError: where a member that is to be filled up is no row of numbers.

    Example:
        >>> import torch
        >>> texts = [(torch.tensor([5, 6, 7]), 0), (torch.tensor([8]), 1)]
        >>> [x.tolist() for x, _ in pad_input(texts)]
        [[5, 6, 7], [8, 1, 1]]
        >>> [x.tolist() for x, _ in pad_input(texts, pad_first=True, backwards=True)]
        [[7, 6, 5], [1, 1, 8]]
    """
    made = [list(s) if isinstance(s, tuple) else [s] for s in samples]
    for field in listify(pad_fields):
        size = max((len(_row(sample, field)) for sample in made), default=0)
        for sample in made:
            text = sample[field].flip(0) if backwards else sample[field]
            sample[field] = _filled(text, size, size - len(text) if pad_first else 0, pad_idx)
    return _as_given(made, samples)


def pad_chunk(
    x: Tensor, pad_idx: int = 1, pad_first: bool = True, seq_len: int = 72, pad_len: int = 10
) -> Tensor:
    """`x` filled up to `pad_len` so that it begins where a chunk of `seq_len` begins.

    A recurrent encoder reads long texts chunk by chunk. With padding in front, its state would
    otherwise start in the middle of one: so whole chunks of padding come first, and what is left
    over goes behind the text.

    Args:
        x: (T,) text.
        pad_idx: what fills up.
        pad_first: whole chunks in front; all padding behind the text otherwise.
        seq_len: tokens of a chunk.
        pad_len: tokens of the result, T at least.

    Returns:
        (pad_len,) of the type of `x`.

    Raises:
        ValueError: if the text is longer than that, or chunks have no tokens.

    Example:
        >>> import torch
        >>> pad_chunk(torch.tensor([5, 6, 7]), seq_len=4, pad_len=10).tolist()
        [1, 1, 1, 1, 5, 6, 7, 1, 1, 1]
    """
    if seq_len < 1:
        raise ValueError(f"seq_len={seq_len}; a chunk has at least one token")
    if len(x) > pad_len:
        raise ValueError(f"pad_len={pad_len} is less than the {len(x)} tokens of the text")
    before = (pad_len - len(x)) // seq_len * seq_len if pad_first else 0
    padded: Tensor = _filled(x, pad_len, before, pad_idx)
    return padded


def pad_input_chunk(
    samples: Sequence[Any],
    n_inp: int = 1,
    pad_idx: int = 1,
    pad_first: bool = True,
    seq_len: int = 72,
) -> list[Any]:
    """Samples whose first `n_inp` members are filled up by `pad_chunk`, all to the longest.

    Args:
        samples: tuples with texts (T,) first, or texts alone.
        n_inp: how many members are texts.
        pad_idx: what fills up.
        pad_first: see `pad_chunk`.
        seq_len: tokens of a chunk.

    Returns:
        The samples, their texts (P,).

    Raises:
        DataError: where one of these members is no row of numbers.

    Example:
        >>> import torch
        >>> samples = [(torch.arange(2, 7), 0), (torch.tensor([8]), 1)]
        >>> [x.tolist() for x, _ in pad_input_chunk(samples, seq_len=2)]
        [[2, 3, 4, 5, 6], [1, 1, 1, 1, 8]]
    """
    made = [list(s) if isinstance(s, tuple) else [s] for s in samples]
    fields = range(n_inp)
    size = max((len(_row(sample, field)) for sample in made for field in fields), default=0)
    for sample in made:
        for field in fields:
            sample[field] = pad_chunk(sample[field], pad_idx, pad_first, seq_len, size)
    return _as_given(made, samples)


class Pad_Input(Transform):  # noqa: N801 - the name that users of this family know
    """`pad_input` as a transform for `before_batch`; decoding drops what it filled in.

    Args:
        pad_idx: what fills up.
        pad_fields: the members of a sample that are filled up.
        pad_first: fill up in front.
        backwards: turn each text round besides; decoding turns it back.

    Example:
        >>> pad = Pad_Input()
        >>> padded = pad([(TensorText([5, 6]), 0), (TensorText([7]), 1)])
        >>> padded[1][0], pad.decode(padded[1][0])
        (TensorText([7, 1]), TensorText([7]))
    """

    @names_nearest
    def __init__(
        self,
        pad_idx: int = 1,
        pad_fields: int | Sequence[int] = 0,
        pad_first: bool = False,
        backwards: bool = False,
    ) -> None:
        super().__init__()
        self.pad_idx, self.pad_fields = pad_idx, pad_fields
        self.pad_first, self.backwards = pad_first, backwards

    def encodes(self, samples: list) -> Any:  # type: ignore[type-arg]  # dispatch takes the class
        """The samples of a batch, filled up."""
        return pad_input(samples, self.pad_idx, self.pad_fields, self.pad_first, self.backwards)

    def decodes(self, x: TensorText) -> TensorText:
        """(T,) the text without padding."""
        text = _unpadded(x, self.pad_idx)
        return dress(text.as_plain().flip(0), x) if self.backwards else text


class Pad_Chunk(Transform):  # noqa: N801 - the name that users of this family know
    """Fills up all texts of a batch by `pad_chunk`; decoding drops the padding.

    Args:
        pad_idx: what fills up.
        pad_first: whole chunks of padding in front of a text.
        seq_len: tokens of a chunk, as many as the encoder reads at a time.
        decode: drop the padding again where texts are decoded.

    Example:
        >>> pad = Pad_Chunk(seq_len=2)
        >>> padded = pad([(TensorText([5, 6, 7]), 0), (TensorText([8]), 1)])
        >>> padded[1][0], pad.decode(padded[1][0])
        (TensorText([1, 1, 8]), TensorText([8]))
    """

    @names_nearest
    def __init__(
        self, pad_idx: int = 1, pad_first: bool = True, seq_len: int = 72, decode: bool = True
    ) -> None:
        super().__init__()
        self.pad_idx, self.pad_first, self.seq_len = pad_idx, pad_first, seq_len
        self.drops = decode

    def settings(self) -> dict[str, Any]:
        """The keywords that make an equal one."""
        own = {"pad_idx": self.pad_idx, "pad_first": self.pad_first, "seq_len": self.seq_len}
        return {**own, "decode": self.drops}

    def encodes(self, samples: list) -> Any:  # type: ignore[type-arg]  # dispatch takes the class
        """The samples of a batch, filled up."""
        made = [list(s) if isinstance(s, tuple) else [s] for s in samples]
        size = max((len(x) for s in made for x in s if isinstance(x, TensorText)), default=0)
        for sample in made:
            for i, x in enumerate(sample):
                if isinstance(x, TensorText):
                    sample[i] = pad_chunk(x, self.pad_idx, self.pad_first, self.seq_len, size)
        return _as_given(made, samples)

    def decodes(self, x: TensorText) -> TensorText:
        """(T,) the text without padding."""
        return _unpadded(x, self.pad_idx) if self.drops else x


def _row(sample: list[Any], field: int) -> Tensor:
    """The member of a sample, if it can be filled up."""
    x = sample[field] if field < len(sample) else None
    if not isinstance(x, Tensor) or x.ndim != 1:
        what = f"of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise DataError(
            f"member {field} of a sample is {what}, and a text to fill up is (T,) token numbers; "
            "does Numericalize stand among the transforms, and are the fields the right ones?"
        )
    return x


def _filled(x: Any, size: int, before: int, pad_idx: int) -> Any:
    """(size,) `pad_idx`, and `x` in it from `before` on."""
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    filled = plain.new_full((size,), pad_idx)
    filled[before : before + len(plain)] = plain
    return dress(filled, x) if isinstance(x, TensorBase) else filled


def _unpadded(x: TensorText, pad_idx: int) -> TensorText:
    plain = x.as_plain()
    return dress(plain[plain != pad_idx], x) if plain.ndim == 1 else x


def _as_given(made: list[list[Any]], samples: Sequence[Any]) -> list[Any]:
    """Tuples where samples were tuples, of the same kind; else their one member."""
    return [
        (tuple(m) if type(s) is tuple else type(s)(m)) if isinstance(s, tuple) else m[0]
        for m, s in zip(made, samples, strict=True)
    ]
