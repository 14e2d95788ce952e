"""Commands that packages publish: functions whose typed parameters become arguments.

An entry of the kind "command" is named after its words, joined by dots: `"train.birds"` in a record
is `layerwise train birds`. Its module is imported only when the command is run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from layerwise.core.errors import MissingDependencyError, RegistryError
from layerwise.core.registry import find, names, plugins, record_of

__all__ = ["Command", "commands", "run_command"]


@dataclass(frozen=True)
class Command:
    """A command of an installed package.

    Attributes:
        words: what is typed after `layerwise`.
        name: its qualified name, `"birds/train.birds"`.
        summary: a few words about it.
    """

    words: tuple[str, ...]
    name: str
    summary: str

    @property
    def source(self) -> str:
        """The prefix of the package that publishes it."""
        return self.name.partition("/")[0]


def commands() -> list[Command]:
    """The commands of all installed packages, by their words; none of them is imported.

    Raises:
        RegistryError: if two packages publish the same words; names both.
    """
    found: dict[tuple[str, ...], Command] = {}
    for name in names("command"):
        words = tuple(name.partition("/")[2].split("."))
        if words in found:
            both = f"{found[words].source!r} and {name.partition('/')[0]!r}"
            raise RegistryError(
                f"the packages {both} both add the command {' '.join(words)!r}; uninstall one, or "
                "rename its entry"
            )
        found[words] = Command(words, name, _summary(name))
    return [found[words] for words in sorted(found)]


def _summary(name: str) -> str:
    """What the record says of a command; nothing of one that this program has registered."""
    prefix, _, own = name.partition("/")
    known = record_of(prefix).entries.get("command", {}) if prefix in plugins() else {}
    return known[own].summary if own in known else ""


def run_command(command: Command, arguments: Sequence[str]) -> int:
    """The exit code of a command: what its function returns, where that is an integer, else 0.

    Args:
        command: one of `commands()`.
        arguments: the words after its own; `--help` explains them from annotations and docstring.

    Raises:
        MissingDependencyError: without tyro, which makes arguments of parameters.
        RegistryError: if the command does not import.
    """
    function = find("command", command.name)
    result = _call(function, f"layerwise {' '.join(command.words)}", arguments)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _call(function: Callable[..., Any], program: str, arguments: Sequence[str]) -> Any:
    """What `function` returns for arguments of a command line; wrong ones end with exit code 2."""
    try:
        import tyro
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "tyro", needed_for="Commands of packages", install="layerwise-core[cli]"
        ) from error
    try:
        return tyro.cli(function, prog=program, args=list(arguments))
    except (ValueError, OSError) as error:  # instructions to the user, as all errors of ours
        print(f"{program}: {error}", file=sys.stderr)
        return 1
