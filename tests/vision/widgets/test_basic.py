"""Whatever a notebook shows is a widget; a missing library is named."""

import subprocess
import sys

import ipywidgets
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from layerwise.core.errors import MissingDependencyError
from layerwise.vision.widgets import ImagesCleaner, carousel, widget


def test_a_picture_becomes_a_widget_that_shows_it():
    shown = widget(Image.new("RGB", (4, 4)), width="50%")
    assert isinstance(shown, ipywidgets.Output)
    assert shown.layout.width == "50%"
    assert shown.outputs[0]["data"]["image/png"]


def test_a_frame_is_shown_as_a_table():
    pd = pytest.importorskip("pandas")
    assert "<table" in widget(pd.DataFrame({"a": [1]})).outputs[0]["data"]["text/html"]


def test_a_figure_is_shown_as_what_it_says_of_itself():
    figure = plt.figure()
    assert "Figure" in widget(figure).outputs[0]["data"]["text/plain"]
    plt.close(figure)


def test_a_carousel_scrolls_and_can_be_laid_out_otherwise():
    children = [widget(i) for i in range(3)]
    row = carousel(children)
    assert row.children == tuple(children)
    assert (row.layout.flex_flow, row.layout.overflow) == ("row", "scroll hidden")
    assert carousel(flex_flow="column").layout.flex_flow == "column"


@pytest.mark.parametrize("make", [lambda: widget(1, witdh="1px"), lambda: carousel(witdh="1px")],
                         ids=["widget", "carousel"])  # fmt: skip
def test_a_property_that_is_none_is_refused(make):
    with pytest.raises(TypeError, match=r"unknown keyword 'witdh'\. Did you mean 'width'"):
        make()


def test_without_ipywidgets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    for make in (lambda: widget(1), carousel, ImagesCleaner):
        with pytest.raises(MissingDependencyError, match=r"layerwise-vision\[widgets\]"):
            make()


def test_importing_vision_imports_no_ipywidgets():
    code = "import sys, layerwise.vision.widgets; print('ipywidgets' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr
