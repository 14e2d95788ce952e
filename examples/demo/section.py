"""What the page shows of a task; the task fills it from top to bottom."""

import inspect
import math
import shutil
import struct
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from layerwise.core.data.archive import extract_archive
from layerwise.core.learner import Learner

__all__ = ["Picture", "Section", "captioned", "html_table"]


@dataclass(frozen=True)
class Picture:
    """A drawn file, and what it shows, for whoever cannot see it.

    Args:
        path: of the PNG file.
        caption: a line above the picture.
        alt: what is in it.
    """

    path: Path
    caption: str
    alt: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the head of the file."""
        with self.path.open("rb") as file:
            width, height = struct.unpack(">II", file.read(24)[16:])
        return width, height


@dataclass
class Section:
    """One task on the page.

    Args:
        name: of the task.
        data: the folder of data, `examples/data`.
        output: the folder for pictures.
        title: the heading.
        blocks: what was shown so far: pictures, and pieces of HTML.
        row: its line in the table of all tasks.
        problem: why it failed or fell short; empty when it did not.
    """

    name: str
    data: Path
    output: Path
    title: str = ""
    blocks: list[Picture | str] = field(default_factory=list)
    row: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def work(self) -> Path:
        """Where a task unpacks its data and saves its model."""
        return self.output / "work"

    def unpacked(self, archive: str) -> Path:
        """The folder with what is in an archive of `data`; what an earlier run left is replaced."""
        folder = self.work / archive.partition(".")[0]
        if folder.is_dir():
            shutil.rmtree(folder)
        return extract_archive(self.data / archive, folder)

    def paragraph(self, text: str) -> None:
        """Show a paragraph of plain text."""
        self.blocks.append(f"<p>{escape(text)}</p>")

    def program(self, function: Callable[..., Any]) -> None:
        """Show the source of a function of the task, folded."""
        source = escape(inspect.getsource(function))
        where = escape(f"examples/demo/{Path(inspect.getfile(function)).name}")
        self.blocks.append(
            f"<details><summary>The program: {where}</summary>\n<pre><code>{source}</code></pre>"
            "</details>"
        )

    def picture(self, name: str, caption: str, alt: str) -> None:
        """Show the current figure of matplotlib, and keep it as `TASK-NAME.png`."""
        import matplotlib.pyplot as plt

        path = self.output / f"{self.name}-{name}.png"
        plt.savefig(path, dpi=100, bbox_inches="tight", facecolor="white")
        plt.close("all")
        self.blocks.append(Picture(path, caption, alt))
        print(f"  drew {path.parent.name}/{path.name}")

    def losses(self, learn: Learner) -> None:
        """Show how the loss fell."""
        learn.recorder.plot_loss(show_epochs=True)
        self.picture(
            "loss",
            "The loss of each step, and of validation after each epoch.",
            "Curves of the loss in training and in validation, which fall",
        )

    def table(
        self,
        rows: Iterable[Mapping[Any, Any]],
        caption: str,
        *,
        is_wrong: Callable[[Mapping[Any, Any]], bool] | None = None,
    ) -> None:
        """Show rows as a table; those of which `is_wrong` is true are red, with a cross."""
        self.blocks.append(html_table(list(rows), caption, is_wrong))

    def text(self, text: str, caption: str) -> None:
        """Show lines as they are."""
        self.html(f"<pre>{escape(text)}</pre>", caption)

    def html(self, html: str, caption: str) -> None:
        """Show a piece of HTML."""
        self.blocks.append(captioned(html, caption))

    def clip(self, file: Path, caption: str) -> None:
        """Show a sound to listen to, a FLAC file."""
        data = b64encode(file.read_bytes()).decode()
        self.html(f'<audio controls src="data:audio/flac;base64,{data}"></audio>', caption)

    def fresh_process(self, program: str, *arguments: object) -> None:
        """Run `program` in another process, which knows nothing but files, and show both.

        Raises:
            RuntimeError: if it fails; with what it wrote.
        """
        words = [sys.executable, "-c", program, *map(str, arguments)]
        done = subprocess.run(words, cwd=self.work, capture_output=True, text=True)  # noqa: S603, PLW1510 - a program of ours; what it wrote says more
        if done.returncode:
            raise RuntimeError(f"the program that loads the export failed:\n{done.stderr}")
        print(done.stdout, end="")
        self.text(program.strip(), "A fresh process has the exported file and this program:")
        self.text(done.stdout.rstrip(), "It prints:")


def captioned(html: str, caption: str) -> str:
    """HTML below its caption."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>\n{html}</figure>"


def html_table(
    rows: Sequence[Mapping[Any, Any]],
    caption: str,
    is_wrong: Callable[[Mapping[Any, Any]], bool] | None = None,
) -> str:
    """HTML of a table, a row for each mapping; wrong ones are red, with a cross."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in rows[0])
    body = "\n".join(_table_row(row, bool(is_wrong and is_wrong(row))) for row in rows)
    table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    return captioned(f'<div class="wide">{table}</div>', caption)


def _table_row(row: Mapping[Any, Any], is_wrong: bool) -> str:
    cells = [_cell(cell) for cell in row.values()]
    cross = ["✗ " if is_wrong else "", *[""] * (len(cells) - 1)]
    kinds = [_kind(cell) for cell in row.values()]
    inside = "".join(
        f"<td{kind}>{mark}{escape(cell)}</td>"
        for kind, mark, cell in zip(kinds, cross, cells, strict=True)
    )
    return f'<tr class="wrong">{inside}</tr>' if is_wrong else f"<tr>{inside}</tr>"


def _kind(cell: Any) -> str:
    """The class of a cell: numbers stand to the right, and long texts need some width."""
    if isinstance(cell, int | float):
        return ' class="number"'
    return ' class="long"' if len(str(cell)) > 60 else ""


def _cell(cell: Any) -> str:
    """What stands in a cell; nothing for a number that is missing."""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.4g}"
    return str(cell)
