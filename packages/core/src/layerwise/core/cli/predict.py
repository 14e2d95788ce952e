"""`layerwise predict`: what an exported learner says of files, texts and rows, as a table."""

from __future__ import annotations

import csv
import json
import sys
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

from layerwise.core.cli.inputs import Given, items_of
from layerwise.core.errors import ConfigError, LayerwiseError
from layerwise.core.restore import load_learner
from layerwise.core.serve.answers import Answer, answer_of, flat_record
from layerwise.core.serve.intake import Intake, intake_of, predictor_of
from layerwise.core.serve.limits import Refused

__all__ = ["predict"]

_PICTURES = ("mask", "picture")  # keys of answers that hold a PNG


def predict(
    bundle: Path,
    inputs: tuple[str, ...],
    /,
    *,
    out: Path | None = None,
    format: Literal["csv", "jsonl"] = "csv",  # noqa: A002 - what it is
    column: str = "text",
    delimiter: str | None = None,
    pictures: Path | None = None,
    bs: int = 64,
    gpu: bool = False,
    sha256: str | None = None,
) -> int:
    """Predict with an exported learner, and write a row for each item.

    What cannot be read is named on the error stream and left out; the exit code is then 1.

    Args:
        bundle: a file that `layerwise train` or `Learner.export` wrote.
        inputs: files, or folders, for a learner of pictures or sounds; for one of texts files,
            tables (.csv) with a column of texts, or "-" for a text on each line of the input; for
            one of rows tables.
        out: the file to write; by default the rows are printed.
        format: separated values, or an object of JSON on each line.
        column: of a table, which has the texts.
        delimiter: what parts the columns of a table; a tab in a .tsv and a comma in any other when
            None.
        pictures: a folder for masks and pictures that are predicted; in rows they are PNG in
            base64.
        bs: items that are predicted together.
        gpu: predict on the GPU, if there is one.
        sha256: of the bundle, got from whom you trust.
    """
    if not inputs:
        raise ConfigError('name what to predict: files, folders, tables, or "-" for texts')
    learn = load_learner(bundle, cpu=not gpu, sha256=sha256)
    intake = intake_of(learn)
    items = items_of(intake, inputs, column, delimiter)  # or an error, before a file is opened
    with ExitStack() as stack:
        target = sys.stdout
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            target = stack.enter_context(out.open("w", newline="", encoding="utf8"))
        rows = _Rows(target, format)
        failed = 0
        while given := list(islice(items, bs)):
            for one, answer in _answers(learn, intake, given):
                if isinstance(answer, Exception):
                    print(f"layerwise predict: {one.name}: {answer}", file=sys.stderr)
                    failed += 1
                    continue
                if pictures is not None:
                    answer = _kept(answer, pictures, one)
                rows.write(one, answer)
    if not rows.count and not failed:
        raise ConfigError(f"nothing to predict in {', '.join(inputs)}")
    if out is not None:
        print(f"{rows.count} predictions in {out}")
    return 1 if failed else 0


def _answers(
    learn: Any, intake: Intake, given: Sequence[Given]
) -> Iterator[tuple[Given, Answer | Exception]]:
    """An answer for each item; of items that cannot be read, what is wrong with them."""
    try:
        items = [intake.checked(one.load(), one.name) for one in given]
        answers = [answer_of(learn, found) for found in predictor_of(learn, intake).each(items)]
    except (LayerwiseError, Refused, OSError, UnicodeError) as error:
        if len(given) == 1:
            yield given[0], error
        else:
            for one in given:
                yield from _answers(learn, intake, [one])
    else:
        yield from zip(given, answers, strict=True)


def _kept(answer: Answer, folder: Path, one: Given) -> Answer:
    """The answer with names of files in place of pictures, which are written."""
    told = dict(answer)
    for key in _PICTURES:
        if key in told:
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{Path(one.name).stem}-{one.number}-{key}.png"
            file.write_bytes(b64decode(told[key]))
            told[key] = str(file)
    return told


class _Rows:
    """Rows of a table that is written while they come."""

    def __init__(self, target: TextIO, format: Literal["csv", "jsonl"]) -> None:  # noqa: A002
        self.target, self.format, self.count = target, format, 0
        self._writer: Any = None

    def write(self, one: Given, answer: Answer) -> None:
        """Write the row of one item."""
        if self.format == "jsonl":
            print(json.dumps({"item": one.name, **answer}, ensure_ascii=False), file=self.target)
        else:
            row = {"item": one.name, **flat_record(answer)}
            if self._writer is None:
                self._writer = csv.DictWriter(self.target, list(row), extrasaction="ignore")
                self._writer.writeheader()
            self._writer.writerow(row)
        self.count += 1
