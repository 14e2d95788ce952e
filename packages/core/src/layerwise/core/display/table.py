"""A table for terminal and notebook, without pandas."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from numbers import Number
from typing import Any

from torch import Tensor

__all__ = ["Table", "display_df", "display_table", "get_empty_df"]

Row = Sequence[Any] | Mapping[str, Any]

_LONGEST = 60  # characters of a cell in a terminal: two columns of text fit a usual window


class Table:
    """Rows and columns that print aligned and show as a table in a notebook.

    Args:
        rows: sequences, or mappings from column to cell; what a mapping lacks stays blank.
        columns: names, by default the keys of the mappings in the order in which they appear,
            or the numbers of the columns.

    Raises:
        ValueError: if a row has not as many cells as there are columns.

    Example:
        >>> print(Table([{"text": "so good", "score": 0.5}, {"text": "bad", "score": 12}]))
        text     score
        so good    0.5
        bad         12
    """

    def __init__(self, rows: Iterable[Row], columns: Sequence[Any] | None = None) -> None:
        given = list(rows)
        if columns is None:
            columns = _columns_of(given)
        self.columns = [str(column) for column in columns]
        self.rows = [
            [row.get(column, "") for column in columns] if isinstance(row, Mapping) else list(row)
            for row in given
        ]
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} has {len(row)} cells for {len(self.columns)} columns: "
                    f"{', '.join(self.columns)}"
                )

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        cells = [[_short(_text(cell)) for cell in row] for row in self.rows]
        lines = [[_short(column) for column in self.columns], *cells]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        rights = [
            bool(self.rows) and all(_is_number(cell) for cell in column)
            for column in zip(*self.rows, strict=True)
        ] or [False] * len(widths)
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, rights, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        from html import escape

        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _columns_of(rows: list[Row]) -> list[Any]:
    if rows and not isinstance(rows[0], Mapping):
        return list(range(len(rows[0])))
    return list(dict.fromkeys(key for row in rows for key in row))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, Number) or (isinstance(cell, Tensor) and cell.numel() == 1)


def _text(cell: Any) -> str:
    if isinstance(cell, Tensor) and cell.numel() == 1:
        cell = cell.item()
    # Six digits are what a float32 can hold.
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def get_empty_df(n: int) -> list[dict[str, Any]]:
    """`n` empty rows: contexts that show methods put their entries in, ready for a `Table`.

    Example:
        >>> get_empty_df(2)
        [{}, {}]
    """
    return [{} for _ in range(n)]


def _is_notebook() -> bool:
    """Whether a notebook is running this, as opposed to a script or a terminal."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _ipython_display() -> Any:
    return import_module("IPython.display")


def display_table(table: Table) -> None:
    """Nothing; shows `table` in the notebook, or prints it where there is none.

    Example:
        >>> display_table(Table([(1, "cat")], columns=["id", "name"]))
        id  name
         1  cat
    """
    if _is_notebook():
        _ipython_display().display(table)
    else:
        print(table)


def display_df(df: Any) -> None:
    """Nothing; shows a frame of pandas (or one like it) as a `Table`.

    Args:
        df: anything with `columns` and `itertuples`. Its index is left out, and floats have six
            digits: a frame by itself shows what single precision adds to them.
    """
    display_table(Table(df.itertuples(index=False), columns=list(df.columns)))
