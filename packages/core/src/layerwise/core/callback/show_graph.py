"""`ShowGraphCallback`: the curves of training and validation loss while they come."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from layerwise.core.devices import rank_distrib
from layerwise.core.train.callback import Callback
from layerwise.core.train.progress import ProgressCallback, in_notebook
from layerwise.core.train.recorder import Recorder

__all__ = ["ShowGraphCallback"]


class ShowGraphCallback(Callback):
    """Draws the losses after each epoch; in a notebook the picture is replaced in its place.

    Reads what the recorder keeps; changes nothing. Of several processes only the first draws.

    Attributes:
        ax: the axes of the last fit; `ax.figure.savefig(file)` keeps them.
    """

    order: ClassVar[float] = 65
    after: ClassVar = (Recorder, ProgressCallback)
    in_search: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.ax: Any = None
        self._shown: Any = None

    def before_train(self) -> None:
        """Begin a picture with the first epoch, so that a validation leaves none."""
        if self.learn.train_iter == 0:
            self.ax = self._shown = None

    def after_epoch(self) -> None:
        """Draw the losses so far."""
        recorder = next((cb for cb in self.learn.cbs if isinstance(cb, Recorder)), None)
        if recorder is None or not recorder.losses or rank_distrib():
            return
        if self.ax is not None:
            self.ax.clear()
        self.ax = recorder.plot_loss(skip_start=0, ax=self.ax)
        # What is left of the training is blank, so that its end is in sight.
        expected = recorder.iters[-1] / len(recorder.iters) * self.learn.n_epoch
        self.ax.set_xlim(0, max(1.0, expected))
        self._show()

    def _show(self) -> None:
        if not in_notebook():
            return
        if self._shown is None:
            # By name, since IPython has types in some environments and is absent in others.
            display: Any = import_module("IPython.display").display
            self._shown = display(self.ax.figure, display_id=True)
        else:
            self._shown.update(self.ax.figure)

    def after_fit(self) -> None:
        """Take the figure from matplotlib's open ones; a notebook would draw it once more."""
        if self.ax is not None:
            import matplotlib.pyplot as plt

            plt.close(self.ax.figure)
