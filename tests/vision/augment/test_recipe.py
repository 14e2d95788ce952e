"""`aug_transforms`: what is in it, and that a learner with it trains, exports and loads."""

import pytest
import torch
import torch.nn.functional as F

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import GrandparentSplitter
from layerwise.core.learner import Learner
from layerwise.core.nn.sized import cnn_for
from layerwise.core.random import keyed, set_seed
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.augment.color import Brightness, Saturation
from layerwise.vision.augment.erase import RandomErasing
from layerwise.vision.augment.geometry import Rotate
from layerwise.vision.augment.item import Resize
from layerwise.vision.augment.recipe import aug_transforms, norm_apply_denorm, setup_aug_tfms
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.types import imagenet_stats


def names(tfms):
    return [step.name for step in tfms]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["Flip, Warp, Rotate, Zoom, Brightness, Contrast"]),
        ({"flip_vert": True, "max_lighting": 0}, ["Dihedral, Warp, Rotate, Zoom"]),
        (
            {"do_flip": False, "max_rotate": 0, "max_warp": 0, "max_zoom": 1},
            ["Brightness, Contrast"],
        ),
        (
            {"xtra_tfms": [RandomErasing(), Saturation()], "max_warp": 0},
            ["Flip, Rotate, Zoom, Brightness, Contrast, Saturation", "RandomErasing"],
        ),
        (
            {"size": 16, "min_scale": 0.75, "max_warp": 0},
            ["RandomResizedCropGPU, Flip, Rotate, Zoom, Brightness, Contrast"],
        ),
    ],
    ids=["default", "all ways", "colours alone", "more", "crop"],
)
def test_what_is_in_it(settings, expected):
    assert names(aug_transforms(**settings)) == expected


def test_mult_scales_angles_lighting_and_warp():
    by_name = {part.name: part for part in aug_transforms(mult=2.0)[0].parts}
    assert by_name["Rotate"].max_deg == 20.0
    assert by_name["Warp"].magnitude == 0.4
    assert by_name["Contrast"].max_lighting == 0.4
    assert by_name["Zoom"].max_zoom == 1.1
    assert {by_name[n].p for n in ("Warp", "Rotate", "Zoom", "Contrast")} == {0.75}


@pytest.mark.parametrize(
    ("settings", "by_middles"),
    [({"size": 16}, True), ({"size": 16, "min_scale": 0.5}, False)],
    ids=["whole", "parts"],  # parts are cut at edges of pixels
)
def test_training_and_validation_come_out_at_the_size(settings, by_middles):
    x = TensorImage(torch.rand(4, 3, 32, 32))
    for split in (0, 1):
        found = x
        for step in aug_transforms(**settings):
            found = step(found, split_idx=split)
        assert found.shape == (4, 3, 16, 16)
    expected = F.interpolate(x.as_plain(), (16, 16), mode="bilinear", align_corners=by_middles)
    torch.testing.assert_close(found.as_plain(), expected, atol=1e-5, rtol=0)  # of validation


def test_a_part_without_a_size_is_refused():
    with pytest.raises(ValueError, match=r"min_scale=0.5 takes a part .* give its size="):
        aug_transforms(min_scale=0.5)
    with pytest.raises(TypeError, match="Did you mean 'max_rotate'"):
        aug_transforms(max_rotation=5)  # type: ignore[call-arg]  # misspelt


def test_batch_draws_once_for_all_pictures():
    x = TensorImage(torch.rand(1, 3, 16, 16).repeat(8, 1, 1, 1))
    (step,) = aug_transforms(batch=True)
    with keyed(0):
        found = step(x, split_idx=0).as_plain()
    assert (found == found[:1]).all()
    assert not torch.equal(found, x.as_plain())


def test_merging_by_hand_sorts():
    assert names(setup_aug_tfms([Brightness(), Rotate()])) == ["Rotate, Brightness"]


def test_functions_for_normalised_pictures_see_them():
    x = TensorImage(torch.rand(2, 3, 4, 4))
    nrm = Normalize.from_stats(*imagenet_stats)
    seen = []

    def noted(values):
        seen.append(values)
        return values

    found = norm_apply_denorm(x, noted, nrm)
    torch.testing.assert_close(seen[0], nrm(x).as_plain())
    torch.testing.assert_close(found, x)


@pytest.mark.parametrize("settings", [{}, {"size": 24, "min_scale": 0.75}], ids=["same", "size"])
def test_a_learner_with_it_trains_repeats_exports_and_loads(pets, tmp_path, settings):
    def made():
        block = DataBlock(
            (ImageBlock, CategoryBlock),
            get_items=get_image_files,
            get_y=parent_label,
            splitter=GrandparentSplitter(),
            item_tfms=Resize(32),
            batch_tfms=[*aug_transforms(**settings), Normalize.from_stats(*imagenet_stats)],
        )
        dls = block.dataloaders(pets, bs=8, num_workers=0, device="cpu")
        set_seed(0)
        return Learner(dls, cnn_for(dls))

    one, other = made(), made()
    assert len(one.dls.train.after_batch) == 2
    for learn in (one, other):
        set_seed(1)
        learn.fit(2)
    assert all(
        torch.equal(a, b)
        for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True)
    )
    one.export(tmp_path / "pets.layerwise")
    loaded = load_learner(tmp_path / "pets.layerwise")
    files = get_image_files(pets / "valid")[:3]
    for file in files:
        torch.testing.assert_close(loaded.predict(file)[2], one.predict(file)[2])
    kept = {part.name for part in loaded.dls.valid.after_batch[0].parts}
    assert kept == {"IntToFloatTensor", *(["RandomResizedCropGPU"] if settings else [])}
    assert one.to_config()["loaders"][0]["after_batch"][1]["$type"].startswith("transform:vision/")
