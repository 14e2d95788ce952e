"""`ChannelsLast`: pictures and filters with channels as the fastest axis in memory."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from layerwise.core.callback.precision import AMPMode, to_bf16, to_fp16
from layerwise.core.callback.precision import to_fp32 as in_fp32
from layerwise.core.nested import apply
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.state import TrainState

__all__ = ["ChannelsLast", "to_channelslast", "to_contiguous"]

LearnerT = TypeVar("LearnerT", bound=TrainState)


class ChannelsLast(Callback):
    """Lays out model and batches with channels last, which convolutions often run faster on.

    Values and shapes stay what they are. Tensors of four axes are laid out anew; others are left.
    The model keeps the layout until `to_contiguous`.

    Reads and changes `xb` and the memory of `model`.

    Example:
        >>> ChannelsLast().name
        'channels_last'
    """

    # Before anything that holds on to the memory of parameters, such as buckets of gradients.
    order: ClassVar[float] = -8
    after: ClassVar = (TrainEvalCallback,)

    def before_fit(self) -> None:
        """Lay out the model."""
        self.learn.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def before_batch(self) -> None:
        """Lay out the inputs."""
        self.learn.xb = apply(_channels_last, self.learn.xb)


def _channels_last(x: Any) -> Any:
    if isinstance(x, Tensor) and x.ndim == 4:
        return x.contiguous(memory_format=torch.channels_last)
    return x


def to_channelslast(
    learn: LearnerT, use_amp: bool = False, amp_mode: AMPMode | str = AMPMode.FP16
) -> LearnerT:
    """`learn`, with model and batches laid out with channels last.

    Args:
        learn: the learner.
        use_amp: train in half precision as well, for which the layout pays most on GPUs. Off by
            default: a layout should not change numbers.
        amp_mode: which half precision.
    """
    changed: Any = learn
    if not any(isinstance(cb, ChannelsLast) for cb in learn.cbs):
        changed.add_cb(ChannelsLast())
    if use_amp:
        return (to_fp16 if AMPMode(amp_mode) is AMPMode.FP16 else to_bf16)(learn)
    return learn


def to_contiguous(learn: LearnerT, to_fp32: bool = False) -> LearnerT:
    """`learn`, with its model laid out as usual.

    Args:
        learn: the learner.
        to_fp32: go back to full precision as well.
    """
    changed: Any = learn
    for cb in [cb for cb in learn.cbs if isinstance(cb, ChannelsLast)]:
        changed.remove_cb(cb)
    learn.model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return in_fp32(learn) if to_fp32 else learn
