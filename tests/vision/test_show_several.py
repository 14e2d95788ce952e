"""What is drawn where a sample has several pictures, or several targets."""

import matplotlib.pyplot as plt
import pytest
import torch

from layerwise.core.display.generic import plot_top_losses, show_batch, show_results
from layerwise.core.display.titled import TitledFloat
from layerwise.core.tensors import (
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
)
from layerwise.core.transforms.category import Category
from layerwise.vision.coords import LabeledBBox, TensorBBox, TensorPoint
from layerwise.vision.show_several import show_side_by_side


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def pictures(count):
    return TensorImage(torch.rand(count, 3, 8, 8))


def picture():
    return pictures(1)[0]


def titles(axes):
    return [ax.get_title() for ax in axes]


def boxes(count=1):
    return TensorBBox.create([[1, 1, 5, 6]] * count)


def labelled(*names):
    return LabeledBBox(boxes(len(names)), names)


PAIRS = (pictures(2), pictures(2))
TWO = [(picture(), picture(), Category(name)) for name in ("same", "other")]


def test_two_pictures_of_a_sample_stand_side_by_side():
    axes = show_batch(PAIRS, TensorCategory([0, 1]), TWO)
    assert titles(axes) == ["same", "", "other", ""]
    assert [len(ax.images) for ax in axes] == [1] * 4


def test_the_title_of_several_pictures_says_what_was_predicted_and_whether_it_is_right():
    outs = [(Category("same"),), (Category("same"),)]
    axes = show_results(PAIRS, TensorCategory([0, 1]), TWO, outs)
    assert titles(axes) == ["same\nsame", "", "other\nsame", ""]
    assert [ax.title.get_color() for ax in axes[::2]] == ["green", "red"]


def test_numbers_are_neither_right_nor_wrong():
    samples = [(picture(), picture(), TitledFloat(1.0))]
    axes = show_results(PAIRS, TensorBase([1.0]), samples, [(TitledFloat(1.5),)])
    assert axes[0].get_title() == "1\n1.5"
    assert axes[0].title.get_color() == "black"


def test_the_loss_stands_below():
    outs = [(Category("same"),)] * 2
    axes = plot_top_losses(PAIRS, TensorCategory([0, 1]), TWO, outs, [None] * 2, [1.5, 0.5])
    assert titles(axes)[::2] == ["same\nsame\nloss 1.50", "other\nsame\nloss 0.50"]


def test_the_grid_may_be_chosen_and_three_pictures_fit():
    samples = [(picture(), picture(), picture(), Category("a"))] * 5
    axes = show_side_by_side(samples, pictures=3, max_n=4, ncols=2)
    assert len(axes) == 12
    assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 6)
    assert len(show_side_by_side(samples, pictures=3, nrows=1)) == 15


def test_other_tuples_are_shown_in_a_table_as_everywhere(capsys):
    rows = show_batch((TensorBase([1]), TensorBase([2])), TensorBase([3]), [(1, 2, 3)])
    assert rows == [{"input 0": 1, "input 1": 2, "target": 3}]
    rows = show_results((1, 2), TensorBase([3]), [(1, 2, 3)], [(4,)])
    assert rows[0]["prediction"] == 4
    rows = plot_top_losses((1, 2), TensorBase([3]), [(1, 2, 3)], [(4,)], [[0.5]], [0.25])
    assert rows[0]["loss"] == 0.25
    assert capsys.readouterr().out


def test_boxes_and_their_labels_lie_over_the_picture():
    y = (boxes(), TensorMultiCategory([1]))
    (ax,) = show_batch(pictures(1), y, [(picture(), boxes(), labelled("cat"))])
    assert len(ax.images) == 1
    assert [text.get_text().strip() for text in ax.texts] == ["cat"]


def test_predicted_boxes_stand_beside_the_true_ones():
    y = (boxes(), TensorMultiCategory([1]))
    samples = [(picture(), boxes(), labelled("cat"))]
    outs = [(boxes(2), labelled("dog", "cow"))]
    target, predicted = show_results(pictures(1), y, samples, outs)
    assert [len(ax.images) for ax in (target, predicted)] == [1, 1]
    assert [t.get_text().strip() for t in target.texts] == ["cat"]
    assert [t.get_text().strip() for t in predicted.texts] == ["dog", "cow"]


def test_losses_of_boxes_stand_above_the_pair():
    y = (boxes(), TensorMultiCategory([1]))
    samples = [(picture(), boxes(), labelled("cat"))] * 2
    outs = [(boxes(), labelled("dog"))] * 2
    axes = plot_top_losses(pictures(2), y, samples, outs, [None] * 2, [2.0, 1.0])
    assert titles(axes) == ["loss 2.00", "", "loss 1.00", ""]


def test_several_classes_of_a_picture_are_titles():
    y = (TensorCategory([0]), TensorCategory([1]))
    samples = [(picture(), Category("cat"), Category("old"))]
    outs = [(Category("cat"), Category("young"))]
    (ax,) = show_results(pictures(1), y, samples, outs)
    assert (ax.get_title(), ax.title.get_color()) == ("cat\nold\ncat\nyoung", "red")
    (ax,) = plot_top_losses(pictures(1), y, samples, outs, [None], [0.5])
    assert ax.get_title().endswith("loss 0.50")


@pytest.mark.parametrize(
    ("target", "out"),
    [
        (TensorPoint.create([[1, 2]]), TensorPoint.create([[3, 4]])),
        (boxes(), boxes(2)),
        (TensorMask(torch.zeros(8, 8, dtype=torch.long)),) * 2,
    ],
    ids=["points", "boxes", "mask"],
)
def test_what_lies_over_a_picture_is_drawn_over_it_once_for_target_and_once_for_prediction(
    target, out
):
    samples = [(picture(), target)]
    axes = show_results(pictures(1), target[None], samples, [(out,)])
    assert len(axes) == 2
    drawn = [len(ax.images) + len(ax.collections) + len(ax.patches) for ax in axes]
    assert drawn == [2, 2 + (len(out) == 2 and isinstance(out, TensorBBox))]
    axes = plot_top_losses(pictures(1), target[None], samples, [(out,)], [None], [0.25])
    assert titles(axes) == ["loss 0.25", ""]


def test_a_target_that_is_a_picture_stands_between_input_and_prediction():
    samples = [(picture(), picture())]
    out = picture()
    axes = show_results(pictures(1), pictures(1), samples, [(out,)])
    shown = [ax.images[0].get_array() for ax in axes]
    expected = [samples[0][0], samples[0][1], out]
    for pixels, tensor in zip(shown, expected, strict=True):
        assert torch.equal(torch.as_tensor(pixels), tensor.as_plain().permute(1, 2, 0))
    axes = plot_top_losses(pictures(1), pictures(1), samples, [(out,)], [None], [0.25])
    assert titles(axes) == ["loss 0.25", "", ""]
