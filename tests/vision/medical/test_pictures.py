"""DICOM files as pictures: floats until a window is chosen, through every item transform."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.core.errors import BadItemError
from layerwise.core.transforms.numeric import IntToFloatTensor, ToTensor
from layerwise.vision.augment.crop import CropPad
from layerwise.vision.augment.item import FlipItem, RandomResizedCrop, Resize
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.pictures import PILCTScan, PILDicom
from layerwise.vision.medical.tensors import TensorCTScan, TensorDicom


def test_create_shows_the_tags_and_scaled_keeps_the_values(head):
    dcm = dcmread(head[3])
    shown, values = PILDicom.create(head[3]), PILDicom.scaled(head[3])
    assert (shown.mode, shown.size, type(shown)) == ("F", (128, 128), PILDicom)
    np.testing.assert_array_equal(np.asarray(shown), dcm.by_tags().numpy())
    np.testing.assert_array_equal(np.asarray(values), dcm.scaled_px.numpy())


def test_a_tensor_of_it_is_typed_and_stays_as_it_is_on_the_way_to_the_device(head):
    tensor = ToTensor()(PILDicom.scaled(head[3]))
    assert type(tensor) is TensorDicom
    assert tensor.shape == (1, 128, 128)
    to_float = IntToFloatTensor()
    assert torch.equal(to_float(tensor), tensor)
    assert torch.equal(to_float.decode(tensor), tensor)


def test_colours_are_bytes_and_go_from_0_to_1_on_the_device(carried):
    picture = PILDicom.create(carried("examples_rgb_color.dcm"))
    assert picture.mode == "RGB"
    tensor = ToTensor()(picture)
    assert tensor.dtype == torch.uint8
    assert torch.equal(IntToFloatTensor()(tensor).as_plain(), tensor.as_plain() / 255)


def test_a_mode_of_bytes_is_made_when_asked_for(head):
    grey = PILDicom.create(head[3], mode="L")
    expected = (dcmread(head[3]).by_tags().numpy() * 255).round()
    np.testing.assert_array_equal(np.asarray(grey), expected)
    assert PILDicom.create(head[3], mode="RGB").mode == "RGB"


def test_it_is_made_of_bytes_datasets_arrays_and_pictures(head):
    expected = np.asarray(PILDicom.create(head[3]))
    for made in (head[3].read_bytes(), dcmread(head[3]), str(head[3]), expected, expected[None]):
        np.testing.assert_array_equal(np.asarray(PILDicom.create(made)), expected)
    picture = PILDicom.create(expected)
    assert PILDicom.create(picture) is picture
    assert PILDicom.create(Image.new("RGB", (3, 2))).mode == "RGB"
    with pytest.raises(ValueError, match=r"one picture, \(H, W\)"):
        PILDicom.create(np.zeros((2, 3, 3)))


def test_the_first_frame_is_taken_or_the_one_that_is_named(carried):
    frames = dcmread(carried("rtdose.dcm")).scaled_px.numpy()
    np.testing.assert_array_equal(np.asarray(PILDicom.scaled(carried("rtdose.dcm"))), frames[0])
    third = PILDicom.scaled(carried("rtdose.dcm"), frame=3)
    np.testing.assert_array_equal(np.asarray(third), frames[3])


TRANSFORMS = {
    "resize": Resize((40, 50)),
    "squish": Resize(40, method="squish"),
    "flip": FlipItem(p=1.0),
    "part": RandomResizedCrop(32),
    "middle": CropPad(64),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=list(TRANSFORMS))
def test_item_transforms_keep_floats_in_their_range(head, transform):
    picture = PILDicom.scaled(head[3])
    done = transform(picture, split_idx=0)
    values = np.asarray(done)
    assert type(done) is PILDicom
    assert values.dtype == np.float32
    assert -1500 <= values.min() < values.max() <= np.asarray(picture).max()


@pytest.mark.parametrize("transform", [CropPad(200), Resize((60, 120), "pad", "zeros")])
def test_what_is_padded_is_black_as_air_and_not_grey_as_water(head, transform):
    values = np.asarray(transform(PILDicom.scaled(head[3]), split_idx=1))
    assert values[:, :5].max() == np.asarray(PILDicom.scaled(head[3])).min() == -1500


def test_it_can_be_sent_to_a_worker(head):
    picture = PILDicom.scaled(head[3])
    again = pickle.loads(pickle.dumps(picture))
    assert type(again) is PILDicom
    np.testing.assert_array_equal(np.asarray(again), np.asarray(picture))


def test_a_bad_file_is_named(tmp_path):
    (tmp_path / "bad.dcm").write_text("no")
    with pytest.raises(BadItemError, match=r"bad\.dcm"):
        PILDicom.create(tmp_path / "bad.dcm")


def test_a_scan_is_a_tensor_of_its_channels(tmp_path):
    Image.new("CMYK", (5, 4), (1, 2, 3, 4)).save(tmp_path / "a.tif")
    tensor = ToTensor()(PILCTScan.create(tmp_path / "a.tif"))
    assert type(tensor) is TensorCTScan
    assert tensor.shape == (4, 4, 5)
    assert tensor[:, 0, 0].tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (8, 8)), (2, (8, 16)), (3, (8, 8, 3)), (5, (8, 40))]
)
@pytest.mark.parametrize("kind", [TensorDicom, TensorCTScan])
def test_channels_are_drawn_as_colours_or_beside_each_other(kind, count, shape):
    import matplotlib.pyplot as plt

    axes = kind(torch.rand(count, 8, 8)).show()
    assert axes.images[0].get_array().shape == shape
    plt.close("all")
