"""Heat maps lie exactly over the pictures, whatever their size."""

import pytest
import torch

from layerwise.core.display.heat import show_heat
from layerwise.core.testing import raises_with


@pytest.fixture
def axes():
    from matplotlib.figure import Figure

    found = list(Figure().subplots(1, 2))
    for ax in found:
        ax.imshow(torch.rand(20, 30).numpy())
    return found


def test_a_map_is_stretched_over_its_picture_and_scaled_to_one(axes):
    maps = torch.stack([torch.full((2, 3), 4.0), torch.zeros(2, 3)])
    maps[0, 0, 0] = 8
    assert show_heat(maps, axes, alpha=0.2, cmap="hot") == axes
    first, second = (ax.images[1] for ax in axes)
    assert first.get_extent() == axes[0].images[0].get_extent() == [-0.5, 29.5, 19.5, -0.5]
    assert first.get_array().tolist() == [[1, 0.5, 0.5], [0.5, 0.5, 0.5]]
    assert second.get_array().tolist() == [[0, 0, 0], [0, 0, 0]]  # nothing found, nothing scaled
    assert first.get_clim() == (0, 1)
    assert axes[0].get_xlim() == (-0.5, 29.5)


def test_of_several_channels_the_largest_magnitude_is_shown(axes):
    maps = torch.tensor([[[[1.0, -4.0]], [[-2.0, 3.0]]]])  # (1, 2, 1, 2)
    show_heat(maps, axes)
    assert axes[0].images[1].get_array().tolist() == [[0.5, 1.0]]
    assert len(axes[1].images) == 1


def test_other_shapes_and_empty_axes_are_told(axes):
    with raises_with(ValueError, "maps of shape (2, 3)", "(N, h, w)"):
        show_heat(torch.zeros(2, 3), axes)
    axes[0].images[0].remove()
    with raises_with(ValueError, "there is none on these axes"):
        show_heat(torch.zeros(1, 2, 2), axes)
