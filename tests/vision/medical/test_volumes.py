"""Slices to volumes: the order, the place in the patient, and series that are none."""

import numpy as np
import pydicom
import pytest
import torch
import torch.nn.functional as F

from layerwise.core.errors import BadItemError, DataError
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.volumes import TensorVolume, volume
from layerwise.vision.models.xresnet import xresnet18


def test_slices_are_sorted_by_their_place_whatever_their_names_and_numbers(series):
    found = volume(series([6, 0, 4, 2], value=lambda i: i * 10))
    assert found[:, 0, 0].tolist() == [-990, -970, -980, -1000]
    assert type(found) is TensorVolume
    assert found.spacing == (2, 0.5, 0.25)


@pytest.mark.parametrize(
    ("tags", "order"),
    [
        ({"ImagePositionPatient": None, "SliceLocation": None}, [0, 1, 2]),
        ({"ImagePositionPatient": None, "InstanceNumber": None}, [2, 1, 0]),
    ],
    ids=["by number", "by location"],
)
def test_without_a_position_other_tags_give_the_order(make_dataset, tags, order):
    from layerwise.vision.medical.dataset import DcmDataset

    slices = []
    for i in range(3):
        own = {"InstanceNumber": i + 1, "SliceLocation": -5.0 * i, "SliceThickness": 3, **tags}
        own = {name: value for name, value in own.items() if value is not None}
        slices.append(DcmDataset(make_dataset(np.full((2, 2), i, np.int16), **own)))
    found = volume(slices[::-1])
    assert found[:, 0, 0].tolist() == order
    assert found.spacing[0] == (3 if "SliceLocation" in tags else 5)


def test_the_affine_leads_to_the_place_that_the_tags_of_each_slice_give(head):
    found = volume(head[:14][::-1])
    assert found.shape == (14, 128, 128)
    for i in (0, 6, 13):
        tags = pydicom.dcmread(head[i])
        origin = np.array(tags.ImagePositionPatient, float)
        direction = np.array(tags.ImageOrientationPatient, float)
        rows, columns = map(float, tags.PixelSpacing)
        # DICOM PS3.3, C.7.6.2.1.1, for the pixel in row 30 and column 70.
        expected = origin + 70 * columns * direction[:3] + 30 * rows * direction[3:]
        place = found.affine @ torch.tensor([i, 30.0, 70.0, 1.0], dtype=torch.float64)
        np.testing.assert_allclose(place[:3].numpy(), expected, atol=1e-3)
    down = found.affine[:3, 1].numpy()
    tilt = np.degrees(np.arctan2(-down[2], down[1]))
    assert tilt == pytest.approx(18.5, abs=0.01)
    np.testing.assert_array_equal(found[6].numpy(), dcmread(head[6]).scaled_px.numpy())


def test_uneven_slices_are_an_error_that_says_what_to_do(head):
    with pytest.raises(DataError, match=r"1\.08 to 7\.00 mm apart.*pass spacing=4"):
        volume(head)


def test_uneven_slices_are_interpolated_when_a_spacing_is_given(series):
    paths = series([0, 2, 4, 10], value=lambda i: [0, 2, 4, 10][i])
    found = volume(paths, spacing=1.0)
    assert (found[:, 1, 1] + 1000).tolist() == pytest.approx(range(11))
    assert found.spacing == (1, 0.5, 0.25)
    assert (found.affine @ torch.tensor([10.0, 0, 0, 1], dtype=torch.float64))[2] == 10


def test_a_missing_slice_is_named_by_its_neighbours(series):
    paths = series([0, 2, 4, 8, 10])
    gap = rf"between {paths[2].name} and {paths[3].name} \(4\.00 mm\)"
    with pytest.raises(DataError, match=gap):
        volume(paths)


def test_two_slices_at_one_place_are_named(series):
    paths = series([0, 2, 2, 4])
    with pytest.raises(DataError, match="are at one place"):
        volume(paths)


def test_several_series_are_counted(series):
    with pytest.raises(DataError, match="slices of 2 series, with 3, 2 of them"):
        volume([*series([0, 2, 4]), *series([0, 2], uid="1.2.4")])


@pytest.mark.parametrize(
    "change",
    [{"PixelSpacing": [1, 1]}, {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}],
    ids=["spacing", "orientation"],
)
def test_slices_that_are_not_alike_are_named(series, change):
    paths = series([0, 2])
    odd = pydicom.dcmread(paths[1])
    for name, value in change.items():
        setattr(odd, name, value)
    odd.save_as(paths[1])
    with pytest.raises(DataError, match=f"has {next(iter(change))}.*leave out the scout"):
        volume(paths)


def test_what_is_no_slice_is_refused(carried, head, tmp_path):
    with pytest.raises(DataError, match="no slices"):
        volume([])
    with pytest.raises(DataError, match=r"several frames is a volume of its own"):
        volume([carried("rtdose.dcm")])
    with pytest.raises(DataError, match="no slice in greys"):
        volume([carried("examples_rgb_color.dcm")])
    (tmp_path / "bad.dcm").write_text("no")
    with pytest.raises(BadItemError, match=r"bad\.dcm"):
        volume([head[0], tmp_path / "bad.dcm"])
    with pytest.raises(ValueError, match="spacing=0"):
        volume(head[:3], spacing=0)


def test_nets_of_three_dimensions_take_a_volume(head):
    found = volume(head[:14]).windowed(80, 40)
    assert [found.min().item(), found.max().item()] == [0, 1]
    net = xresnet18(n_out=3, ndim=3, c_in=1)
    small = F.interpolate(found.as_plain()[None, None], size=(32, 48, 48))
    assert net(small).shape == (1, 3)


def test_a_volume_shows_the_slice_in_its_middle(head):
    import matplotlib.pyplot as plt

    found = volume(head[:5])
    axes = found.show()
    np.testing.assert_array_equal(axes.images[0].get_array(), found[2].numpy())
    np.testing.assert_array_equal(found.show(index=4).images[0].get_array(), found[4].numpy())
    plt.close("all")


def test_a_folder_is_brought_to_a_size(head, tmp_path):
    for path in head[:4]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = TensorVolume.create(tmp_path)
    assert whole.shape == (1, 4, 128, 128)
    assert torch.equal(whole[0].as_plain(), volume(head[:4]).as_plain())
    assert TensorVolume.create(tmp_path, size=(8, 32, 32)).shape == (1, 8, 32, 32)
