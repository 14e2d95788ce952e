"""`CSVLogger`: the table of epochs as a file."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from layerwise.core.callback.json_log import cut_file
from layerwise.core.devices import rank_distrib
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder, format_time

__all__ = ["CSVLogger"]


class CSVLogger(Callback):
    """Writes the row of each epoch to a file, in full precision, as soon as it is there.

    Reads what the recorder keeps; changes nothing. The file is open only while a row is written,
    so what was trained is in it even if the training is killed. A training that goes on from a
    checkpoint goes on with its file, from the rows that were there at the checkpoint. Of several
    processes only the first writes.

    Args:
        fname: the file, in the learner's `path` unless absolute.
        append: go on with a file that is there; otherwise it is replaced.

    Example:
        >>> CSVLogger("runs/first.csv").fname
        PosixPath('runs/first.csv')
    """

    order: ClassVar[float] = 60
    after: ClassVar = (Recorder,)
    in_search: ClassVar[bool] = False

    def __init__(self, fname: str | Path = "history.csv", append: bool = False) -> None:
        super().__init__()
        self.fname, self.append = Path(fname), append
        self._begun = False

    @property
    def file(self) -> Path:
        """Where the rows go."""
        return self.learn.path / self.fname

    def before_fit(self) -> None:
        """A new table begins with its first row: a validation has none and leaves no file."""
        self._begun = False

    def before_epoch(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()

    def after_epoch(self) -> None:
        """Write the row, and before the first one the names of its columns."""
        if rank_distrib():
            return
        recorder = self._recorder()
        new = not self._begun and not (self.append and self.file.exists())
        rows: list[Sequence[Any]] = []
        columns = [name for name in recorder.metric_names if name != "time"]
        if new:
            rows.append([*columns, "time"])
        took = format_time(time.perf_counter() - self._start)
        rows.append([self.learn.epoch, *recorder.values[-1], took])
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("w" if new else "a", newline="") as opened:
            csv.writer(opened).writerows(rows)
        self._begun = True

    def state_dict(self) -> dict[str, Any]:
        """How much of the file there is."""
        return {"size": self.file.stat().st_size if self._begun and self.file.exists() else 0}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the checkpoint was: rows that were written after it will come again."""
        if not rank_distrib():
            self._begun = cut_file(self.file, state["size"])

    def _recorder(self) -> Recorder:
        for cb in self.learn.cbs:
            if isinstance(cb, Recorder):
                return cb
        raise ValueError(
            "CSVLogger writes what a Recorder keeps, and this learner has none; add one with "
            "cbs=Recorder()"
        )

    def read_log(self) -> list[dict[str, str]]:
        """The rows of the file by column name; `pandas.read_csv(cb.file)` gives a frame."""
        with self.file.open(newline="") as opened:
            return list(csv.DictReader(opened))
