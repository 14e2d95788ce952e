"""The reference, written from `__all__`: one page a module, so that no public name can be missing.

A Sphinx extension. It reads the source without importing it; autodoc imports what it renders.
"""

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PACKAGES = Path(__file__).parents[1] / "packages"


def public_modules(package: str) -> dict[str, list[str]]:
    """The public names of each module of a package, as its literal `__all__` states them.

    Left out are the star modules and the folders, which only pass names on.
    """
    source = PACKAGES / package / "src"
    found = {}
    for path in sorted((source / "layerwise" / package).rglob("*.py")):
        if path.stem in ("__init__", "all") or path.stem.startswith("_"):
            continue
        module = ".".join(path.relative_to(source).with_suffix("").parts)
        found[module] = _literal_all(path)
    return found


def _literal_all(path: Path) -> list[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value:
            targets, value = [node.target], node.value
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            return list(ast.literal_eval(value))
    raise ValueError(f"{path} has no literal list `__all__`")


def page(module: str, names: list[str]) -> str:
    """The text of the page of one module: what its docstring says, then each name.

    The names of the prelude are torch's and numpy's own, so they are listed and not explained.
    """
    if module == "layerwise.core.prelude":
        members = ["   :no-members:", "", "Passes on: " + ", ".join(f"`{name}`" for name in names)]
    else:
        members = [f"   :members: {', '.join(names)}" if names else "   :no-members:"]
    lines = [f"# {module}", "", "```{eval-rst}", f".. automodule:: {module}", *members, "```", ""]
    return "\n".join(lines)


def write_reference(folder: Path) -> list[Path]:
    """Write one page for each module below `folder`, and one list for each package."""
    written = []
    for package in sorted(path.name for path in PACKAGES.iterdir() if (path / "src").is_dir()):
        modules = public_modules(package)
        entries = "\n".join(sorted(modules))
        index = f"# layerwise.{package}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
        pages = {f"{module}.md": page(module, names) for module, names in modules.items()}
        for name, text in {f"{package}.md": index, **pages}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def setup(app: "Sphinx") -> dict[str, bool]:
    """Write the pages at the start of each build, as Sphinx asks of an extension."""
    app.connect(
        "builder-inited", lambda app: write_reference(app.srcdir / "reference" / "generated")
    )
    return {"parallel_read_safe": True}
