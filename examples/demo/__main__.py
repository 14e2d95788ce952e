"""Train on every kind of data, and show what was learnt.

    make demo
    make demo TASK=vision
    python examples/demo tabular collab

A task is one of: {tasks}. All of them run when none is named. The data lie in `examples/data`;
no network is needed. What is drawn goes to `demo-output/`, and all of it onto one page,
`demo-output/index.html`. The exit code is 0 when every task reached its goal.
"""

import argparse
import os
import sys
import time
import traceback
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
from page import page
from score import Score
from section import Section

from layerwise.core.display.table import Table
from layerwise.core.errors import nearest

ROOT = Path(__file__).resolve().parents[2]
TASKS = {  # the module of each task here, and the package that it needs
    "vision": "vision",
    "segmentation": "vision",
    "text": "text",
    "tabular": "tabular",
    "collab": "collab",
    "audio": "audio",
}


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python examples/demo",
        description=(__doc__ or "").format(tasks=", ".join(TASKS)),
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="all when none is named")
    parser.add_argument("--data", type=Path, default=ROOT / "examples/data", help="folder of data")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="for pictures")
    options = parser.parse_args()
    for name in options.tasks:
        if name not in TASKS:
            told = f"there is no task {name!r}.{nearest(name, TASKS)}"
            parser.error(f"{told} Tasks are: {', '.join(TASKS)}")
    if not options.data.is_dir():
        parser.error(f"--data {str(options.data)!r} is no folder; name the one of examples/data")
    options.tasks = list(dict.fromkeys(options.tasks)) or list(TASKS)
    options.data, options.output = options.data.resolve(), options.output.resolve()
    return options


def run_task(name: str, options: argparse.Namespace) -> Section:
    """What the task showed. A failure is reported and kept, so that the others still run."""
    section = Section(name, options.data, options.output, title=name)
    start = time.perf_counter()
    try:
        task = import_module(name)
        section.title = task.TITLE
        section.row = {
            "task": task.TASK,
            "data": task.DATA,
            "metric": "",
            "value": "failed",
            "guessing": "",
        }
        print(f"\n{task.TITLE}")
        score: Score = task.run(section)
        section.row |= score.row()
        section.problem = score.problem()
    except Exception as error:
        traceback.print_exc()
        section.problem = f"{type(error).__name__}: {error}"
    section.row["seconds"] = f"{time.perf_counter() - start:.0f}"
    return section


def main() -> int:
    """Run the tasks; 0 when all of them reached their goals."""
    options = read_arguments()
    mpl.use("agg")
    os.environ["LAYERWISE_MIRROR"] = str(options.data)  # untar_data takes archives from there
    (options.output / "work").mkdir(parents=True, exist_ok=True)
    sections, notes = [], []
    start = time.perf_counter()
    for name in options.tasks:
        package = TASKS[name]
        if find_spec(f"layerwise.{package}") is None:
            notes.append(f"{name} is skipped; it needs: pip install layerwise-{package}")
            print(f"\n{notes[-1]}")
        else:
            sections.append(run_task(name, options))
    file = options.output / "index.html"
    lead = f"What this computer trained and drew in {time.perf_counter() - start:.0f} seconds."
    file.write_text(page("layerwise: the demo", lead, sections, notes), encoding="utf-8")
    print(f"\n{Table([section.row for section in sections])}\n\nOpen {file}")
    problems = [f"{each.name}: {each.problem}" for each in sections if each.problem]
    for problem in problems:
        print(f"Something is wrong. {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
