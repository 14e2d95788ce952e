"""`JSONLogger`: all that is logged, as lines of JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.display.table import Table
from layerwise.core.train.log import LogEntry

__all__ = ["JSONLogger", "json_clean"]


class JSONLogger(LoggerCallback):
    """Writes what is published on the log bus to a file, one line of JSON for each step.

    Reads the log bus; changes nothing. A line has `step`, `epoch`, `split` and the values by name.
    Texts are written as they are, tables as lists of rows, and of many values their count, mean,
    standard deviation and range. Figures are left out. A training that goes on from a checkpoint
    goes on with its file, from what was in it at the checkpoint.

    Args:
        fname: the file, in the learner's `path` unless absolute.
        append: go on with a file that is there; otherwise the first fit replaces it.

    Example:
        >>> JSONLogger("runs/first.jsonl").fname
        PosixPath('runs/first.jsonl')
    """

    def __init__(self, fname: str | Path = "log.jsonl", append: bool = False) -> None:
        super().__init__()
        self.fname, self.append = Path(fname), append
        self._begun = False

    @property
    def file(self) -> Path:
        """Where the lines go."""
        return self.learn.path / self.fname

    def scalars(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:
        """Write one line with all numbers of a step."""
        self._write({"step": step, "epoch": epoch, "split": split, **values})

    def show(self, entry: LogEntry) -> None:
        """Write one line with a text, a table or a summary of many values."""
        if entry.kind != "figure":
            head = {"step": entry.step, "epoch": entry.epoch, "split": entry.split}
            self._write({**head, entry.name: _plain(entry.value)})

    def _write(self, line: dict[str, Any]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a" if self._begun or self.append else "w") as opened:
            opened.write(json.dumps(json_clean(line), allow_nan=False) + "\n")
        self._begun = True

    def state_dict(self) -> dict[str, Any]:
        """How much of the file there is."""
        self.flush()
        size = self.file.stat().st_size if self._begun and self.file.exists() else 0
        return {"size": size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the checkpoint was: lines that were written after it will come again."""
        self._waiting = []
        if self.is_writing:
            self._begun = cut_file(self.file, state["size"])

    def read_log(self) -> list[dict[str, Any]]:
        """The lines of the file; `pandas.read_json(cb.file, lines=True)` gives a frame."""
        return [json.loads(line) for line in self.file.read_text().splitlines()]


def cut_file(file: Path, size: int) -> bool:
    """Whether `file` had at least `size` bytes; the rest is cut off. False where size is 0."""
    if not size or not file.exists() or file.stat().st_size < size:
        return False
    os.truncate(file, size)
    return True


def json_clean(value: Any) -> Any:
    """`value` as JSON can hold it.

    Numbers of NumPy and torch become numbers of Python, tensors and arrays lists; paths and other
    objects their text; numbers that are not finite become `"nan"`, `"inf"` and `"-inf"`, which
    `float` reads.

    Example:
        >>> json_clean({"loss": torch.tensor(0.5), 1: (float("nan"), Path("a"))})
        {'loss': 0.5, '1': ['nan', 'a']}
    """
    if isinstance(value, Mapping):
        return {str(key): json_clean(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_clean(member) for member in value]
    if isinstance(value, Tensor | np.ndarray | np.generic):
        return json_clean(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, Table):
        return [dict(zip(value.columns, row, strict=True)) for row in value.rows]
    values = torch.as_tensor(value).double().flatten().cpu()
    if not len(values):
        return {"count": 0}
    spread = values.std(correction=0)
    return {
        "count": len(values), "mean": values.mean(), "std": spread,
        "min": values.min(), "max": values.max(),
    }  # fmt: skip
