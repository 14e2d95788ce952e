"""What is drawn for a batch: pictures, titles, and errors in red."""

import matplotlib.pyplot as plt
import pytest
import torch

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.data.source import get_image_files
from layerwise.core.display.generic import plot_top_losses, show_batch, show_results
from layerwise.core.tensors import (
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
)
from layerwise.core.transforms.category import Category, MultiCategory
from layerwise.core.transforms.numeric import RegressionSetup
from layerwise.vision.augment.item import Resize
from layerwise.vision.blocks import ImageBlock, MaskBlock
from layerwise.vision.types import PILMask


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def pictures(count):
    return TensorImage(torch.rand(count, 3, 8, 8))


def titles(axes):
    return [(ax.get_title(), ax.title.get_color()) for ax in axes]


def samples(labels):
    return [(x, Category(label)) for x, label in zip(pictures(len(labels)), labels, strict=True)]


def test_a_batch_is_a_grid_with_labels_as_titles():
    axes = show_batch(pictures(3), TensorCategory([0, 1, 0]), samples(["cat", "dog", "cat"]))
    assert titles(axes) == [("cat", "black"), ("dog", "black"), ("cat", "black")]
    assert all(len(ax.images) == 1 for ax in axes)


def test_the_number_and_the_grid_can_be_chosen():
    axes = show_batch(
        pictures(3), TensorCategory([0, 1, 0]), samples(["a", "b", "c"]), max_n=2, nrows=2, ncols=1
    )
    assert len(axes) == 2
    assert axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 1)


def test_axes_may_be_given():
    _, ax = plt.subplots()
    assert show_batch(pictures(1), TensorCategory([0]), samples(["cat"]), ctxs=[ax]) == [ax]


def test_a_mask_lies_over_its_picture():
    mask = TensorMask(torch.zeros(8, 8, dtype=torch.long))
    axes = show_batch(pictures(1), mask[None], [(pictures(1)[0], mask)])
    assert len(axes) == 1
    assert [image.get_alpha() for image in axes[0].images] == [None, 0.5]


def test_two_pictures_stand_side_by_side():
    axes = show_batch(pictures(2), pictures(2), [(pictures(1)[0], pictures(1)[0])] * 2)
    assert [len(ax.images) for ax in axes] == [1, 1, 1, 1]


def test_errors_are_red_and_hits_green():
    outs = [(Category("cat"),), (Category("cat"),)]
    axes = show_results(pictures(2), TensorCategory([0, 1]), samples(["cat", "dog"]), outs)
    assert titles(axes) == [("cat\ncat", "green"), ("dog\ncat", "red")]


def test_several_labels_are_compared_as_a_whole():
    sample = [(pictures(1)[0], MultiCategory(["a", "b"]))]
    target = TensorMultiCategory([[1, 1]])
    right = show_results(pictures(1), target, sample, [(MultiCategory(["a", "b"]),)])
    wrong = show_results(pictures(1), target, sample, [(MultiCategory(["a"]),)])
    assert titles(right) == [("a;b\na;b", "green")]
    assert titles(wrong) == [("a;b\na", "red")]


def test_predicted_masks_stand_beside_the_true_ones():
    mask = TensorMask(torch.zeros(8, 8, dtype=torch.long))
    axes = show_results(pictures(2), mask[None], [(pictures(1)[0], mask)] * 2, [(mask,)] * 2)
    assert [len(ax.images) for ax in axes] == [2, 2, 2, 2]


def test_top_losses_tell_prediction_target_loss_and_probability():
    axes = plot_top_losses(
        pictures(2),
        TensorCategory([0, 1]),
        samples(["cat", "dog"]),
        [(Category("cat"),), (Category("cat"),)],
        torch.tensor([[0.9, 0.1], [0.75, 0.25]]),
        torch.tensor([0.1, 1.386]),
    )
    assert titles(axes) == [
        ("cat/cat / 0.10 / 0.90", "green"),
        ("cat/dog / 1.39 / 0.75", "red"),
    ]


def test_top_losses_of_several_labels_name_them_all():
    axes = plot_top_losses(
        pictures(1),
        TensorMultiCategory([[1, 1]]),
        [(pictures(1)[0], MultiCategory(["a", "b"]))],
        [(MultiCategory(["b"]),)],
        torch.tensor([[0.2, 0.8]]),
        torch.tensor([0.7]),
    )
    assert titles(axes) == [("b/a;b / 0.70 / 0.80", "red")]


def test_top_losses_of_numbers_and_masks_tell_the_loss():
    step = RegressionSetup(c=1)
    target, out = step.decode(step(7)), step.decode(TensorBase([9.5]))
    sample = [(pictures(1)[0], target)]
    axes = plot_top_losses(
        pictures(1),
        TensorBase([7.0]),
        sample,
        [(out,)],
        torch.tensor([[9.5]]),
        torch.tensor([6.25]),
    )
    assert titles(axes) == [("7\n9.5\nloss 6.25", "black")]
    mask = TensorMask(torch.zeros(8, 8, dtype=torch.long))
    pair = plot_top_losses(
        pictures(1), mask[None], [(pictures(1)[0], mask)], [(mask,)], torch.zeros(1, 2, 8, 8), [0.5]
    )
    assert [len(ax.images) for ax in pair] == [2, 2]
    assert [ax.get_title() for ax in pair] == ["loss 0.50", ""]


def test_loaders_show_names_of_classes(pets):
    block = DataBlock(
        (ImageBlock, CategoryBlock),
        get_items=get_image_files,
        get_y=parent_label,
        item_tfms=Resize(32),
    )
    dls = block.dataloaders(pets, bs=4, num_workers=0, device="cpu")
    axes = dls.show_batch(max_n=4)
    assert {ax.get_title() for ax in axes} <= {"cat", "dog"}


def test_masks_know_their_codes_when_shown(pets):
    block = DataBlock(
        (ImageBlock, MaskBlock(codes=["sky", "road"])),
        get_items=get_image_files,
        get_y=_empty_mask,
        item_tfms=Resize(32),
    )
    dls = block.dataloaders(pets, bs=2, num_workers=0, device="cpu")
    x, y = dls.one_batch()
    assert (x.shape[2:], y.shape, y.dtype) == ((32, 32), (2, 32, 32), torch.int64)
    assert dls.train.decode_batch((x, y))[0][1].codes == ["sky", "road"]


def _empty_mask(path):
    import numpy as np

    return PILMask.create(np.zeros((48, 60), np.uint8))


GRIDS = [((1, 3), 3), ((2, 2), 4), ((3, 3), 5), ((1, None), 5), ((None, 2), 5)]


@pytest.mark.parametrize(("grid", "count"), GRIDS)
def test_a_grid_shows_as_many_as_it_holds(grid, count):
    nrows, ncols = grid
    seen = pictures(5), TensorCategory([0] * 5), samples(["cat"] * 5)
    outs = [(Category("cat"),)] * 5
    assert len(show_batch(*seen, nrows=nrows, ncols=ncols)) == count
    assert len(show_results(*seen, outs, nrows=nrows, ncols=ncols)) == count


def test_a_grid_of_pairs_shows_as_many_as_it_holds():
    pair = [(pictures(1)[0], pictures(1)[0])] * 5
    assert len(show_batch(pictures(5), pictures(5), pair, nrows=1, ncols=2)) == 4
    outs = [(pictures(1)[0],)] * 5
    shown = show_results(pictures(5), pictures(5), pair, outs, nrows=1, ncols=2)
    assert len(shown) == 6, "input, target and prediction"


def test_long_titles_and_the_heading_run_over_nothing():
    labels = MultiCategory(["habitation", "partly_cloudy", "agriculture", "primary", "road"])
    sample = [(picture, labels) for picture in pictures(9)]
    axes = show_results(pictures(9), TensorMultiCategory([[1] * 5]), sample, [(labels,)] * 9)
    figure = axes[0].figure
    figure.canvas.draw()
    heading = figure._suptitle.get_window_extent()
    boxes = [heading, *(ax.title.get_window_extent() for ax in axes)]
    boxes += [ax.images[0].get_window_extent() for ax in axes]
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i]]
    assert not any(_overlap(a, b) for a, b in pairs)
    assert "road" in axes[0].get_title()


def _overlap(a, b):
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1


def test_the_heading_is_near_the_first_row():
    axes = plot_top_losses(
        pictures(9),
        TensorCategory([0] * 9),
        samples(["cat"] * 9),
        [(Category("cat"),)] * 9,
        torch.rand(9, 2),
        torch.rand(9),
    )
    figure = axes[0].figure
    figure.canvas.draw()
    gap = figure._suptitle.get_window_extent().y0 - axes[0].title.get_window_extent().y1
    assert 0 < gap / figure.dpi < 0.35


def test_numbers_are_shown_in_one_form():
    step = RegressionSetup(c=1)
    target, out = step.decode(step(7)), step.decode(TensorBase([9.999971389770508]))
    axes = show_results(pictures(1), TensorBase([7.0]), [(pictures(1)[0], target)], [(out,)])
    assert titles(axes) == [("7\n10", "black")]
