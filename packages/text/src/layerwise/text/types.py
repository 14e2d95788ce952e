"""The types of text: token numbers that know what they are."""

from layerwise.core.tensors import TensorBase

__all__ = ["LMTensorText", "TensorText"]


class TensorText(TensorBase):
    """(T,) the numbers of the tokens of a text, or (B, T) those of several, padded."""


class LMTensorText(TensorText):
    """(T,) tokens of a stream, or (B, T) of several: input or target of a language model."""
