"""`layerwise info`: what is installed, what each package registers, and what is broken and why."""

from __future__ import annotations

import importlib.metadata as metadata
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO

from layerwise.core.errors import RegistryError
from layerwise.core.registry import Plugin, plugins, record_of
from layerwise.core.testing.install import installed_facts
from layerwise.core.torchvision_operators import stand_in_for_operators

__all__ = ["broken_parts", "print_info"]

_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+).*?(?:;.*\bextra\s*==\s*['\"](?P<extra>[\w.-]+))?['\"]?$"
)


def print_info(*, names: bool = False) -> int:
    """Print the report; returns 1 where something is broken, else 0.

    Args:
        names: print all registered names, in place of how many there are of each kind.
    """
    records, broken = _records()
    for prefix, source in plugins().items():
        print(f"{prefix:<12} {source}")
        if prefix in records:
            _print_record(records[prefix], names=names)
    print()
    for name, value in installed_facts().items():
        if not name.startswith("layerwise."):  # those stand above
            print(f"{name:<20} {value}")
    broken |= _broken_libraries()
    print("\nnothing is broken" if not broken else "\nbroken:")
    for part, reason in broken.items():
        print(f"  {part}: {reason}")
    return 1 if broken else 0


def broken_parts() -> dict[str, str]:
    """What does not work here and why: packages whose record fails, libraries that do not import.

    Each library that an installed package asks for is imported, of its extras those that are
    there; an extra that is not installed is not broken.

    Example:
        >>> isinstance(broken_parts(), dict)
        True
    """
    return _records()[1] | _broken_libraries()


def _print_record(record: Plugin, *, names: bool) -> None:
    if not names:
        counts = [f"{len(of_kind)} {kind}" for kind, of_kind in sorted(record.entries.items())]
        print(f"{'':<12} {', '.join(counts)}")
        return
    for kind, of_kind in sorted(record.entries.items()):
        print(f"{'':<12} {kind}: {', '.join(sorted(of_kind))}")


def _records() -> tuple[dict[str, Plugin], dict[str, str]]:
    """The records by prefix; and for those that cannot be used, the reason."""
    found, broken = {}, {}
    for prefix in plugins():
        try:
            found[prefix] = record_of(prefix)
        except RegistryError as error:
            broken[prefix] = str(error)
    return found, broken


def _broken_libraries() -> dict[str, str]:
    modules = _modules()
    stand_in_for_operators()  # as wherever layerwise imports torchvision
    broken = {}
    for library, needed_for in sorted(_wanted().items()):
        if library not in modules:
            required = [source for source in needed_for if "[" not in source]
            if required and not _is_installed(library):
                broken[library] = f"not installed, and {', '.join(required)} needs it"
            continue
        reason = _why_not(modules[library])
        if reason:
            broken[library] = f"needed for {', '.join(needed_for)}; {reason}"
    return broken


def _wanted() -> dict[str, list[str]]:
    """The libraries that installed packages ask for, each with "package" or "package[extra]"."""
    wanted: dict[str, list[str]] = {}
    sources = {told for both in plugins().values() for told in both.split(" and ")}
    for source in sorted(source.split()[0] for source in sources):
        for requirement in _requirements(source):
            parts = _REQUIREMENT.match(requirement)
            if parts:
                extra = f"[{parts['extra']}]" if parts["extra"] else ""
                wanted.setdefault(_normal(parts["name"]), []).append(source + extra)
    return wanted


def _requirements(distribution: str) -> list[str]:
    try:
        return metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:  # a record that no distribution brought
        return []


def _is_installed(library: str) -> bool:
    try:
        metadata.version(library)
    except metadata.PackageNotFoundError:
        return False
    return True


def _modules() -> dict[str, str]:
    """The module to import for each installed distribution: the one of its name, else its first."""
    found: dict[str, str] = {}
    for module, distributions in sorted(_public_modules()):
        for distribution in distributions:
            name = _normal(distribution)
            if name not in found or _normal(module) == name:
                found[name] = module
    return found


def _public_modules() -> Iterator[tuple[str, list[str]]]:
    known: Mapping[str, list[str]] = metadata.packages_distributions()
    for module, distributions in known.items():
        if module.isidentifier() and not module.startswith("_"):
            yield module, distributions


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _why_not(module: str) -> str:
    """Why `module` does not import, in one line; nothing where it does."""
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            import_module(module)
    except Exception as error:  # whatever a broken library raises is what is to be told
        first = (str(error).strip() or "no reason given").splitlines()[0]
        return f"`import {module}` raises {type(error).__name__}: {first}"
    return ""
