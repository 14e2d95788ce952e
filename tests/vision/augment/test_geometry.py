"""Mirroring of batches."""

import pytest
import torch

from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.vision.augment.geometry import Flip, Rotate, Warp, Zoom


def batch(count=64):
    x = torch.arange(count * 4.0).view(count, 1, 1, 4).repeat(1, 3, 2, 1)
    return TensorImage(x), TensorMask(x[:, 0].long())


def test_each_picture_is_turned_for_itself_and_its_mask_with_it():
    x, y = batch()
    with keyed(0):
        flipped, mask = Flip()((x, y), split_idx=0)
    assert (type(flipped), type(mask)) == (TensorImage, TensorMask)
    turned = [torch.equal(a, b.flip(-1)) for a, b in zip(flipped, x, strict=True)]
    assert 16 < sum(turned) < 48
    for i, was_turned in enumerate(turned):
        expected = y[i].flip(-1) if was_turned else y[i]
        assert torch.equal(mask[i], expected)
        assert torch.equal(flipped[i], x[i].flip(-1) if was_turned else x[i])


@pytest.mark.parametrize(("p", "turned"), [(0.0, False), (1.0, True)])
def test_certain_cases(p, turned):
    x, _ = batch(3)
    assert torch.equal(Flip(p)(x, split_idx=0), x.flip(-1) if turned else x)


def test_validation_is_left_alone():
    x, _ = batch()
    assert Flip(1.0)(x, split_idx=1) is x


def test_the_key_decides():
    def run(*key):
        with keyed(*key):
            return Flip()(batch()[0], split_idx=0)

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_what_is_no_probability_is_refused():
    with pytest.raises(ValueError, match="p=2 is no probability"):
        Flip(2)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Rotate(max_deg=float("nan")), "max_deg=nan"),
        (lambda: Zoom(max_zoom=float("nan")), "max_zoom=nan"),
        (lambda: Warp(magnitude=float("nan")), "magnitude=nan"),
    ],
)
def test_a_strength_that_is_no_number_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()
