"""Arguments of a command line, made of the typed parameters of functions."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, make_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from layerwise.core.errors import MissingDependencyError

__all__: list[str] = []

Settings = dict[str, Any]


def tyro_module() -> Any:
    """tyro, which makes arguments of annotations and docstrings.

    Raises:
        MissingDependencyError: without it.
    """
    try:
        import tyro
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "tyro", needed_for="commands with typed arguments", install="layerwise-core[cli]"
        ) from error
    return tyro


def parsed(functions: Sequence[Callable[..., Any]], program: str, words: Sequence[str]) -> Settings:
    """What the words of a command line say of the parameters of several functions together.

    A parameter that several of them have is one argument, as the last of them explains it. `--help`
    begins with the docstring of the first. Wrong words end the program with exit code 2.

    Args:
        functions: whose parameters become arguments; those without annotation are not asked for.
        program: what stands before the arguments, `"layerwise train vision"`.
        words: of the command line.
    """
    tyro = tyro_module()
    fields: dict[str, tuple[Any, ...]] = {}
    for function in functions:
        for name, (annotation, default, told) in _parameters(function).items():
            typed = Annotated[annotation, tyro.conf.arg(help=told)]  # type: ignore[valid-type]
            bare = default is inspect.Parameter.empty
            fields[name] = (name, typed) if bare else (name, typed, default)
    required_first = sorted(fields.values(), key=len)
    kind: Any = make_dataclass("Arguments", required_first)
    about = (inspect.getdoc(functions[0]) or "").split("\nArgs:")[0].strip().replace("\n\n", "\n")
    return asdict(tyro.cli(kind, prog=program, description=about, args=list(words)))


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any, str]]:
    """Name -> type, default, and what the docstring says of it."""
    from docstring_parser import parse  # which tyro needs, and so brings

    described = {
        p.arg_name: p.description or "" for p in parse(inspect.getdoc(function) or "").params
    }
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], parameter.default, " ".join(described.get(name, "").split()))
        for name, parameter in inspect.signature(function).parameters.items()
        if name in hints
    }


def given_to(function: Callable[..., Any], settings: Mapping[str, Any]) -> Settings:
    """Those of `settings` that are parameters of `function`."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in settings.items() if name in known}


def plain(settings: Mapping[str, Any]) -> Settings:
    """Settings as JSON holds them, paths absolute, so that they mean the same from any folder."""
    return {name: _plain(value) for name, value in settings.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def as_words(settings: Mapping[str, Any]) -> list[str]:
    """The words of a command line that say these plain settings."""
    words: list[str] = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            values = value if isinstance(value, list) else [value]
            words += [f"--{flag}", *map(str, values)]
    return words


def complain(program: str, error: Exception) -> int:
    """Say on the error stream what is wrong; the exit code of a command that failed."""
    print(f"{program}: {error}", *getattr(error, "__notes__", []), sep="\n  ", file=sys.stderr)
    return 1
