import io
import sys

import numpy as np
import pytest
import torch

from layerwise.core.arrays import ArrayImageBW
from layerwise.core.display.axes import (
    get_grid,
    show_image,
    show_image_batch,
    show_images,
    show_titled_image,
    subplots,
)
from layerwise.core.errors import MissingDependencyError
from layerwise.core.tensors import TensorImage, TensorMask


def drawn(ax):
    """The pixels of the one picture on `ax`, as they were given to matplotlib."""
    (image,) = ax.images
    return np.asarray(image.get_array())


def test_subplots_measures_the_figure_by_its_pictures(plt):
    fig, axes = subplots(2, 3, imsize=2, suptitle="cats")
    assert tuple(fig.get_size_inches()) == pytest.approx((6, 4.6))
    assert axes.shape == (2, 3)
    assert fig.get_suptitle() == "cats"
    assert subplots()[1].shape == (1,)
    assert subplots(figsize=(2, 1))[0].get_size_inches().tolist() == [2, 1]


@pytest.mark.parametrize(
    ("n", "asked", "shape"),
    [
        (1, {}, (1, 1)),
        (9, {}, (3, 3)),
        (5, {}, (2, 3)),
        (5, {"nrows": 1}, (1, 5)),
        (5, {"ncols": 2}, (3, 2)),
    ],
)
def test_get_grid_is_about_square_and_blanks_what_is_left(plt, n, asked, shape):
    fig, axes = get_grid(n, return_fig=True, title="cats", **asked)
    grid = fig.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == shape
    assert len(axes) == n
    assert [ax.axison for ax in fig.axes] == [True] * n + [False] * (len(fig.axes) - n)
    assert fig.get_suptitle() == "cats"


def test_get_grid_doubles_and_keeps_the_shape_when_asked(plt):
    assert len(get_grid(4, double=True)) == 8
    assert get_grid(4, double=True, flatten=False).shape == (2, 4)
    fig, _ = get_grid(4, add_vert=1, imsize=2, return_fig=True)
    assert fig.get_size_inches().tolist() == [4, 5]


def test_a_grid_that_is_too_small_or_empty_is_refused(plt):
    with pytest.raises(ValueError, match="nothing to show"):
        get_grid(0)
    with pytest.raises(ValueError, match="2 rows of 2 hold no 5 pictures"):
        get_grid(5, nrows=2, ncols=2)


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((3, 4, 5), torch.zeros, (4, 5, 3)),
        ((6, 5, 3), torch.zeros, (6, 5, 3)),
        ((1, 4, 5), torch.zeros, (4, 5)),
        ((4, 5), torch.zeros, (4, 5)),
        ((4, 6, 5), torch.zeros, (6, 5, 4)),
        ((3, 4, 3), torch.zeros, (4, 3, 3)),
        ((3, 4, 3), np.zeros, (3, 4, 3)),
        ((3, 4, 5), np.zeros, (4, 5, 3)),
        ((4, 5, 1), np.zeros, (4, 5)),
    ],
)
def test_show_image_finds_the_channels(plt, shape, kind, expected):
    assert drawn(show_image(kind(shape))).shape == expected


def test_show_image_draws_titles_maps_and_no_axes_where_it_is_told(plt):
    _, ax = plt.subplots()
    found = show_image(torch.zeros(4, 4), ax=ax, title=3, cmap="Greys", alpha=0.5)
    assert found is ax
    assert ax.get_title() == "3"
    assert not ax.axison
    assert ax.images[0].get_cmap().name == "Greys"
    assert ax.images[0].get_alpha() == 0.5
    assert show_image(torch.zeros(4, 4), ctx=ax) is ax


def test_show_image_makes_a_figure_after_the_picture(plt):
    ax = show_image(torch.zeros(3, 64, 96))
    assert ax.figure.get_size_inches().tolist() == [3, 2]
    assert show_image(torch.zeros(2, 2), figsize=(4, 4)).figure.get_size_inches()[0] == 4


def test_show_image_takes_pil_images(plt):
    pil = pytest.importorskip("PIL.Image")
    assert drawn(show_image(pil.new("RGB", (5, 4), (1, 2, 3))))[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "image",
    [
        torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0)) * 9,
        torch.tensor([-5, 300]).repeat(3, 4, 2),
        torch.full((3, 4, 4), float("nan")),
        torch.full((4, 4), float("inf")),
        torch.full((4, 4), float("nan")),
        torch.ones(3, 4, 4, dtype=torch.bool),
        torch.ones(4, 4, dtype=torch.bool),
        torch.ones(3, 4, 4, dtype=torch.bfloat16, requires_grad=True),
        torch.ones(1, 4, 4, dtype=torch.float16),
        TensorMask(torch.zeros(4, 4, dtype=torch.int64)),
    ],
    ids=range(10),
)
def test_any_values_are_drawn_without_a_word(plt, caplog, image):
    ax = show_image(image)
    ax.figure.savefig(io.BytesIO(), format="png")
    assert not caplog.records  # matplotlib logs what it clips; warnings are errors here anyway


def test_colours_out_of_range_are_clipped(plt):
    assert drawn(show_image(torch.tensor([-1.0, 0.25, 2.0]).view(3, 1, 1))).tolist() == [
        [[0, 0.25, 1]]
    ]
    assert drawn(show_image(torch.tensor([-1, 20, 999]).view(3, 1, 1))).tolist() == [[[0, 20, 255]]]


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((2, 4, 5), r"as in im\[:3\]"),
        ((2, 3, 4, 4), r"show_images\(list\(im\)\)"),
        ((4,), "give two axes"),
    ],
)
def test_show_image_says_why_something_is_no_picture(plt, shape, hint):
    with pytest.raises(ValueError, match=hint):
        show_image(torch.zeros(shape))


def test_an_unknown_keyword_is_refused(plt):
    with pytest.raises((AttributeError, TypeError), match="alpah"):
        show_image(torch.zeros(2, 2), alpah=1)


def test_typed_pictures_show_themselves(plt):
    _, ax = plt.subplots()
    assert TensorImage(torch.zeros(3, 4, 4)).show(ctx=ax) is ax
    TensorMask(torch.zeros(4, 4, dtype=torch.int64)).show(ctx=ax)
    assert [image.get_alpha() for image in ax.images] == [None, 0.5]
    assert ArrayImageBW(np.zeros((2, 2))).show().images[0].get_cmap().name == "Greys"


def test_show_images_draws_each_with_its_title(plt):
    show_images(torch.zeros(3, 1, 4, 4), nrows=2, titles=["a", "b", "c"], suptitle="letters")
    fig = plt.gcf()
    assert [ax.get_title() for ax in fig.axes] == ["a", "b", "c", ""]
    assert [len(ax.images) for ax in fig.axes] == [1, 1, 1, 0]
    assert not any(ax.axison for ax in fig.axes)
    assert fig.get_suptitle() == "letters"


def test_show_images_refuses_titles_that_do_not_match(plt):
    with pytest.raises(ValueError, match="1 titles for 2 pictures"):
        show_images([torch.zeros(2, 2)] * 2, titles=["a"])


def test_show_titled_image_and_batches_of_them(plt):
    assert show_titled_image((torch.zeros(2, 2), 7)).get_title() == "7"
    show_image_batch((TensorImage(torch.zeros(5, 3, 4, 4)), ["a", "b", "c", "d", "e"]), items=4)
    titles = [ax.get_title() for ax in plt.gcf().axes]
    assert titles == ["a", "b", "c", "d", "", ""]


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[plot\]'"):
        show_image(torch.zeros(2, 2))
