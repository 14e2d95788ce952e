"""`MixedPrecision`: model and loss in half precision where that is safe, weights in full."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, TypeVar

import torch
from torch import Tensor

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.callback.single import refuse_second
from layerwise.core.errors import warn_user
from layerwise.core.nested import apply, find_device
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.events import CancelStepException
from layerwise.core.train.state import TrainState

__all__ = ["AMPMode", "MixedPrecision", "to_bf16", "to_fp16", "to_fp32"]

_SLOW_ON_CPU = (
    "float16 on a CPU is computed without the processor's help, ten times slower than float32 and "
    "more; leave to_fp16() out here, or take to_bf16()"
)

LearnerT = TypeVar("LearnerT", bound=TrainState)

_LOWEST_SCALE = 2.0**-24
"""The smallest number of float16: a gradient that is still infinite below it is no overflow."""


class AMPMode(StrEnum):
    """The half precision of a training.

    Example:
        >>> AMPMode("bf16") is AMPMode.BF16
        True
    """

    FP16 = "fp16"
    """float16: three decimals, range to 65504, so gradients are scaled."""
    BF16 = "bf16"
    """bfloat16: two decimals and the range of float32, so nothing is scaled."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        told = " or ".join(f'"{mode.value}"' for mode in cls)
        raise ValueError(f"there is no half precision {value!r}; give {told}")

    @property
    def dtype(self) -> torch.dtype:
        """The type of torch."""
        return torch.float16 if self is AMPMode.FP16 else torch.bfloat16


class MixedPrecision(Callback):
    """Runs model and loss under `torch.autocast`, in training as in validation and prediction.

    Works on the device of the batch, be it a CPU or an accelerator; of float16 on a CPU, where it
    is slow, it warns. Predictions become float32 as soon as they are there, so that losses and
    metrics are computed in full precision. With float16 the loss is scaled before the gradients are
    computed (Micikevicius et al., 2018), and a step whose gradients overflow is left out, counted
    in `skipped` and logged as `skipped_steps`.

    Reads `xb`, `opt`; changes `pred`, `loss_grad` and gradients.

    Args:
        amp_mode: `AMPMode.FP16` or `AMPMode.BF16`, or their values.
        init_scale: first scale of the loss. Only float16 has a scale.
        growth_factor: the scale grows by this after `growth_interval` steps without overflow.
        backoff_factor: and shrinks by this after one with.
        growth_interval: steps.

    Attributes:
        scaler: the gradient scaler, from the first fit on; None with bfloat16.
        skipped: steps that were left out, of all fits.

    Example:
        >>> MixedPrecision("bf16").amp_mode.dtype
        torch.bfloat16
    """

    # Before callbacks of users, which see predictions in full precision.
    order: ClassVar[float] = -3
    after: ClassVar = (TrainEvalCallback, NaNGuard, GradientAccumulation)

    def __init__(
        self,
        amp_mode: AMPMode | str = AMPMode.FP16,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> None:
        super().__init__()
        self.amp_mode = AMPMode(amp_mode)
        self.init_scale, self.growth_interval = init_scale, growth_interval
        self.growth_factor, self.backoff_factor = growth_factor, backoff_factor
        self.scaler: torch.amp.GradScaler | None = None
        self.skipped = 0
        self._entered: torch.autocast | None = None

    def autocast(self) -> torch.autocast:
        """The context in which model and loss are computed."""
        device = self.learn.device or find_device(self.learn.xb)
        return torch.autocast(device.type, dtype=self.amp_mode.dtype)

    def before_fit(self) -> None:
        """Make the scaler at the first fit; later ones go on with its scale."""
        refuse_second(self, MixedPrecision)
        self._leave()
        if self.amp_mode is not AMPMode.FP16:
            return
        device = self.learn.device or next(self.learn.model.parameters()).device
        if device.type == "cpu":
            warn_user(_SLOW_ON_CPU)
        if self.scaler is None:
            self.scaler = torch.amp.GradScaler(
                device.type,
                self.init_scale,
                self.growth_factor,
                self.backoff_factor,
                self.growth_interval,
            )

    def before_batch(self) -> None:
        """Half precision from here on."""
        self._leave()
        entered = self.autocast()
        entered.__enter__()  # type: ignore[no-untyped-call]  # torch does not say
        self._entered = entered

    def after_pred(self) -> None:
        """Predictions in full precision."""
        self.learn.pred = apply(_single, self.learn.pred)

    def after_loss(self) -> None:
        """Full precision from here on."""
        self._leave()

    def before_backward(self) -> None:
        """Scale the loss."""
        if self.scaler is not None:
            self.learn.loss_grad = self.scaler.scale(self.learn.loss_grad)

    def before_step(self) -> None:
        """Divide gradients by the scale; leave the step out if there is an overflow.

        Raises:
            FloatingPointError: if gradients are not finite whatever the scale.
        """
        learn, scaler = self.learn, self.scaler
        gradients = _Gradients(learn.opt.param_groups)
        if scaler is None or not gradients.exist:
            return
        scaler.unscale_(gradients)  # type: ignore[arg-type]  # it needs no more of an optimizer
        is_finite = scaler.step(gradients)  # type: ignore[arg-type]
        scaler.update()
        if is_finite:
            return
        self.skipped += 1
        learn.log("skipped_steps", self.skipped)
        learn.log("loss_scale", scaler.get_scale())
        if scaler.get_scale() < _LOWEST_SCALE:
            raise FloatingPointError(
                f"gradients are not finite, and were not in {self.skipped} steps that were left "
                "out, however small the loss was scaled: this is no overflow of float16. Look for "
                "values in the data that are not finite, lower the learning rate, or try to_bf16()"
            )
        raise CancelStepException

    def after_batch(self) -> None:
        """Full precision, if the batch was cancelled before its loss."""
        self._leave()

    after_cancel_train = after_cancel_validate = after_cancel_epoch = after_batch

    def after_fit(self) -> None:
        """Full precision, if an error ended the batch."""
        self._leave()

    def _leave(self) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.__exit__(None, None, None)

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it came about."""
        scaler = None if self.scaler is None else self.scaler.state_dict()
        return {"skipped": self.skipped, "scaler": scaler}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with a scale."""
        self.skipped = state["skipped"]
        if (self.scaler is None) != (state["scaler"] is None):
            raise ValueError(
                "the checkpoint is of a training in "
                f"{'float16' if state['scaler'] is not None else 'another precision'}, and this "
                f"learner trains in {self.amp_mode.value}; make it as it was"
            )
        if self.scaler is not None:
            self.scaler.load_state_dict(dict(state["scaler"]))


class _Gradients:
    """What a scaler needs of an optimizer: gradients, and a step that is only made if it may be."""

    def __init__(self, param_groups: list[dict[str, Any]]) -> None:
        self.param_groups = param_groups

    @property
    def exist(self) -> bool:
        """Whether any parameter has one."""
        return any(p.grad is not None for group in self.param_groups for p in group["params"])

    def step(self) -> bool:
        """Say that the scaler allows a step; all else is up to the engine."""
        return True


def _single(x: Any) -> Any:
    is_half = isinstance(x, Tensor) and x.dtype in (torch.float16, torch.bfloat16)
    return x.float() if is_half else x


def to_fp16(
    learn: LearnerT,
    init_scale: float = 65536.0,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    growth_interval: int = 2000,
) -> LearnerT:
    """`learn`, in float16 where that is safe; arguments as for `MixedPrecision`."""
    return _with(
        learn,
        MixedPrecision(AMPMode.FP16, init_scale, growth_factor, backoff_factor, growth_interval),
    )


def to_bf16(learn: LearnerT) -> LearnerT:
    """`learn`, in bfloat16 where that is safe."""
    return _with(learn, MixedPrecision(AMPMode.BF16))


def to_fp32(learn: LearnerT) -> LearnerT:
    """`learn`, in full precision again."""
    return _with(learn, None)


def _with(learn: LearnerT, callback: MixedPrecision | None) -> LearnerT:
    """`learn` with this callback in place of the one it has."""
    changed: Any = learn
    for old in [cb for cb in learn.cbs if isinstance(cb, MixedPrecision)]:
        changed.remove_cb(old)
    if callback is not None:
        changed.add_cb(callback)
    return learn
