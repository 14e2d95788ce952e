"""Parts painted over, each picture its own."""

import pytest
import torch

from layerwise.core.random import keyed
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.core.testing.kinds import check_transform
from layerwise.vision.augment.erase import RandomErasing, cutout_gaussian

X = TensorImage(torch.full((200, 3, 40, 40), 9.0))


def painted(step, key=0):
    with keyed(key):
        return (step(X, split_idx=0).as_plain() != 9).any(1)  # (B, H, W)


def test_pictures_have_their_own_parts_with_probability_p():
    found = painted(RandomErasing(p=0.4, sl=0.1))
    share = found.flatten(1).any(1).float().mean()
    assert abs(share - 0.4) < 0.1
    assert found.flatten(1).unique(dim=0).shape[0] > 60


def test_parts_are_rectangles_of_the_area_and_proportions_asked_for():
    found = painted(RandomErasing(p=1.0, sl=0.05, sh=0.2, min_aspect=0.5))
    rows, columns = found.any(2).sum(1), found.any(1).sum(1)
    area = found.flatten(1).sum(1)
    assert torch.equal(area, rows * columns)
    assert 0.04 < area.min() / 1600 < 0.08
    assert 0.17 < area.max() / 1600 < 0.22
    aspect = rows / columns
    assert 0.45 < aspect.min() < 0.7
    assert 1.5 < aspect.max() < 2.2


def test_several_parts_share_the_area():
    found = painted(RandomErasing(p=1.0, sl=0.2, sh=0.2, max_count=4, min_aspect=1.0))
    assert found.flatten(1).sum(1).max() <= 0.22 * 1600
    assert (found.any(2).int().diff(dim=1) == 1).sum(1).max() > 1


def test_noise_is_normal_and_the_batch_stays():
    with keyed(0):
        found = RandomErasing(p=1.0, sl=0.3)(X, split_idx=0).as_plain()
    noise = found[found != 9]
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert (X == 9).all()


def test_masks_and_validation_are_left_alone():
    mask = TensorMask(torch.ones(200, 40, 40, dtype=torch.long))
    assert RandomErasing(p=1.0, sl=0.2)((X, mask), split_idx=0)[1] is mask
    assert RandomErasing(p=1.0, sl=0.2)(X, split_idx=1) is X


def test_areas_are_painted_in_a_copy():
    x = torch.full((2, 1, 4, 4), 9.0)
    with keyed(0):
        found = cutout_gaussian(x, [(0, 2, 0, 2), (3, 4, 3, 4)])
    assert (found != 9).sum() == 10
    assert (x == 9).all()


def test_the_contract_is_kept():
    check_transform(RandomErasing(p=0.7), TensorImage(torch.rand(4, 3, 16, 16)))


def test_shares_out_of_range_are_refused():
    with pytest.raises(ValueError, match="shares go from 0 to 1"):
        RandomErasing(sl=0.5, sh=0.3)
