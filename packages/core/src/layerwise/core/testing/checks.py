"""`plugin_checks`: the contract of extensions as test cases, one for each name and rule.

The test of a package is a loop over them; `kinds.py` says what each kind of object has to hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from layerwise.core.errors import RegistryError, nearest
from layerwise.core.registry import KINDS, find, names, package_of, plugins
from layerwise.core.testing.kinds import (
    ContractError,
    check_block,
    check_callback,
    check_command,
    check_loss,
    check_metric,
    check_model,
    check_optimizer,
    check_training,
    check_transform,
    require,
)
from layerwise.core.testing.public_names import check_public_names

__all__ = ["Example", "plugin_checks"]


@dataclass(frozen=True)
class Example:
    """How to try one entry of a record.

    Args:
        inputs: what the check of its kind takes after the object: the value for a transform, items
            for a block, `xb, yb` for a model, `pred, targ` for a loss and a metric.
        make: makes the object; the entry itself, called without arguments where it is a class or
            builds something, when None.
        options: keywords of the check, for example `decoded=` of `check_transform`.
        skip: why this entry is not tried, only found and imported.
    """

    inputs: tuple[Any, ...] = ()
    make: Callable[[], Any] | None = None
    options: Mapping[str, Any] | None = None
    skip: str = ""


Case = tuple[str, Callable[[], None]]
Examples = Mapping[str, Mapping[str, Example]]


def plugin_checks(prefix: str, examples: Examples | None = None) -> Iterator[Case]:
    """Test cases for all that a package publishes: pairs of a name and a function that raises.

    Args:
        prefix: that of the package, `"birds"`.
        examples: kind -> name without prefix -> `Example`, for all that has to be given something.
            Entries of those kinds without an example fail with a line that says what to give.

    Example:
        >>> [name for name, case in plugin_checks("no-such-package")]
        ['no-such-package: the record is found and imports']
    """
    given = examples or {}
    yield f"{prefix}: the record is found and imports", partial(_check_record, prefix, given)
    found_names = _names_of(prefix)[0]
    if any(found_names.values()) and prefix in plugins():
        package = package_of(prefix)
        if not package.startswith("layerwise."):  # ours may share what is not public
            yield (
                f"{package}: takes public names of layerwise alone",
                partial(check_public_names, package),
            )
    for kind, found in found_names.items():
        for name in found:
            yield f"{kind} {name}: is found", partial(_check_found, kind, name)
            example = given.get(kind, {}).get(name.partition("/")[2], Example())
            if kind in _CHECKS and not example.skip:
                yield f"{kind} {name}: {_CHECKS[kind].told}", partial(_try, kind, name, example)


def _names_of(prefix: str) -> tuple[dict[str, list[str]], list[str]]:
    """Names of a package by kind, and what the registry complains of its record."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")  # one for each package with a broken record
        found = {k: [n for n in names(k) if n.startswith(f"{prefix}/")] for k in sorted(KINDS)}
    return found, [str(w.message) for w in told if repr(prefix) in str(w.message)]


def _check_record(prefix: str, examples: Examples) -> None:
    found, complaints = _names_of(prefix)
    if prefix not in plugins() and not any(found.values()):
        raise RegistryError(
            f"no installed package has the prefix {prefix!r}.{nearest(prefix, plugins())} "
            "Install it (pip install -e .); its pyproject.toml needs the entry point "
            '[project.entry-points."layerwise.plugins"]'
        )
    require(not complaints, "; ".join(complaints))
    for kind, named in examples.items():
        for name in named:
            known = found.get(kind, [])
            close = nearest(f"{prefix}/{name}", known)
            is_known = f"{prefix}/{name}" in known
            require(is_known, f"an example for {kind} {name!r}, which is not registered.{close}")


def _check_found(kind: str, name: str) -> None:
    value = find(kind, name)
    require(callable(value), f"{kind} {name} is a {type(value).__name__}, which cannot be called")


def _try(kind: str, name: str, example: Example) -> None:
    check = _CHECKS[kind]
    hint = f"pass examples={{{kind!r}: {{{name.partition('/')[2]!r}: Example(...)}}}}"
    if len(example.inputs) < len(check.inputs):
        raise ContractError(
            f"{kind} {name} cannot be tried without {' and '.join(check.inputs)}; {hint}, with "
            f"inputs=({', '.join(check.inputs)},)"
        )
    entry = find(kind, name)
    make = example.make or (entry if check.is_maker(entry) else lambda: entry)
    try:
        made = make()
    except TypeError as error:
        raise ContractError(
            f"{kind} {name} is not made without arguments ({error}); {hint}, with make=lambda: ..."
        ) from error
    check.function(made, *example.inputs, **(example.options or {}))


def _is_class(entry: Any) -> bool:
    return isinstance(entry, type)


def _is_itself(_entry: Any) -> bool:
    return False


@dataclass(frozen=True)
class _Check:
    """The check of one kind: what it says, its function, its inputs, which entries it calls."""

    told: str
    function: Callable[..., None]
    inputs: tuple[str, ...] = ()
    is_maker: Callable[[Any], bool] = _is_class


_CHECKS = {
    "block": _Check("makes batches that decode", check_block, ("items",), callable),
    "callback": _Check("knows its events and leaves no trace", check_callback, (), callable),
    "command": _Check("has typed and described arguments", check_command, (), _is_itself),
    "loss": _Check("works for any batch size", check_loss, ("pred", "targ")),
    "metric": _Check("does not depend on the batch size", check_metric, ("pred", "targ")),
    "model": _Check("trains, moves and saves", check_model, ("xb",), callable),
    "optimizer": _Check(
        "descends, freezes, goes on after loading", check_optimizer, (), _is_itself
    ),
    "training": _Check("has typed arguments and gives a learner", check_training, (), _is_itself),
    "transform": _Check("repeats, decodes, keeps types, pickles", check_transform, ("x",)),
}
