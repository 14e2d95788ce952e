"""Pictures that commands leave: the curve of a training, samples beside what is predicted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from layerwise.core.errors import MissingDependencyError

__all__: list[str] = []


def save_figure(path: Path) -> Path:
    """Write the current figure to a file, and close all."""
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    plt.savefig(path, dpi=100, bbox_inches="tight")
    plt.close("all")
    return path


def draw_curves(learn: Any, path: Path) -> Path | None:
    """Losses by batch, metrics by epoch, of what the recorder has; None without matplotlib."""
    from layerwise.core.display.axes import subplots

    recorder = learn.recorder
    names = [name for name in recorder.metric_names if name not in ("epoch", "time")]
    metrics = [name for name in names if not name.endswith("loss")]
    try:
        axes = subplots(1, 2 if metrics else 1, figsize=(12 if metrics else 6, 4))[1]
    except MissingDependencyError as error:
        _tell(error)
        return None
    recorder.plot_loss(ax=axes[0])
    for name in metrics:
        at = names.index(name)
        axes[1].plot(
            range(len(recorder.values)), [row[at] for row in recorder.values], "o-", label=name
        )
    if metrics:
        axes[1].set(xlabel="epoch", xticks=range(len(recorder.values)))
        axes[1].legend()
    return save_figure(path)


def draw_samples(learn: Any, path: Path) -> Path | None:
    """What `show_results` shows; None where it prints rather than draws, or cannot draw."""
    try:
        learn.show_results()
        from matplotlib import pyplot as plt
    except MissingDependencyError as error:
        _tell(error)
        return None
    return save_figure(path) if plt.get_fignums() else None


def _tell(error: MissingDependencyError) -> None:
    print(f"no picture: {error}", file=sys.stderr)
