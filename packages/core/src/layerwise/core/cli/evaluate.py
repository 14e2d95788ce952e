"""`layerwise evaluate`: loss and metrics of an exported learner on data with labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from layerwise.core.cli.inputs import delimiter_of, files_below
from layerwise.core.cli.named import named
from layerwise.core.display.table import Table
from layerwise.core.errors import ConfigError, MissingDependencyError
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.multilabel import accuracy_multi
from layerwise.core.metrics.regression import rmse
from layerwise.core.restore import load_learner
from layerwise.core.serve.intake import intake_of
from layerwise.core.tensors import TensorMultiCategory

__all__ = ["evaluate"]


def evaluate(
    bundle: Path,
    data: Path,
    /,
    *,
    metrics: tuple[str, ...] = (),
    format: Literal["table", "json"] = "table",  # noqa: A002 - what it is
    delimiter: str | None = None,
    bs: int | None = None,
    gpu: bool = False,
    sha256: str | None = None,
) -> int:
    """Measure an exported learner on data with labels.

    Args:
        bundle: a file that `layerwise train` or `Learner.export` wrote.
        data: as the learner was trained on: a folder of files, whose labels are found as they were
            in training, or a table with a column of labels; file names in it count from here.
        metrics: their names, such as `F1Score`; accuracy for classes and rmse for numbers when none
            is given.
        format: a table to read, or an object of JSON.
        delimiter: what parts the columns of a table; a tab in a .tsv and a comma in any other when
            None.
        bs: items in a batch; as in training when None.
        gpu: use the GPU, if there is one.
        sha256: of the bundle, got from whom you trust.
    """
    learn = load_learner(bundle, cpu=not gpu, sha256=sha256)
    items = _items(data, intake_of(learn).media_type, delimiter)
    loader = learn.dls.test_dl(items, with_labels=True, **({} if bs is None else {"bs": bs}))
    wanted = [named("metric", name) for name in metrics] or _usual(loader.one_batch()[-1])
    learn.metrics = [each() if isinstance(each, type) else each for each in wanted]
    values = learn.validate(dl=loader)
    found = dict(zip(["loss", *(metric.name for metric in learn.metrics)], values, strict=True))
    found = {"items": len(loader.dataset), **{name: float(value) for name, value in found.items()}}
    if format == "json":
        print(json.dumps(found))
    else:
        print(Table([{n: v if n == "items" else f"{v:.4f}" for n, v in found.items()}]))
    return 0


def _items(data: Path, media_type: str | None, delimiter: str | None) -> Any:
    if data.is_dir():
        return list(files_below(data, media_type))
    if not data.is_file():
        raise ConfigError(f"there is no file or folder {str(data)!r}")
    try:
        import pandas as pd
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "pandas", needed_for="tables with labels", install="pandas"
        ) from error
    return pd.read_csv(data, skipinitialspace=True, sep=delimiter_of(data, delimiter))


def _usual(target: Any) -> list[Any]:
    """What measures predictions of such targets, beside the loss."""
    if isinstance(target, TensorMultiCategory):
        return [accuracy_multi]
    if not isinstance(target, Tensor):
        return []
    if target.is_floating_point():
        return [rmse]
    return [accuracy] if target.ndim <= 2 else []  # a code for each item, and not for each pixel
