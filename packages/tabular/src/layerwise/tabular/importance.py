"""Which columns a model leans on: how much worse it is when one of them is shuffled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from layerwise.core.data.array_loader import ArrayDataset, ArrayDL
from layerwise.core.random import isolated
from layerwise.core.train.progress import no_bar

__all__ = ["FeatureImportance", "feature_importance"]

Score = Callable[[Tensor, Tensor], Any]


class FeatureImportance:
    """How much worse a model is without each column, the worst loss first.

    Attributes:
        table: a frame with `column`, `importance` and `std`, over the repeats.
        measured: what the importance is a difference of.
    """

    def __init__(self, table: pd.DataFrame, measured: str) -> None:
        self.table, self.measured = table, measured

    def __repr__(self) -> str:
        return self.table.to_string(index=False)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False))

    def plot(self, max_n: int = 20, ax: Any = None) -> Any:
        """The axes with a bar for each of the `max_n` columns that matter most.

        Args:
            max_n: how many.
            ax: axes to draw on; a new figure when None.
        """
        import matplotlib.pyplot as plt

        shown = self.table.head(max_n).iloc[::-1]
        if ax is None:
            _, ax = plt.subplots(figsize=(7, 0.8 + 0.3 * len(shown)), layout="constrained")
        names = [str(name) for name in shown["column"]]
        ax.barh(names, shown["importance"], xerr=shown["std"], color="tab:blue", ecolor="0.4")
        ax.axvline(0, color="0.4", linewidth=0.8)
        ax.set_xlabel(f"{self.measured} when the column is shuffled")
        return ax


def feature_importance(
    learn: Any,
    dl: Any = None,
    score: Score | None = None,
    repeats: int = 3,
    max_n: int = 10_000,
    seed: int = 0,
) -> FeatureImportance:
    """How much the model of `learn` loses when a column tells it nothing (Breiman, 2001).

    One column after the other is shuffled among the rows, with what was derived from it, which
    breaks what ties it to the target and leaves its distribution. Columns that say the same stand
    in for one another, and each of them looks less important than it is.

    Args:
        learn: a learner of a table.
        dl: a loader of rows with targets; the validation rows when None.
        score: called as `score(preds, targets)`, larger is better, for example a function of
            scikit-learn on the arrays; the loss when None, which has to become smaller.
        repeats: shuffles of each column.
        max_n: rows to measure on, the first ones; the error of a mean over 10,000 is about 1 %.
        seed: decides the shuffles.

    Raises:
        ValueError: if the rows have no targets.
    """
    loader = learn.dls.valid if dl is None else dl
    table = loader.dataset
    rows = table.gather(torch.arange(min(max_n, len(table))))
    if len(rows) < 3:
        raise ValueError(
            "these rows have no targets to compare with; make the loader with "
            "learn.dls.test_dl(df, with_labels=True)"
        )
    whole = _worth(learn, rows, score)
    generator = torch.Generator().manual_seed(seed)
    found = []
    for name, places in _places(table).items():
        lost = []
        for _ in range(repeats):
            order = torch.randperm(len(rows[0]), generator=generator)
            lost.append(whole - _worth(learn, _shuffled(rows, places, order), score))
        found.append((name, float(np.mean(lost)), float(np.std(lost))))
    frame = pd.DataFrame(found, columns=["column", "importance", "std"])
    frame = frame.sort_values("importance", ascending=False, ignore_index=True)
    return FeatureImportance(frame, "loss gained" if score is None else "score lost")


def _places(table: Any) -> dict[Any, tuple[list[int], list[int]]]:
    """For each column of the frame, where what is made of it stands among codes and numbers."""
    found: dict[Any, tuple[list[int], list[int]]] = {}
    for kind, names in enumerate((table.cat_names, table.cont_names)):
        for place, name in enumerate(names):
            origin = table.schema.derived.get(name, name)
            found.setdefault(origin, ([], []))[kind].append(place)
    return found


def _shuffled(
    rows: tuple[Tensor, ...], places: tuple[list[int], list[int]], order: Tensor
) -> tuple[Tensor, ...]:
    made = []
    for member, columns in zip(rows[:2], places, strict=True):
        changed = member.clone() if columns else member
        changed[:, columns] = member[:, columns][order]
        made.append(changed)
    return *made, *rows[2:]


def _worth(learn: Any, rows: tuple[Tensor, ...], score: Score | None) -> float:
    loader = ArrayDL(ArrayDataset(*rows, n_inp=2), bs=1024, device=learn.dls.device)
    with no_bar(learn), isolated(0):  # which leaves the seeds of what comes later
        if score is None:
            return -float(learn.validate(dl=loader)[0])
        return float(score(*learn.get_preds(dl=loader)))
