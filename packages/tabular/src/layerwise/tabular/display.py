"""`display_rows`: how rows of a table look, in a terminal and in a notebook."""

from __future__ import annotations

import pandas as pd

from layerwise.core.display.table import display_df

__all__: list[str] = []

_MOST_COLUMNS = 20  # that a wide window has room for


def display_rows(frame: pd.DataFrame) -> None:
    """Nothing; prints a line for each row, or a line for each column where there are many.

    Example:
        >>> display_rows(pd.DataFrame({"age": [39, 50], "job": ["clerk", "smith"]}))
        age  job
         39  clerk
         50  smith
        >>> display_rows(pd.DataFrame([[0.5] * 30]).add_prefix("x").iloc[:, 7:])
        column  0
        x7      0.5
        ...
        x29     0.5
    """
    if len(frame.columns) > _MOST_COLUMNS:
        columns = {str(i): list(row) for i, row in enumerate(frame.itertuples(index=False))}
        frame = pd.DataFrame({"column": list(map(str, frame.columns)), **columns}, dtype=object)
    display_df(frame)
