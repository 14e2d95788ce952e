"""What a bundle takes: the contents of a file, a text, or a row; found from its data.

Nothing here knows a domain. A step of the data that accepts `bytes` takes the contents of files. A
transform with `takes_text = True` takes texts, and a string that it gets is never the name of a
file. Data with a method `request_columns()` take rows. What comes from a request enters the
pipeline at that very step, so no earlier one can take it for a path.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.errors import ConfigError, nearest
from layerwise.core.serve.limits import Refused
from layerwise.core.train.data_config import inference_loader
from layerwise.core.train.predictor import Predictor

__all__ = ["Column", "Intake", "intake_of", "predictor_of"]


@dataclass(frozen=True)
class Column:
    """A column of the rows that a bundle takes.

    Args:
        name: as the data know it.
        is_number: whether its values are numbers; otherwise they are categories: texts, numbers or
            truth values.
        choices: the categories that training has seen; empty where these are too many to list.
    """

    name: Hashable
    is_number: bool
    choices: Sequence[Any] = ()


@dataclass(frozen=True)
class Intake:
    """What a bundle takes.

    Args:
        kind: "file" for the contents of a file, "text", or "row".
        skip: how many first steps of the data do not see what comes from a request.
        media_type: of files, such as "image/*"; None where the type of the items does not say.
        columns: of rows.
    """

    kind: Literal["file", "text", "row"]
    skip: int = 0
    media_type: str | None = None
    columns: Sequence[Column] = ()

    @property
    def one(self) -> str:
        """The name of one item in a request."""
        return self.kind

    @property
    def several(self) -> str:
        """The name of several items in a request."""
        return f"{self.kind}s"

    def checked(self, item: Any, told: str) -> Any:
        """`item` as the data take it.

        Args:
            item: from a request.
            told: what the item is called in an error, such as "text" or "rows[3]".

        Raises:
            Refused: if it is something else; says what was expected.
        """
        if self.kind == "row":
            return self._row(item, told)
        is_file = self.kind == "file"
        what = "the contents of a file" if is_file else "a text in quotes"
        if not isinstance(item, bytes if is_file else str):
            raise Refused(422, f"{told} is {_described(item)}; give {what}")
        if not (item if is_file else item.strip()):
            raise Refused(422, f"{told} is empty; give {what}")
        return item

    def _row(self, row: Any, told: str) -> dict[Hashable, Any]:
        names = {str(column.name): column for column in self.columns}
        if not isinstance(row, Mapping):
            raise Refused(
                422,
                f"{told} is {_described(row)}; give an object with a value for each of "
                f"{_listed(names)}",
            )
        for name in row:
            if name not in names:
                raise Refused(
                    422,
                    f"{told} has an unknown column {name!r:.100}.{nearest(name, names)} The "
                    f"columns are {_listed(names)}",
                )
        missing = [name for name in names if name not in row]
        if missing:
            raise Refused(
                422, f"{told} has no column {_listed(missing)}; give null for what is not known"
            )
        return {
            column.name: _value(row[name], column, f"{told}.{name}")
            for name, column in names.items()
        }


def intake_of(learn: Any) -> Intake:
    """What the bundle of `learn` takes.

    Raises:
        ConfigError: if nothing says so; tells what to add.

    Example:
        >>> from layerwise.core.data.dataset import Datasets
        >>> from layerwise.core.data.loaders import DataLoaders, TfmdDL
        >>> from types import SimpleNamespace
        >>> def size(content: bytes) -> float: return float(len(content))
        >>> dl = TfmdDL(Datasets([b"a", b"bc"], [[size]]), bs=2)
        >>> intake_of(SimpleNamespace(dls=DataLoaders(dl, dl))).kind
        'file'
    """
    loader = inference_loader(learn.dls)
    reason = getattr(loader, "unserved", None)
    if reason is not None:
        raise ConfigError(f"this bundle cannot be served: {reason}")
    dataset = getattr(loader, "dataset", None)
    columns = getattr(dataset, "request_columns", None)
    if columns is not None:
        return Intake("row", columns=tuple(columns()))
    if isinstance(dataset, Datasets) and dataset.n_inp > 1:
        raise ConfigError(
            f"this bundle cannot be served: its items have {dataset.n_inp} inputs, and a request "
            "brings one. Make them by one pipeline, from the contents of one file or one text"
        )
    first = dataset.tls[0] if isinstance(dataset, Datasets) else dataset
    found = _by_steps(first) if isinstance(first, TfmdLists) else None
    if found is None:
        raise ConfigError(
            "this bundle cannot be served, since nothing says what it takes: a step of its data "
            "has to accept `bytes` (the contents of a file) or have takes_text = True, or the data "
            "a method request_columns()"
        )
    return found


def predictor_of(learn: Any, intake: Intake) -> Predictor:
    """What predicts items as they come from outside, which no step before theirs sees.

    Args:
        learn: as `load_learner` gave it.
        intake: what it takes.
    """
    kind = getattr(inference_loader(learn.dls), "predictor_type", Predictor)
    made: Predictor = kind(learn, None if intake.kind == "row" else intake.skip)
    return made


def _by_steps(items: TfmdLists) -> Intake | None:
    types = items.types or []
    for i, step in enumerate(items.tfms):
        if getattr(step, "takes_text", False):
            return Intake("text", skip=i)
        if i < len(types) and bytes in types[i]:
            made = types[i + 1][0] if i + 1 < len(types) and types[i + 1] else object
            return Intake("file", skip=i, media_type=getattr(made, "media_type", None))
    return None


def _value(value: Any, column: Column, told: str) -> Any:
    """A value of a row, if it is of the kind of its column; None is a missing one."""
    if value is None:
        return None
    if not column.is_number:
        if isinstance(value, str | int | float):
            return value
        raise Refused(422, f"{told} is {_described(value)}; give a text, a number or null")
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise Refused(422, f"{told} is {_described(value)}; give a number or null")
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is larger than any float
        return False


def _described(value: Any) -> str:
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "a text"}
    kinds |= {list: "a list", dict: "an object", type(None): "null", bytes: "a file"}
    kind = kinds.get(type(value), f"a {type(value).__name__}")
    if value is None or isinstance(value, dict | list | bytes):
        return kind
    return f"{kind}, {value!r:.60}"


def _listed(names: Any) -> str:
    shown = [repr(str(name)) for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if shown[20:] else "")
