"""The command `layerwise`: one word after it says what to do."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from layerwise.core.cli.info import print_info
from layerwise.core.cli.published import Command, commands, run_command
from layerwise.core.distributed.launcher import add_arguments, run_arguments
from layerwise.core.errors import LayerwiseError, nearest

__all__ = ["main"]

_OWN = ("info", "launch")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, 1 where something is broken, 2 for wrong words.

    Args:
        argv: the words after `layerwise`; those of this process when None.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given[0] in _OWN:
        return _run_own(given)
    try:
        published = commands()
        found = _longest(published, given)
        if found is not None:
            with warnings.catch_warnings():
                warnings.showwarning = _tell_warning
                return run_command(found, given[len(found.words) :])
    except LayerwiseError as error:
        print(f"layerwise: {error}", file=sys.stderr)
        return 1
    return _run_own(given, published)


def _tell_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as a line for who typed a command, without the line of code that gave it."""
    print(f"layerwise: warning: {message}", file=sys.stderr)


def _longest(published: Sequence[Command], given: Sequence[str]) -> Command | None:
    """The command whose words `given` begins with, the longest of several."""
    fitting = [c for c in published if tuple(given[: len(c.words)]) == c.words]
    return max(fitting, key=lambda command: len(command.words), default=None)


def _run_own(given: Sequence[str], published: Sequence[Command] = ()) -> int:
    parser = _parser(published)
    words = [word for word in given if not word.startswith("-")]
    if words and words[0] not in _OWN:
        known = [*_OWN, *(" ".join(command.words) for command in published)]
        beginning = [name for name in known if name.split()[0] == words[0]]
        told = f" {words[0]!r} goes on with another word: {', '.join(beginning)}."
        if beginning and {"-h", "--help"} & {*given}:
            print(f"layerwise{told} Each has its own --help.")
            return 0
        parser.error(
            f"no command {' '.join(words[:2])!r}."
            f"{told if beginning else _nearest(words, known)} `layerwise --help` lists all"
        )
    found = parser.parse_args(given)
    try:
        return int(found.run(found) or 0)
    except ValueError as error:
        parser.error(str(error))


def _nearest(words: Sequence[str], known: Sequence[str]) -> str:
    """The nearest of the first words, since the second may be right."""
    return nearest(words[0], dict.fromkeys(name.split()[0] for name in known))


def _parser(published: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="layerwise", description=__doc__)
    words = parser.add_subparsers(required=True, metavar="command")
    starter = words.add_parser("launch", help="start a script as several processes")
    add_arguments(starter)
    starter.set_defaults(run=run_arguments)
    teller = words.add_parser("info", help="what is installed, and what of it is broken")
    teller.add_argument("--names", action="store_true", help="all names, in place of their count")
    teller.set_defaults(run=lambda told: print_info(names=told.names))
    # Listed only: their arguments are made when they are run.
    for first, does in (("train", "train a model"), ("lr-find", "suggest a learning rate")):
        kinds = [c.words[1] for c in published if c.kind == "training" and c.words[0] == first]
        if kinds:
            words.add_parser(first, help=f"{does} of a kind: {', '.join(kinds)}")
    for command in published:
        if command.kind == "command":
            words.add_parser(" ".join(command.words), help=f"{command.summary} ({command.source})")
    return parser
