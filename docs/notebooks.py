"""Pages as notebooks: each page whose code runs is there to be downloaded, and runs in Jupyter.

A Sphinx extension. The notebook is made from the page itself, so the two cannot differ; it has no
outputs, since whoever opens it wants to make their own.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from docutils import nodes
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbformat import NotebookNode

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent
DATA = "examples/data"

_FOR_DATA = f"""\
# The data of this page are in the repository, so Jupyter has to run in a clone of it.
from pathlib import Path

if not any((folder / "{DATA}").is_dir() for folder in (Path.cwd(), *Path.cwd().parents)):
    raise FileNotFoundError(f"no {DATA} above {{Path.cwd()}}; put this notebook into a clone")
"""


def pages() -> list[Path]:
    """The pages whose code is run, relative to the folder of the documentation."""
    found = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    return [path.relative_to(DOCS) for path in found if is_notebook(path)]


def is_notebook(path: Path) -> bool:
    """Whether the code of a page is run."""
    return is_myst_markdown_notebook(path.read_text(encoding="utf-8"))


def notebook_of(page: Path) -> NotebookNode:
    """A page as a notebook without outputs.

    Args:
        page: its path, relative to the folder of the documentation.
    """
    text = (DOCS / page).read_text(encoding="utf-8")
    made = read_myst_markdown_notebook(text, path=DOCS / page)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            text_alone = _DIRECTIVE.sub("", cell.source)
            cell.source = _LINK.sub(lambda match: _to_notebook(match, page), text_alone)
    if DATA in text:
        made.cells.insert(0, nbformat.v4.new_code_cell(_FOR_DATA))
    made.metadata.kernelspec["display_name"] = "Python 3"
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"  # the same in every build
    made.nbformat_minor = 5
    nbformat.validate(made)
    return made


# Drawings of the page, which Jupyter would show as their source.
_DIRECTIVE = re.compile(r"^```\{raw\}.*?^```\n?", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?P<page>[\w./-]+\.md)(#[\w-]+)?\)")


def _to_notebook(match: re.Match[str], page: Path) -> str:
    """A link to another page as one to its notebook, where there is one."""
    there = (DOCS / page).parent / match["page"]
    if there.is_file() and is_notebook(there):
        return f"]({match['page'].removesuffix('.md')}.ipynb)"
    return match[0]


def write_notebooks(folder: Path) -> list[Path]:
    """Write the notebook of each page below `folder`, in the folders of the pages."""
    written = []
    for page in pages():
        path = folder / page.with_suffix(".ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook_of(page), path)
        written.append(path)
    return written


def _link(app: "Sphinx", doctree: nodes.document) -> None:
    """Put a link to the notebook below the heading of a page."""
    name = app.env.docname
    if not is_notebook(DOCS / f"{name}.md"):
        return
    up = "../" * name.count("/")
    link = f'<a href="{up}notebooks/{name}.ipynb" download>Download this page as a notebook</a>'
    heading = next(iter(doctree.findall(nodes.title)))
    heading.parent.insert(1, nodes.raw("", f'<p class="notebook">{link}</p>', format="html"))


def _write(app: "Sphinx", failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        write_notebooks(Path(app.outdir) / "notebooks")


def setup(app: "Sphinx") -> dict[str, bool]:
    """Link each page to its notebook, and write the notebooks at the end of a build."""
    app.connect("doctree-read", _link)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
