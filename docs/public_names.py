"""The reference, written from `__all__`: one page a module, so that no public name can be missing.

A Sphinx extension. It reads the source without importing it; autodoc imports what it renders.
"""

import ast
import re
from functools import cache
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


@cache
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

    The names of the prelude are torch's and numpy's own, so they are listed and not explained. The
    pages stand in no tree of contents: hundreds of them would be drawn on each page of the site.
    """
    if module == "layerwise.core.prelude":
        members = ["   :no-members:", "", "Passes on: " + ", ".join(f"`{name}`" for name in names)]
    else:
        members = [f"   :members: {', '.join(names)}" if names else "   :no-members:"]
    package = module.split(".")[1]
    lines = [
        "---",
        "orphan: true",
        "---",
        "",
        f"# {module}",
        "",
        f"A module of [{package}]({package}.md).",
    ]
    lines += ["", "```{eval-rst}", f".. automodule:: {module}", *members, "```", ""]
    return "\n".join(lines)


def listing(package: str, modules: dict[str, list[str]]) -> str:
    """The text of the page of one package: its modules by folder, each with what is in it."""
    folders: dict[str, list[str]] = {}
    for module in sorted(modules):
        folders.setdefault(module.rpartition(".")[0], []).append(module)
    lines = [f"# layerwise.{package}"]
    for folder in sorted(folders):
        lines += ["", f"## {folder}", ""]
        for module in folders[folder]:
            line = f"- [{module.rpartition('.')[2]}]({module}.md): {_summary(module)}"
            names = ", ".join(f"`{name}`" for name in modules[module])
            lines += [f"{line}\\", f"  {names}"] if names else [line]
    return "\n".join([*lines, ""])


def _summary(module: str) -> str:
    """The first sentence of the docstring of a module, as Markdown."""
    path = PACKAGES / module.split(".")[1] / "src" / Path(*module.split(".")).with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sentence = " ".join(text.partition("\n\n")[0].split())
    return "".join(
        part if number % 2 else part.replace("*", "\\*").replace("<", "\\<")
        for number, part in enumerate(re.split("(`[^`]*`)", sentence))
    )


def write_reference(folder: Path) -> list[Path]:
    """Write one page for each module in `folder`, and one list for each package; no other stays."""
    written = []
    for package in sorted(path.name for path in PACKAGES.iterdir() if (path / "src").is_dir()):
        modules = public_modules(package)
        pages = {f"{module}.md": page(module, names) for module, names in modules.items()}
        for name, text in {f"{package}.md": listing(package, modules), **pages}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")  # so a second build reads what is new alone
            written.append(path)
    for path in set(folder.glob("*.md")) - set(written):
        path.unlink()  # of a module that is there no more
    return written


def plain_to_rst(kind: str, lines: list[str]) -> list[str]:
    """Docstring lines as reStructuredText that renders what the source shows.

    Our docstrings are plain text with `code`: a shape such as (N, *) is no emphasis, `L`s is a
    plural, a table has bars, and an indented picture in the docstring of a module is to be kept as
    it is.
    """
    out: list[str] = []
    example = False
    for number, line in enumerate(lines):
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        after_blank = number > 0 and not lines[number - 1].strip()
        if kind == "module" and line.startswith(" "):
            out += ["::", ""] if after_blank else []
            out.append(line)
        elif line.startswith("| ") and not example:
            out += [".. list-table::", "   :header-rows: 1", ""] if after_blank else []
            out += _row(line)
        elif not line.startswith("|--"):  # what parts the head of a table from its rows
            out.append(line if example else _escape(line))
    return out


def _row(line: str) -> list[str]:
    cells = [_escape(cell.strip()) for cell in line.strip().strip("|").split("|")]
    return [f"   {'* ' if number == 0 else '  '}- {cell}" for number, cell in enumerate(cells)]


def _escape(line: str) -> str:
    parts = line.split("`")
    for at in range(1, len(parts), 2):  # within backticks, where a backslash is one
        parts[at] = f"`{parts[at]}`" if "\\" in parts[at] else parts[at]
    for at in range(0, len(parts), 2):  # outside of backticks
        is_argument = at == 0 and parts[0].lstrip().startswith("*")  # napoleon escapes that itself
        parts[at] = parts[at] if is_argument else parts[at].replace("*", "\\*")
        if at and parts[at][:1].isalnum():
            parts[at] = "\\ " + parts[at]
    return "`".join(parts)


def _process(_app: object, kind: str, *rest: object) -> None:
    lines = rest[-1]
    if isinstance(lines, list):  # the last thing that Sphinx passes, to be changed in place
        lines[:] = plain_to_rst(kind, lines)


def _skip(_app: object, _kind: str, _name: str, member: object, *_rest: object) -> bool | None:
    """Leave out methods that a library adds to classes of ours, with its own links in the text."""
    foreign = str(getattr(member, "__module__", "")).startswith("sklearn.")
    return True if foreign else None  # None: as Sphinx decides


def setup(app: "Sphinx") -> dict[str, bool]:
    """Write the pages at the start of each build; docstrings pass through `plain_to_rst`."""
    app.connect("autodoc-skip-member", _skip)
    app.connect(
        "builder-inited", lambda app: write_reference(app.srcdir / "reference" / "generated")
    )
    app.connect("autodoc-process-docstring", _process, priority=400)  # before napoleon
    return {"parallel_read_safe": True}
