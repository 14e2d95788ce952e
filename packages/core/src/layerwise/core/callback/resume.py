"""Going on with a fit: which checkpoint, and whether it is of this fit or of another one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.train import engine
from layerwise.core.train.batches import known_length
from layerwise.core.train.checkpoint_folder import CheckpointFolder, read_checkpoint
from layerwise.core.train.snapshot import CheckpointError, restore, unpacked_random
from layerwise.core.train.state import TrainState

__all__: list[str] = []

Resumes = bool | str | Path
"""What `fit(resume=)` takes."""

_NAME = "checkpoint"  # of the callback, and so of its state


@dataclass(frozen=True)
class _Point:
    """Where a training goes on: what the engine asks of a checkpoint.

    Args:
        path: the file.
        state: what is in it.
        all_done: how many epochs there are, where none is left to do.
    """

    path: Path
    state: Mapping[str, Any]
    all_done: int | None = None

    @property
    def epoch(self) -> int:
        """The epoch to go on with."""
        return int(self.state["fit"]["epoch"]) if self.all_done is None else self.all_done

    @property
    def batches(self) -> int:
        """Training batches of it that are done."""
        return int(self.state["fit"]["batches"])

    @property
    def run_seed(self) -> int:
        """The seed of the run."""
        return int(self.state["fit"]["run_seed"])

    @property
    def epoch_random(self) -> dict[str, Any]:
        """The random states from which the training data of that epoch began."""
        return unpacked_random(self.state["epoch_random"])

    @property
    def fit_number(self) -> int:
        """Which fit of the learner it is of, from 1."""
        return int(self.state["fit"]["number"])

    @property
    def n_epoch(self) -> int:
        """Epochs of that fit."""
        return int(self.state["fit"]["n_epoch"])

    @property
    def fits(self) -> dict[int, int]:
        """Epochs of the fits that had begun, by their number, this one among them."""
        found = self.state["callbacks"].get(_NAME, {}).get("fits", {})
        return {int(number): int(epochs) for number, epochs in found.items()}

    @property
    def finished(self) -> bool:
        """Whether that fit is done."""
        return bool(self.state["fit"]["finished"])

    def restore(self, learn: TrainState) -> None:
        """Put everything back to how it was.

        Raises:
            CheckpointError: if it does not fit; names the file and all that differs.
        """
        writers = [cb for cb in learn.cbs if isinstance(cb, Checkpoint)]
        state = dict(self.state)
        if not writers:  # read from a file, and no more are to be written
            state["callbacks"] = {k: v for k, v in state["callbacks"].items() if k != _NAME}
        try:
            restore(learn, state)
        except CheckpointError as error:
            raise CheckpointError(
                f"{self.path}: {error}\nMake model, optimizer, callbacks and metrics as they were "
                "when it was written; or start anew, without resume and in another folder"
            ) from None
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise CheckpointError(
                f"{self.path} does not fit this training, or is damaged: {error}"
            ) from error
        learn.epoch = min(self.epoch, max(learn.n_epoch - 1, 0))
        for cb in writers if self.all_done is None else ():
            cb.arm(done=self.epoch >= learn.n_epoch)


def fit_or_resume(
    learn: TrainState, n_epoch: int, start_epoch: int = 0, resume: Resumes = False
) -> None:
    """Train, or go on where a checkpoint stands.

    Args:
        learn: the learner; its `fit_count` counts this fit already.
        n_epoch: epochs in all.
        start_epoch: the first epoch.
        resume: True for the newest checkpoint of the learner's `Checkpoint`, if there is one yet;
            or a file; or a folder of checkpoints.

    Raises:
        ValueError: if `resume` is True and there is no `Checkpoint`.
        CheckpointError: if the checkpoint cannot be read, or does not fit.
    """
    try:
        point = _found_point(learn, resume)
        if point is not None and point.fit_number > learn.fit_count:
            if not _goes_on_here(learn, point, n_epoch):
                return
            learn.fit_count = point.fit_number
        if point is not None and point.fit_number < learn.fit_count:
            point = None  # of an earlier fit: this one had not begun
        if point is not None:
            point = _checked(learn, point, n_epoch)
    except Exception:
        learn.fit_count -= 1  # nothing was begun: the next fit of this learner is this one again
        raise
    engine.fit(learn, n_epoch, start_epoch, point)


def _checked(learn: TrainState, point: _Point, n_epoch: int) -> _Point:
    """The point, if this training can go on from it; none is left to do where that fit is done."""
    _check_epochs(point, n_epoch)
    _check_length(learn, point)
    if not point.finished or n_epoch > point.n_epoch:
        return point
    _say(
        learn,
        f"fit {point.fit_number} was done when {point.path} was written; it is loaded and not "
        "trained again. To train on, ask for more epochs, or leave out resume",
    )
    return replace(point, all_done=n_epoch)


def _found_point(learn: TrainState, resume: Resumes) -> _Point | None:
    """The checkpoint that `resume` means; None to begin at the beginning."""
    if resume is False:
        return None
    if resume is True:
        writer = next((cb for cb in learn.cbs if isinstance(cb, Checkpoint)), None)
        if writer is None:
            raise ValueError(
                "resume=True needs to know where the checkpoints are; add the callback that "
                'writes them, cbs=Checkpoint(every="1ep"), or pass resume="path of a checkpoint"'
            )
        found = writer.folder.newest()
        return None if found is None else _Point(*found)
    path = Path(resume)
    if path.is_dir():
        found = CheckpointFolder(path).newest()
        if found is None:
            raise CheckpointError(f"there is no checkpoint in the folder {path}")
        return _Point(*found)
    return _Point(path, read_checkpoint(path))


def _goes_on_here(learn: TrainState, point: _Point, n_epoch: int) -> bool:
    """Whether a checkpoint of a later fit is meant for this one; False: this one was done before.

    A script with several fits runs all of its calls again; a session that was started anew runs
    only the one that was interrupted.
    """
    number = learn.fit_count
    done = point.fits
    if done.get(number) == n_epoch:
        told = f"fit {number} ({n_epoch} epochs) was done when {point.path} was written; left out"
        _say(learn, told)
        return False
    if point.n_epoch == n_epoch:
        warnings.warn(
            f"{point.path} is of fit {point.fit_number} of its learner and this is fit {number}, "
            f"of as many epochs as that one; it goes on from there",
            stacklevel=4,
        )
        return True
    raise CheckpointError(
        f"{point.path} is of fit {point.fit_number} of its learner, of {point.n_epoch} epochs; "
        f"this is fit {number}, of {n_epoch} epochs, and there was none such: the one of this "
        f"number had {done.get(number, 'unknown')} epochs. Call the same fits as when it was "
        "written, or only the one that was interrupted"
    )


def _say(learn: TrainState, text: str) -> None:
    if learn.strategy.rank == 0:
        print(text, file=sys.stderr)


def _check_epochs(point: _Point, n_epoch: int) -> None:
    """Refuse what lies behind the end of this fit: there would be nothing to go on with."""
    if not point.finished and (point.epoch, point.batches) > (n_epoch, 0):
        done = f"epoch {point.epoch}" + f", batch {point.batches}" * bool(point.batches)
        raise CheckpointError(
            f"{point.path} stands at {done} of a fit of {point.n_epoch} epochs, which is behind "
            f"the end of this fit of {n_epoch}. Ask for more epochs, pass an earlier checkpoint as "
            "resume=, or start anew, without resume"
        )


def _check_length(learn: TrainState, point: _Point) -> None:
    saved = int(point.state["fit"]["epoch_batches"])
    here = known_length(learn.dls.train) or 0
    if saved != here:
        raise CheckpointError(
            f"{point.path}: the training loader gave {saved} batches an epoch when it was written, "
            f"and gives {here} now. Use the same data and batch size to go on from it"
        )
