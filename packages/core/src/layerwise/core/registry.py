"""What is installed, by name: records of strings that packages publish in their metadata.

A distribution has one entry point in the group `layerwise.plugins`. Its name is the prefix of all
its names, its value a `Plugin`. `find` loads the record of one prefix and imports the one module
that the entry names, so that asking for a model of one package never imports another package.
The list of records and the names added by `register` belong to the process, as `sys.modules` does.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from layerwise.core._version import __version__
from layerwise.core.errors import LayerwiseError, MissingDependencyError, RegistryError, nearest
from layerwise.core.facts import Facts, check_facts, facts_hold

__all__ = [
    "API_LEVEL",
    "KINDS",
    "Entry",
    "Plugin",
    "check_version",
    "describe_name",
    "facts_of",
    "find",
    "names",
    "package_of",
    "plugins",
    "qualified_name",
    "record_of",
    "register",
    "registered_name",
]

API_LEVEL = 1
"""Level of the extension API; it rises only when a third-party package would have to change."""

KINDS = frozenset(
    {
        "block", "callback", "command", "data", "dataset", "function", "layer", "learner", "loss",
        "metric", "model", "optimizer", "reader", "schedule", "splitter", "training", "transform",
        "type",
    }
)  # fmt: skip
"""The kinds of names; "function" is whatever an export must find again and no other kind holds, a
"command" becomes a word after `layerwise`, see `layerwise.core.cli.published`, a "training" one
after `layerwise train`."""

_GROUP = "layerwise.plugins"
_NAME = re.compile(r"[a-z][a-z0-9_-]*/[A-Za-z0-9_.-]+")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Entry:
    """One name of a record: where the object is, and what it is in a few words.

    Args:
        target: "module:attribute"; the module is imported only when the name is asked for.
        summary: a few words for people who choose between names.
        facts: what `names` can be asked for without importing anything, for example
            `{"params": 11_689_512, "pretrained": True, "licence": "MIT"}`.

    Raises:
        ValueError: if `target` is not of that form.

    Example:
        >>> Entry("collections:OrderedDict", "a dictionary that keeps its order").target
        'collections:OrderedDict'
    """

    target: str
    summary: str = ""
    facts: Facts = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.target):
            raise ValueError(
                f"Entry target {self.target!r} is not of the form 'package.module:attribute'"
            )


@dataclass(frozen=True)
class Plugin:
    """The record of one package: strings only, so that reading it imports nothing.

    Args:
        name: prefix of all its names, the same as the name of its entry point.
        api: the `API_LEVEL` that the package was written for.
        entries: kind -> name without prefix -> `Entry`.

    Raises:
        ValueError: if a kind is not one of `KINDS`, or a name holds other characters than
            letters, digits, `_`, `.` and `-`.

    Example:
        >>> record = Plugin("birds", 1, {"model": {"small": Entry("layerwise_birds.models:small")}})
        >>> list(record.entries["model"])
        ['small']
    """

    name: str
    api: int
    entries: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, named in self.entries.items():
            _check_kind(kind)
            for name in named:
                _check_name(f"{self.name}/{name}")


@dataclass(frozen=True)
class _Registered:
    value: object
    place: str


_registered: dict[tuple[str, str], _Registered] = {}
_records: dict[str, Plugin] = {}
_published: dict[str, tuple[EntryPoint, ...]] | None = None


# Any: what stands behind a name is known only when the program runs.
def find(kind: str, name: str) -> Any:
    """The object with the qualified name `name` ("prefix/name").

    Only the record of that prefix and the one module of the entry are imported.

    Args:
        kind: one of `KINDS`.
        name: prefix of the package, a slash, and a name of its record or one given to `register`.

    Raises:
        ValueError: if `kind` is unknown or `name` is not qualified.
        RegistryError: if no package has that prefix, two have it, its record does not import or was
            written for another API level, or the record lacks the name.

    Example:
        >>> register("function", "example/length", len)
        >>> find("function", "example/length")("four")
        4
    """
    _check_kind(kind)
    _check_name(name, kind)
    if (kind, name) in _registered:
        return _registered[kind, name].value
    return _load(kind, name, _entry(kind, name))


def names(kind: str, pattern: str = "*", **wanted: Any) -> list[str]:
    """All qualified names of one kind, sorted; with `facts_of`, the call that loads every record.

    A record that does not load is left out with a warning, so that others go on working.

    Args:
        kind: one of `KINDS`.
        pattern: wildcards, as of file names, for the qualified name.
        wanted: facts that have to be known of it, such as `pretrained=True`, `max_params=1e7`; see
            `facts_hold`.

    Raises:
        TypeError: for a fact that is known of nothing of this kind; names the nearest.

    Example:
        >>> register("metric", "example/half", lambda: 0.5)
        >>> names("metric", "example/*")
        ['example/half']
    """
    known = _all_facts(kind)
    check_facts("names", known.values(), wanted)
    found = [name for name, facts in known.items() if facts_hold(facts, wanted)]
    return sorted(name for name in found if fnmatchcase(name, pattern))


def facts_of(kind: str, name: str) -> Facts:
    """What the record of a package tells of one of its names; nothing is imported for it.

    Raises:
        RegistryError: as `find`.

    Example:
        >>> dict(facts_of("metric", "core/accuracy"))
        {}
    """
    _check_kind(kind)
    _check_name(name, kind)
    return {} if (kind, name) in _registered else _entry(kind, name).facts


def _all_facts(kind: str) -> dict[str, Facts]:
    """The facts by qualified name; none of what a program registered."""
    _check_kind(kind)
    found: dict[str, Facts] = {name: {} for its_kind, name in _registered if its_kind == kind}
    for prefix, record in _all_records().items():
        for name, entry in record.entries.get(kind, {}).items():
            found[f"{prefix}/{name}"] = entry.facts
    return found


def describe_name(kind: str, name: str) -> str:
    """One line: the qualified name, where its object is, and what its record says about it.

    Raises:
        RegistryError: as `find`.

    Example:
        >>> register("function", "example/total", sum)
        >>> describe_name("function", "example/total")
        'example/total: registered at <doctest ...>:1'
    """
    _check_kind(kind)
    _check_name(name, kind)
    if (kind, name) in _registered:
        return f"{name}: registered at {_registered[kind, name].place}"
    entry = _entry(kind, name)
    about = f", {entry.summary}" if entry.summary else ""
    return f"{name}: {entry.target} of {_distribution(_point(name.partition('/')[0]))}{about}"


def registered_name(kind: str, value: object) -> str | None:
    """The qualified name under which `find` gives back `value`, or None if it has none.

    An export asks this for every class and function it holds.

    Example:
        >>> register("function", "example/largest", max)
        >>> registered_name("function", max)
        'example/largest'
    """
    _check_kind(kind)
    return next((name for its_kind, name in _names_of(value) if its_kind == kind), None)


def qualified_name(value: object) -> tuple[str, str] | None:
    """Kind and qualified name under which `find` gives back `value`, or None if it has none.

    Example:
        >>> register("function", "example/smallest", min)
        >>> qualified_name(min)
        ('function', 'example/smallest')
    """
    return next(iter(_names_of(value)), None)


def _names_of(value: object) -> Iterator[tuple[str, str]]:
    """Kinds and names of `value`; those registered in this program first."""
    for key, registered in _registered.items():
        if registered.value is value or (_is_bound(value) and registered.value == value):
            yield key
    for kind, name in _index(tuple(_all_records().values())).get(_target(value), ()):
        found = find(kind, name)
        if found is value or (_is_bound(value) and found == value):
            yield kind, name


def _is_bound(value: object) -> bool:
    """Whether it is a class method, of which each access makes a new object."""
    return isinstance(getattr(value, "__self__", None), type)


def _target(value: object) -> str:
    """Where `value` stands, in the form of an entry's target."""
    owner = getattr(value, "__self__", None)
    if isinstance(owner, type):  # a class method belongs to the class that it was taken from
        return f"{owner.__module__}:{owner.__qualname__}.{getattr(value, '__name__', '')}"
    return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', '')}"


_index_of: tuple[tuple[Plugin, ...], dict[str, list[tuple[str, str]]]] = ((), {})


def _index(records: tuple[Plugin, ...]) -> Mapping[str, list[tuple[str, str]]]:
    """Kinds and names by target; made anew only when there are other records."""
    global _index_of
    if _index_of[0] != records:
        made: dict[str, list[tuple[str, str]]] = {}
        for record in records:
            for kind, entries in record.entries.items():
                for name, entry in entries.items():
                    made.setdefault(entry.target, []).append((kind, f"{record.name}/{name}"))
        _index_of = records, made
    return _index_of[1]


def plugins() -> dict[str, str]:
    """The installed prefixes, each with its distribution and version; imports none of them.

    Example:
        >>> plugins()["core"]
        'layerwise-core ...'
    """
    return {
        prefix: " and ".join(_distribution(point) for point in points)
        for prefix, points in sorted(_read_metadata().items())
    }


def package_of(prefix: str) -> str:
    """The importable package, or module, that holds the record of a prefix; it is not imported.

    Raises:
        RegistryError: if no package has that prefix, or two have it.

    Example:
        >>> package_of("core")
        'layerwise.core'
    """
    module = _point(prefix).value.partition(":")[0]
    return module.rpartition(".")[0] or module


def register(kind: str, name: str, value: object) -> None:
    """Add a name for the rest of this program; a package publishes a `Plugin` instead.

    Args:
        kind: one of `KINDS`.
        name: "prefix/name"; the prefix may be one that no package has.
        value: what `find` returns.

    Raises:
        ValueError: if `kind` is unknown or `name` is not qualified.
        RegistryError: if the name is taken; the message says where.

    Example:
        >>> register("model", "mine/small", lambda: "a small model")
        >>> find("model", "mine/small")()
        'a small model'
    """
    _check_kind(kind)
    _check_name(name, kind)
    if (kind, name) in _registered:
        raise RegistryError(
            f"{kind} {name!r} was registered at {_registered[kind, name].place}; "
            "nothing overwrites a name, choose another"
        )
    prefix, _, own = name.partition("/")
    if prefix in _read_metadata() and own in record_of(prefix).entries.get(kind, {}):
        raise RegistryError(
            f"{kind} {name!r} belongs to {_distribution(_point(prefix))}; "
            "nothing overwrites a name, choose another"
        )
    caller = sys._getframe(1)
    _registered[kind, name] = _Registered(value, f"{caller.f_code.co_filename}:{caller.f_lineno}")


def check_version(package: str, version: str) -> None:
    """Raise unless `version` of `layerwise.<package>` belongs to the installed core.

    All packages of a release carry one number; those that agree in the first two parts work
    together. A package calls this in its `__init__.py`.

    Raises:
        MissingDependencyError: one line with both versions and the command that mends it.

    Example:
        >>> check_version("vision", "0.0.9")
        Traceback (most recent call last):
        ...
        layerwise.core.errors.MissingDependencyError: layerwise-vision 0.0.9 does not work with ...
    """
    wanted = version.split(".")[:2]
    if wanted != __version__.split(".")[:2]:
        major, minor = wanted
        raise MissingDependencyError(
            f"layerwise-{package} {version} does not work with layerwise-core {__version__}; "
            f"run: pip install 'layerwise-core=={major}.{minor}.*' "
            f"'layerwise-{package}=={major}.{minor}.*'"
        )


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(
            f"{kind!r} is not a kind of name.{nearest(kind, KINDS)} "
            f"Kinds: {', '.join(sorted(KINDS))}"
        )


def _check_name(name: str, kind: str | None = None) -> None:
    if _NAME.fullmatch(name):
        return
    same = [known for known in names(kind) if known.endswith(f"/{name}")] if kind else []
    meant = f" Did you mean {' or '.join(map(repr, same))}?" if same else ""
    raise ValueError(f"{name!r} is not a qualified name such as 'vision/xresnet34'.{meant}")


def _read_metadata(*, again: bool = False) -> dict[str, tuple[EntryPoint, ...]]:
    """The entry points of our group by prefix; read once, as it opens a file per distribution."""
    global _published
    if _published is None or again:
        _published = {}
        for point in entry_points(group=_GROUP):
            _published[point.name] = (*_published.get(point.name, ()), point)
    return _published


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _point(prefix: str) -> EntryPoint:
    """The one entry point with that prefix."""
    # A package may have been installed since the metadata was read, as people do in notebooks.
    published = _read_metadata() if prefix in _read_metadata() else _read_metadata(again=True)
    if prefix not in published:
        raise RegistryError(
            f"no installed package has the prefix {prefix!r}.{nearest(prefix, published)} "
            f"Installed: {', '.join(sorted(published)) or 'none'}. "
            f"To add it: pip install layerwise-{prefix}"
        )
    points = published[prefix]
    if len(points) > 1:
        both = " and ".join(_distribution(point) for point in points)
        raise RegistryError(f"{both} both claim the prefix {prefix!r}; uninstall one of them")
    return points[0]


def record_of(prefix: str) -> Plugin:
    """The record of the package with that prefix, loaded once and checked.

    Raises:
        RegistryError: if no package has that prefix, two have it, or its record does not import or
            was written for another API level.

    Example:
        >>> "CategoryBlock" in record_of("core").entries["block"]
        True
    """
    if prefix in _records:
        return _records[prefix]
    point = _point(prefix)
    source = _distribution(point)
    try:
        record = point.load()
    except Exception as error:
        raise RegistryError(
            f"the record {point.value!r} of {source} does not import: {error}"
        ) from error
    if not isinstance(record, Plugin):
        raise RegistryError(
            f"{point.value!r} of {source} is a {type(record).__name__}; make it a Plugin"
        )
    _check_record(record, point)
    _records[prefix] = record
    return record


def _check_record(record: Plugin, point: EntryPoint) -> None:
    source = _distribution(point)
    if record.name != point.name:
        raise RegistryError(
            f"the record of {source} is named {record.name!r} and its entry point {point.name!r}; "
            "give both the same name"
        )
    if record.api != API_LEVEL:
        outdated = "layerwise-core" if record.api > API_LEVEL else source.split()[0]
        raise RegistryError(
            f"{source} was written for extension API {record.api} and layerwise-core {__version__} "
            f"has {API_LEVEL}; run: pip install --upgrade {outdated}"
        )


def _all_records() -> dict[str, Plugin]:
    records = {}
    for prefix in _read_metadata():
        try:
            records[prefix] = record_of(prefix)
        except RegistryError as error:
            warnings.warn(f"names of {prefix!r} are left out: {error}", stacklevel=3)
    return records


def _entry(kind: str, name: str) -> Entry:
    prefix, _, own = name.partition("/")
    added = [other for its_kind, other in _registered if its_kind == kind]
    ours = [other for other in added if other.startswith(f"{prefix}/")]
    if ours and prefix not in _read_metadata():
        raise RegistryError(f"no {kind} {name!r} is registered.{nearest(name, ours)}")
    known = record_of(prefix).entries.get(kind, {})
    if own not in known:
        qualified = [f"{prefix}/{other}" for other in known] + ours
        raise RegistryError(
            f"{_distribution(_point(prefix))} has no {kind} {name!r}."
            f"{nearest(name, qualified)} names({kind!r}) lists all"
        )
    return known[own]


def _load(kind: str, name: str, entry: Entry) -> Any:
    module, _, attribute = entry.target.partition(":")
    try:
        value: Any = import_module(module)
        for part in attribute.split("."):
            value = getattr(value, part)
    except LayerwiseError:
        raise  # says already what to install
    except Exception as error:
        source = _distribution(_point(name.partition("/")[0]))
        raise RegistryError(
            f"{kind} {name!r} of {source} stands at {entry.target!r}, "
            f"which does not import: {error}"
        ) from error
    return value
