"""The cleaners in a notebook that runs without a browser."""

import nbformat
import pytest
from nbclient import NotebookClient

VIEW = "application/vnd.jupyter.widget-view+json"

CELLS = [
    """
from layerwise.vision.all import *
from layerwise.vision.widgets import *
path = Path(r"{path}")
dls = ImageDataLoaders.from_folder(path, bs=4, num_workers=0)
learn = Learner(dls, cnn_for(dls))
""",
    "cleaner = ImageClassifierCleaner(learn)\ncleaner",
    """
cleaner.split.value = "Valid"
cleaner.cleaner.widget.children[1].children[1].value = "<Delete>"
""",
    "[cleaner.fns[i].parent.parent.name for i in cleaner.delete()]",
    "display(ImagesCleaner(), carousel([widget(PILImage.create(cleaner.fns[0]))]))",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_notebook_shows_and_works_them_without_error(pets, tmp_path):
    cells = [nbformat.v4.new_code_cell(source.replace("{path}", str(pets))) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}})  # fmt: skip
    client.execute()  # raises where a cell does
    outputs = [[out for out in cell.outputs if "data" in out] for cell in notebook.cells]
    assert VIEW in outputs[1][-1].data  # behind bars, where something took its time
    assert outputs[3][0].data["text/plain"] == "['valid']"
    assert [VIEW in out.data for out in outputs[4]] == [True, True]
    # What a browser would draw is stored with the notebook: pictures above choices.
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    models = [state["model_name"] for state in states.values()]
    assert models.count("ImageModel") >= 4
    assert models.count("DropdownModel") >= 6
