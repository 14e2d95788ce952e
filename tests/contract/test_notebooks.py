"""Each page with code is a notebook as well, and the notebook runs from top to bottom."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("myst_nb", reason="the group `docs` is not installed")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

DOCS = Path(__file__).parents[2] / "docs"


def _loaded():
    spec = importlib.util.spec_from_file_location("notebooks", DOCS / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


notebooks = _loaded()
PAGES = notebooks.pages()
SHORTEST = Path("recipes/callback.md")


def run_in_jupyter(page, folder):
    """Run the notebook of a page as Jupyter does, from a folder of a clone."""
    made = notebooks.notebook_of(page)
    client = nbclient.NotebookClient(
        made, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return made


def test_the_guides_are_notebooks():
    guides = {path.relative_to(DOCS) for path in (DOCS / "guide").glob("*.md")}
    assert guides <= set(PAGES)
    assert SHORTEST in PAGES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_notebook_has_the_cells_of_its_page_and_no_outputs(page):
    made = notebooks.notebook_of(page)
    nbformat.validate(made)
    text = (DOCS / page).read_text()
    cells = [cell for cell in made.cells if cell.cell_type == "code"]
    needs_data = "examples/data" in text
    assert len(cells) == text.count("```{code-cell}") + needs_data
    assert all(cell.outputs == [] for cell in cells)
    prose = [cell.source for cell in made.cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    assert not any("{raw}" in each for each in prose)


def test_a_link_to_a_page_leads_to_its_notebook():
    made = notebooks.notebook_of(Path("recipes/callback.md"))
    assert "(../guide/callbacks.ipynb)" in made.cells[-1].source


def test_a_notebook_outside_of_a_clone_says_where_it_belongs(tmp_path):
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="into a clone"):
        run_in_jupyter(Path("start/tables.md"), tmp_path)


def test_the_shortest_page_runs_in_jupyter(tmp_path):
    made = run_in_jupyter(SHORTEST, DOCS)
    assert "s are over in epoch" in str(made.cells)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_page_runs_in_jupyter(page):
    run_in_jupyter(page, (DOCS / page).parent)
