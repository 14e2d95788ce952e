"""Commands that packages publish: functions whose typed parameters become arguments.

An entry of the kind "command" is named after its words, joined by dots: `"count.birds"` in a record
is `layerwise count birds`. One of the kind "training" with the name `"birds"` is `layerwise train
birds` and `layerwise lr-find birds`. Its module is imported only when the command is run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from layerwise.core.cli.arguments import complain, tyro_module
from layerwise.core.cli.training import lr_find, train
from layerwise.core.errors import LayerwiseError, RegistryError
from layerwise.core.registry import find, names, plugins, record_of

__all__ = ["Command", "commands", "run_command"]


@dataclass(frozen=True)
class Command:
    """A command of an installed package.

    Attributes:
        words: what is typed after `layerwise`.
        name: its qualified name, `"birds/count.birds"`.
        summary: a few words about it.
        kind: "command", or "training" for the words `train` and `lr-find` before its name.
    """

    words: tuple[str, ...]
    name: str
    summary: str
    kind: str = "command"

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
        found[words] = Command(words, name, _summary("command", name))
    for word, name in _trainings().items():
        for first, does in (("train", ""), ("lr-find", "rates for ")):
            told = does + _summary("training", name)
            found[first, word] = Command((first, word), name, told, "training")
    return [found[words] for words in sorted(found)]


def _trainings() -> dict[str, str]:
    """The word of each training -> its qualified name.

    Raises:
        RegistryError: if two packages publish the same word.
    """
    found: dict[str, str] = {}
    for name in names("training"):
        word = name.partition("/")[2]
        if word in found:
            raise RegistryError(
                f"{found[word]!r} and {name!r} are both `layerwise train {word}`; uninstall one of "
                "the packages, or rename its entry"
            )
        found[word] = name
    return found


def _summary(kind: str, name: str) -> str:
    """What the record says of an entry; nothing of one that this program has registered."""
    prefix, _, own = name.partition("/")
    known = record_of(prefix).entries.get(kind, {}) if prefix in plugins() else {}
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
    program = f"layerwise {' '.join(command.words)}"
    try:
        if command.kind == "training":
            return (train if command.words[0] == "train" else lr_find)(command.name, arguments)
        result = tyro_module().cli(
            find("command", command.name), prog=program, args=list(arguments)
        )
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (LayerwiseError, ValueError, OSError) as error:  # instructions to the user
        return complain(program, error)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0
