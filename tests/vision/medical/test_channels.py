"""Channels of windows, and the files of them read back by Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.core.errors import BadItemError
from layerwise.vision.medical.channels import (
    png16read,
    save_jpg,
    save_tif16,
    to_3chan,
    to_nchan,
    to_uint16,
)
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.histogram import hist_scaled
from layerwise.vision.medical.pictures import PILCTScan
from layerwise.vision.medical.windows import dicom_windows, windowed

BRAIN, SUBDURAL, BONE = dicom_windows.brain, dicom_windows.subdural, dicom_windows.brain_bone


@pytest.fixture
def slice_(head):
    return dcmread(head[10]).scaled_px.as_plain()


def test_channels_are_the_windows_and_then_the_even_scale(slice_):
    found = to_nchan(slice_, [BRAIN, SUBDURAL])
    expected = [windowed(slice_, *BRAIN), windowed(slice_, *SUBDURAL), hist_scaled(slice_)]
    assert torch.equal(found.as_plain(), torch.stack(expected))
    assert torch.equal(to_3chan(slice_, BRAIN, SUBDURAL).as_plain(), found.as_plain())
    assert torch.equal(to_nchan(slice_, [BRAIN], 0).as_plain(), expected[0][None])


def test_a_batch_has_its_channels_in_the_second_place(slice_):
    batch = torch.stack([slice_, slice_.flip(-1)])
    breaks = torch.tensor([-1000, 0, 40, 1000])
    found = to_nchan(batch, [BRAIN], breaks)
    assert found.shape == (2, 2, 128, 128)
    assert torch.equal(found[1].as_plain(), to_nchan(batch[1], [BRAIN], breaks).as_plain())


def test_a_jpeg_of_three_windows_is_read_back_by_pillow(slice_, tmp_path):
    save_jpg(slice_, tmp_path / "a.dcm", [BRAIN, SUBDURAL, BONE], 0, quality=95)
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (128, 128))
        found = np.asarray(image, np.float32)
    expected = to_nchan(slice_, [BRAIN, SUBDURAL, BONE], 0).permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected).mean() < 6  # noise of 8 x 8 blocks and of halved colours


@pytest.mark.parametrize(("count", "mode"), [(1, "L"), (3, "RGB"), (4, "CMYK")])
def test_a_scan_has_as_many_channels_as_were_saved(slice_, tmp_path, count, mode):
    save_jpg(slice_, tmp_path / "a", [BRAIN, SUBDURAL, BONE, (100, 0)][:count], 0, quality=95)
    scan = PILCTScan.create(tmp_path / "a.jpg")
    assert scan.mode == mode
    channels = np.asarray(scan, np.float32).reshape(128, 128, count)
    expected = windowed(slice_, *BRAIN).numpy() * 255
    assert np.abs(channels[..., 0] - expected).mean() < 6


def test_two_channels_have_no_jpeg(slice_, tmp_path):
    with pytest.raises(ValueError, match="a JPEG holds one slice with 1, 3 or 4"):
        save_jpg(slice_, tmp_path / "a", [BRAIN, SUBDURAL], 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compress", [True, False])
def test_a_tiff_of_16_bits_is_read_back_exactly(slice_, tmp_path, compress):
    breaks = torch.tensor([-1500, -100, 0, 20, 40, 60, 100, 2000])
    save_tif16(slice_, tmp_path / "a.dcm", breaks, compress=compress)
    with Image.open(tmp_path / "a.tif") as image:
        found = np.asarray(image)
        assert image.info.get("compression") == ("tiff_adobe_deflate" if compress else "raw")
    scale = np.linspace(0, 1, 8)
    expected = np.interp(slice_.numpy(), breaks.numpy(), scale) * 65535
    assert found.dtype == np.uint16
    assert np.abs(found - expected).max() <= 0.51
    np.testing.assert_array_equal(png16read(tmp_path / "a.tif"), found)


def test_white_is_65535_and_does_not_wrap_round_to_black():
    assert to_uint16(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0, 1])).max() == 65535


def test_a_png_of_16_bits_is_read_with_all_of_them(tmp_path):
    values = np.array([[0, 1, 65535], [256, 255, 12345]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    np.testing.assert_array_equal(png16read(tmp_path / "a.png"), values)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(BadItemError, match=r"b\.png"):
        png16read(tmp_path / "b.png")


def test_no_channel_and_other_shapes_are_told():
    with pytest.raises(ValueError, match="no channel"):
        to_nchan(torch.zeros(4, 4), [], 0)
    with pytest.raises(ValueError, match="bins=100"):
        to_nchan(torch.zeros(4, 4), [BRAIN], 100)
    with pytest.raises(ValueError, match=r"give \(H, W\)"):
        to_nchan(torch.zeros(4), [BRAIN])
