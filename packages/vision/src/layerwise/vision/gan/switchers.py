"""When a turn ends, and how fast each part learns in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.devices import sum_processes
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder
from layerwise.vision.gan.trainer import GANTrainer

__all__ = ["AdaptiveGANSwitcher", "FixedGANSwitcher", "GANDiscriminativeLR"]


def trainer_of(cb: Callback) -> GANTrainer:
    """The `GANTrainer` beside `cb`.

    Raises:
        ValueError: if there is none.
    """
    found = next((each for each in cb.learn.cbs if isinstance(each, GANTrainer)), None)
    if found is None:
        raise ValueError(
            f"{type(cb).__name__} goes with a GANTrainer, and this learner has none; make it with "
            "GANLearner"
        )
    return found


class FixedGANSwitcher(Callback):
    """Gives the critic `n_crit` steps, then the generator `n_gen`, and so on through the epochs.

    Steps of the optimizer count, so that turns end between groups of `GradientAccumulation`.
    Reads `accumulating`; switches the `GANTrainer`.

    Args:
        n_crit: steps of the critic in a turn, or a function that is called with the steps that
            the generator has taken in this fit: `lambda done: 100 if done < 25 else 5` gives a
            new critic time to learn.
        n_gen: steps of the generator in a turn, likewise.

    Example:
        >>> FixedGANSwitcher(n_crit=5).n_crit
        5
    """

    order: ClassVar[float] = 90
    after: ClassVar = (GANTrainer, Recorder)  # which count the batch for whose turn it was
    run_valid = False
    keeps: ClassVar[tuple[str, ...]] = ("in_turn", "generated")

    def __init__(
        self, n_crit: int | Callable[[int], int] = 1, n_gen: int | Callable[[int], int] = 1
    ) -> None:
        super().__init__()
        for name, value in (("n_crit", n_crit), ("n_gen", n_gen)):
            if not callable(value) and value < 1:
                raise ValueError(f"{name}={value}; a turn has at least one step")
        self.n_crit, self.n_gen = n_crit, n_gen
        self.in_turn = self.generated = 0

    def before_fit(self) -> None:
        """Begin with the first turn."""
        if not self.learn.only_valid:
            self.in_turn = self.generated = 0

    def after_batch(self) -> None:
        """Count the step, and switch after the last one of the turn."""
        if self.learn.accumulating:
            return
        trainer = trainer_of(self)
        self.in_turn += 1
        self.generated += trainer.gen_mode
        steps = self.n_gen if trainer.gen_mode else self.n_crit
        if self.in_turn >= (steps(self.generated) if callable(steps) else steps):
            self.in_turn = 0
            trainer.switch()


class AdaptiveGANSwitcher(Callback):
    """Ends a turn once the loss of the batch is below a threshold.

    Reads `loss` and `accumulating`; switches the `GANTrainer`. Several processes look at the loss
    of the whole batch, so that all take the same turn.

    Args:
        gen_thresh: the generator's turn lasts until its loss is below; one step when None.
        critic_thresh: the critic's, likewise.

    Example:
        >>> AdaptiveGANSwitcher(critic_thresh=0.65).critic_thresh
        0.65
    """

    order: ClassVar[float] = 90
    after: ClassVar = (GANTrainer, Recorder)
    run_valid = False

    def __init__(self, gen_thresh: float | None = None, critic_thresh: float | None = None) -> None:
        super().__init__()
        self.gen_thresh, self.critic_thresh = gen_thresh, critic_thresh

    def after_batch(self) -> None:
        """Switch if it is time."""
        learn, trainer = self.learn, trainer_of(self)
        if learn.accumulating or learn.loss is None:
            return
        threshold = self.gen_thresh if trainer.gen_mode else self.critic_thresh
        if threshold is None or self._whole_loss() < threshold:
            trainer.switch()

    def _whole_loss(self) -> float:
        """The loss of the batch, of which each process has counted its part by its size."""
        learn = self.learn
        return sum_processes(learn.loss).item() / learn.strategy.processes


class GANDiscriminativeLR(Callback):
    """Multiplies the learning rate in the batches of the critic.

    Sets the rates of `opt`, from `before_batch` to `after_batch`.

    Args:
        mult_lr: the factor.

    Example:
        >>> GANDiscriminativeLR(mult_lr=2.0).mult_lr
        2.0
    """

    after: ClassVar = (GANTrainer, ParamScheduler)
    run_valid = False

    def __init__(self, mult_lr: float = 5.0) -> None:
        super().__init__()
        if not mult_lr > 0:
            raise ValueError(f"mult_lr={mult_lr}; give a factor above 0")
        self.mult_lr = mult_lr
        self._before: list[float] | None = None

    def before_batch(self) -> None:
        """Raise the rates for the critic."""
        opt = self.learn.opt
        if not trainer_of(self).gen_mode:
            self._before = [hyper["lr"] for hyper in opt.hypers]
            opt.set_hyper("lr", [lr * self.mult_lr for lr in self._before])

    def after_batch(self) -> None:
        """Set them back."""
        before, self._before = self._before, None
        if before is not None:
            self.learn.opt.set_hyper("lr", before)

    def after_fit(self) -> None:
        """Set them back, if an error ended the batch."""
        self.after_batch()
