"""Values of pixels against pydicom's own functions; the dataset behaves as that of pydicom."""

import copy
import pickle

import numpy as np
import pydicom
import pytest
import torch
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence

from layerwise.core.errors import BadItemError
from layerwise.vision.medical.dataset import DcmDataset, dcmread
from layerwise.vision.medical.histogram import hist_scaled
from layerwise.vision.medical.tensors import TensorDicom
from layerwise.vision.medical.windows import dicom_windows

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.fixture
def ramp():
    """Values from -1024 to 3071 in steps of 8, signed."""
    return np.arange(-1024, 3072, 8, dtype=np.int16).reshape(16, 32)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "rtdose.dcm",
     "examples_overlay.dcm", "image_dfl.dcm", "JPEG2000.dcm", "MR_small_bigendian.dcm"],
)  # fmt: skip
def test_values_are_those_of_pydicom(carried, name):
    ours, theirs = dcmread(carried(name)), pydicom.dcmread(carried(name))
    stored = theirs.pixel_array
    np.testing.assert_array_equal(ours.stored(), stored)
    np.testing.assert_array_equal(ours.pixels.numpy(), stored.astype(np.float32))
    expected = apply_modality_lut(stored, theirs)
    np.testing.assert_allclose(ours.scaled_px.numpy(), expected, rtol=1e-6)


def as_pydicom_shows(dataset):
    """What pydicom makes of the tags, brought to 0 to 1."""
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(values, dataset).astype(np.float64)
    # Its windows reach over the range of the stored bits, brought to units of the modality.
    slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
    bits, is_signed = dataset.BitsStored, dataset.PixelRepresentation
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    low, high = low * slope + intercept, high * slope + intercept
    return (shown - low) / (high - low)


@pytest.mark.parametrize("function", [None, "LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("centre", "width"), [(40, 80), (100.5, 1), (-600, 1500)])
@pytest.mark.parametrize("rescale", [(1, 0), (2, -1024), (0.5, 10)])
def test_windows_by_tag_are_those_of_pydicom(make_dataset, ramp, function, centre, width, rescale):
    tags = {"WindowCenter": centre, "WindowWidth": width}
    tags |= {"RescaleSlope": rescale[0], "RescaleIntercept": rescale[1]}
    if function:
        tags["VOILUTFunction"] = function
    made = make_dataset(ramp, **tags)
    found = DcmDataset(made).by_tags().numpy()
    with np.errstate(over="ignore"):  # in pydicom's exp
        expected = as_pydicom_shows(made)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_of_several_windows_the_first_counts(make_dataset, ramp):
    several = make_dataset(ramp, WindowCenter=[40, 600], WindowWidth=[80, 2800])
    one = make_dataset(ramp, WindowCenter=40, WindowWidth=80)
    assert torch.equal(DcmDataset(several).by_tags(), DcmDataset(one).by_tags())


def lookup(first, entries, bits):
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(entries), first & 0xFFFF, bits])
    item.add_new("LUTData", "US", list(entries))
    return Sequence([item])


def test_lookup_tables_are_those_of_pydicom(make_dataset):
    pixels = np.arange(0, 40, dtype=np.uint16).reshape(5, 8)
    squares = [i * i * 60 for i in range(32)]
    modality = make_dataset(pixels, ModalityLUTSequence=lookup(4, squares, 16))
    expected = apply_modality_lut(pixels, modality)
    np.testing.assert_array_equal(DcmDataset(modality).scaled_px.numpy(), expected)
    voi = make_dataset(
        pixels, VOILUTSequence=lookup(4, squares, 16), WindowCenter=20, WindowWidth=10
    )
    shown = apply_voi_lut(pixels, voi) / 65535
    np.testing.assert_allclose(DcmDataset(voi).by_tags().numpy(), shown, atol=1e-6)


def test_frames_have_the_slopes_and_windows_that_stand_in_their_groups(make_dataset):
    def item(**tags):
        made = pydicom.Dataset()
        for name, value in tags.items():
            setattr(made, name, value)
        return Sequence([made])

    frames = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    made = make_dataset(frames)
    made.SharedFunctionalGroupsSequence = item(
        FrameVOILUTSequence=item(WindowCenter=0, WindowWidth=100, VOILUTFunction="LINEAR_EXACT")
    )
    made.PerFrameFunctionalGroupsSequence = Sequence(
        item(PixelValueTransformationSequence=item(RescaleSlope=slope, RescaleIntercept=-slope))[0]
        for slope in (1, 2)
    )
    dcm = DcmDataset(made)
    expected = np.stack([frames[0] - 1.0, frames[1] * 2.0 - 2])
    np.testing.assert_array_equal(dcm.scaled_px.numpy(), expected)
    np.testing.assert_array_equal(dcm.scaled(1).numpy(), expected[1])
    np.testing.assert_allclose(dcm.by_tags().numpy(), expected / 100 + 0.5, atol=1e-6)
    np.testing.assert_allclose(dcm.by_tags(1).numpy(), expected[1] / 100 + 0.5, atol=1e-6)


def test_low_values_of_monochrome1_are_bright_where_it_is_shown(make_dataset):
    pixels = np.array([[0, 100], [2000, 4095]], np.uint16)
    tags = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}
    film = make_dataset(pixels, PhotometricInterpretation="MONOCHROME1", **tags)
    usual = make_dataset(pixels, **tags)
    inverted, plain = DcmDataset(film), DcmDataset(usual)
    torch.testing.assert_close(inverted.by_tags(), 1 - plain.by_tags())
    assert torch.equal(inverted.scaled_px, plain.scaled_px)
    assert inverted.scaled(upright=True).tolist() == [[4095, 3995], [2095, 0]]
    signed = make_dataset((pixels.astype(np.int32) - 2048).astype(np.int16), **tags)
    signed.PhotometricInterpretation = "MONOCHROME1"
    assert DcmDataset(signed).scaled(upright=True).tolist() == [[2047, 1947], [47, -2048]]
    axes = inverted.show(scale=False)
    assert axes.images[0].get_array().tolist() == [[0, -100], [-2000, -4095]]
    _close()


def test_a_picture_without_windows_goes_from_its_least_value_to_its_largest(make_dataset):
    pixels = np.array([[100, 150], [200, 300]], np.uint16)
    assert DcmDataset(make_dataset(pixels)).by_tags().tolist() == [[0, 0.25], [0.5, 1]]


def test_colours_have_their_channels_in_front(carried):
    dcm = dcmread(carried("examples_rgb_color.dcm"))
    stored = pydicom.dcmread(carried("examples_rgb_color.dcm")).pixel_array
    np.testing.assert_array_equal(dcm.pixels.numpy(), stored.transpose(2, 0, 1))
    np.testing.assert_allclose(dcm.by_tags().numpy(), stored.transpose(2, 0, 1) / 255, atol=1e-7)
    deep = dcmread(carried("SC_rgb_rle_16bit.dcm")).by_tags()
    assert [deep.min().item(), deep.max().item()] == [0, 1]


def test_tags_are_read_set_and_deleted_as_with_pydicom(carried):
    dcm = dcmread(carried("CT_small.dcm"))
    raw = pydicom.dcmread(carried("CT_small.dcm"))
    assert dcm.PatientID == raw.PatientID
    assert dcm[0x10, 0x20].value == raw[0x10, 0x20].value
    assert dcm["PatientID"] == raw["PatientID"]
    assert str(dcm) == str(raw)
    assert len(dcm) == len(raw)
    assert [e.tag for e in dcm] == [e.tag for e in raw]
    assert dcm.dir("pixel") == raw.dir("pixel")
    dcm.PatientID = "new"
    assert dcm.dataset.PatientID == "new"
    del dcm.PatientID
    assert "PatientID" not in dcm
    assert dcm.get("PatientID", "none") == "none"
    with pytest.raises(AttributeError, match="PatientID"):
        _ = dcm.PatientID
    assert "PatientName" in dir(dcm)
    assert "scaled_px" in dir(dcm)


def test_its_repr_names_no_patient(carried):
    dcm = dcmread(carried("CT_small.dcm"))
    assert repr(dcm) == f"DcmDataset(CT, 128x128, {carried('CT_small.dcm')})"
    assert "CompressedSamples" in str(dcm)
    assert "CompressedSamples" not in repr(dcm)


def test_it_can_be_copied_and_sent_to_a_worker(carried):
    dcm = dcmread(carried("CT_small.dcm"))
    for again in (copy.deepcopy(dcm), pickle.loads(pickle.dumps(dcm))):
        assert repr(again) == repr(dcm)
        assert torch.equal(again.pixels, dcm.pixels)
    changed = copy.deepcopy(dcm)
    changed.set_pixels(np.zeros((3, 4), np.int16))
    assert dcm.shape == (128, 128)


def test_greys_of_a_dataset_are_those_of_its_values(head):
    dcm = dcmread(head[10])
    px = dcm.scaled_px
    assert isinstance(px, TensorDicom)
    assert torch.equal(dcm.windowed(80, 40), px.windowed(*dicom_windows.brain))
    assert torch.equal(dcm.windowed(), dcm.by_tags())
    clipped = hist_scaled(px.as_plain().clamp(-200, 300))
    assert torch.equal(dcm.hist_scaled(min_px=-200, max_px=300).as_plain(), clipped)
    breaks = px.freqhist_bins(30)
    assert torch.equal(dcm.hist_scaled(breaks), px.hist_scaled_pt(breaks))
    share = ((px.numpy() > 0) & (px.numpy() < 80)).mean()
    assert dcm.pct_in_window(80, 40) == pytest.approx(share)
    with pytest.raises(ValueError, match="give both"):
        dcm.windowed(80)


def test_pixels_that_are_set_are_written_and_read(carried, tmp_path):
    dcm = dcmread(carried("MR_small_RLE.dcm"))
    values = torch.arange(30).view(5, 6)
    dcm.set_pixels(values)
    assert dcm.shape == (5, 6)
    dcm.save_as(tmp_path / "new.dcm")
    again = pydicom.dcmread(tmp_path / "new.dcm")
    np.testing.assert_array_equal(again.pixel_array, values.numpy())
    with pytest.raises(ValueError, match="whole numbers from -32768 to 32767"):
        dcm.set_pixels(np.full((2, 2), 40000))
    with pytest.raises(ValueError, match="whole numbers"):
        dcm.set_pixels(np.full((2, 2), 0.5))
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        dcm.set_pixels(np.zeros((2, 2, 3)))


def test_zooming_keeps_the_place_of_every_point_in_the_patient(head, carried):
    dcm = dcmread(head[5])
    before = dcm.scaled_px

    # A point two fifths down and a third across the picture, from the edge of its first pixel.
    def place(shown):
        rows, columns = shown.shape
        step = np.array(shown.PixelSpacing, float)
        direction = np.array(shown.ImageOrientationPatient, float)
        at = (0.4 * rows - 0.5) * step[0], (columns / 3 - 0.5) * step[1]
        origin = np.array(shown.ImagePositionPatient, float)
        return origin + at[0] * direction[3:] + at[1] * direction[:3]

    expected = place(dcm)
    dcm.zoom_to((64, 32))
    assert dcm.shape == (64, 32)
    np.testing.assert_allclose(place(dcm), expected, atol=1e-5)
    assert dcm.scaled_px.mean() == pytest.approx(before.mean().item(), abs=3)
    dcm.zoom(2)
    assert dcm.shape == (128, 64)
    with pytest.raises(ValueError, match="one picture in greys"):
        dcmread(carried("examples_rgb_color.dcm")).zoom(2)


@pytest.mark.parametrize(
    ("scale", "low", "high"),
    [(dicom_windows.brain, 0, 1), (True, 0, 1), ("tags", 0, 1), (False, -1500, 1534)],
    ids=["window", "evenly", "tags", "as it is"],
)
def test_show_draws_what_scale_says(head, scale, low, high):
    axes = dcmread(head[0]).show(scale=scale)
    drawn = axes.images[0].get_array()
    assert (drawn.min(), drawn.max()) == (low, high)
    _close()


def test_show_draws_several_frames_and_colours(carried):
    import matplotlib.pyplot as plt

    dcmread(carried("rtdose.dcm")).show(frames=4)
    assert len(plt.gcf().axes) == 4
    axes = dcmread(carried("examples_palette.dcm")).show()
    assert axes.images[0].get_array().shape == (350, 800, 3)
    with pytest.raises(ValueError, match="scale='brian'"):
        dcmread(carried("CT_small.dcm")).show(scale="brian")
    _close()


def _close():
    import matplotlib.pyplot as plt

    plt.close("all")


def test_broken_tags_of_greys_are_a_bad_item(make_dataset, ramp):
    made = make_dataset(ramp, VOILUTSequence=Sequence([pydicom.Dataset()]))
    with pytest.raises(BadItemError, match=r"cannot read the DICOM file x\.dcm"):
        DcmDataset(made, "x.dcm").by_tags()
