"""Files of the UCR and UEA archives: `.ts`, with channels of unequal length and missing values.

A line is a case: its channels, parted by colons, each of them values parted by commas, then the
class. `?` and `NaN` are missing values (Bagnall et al., "The UEA multivariate time series
classification archive", 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from layerwise.core.errors import DataError
from torch import Tensor

__all__ = ["SeriesFile", "read_ts"]

_NAN = float("nan")


class SeriesFile(NamedTuple):
    """What a file holds.

    Attributes:
        series: (C, T) each, NaN where a value is missing or a channel is shorter than others.
        labels: the class of each; empty where the file has none.
        classes: those that the head of the file lists.
    """

    series: list[Tensor]
    labels: list[str]
    classes: list[str]


def read_ts(path: str | Path) -> SeriesFile:
    """The cases of a `.ts` file.

    Raises:
        DataError: names the line that is no case, or a feature of the format that is not read.
    """
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    head = _head(lines)
    if head.get("timestamps", ["false"])[0] == "true":
        raise DataError(
            f"{path} has time stamps, which are not read; resample it to even steps and write the "
            "values alone"
        )
    has_class, *classes = head.get("classlabel", head.get("targetlabel", ["false"]))
    series: list[Tensor] = []
    labels: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip()[0] in "@#%":
            continue
        try:
            channels = line.strip().split(":")
            if has_class == "true":
                labels.append(channels.pop().strip())
            series.append(_case(channels))
        except (ValueError, IndexError) as error:
            raise DataError(
                f"{path}, line {number} is no case of a .ts file ({error}); channels are parted by "
                "':', values by ',', and the class stands last"
            ) from error
    return SeriesFile(series, labels, classes)


def _head(lines: Sequence[str]) -> dict[str, list[str]]:
    """The words after each `@name` of the head, names in small letters."""
    found = {}
    for line in lines:
        if line.startswith("@"):
            name, *words = line[1:].split()
            found[name.lower()] = words
            if name.lower() == "data":
                break
    if "data" not in found:
        raise DataError("there is no line '@data'; is it a .ts file?")
    return {
        name: [words[0].lower(), *words[1:]] if words else [""] for name, words in found.items()
    }


def _case(channels: Sequence[str]) -> Tensor:
    """(C, T) values; shorter channels end with NaN."""
    values = [[_value(word) for word in channel.split(",")] for channel in channels]
    if not values:
        raise ValueError("no channel")
    longest = max(map(len, values))
    return torch.tensor([row + [_NAN] * (longest - len(row)) for row in values])


def _value(word: str) -> float:
    return _NAN if word.strip() == "?" else float(word)
