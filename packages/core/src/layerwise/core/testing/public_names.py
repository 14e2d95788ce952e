"""Whether a package takes from layerwise what is public, and nothing that may change unsaid."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from layerwise.core.testing.kinds import ContractError

__all__ = ["check_public_names"]

# Documented by `collections.namedtuple`; the underscore keeps them apart from names of fields.
_OF_NAMED_TUPLES = ("_asdict", "_fields", "_make", "_replace")


def check_public_names(package: str) -> None:
    """Nothing, where all that a package imports from layerwise is in an `__all__` there.

    Attributes with an underscore in front are looked for too, on everything but `self`, `cls` and
    `super()`: what is private in Python is nobody else's. The methods of named tuples are public
    in spite of theirs.

    Args:
        package: an importable module or package, `"layerwise_birds"`.

    Raises:
        ContractError: names each file, line and name.

    Example:
        >>> check_public_names("colorsys")  # takes nothing of layerwise
    """
    found = [told for path in _sources(package) for told in _private_names(path)]
    if found:
        raise ContractError(
            f"{package} reaches into what is not public: {'; '.join(found)}. Take a public name, "
            "or ask for one in an issue of layerwise"
        )


def _sources(package: str) -> list[Path]:
    spec = find_spec(package)
    if spec is None:
        raise ContractError(f"there is no module {package!r} to look into")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    if folders:
        return sorted(path for folder in folders for path in folder.rglob("*.py"))
    return [Path(spec.origin)] if spec.origin and spec.origin.endswith(".py") else []


def _private_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("layerwise."):
            yield from (
                f"{path.name}:{node.lineno} takes {alias.name} from {node.module}"
                for alias in node.names
                if not _is_public(str(node.module), alias.name)
            )
        elif isinstance(node, ast.Attribute) and _is_anothers_private(node):
            yield f"{path.name}:{node.lineno} uses {ast.unparse(node)}"


def _is_public(module: str, name: str) -> bool:
    if name == "*":
        return True
    loaded = import_module(module)
    listed = getattr(loaded, "__all__", None)
    if listed is not None:
        return name in listed
    # A folder or a star module passes names on.
    is_private = any(part.startswith("_") for part in (*module.split("."), name))
    return not is_private and hasattr(loaded, name)


def _is_anothers_private(node: ast.Attribute) -> bool:
    is_private = node.attr.startswith("_") and not node.attr.endswith("__")
    is_private = is_private and node.attr not in _OF_NAMED_TUPLES
    return is_private and ast.unparse(node.value) not in ("self", "cls", "super()")
