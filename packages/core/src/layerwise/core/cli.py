"""The command `layerwise`: one word after it says what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from layerwise.core.distributed.launcher import add_arguments, run_arguments

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.

    Args:
        argv: the words after `layerwise`; those of this process when None.
    """
    parser = argparse.ArgumentParser(prog="layerwise", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    starter = commands.add_parser("launch", help="start a script as several processes")
    add_arguments(starter)
    starter.set_defaults(run=run_arguments)
    found = parser.parse_args(argv)
    try:
        found.run(found)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
