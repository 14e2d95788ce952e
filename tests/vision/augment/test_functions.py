"""Functions do what the transforms of the same keywords do in training."""

import pytest
import torch

from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.vision.augment import functions
from layerwise.vision.augment.color import Brightness, Contrast, Hue, Saturation
from layerwise.vision.augment.geometry import Dihedral, Flip, Rotate, Warp, Zoom

X = TensorImage(torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0)))
MASK = TensorMask((X.as_plain()[:, 0] * 5).long())
PAIRS = {
    "flip_batch": (Flip, {"p": 0.4}),
    "dihedral_batch": (Dihedral, {"p": 0.9}),
    "rotate": (Rotate, {"max_deg": 40, "size": 8, "pad_mode": "zeros", "align_corners": False}),
    "zoom": (Zoom, {"max_zoom": 2.0, "draw_x": 0.1, "draw_y": 0.8, "mode": "nearest"}),
    "warp": (Warp, {"magnitude": 0.4, "draw_x": 0.1, "batch": True}),
    "brightness": (Brightness, {"max_lighting": 0.4}),
    "contrast": (Contrast, {"max_lighting": 0.4, "p": 1.0}),
    "saturation": (Saturation, {"draw": 2.0}),
    "hue": (Hue, {"max_hue": 0.3, "batch": True}),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_function_draws_and_acts_as_its_transform(name):
    kind, settings = PAIRS[name]
    with keyed(3):
        found = getattr(functions, name)((X, MASK), **settings)
    with keyed(3):
        expected = kind(**settings)((X, MASK), split_idx=0)
    for one, other in zip(found, expected, strict=True):
        assert type(one) is type(other)
        assert torch.equal(one.as_plain(), other.as_plain())


def test_a_matrix_and_a_map_are_followed():
    half = torch.tensor([[[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]]).repeat(6, 1, 1)
    zoomed = functions.zoom(X, p=1.0, draw=2.0, draw_x=0.5, draw_y=0.5)
    assert torch.equal(functions.affine_coord(X, half), zoomed)
    found = functions.affine_coord(X, coord_tfm=lambda places: places / 2, size=12)
    torch.testing.assert_close(found, zoomed)
    with pytest.raises(ValueError, match=r"returned \(1, 2, 3\) for a batch of 6 pictures"):
        functions.affine_coord(X, half[:1])
