import pytest
import torch

from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import (
    plot_top_losses,
    show,
    show_batch,
    show_results,
    show_samples,
)
from layerwise.core.display.titled import ShowTitle, TitledInt, TitledStr
from layerwise.core.tensors import TensorBase, TensorImage


class Category(ShowTitle, str):
    _show_args = {"label": "category"}


class Sound(TensorBase):
    pass


SAMPLES = [(TitledStr("so good"), Category("pos")), (TitledStr("bad"), Category("neg"))]


def test_show_uses_the_method_of_a_value_or_writes_its_text(plt, capsys):
    assert show(TitledInt(3), ctx={}) == {"text": "3"}
    assert show("plain", ctx={}) == {"text": "plain"}
    show(torch.zeros(30, 40))
    assert capsys.readouterr().out == "Tensor (30, 40) float32\n"
    ax = show((TensorImage(torch.zeros(3, 4, 4)), Category("cat")), ctx=plt.subplots()[1])
    assert ax.get_title() == "cat"
    assert len(ax.images) == 1


def test_show_keeps_the_context_of_a_method_that_returns_none():
    class Silent:
        def show(self, ctx=None):
            ctx.append("drawn")

    canvas: list = []
    assert show((Silent(), Silent()), ctx=canvas) is canvas
    assert canvas == ["drawn", "drawn"]


def test_show_can_be_taught_a_type():
    class Point:
        pass

    @show.register
    def _(x: Point, ctx=None, **kwargs):
        return "a point"

    assert show(Point()) == "a point"


def test_show_samples_goes_on_as_long_as_there_are_contexts(plt):
    samples = [(TensorImage(torch.zeros(3, 4, 4)), Category(name)) for name in "abc"]
    axes = show_samples(samples, get_grid(2))
    assert [ax.get_title() for ax in axes] == ["a", "b"]


def test_a_batch_without_a_method_is_printed_as_a_table(capsys):
    rows = show_batch(0, 0, SAMPLES, max_n=1)
    assert rows == [{"text": "so good", "category": "pos"}]
    assert capsys.readouterr().out.split() == ["text", "category", "so", "good", "pos"]


def test_a_notebook_shows_a_table_once(capsys):
    InteractiveShell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    shell = InteractiveShell.instance()
    try:
        rows = show_batch(0, 0, [("so good", 1)])
        assert capsys.readouterr().out.count("so good") == 1
        formats, _ = shell.display_formatter.format(rows)
        assert formats == {}
        assert rows == [{"input": "so good", "target": 1}]
    finally:
        InteractiveShell.clear_instance()


def test_members_without_a_title_are_named_by_their_place():
    image = TensorImage(torch.zeros(3, 32, 32))
    (row,) = show_batch(0, 0, [(image, torch.tensor([1, 2]))])
    assert row == {"input": "TensorImage (3, 32, 32) float32", "target": [1, 2]}
    (row,) = show_batch(0, 0, [(1, 2, 3)])
    assert row == {"input 0": 1, "input 1": 2, "target": 3}
    (row,) = show_batch(0, 0, [5])
    assert row == {"input": 5}


def test_contexts_that_are_given_are_used_and_nothing_is_printed(capsys, plt):
    rows = [{"id": 7}, {"id": 8}]
    assert show_batch(0, 0, SAMPLES, ctxs=rows)[1] == {"id": 8, "text": "bad", "category": "neg"}
    axes = show_batch(0, 0, [(TensorImage(torch.zeros(3, 4, 4)), 3)], ctxs=get_grid(1))
    assert axes[0].get_title() == "3"
    assert len(axes[0].images) == 1
    assert capsys.readouterr().out == ""


def test_results_have_a_column_of_predictions(capsys):
    rows = show_results(0, 0, SAMPLES, [(Category("neg"),), (Category("neg"),)])
    assert rows[0] == {"text": "so good", "category": "pos", "prediction": "neg"}
    assert "prediction" in capsys.readouterr().out
    assert show_results(0, 0, SAMPLES, [1, 2], max_n=1)[0]["prediction"] == 1


def test_top_losses_have_probability_and_loss():
    raws = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    rows = plot_top_losses(0, 0, SAMPLES, [("neg",), ("pos",)], raws, torch.tensor([2.0, 1.5]))
    assert rows[0]["probability"] == 0.75
    assert [row["loss"] for row in rows] == [2.0, 1.5]
    (row,) = plot_top_losses(0, 0, [(1, 2.0)], [(2.5,)], [torch.tensor([2.5])], [0.25])
    assert row == {"input": 1, "target": 2.0, "prediction": 2.5, "loss": 0.25}


def test_a_domain_registers_a_method_for_a_pair_of_types():
    @show_batch.register
    def _(x: Sound, y: object, samples, ctxs=None, max_n=9, rate=1):
        return ("played at", rate)

    assert show_batch(Sound(torch.zeros(1)), 0, SAMPLES, rate=2) == ("played at", 2)
    assert show_batch(torch.zeros(1), 0, SAMPLES, ctxs=[{}])[0]["text"] == "so good"


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="max_m"):
        show_batch(0, 0, SAMPLES, max_m=3)
