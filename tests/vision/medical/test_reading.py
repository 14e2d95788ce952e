"""Files of every kind decoded: against their uncompressed twins, and what is wrong in words."""

import io
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from layerwise.core.errors import BadItemError, MissingDependencyError
from layerwise.vision.medical import codestream
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.reading import get_dicom_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

TWINS = {
    "MR_small.dcm": [
        "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm",
    ],
    "SC_rgb_rle.dcm": ["SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_gdcm_KY.dcm"],
    "SC_rgb_small_odd.dcm": ["SC_rgb_small_odd_big_endian.dcm"],
    "rtdose.dcm": ["rtdose_rle.dcm", "rtdose_expb.dcm"],
    "rtdose_1frame.dcm": ["rtdose_rle_1frame.dcm"],
    "liver_1frame.dcm": ["liver_expb_1frame.dcm"],
}  # fmt: skip
LOSSY = {"SC_rgb_dcmtk_+eb+cr.dcm": 6, "SC_rgb_gdcm_KY.dcm": 6}


@pytest.mark.parametrize(
    ("plain", "other"), [(plain, other) for plain, others in TWINS.items() for other in others]
)
def test_a_file_has_the_pixels_of_its_uncompressed_twin(carried, plain, other):
    expected = dcmread(carried(plain)).stored().astype(np.int64)
    found = dcmread(carried(other)).stored().astype(np.int64)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() <= LOSSY.get(other, 0)


@pytest.mark.parametrize("name", ["JPGExtended.dcm", "JPEG-lossy.dcm"])
def test_a_jpeg_of_twelve_bits_is_decoded_although_pydicom_would_not(carried, name):
    with pytest.raises(RuntimeError, match="12-bit"):
        assert pydicom.dcmread(carried(name)).pixel_array is None
    found = dcmread(carried(name)).stored()
    assert found.shape == (1024, 256)
    # As the tests of pydicom have it for the libraries that it does hand the file to.
    assert (found[420, 140], found[230, 120]) == (244, 95)
    np.testing.assert_array_equal(dcmread(carried(name)).stored(0), found)


SYNTAXES = {
    "RLE": RLELossless, "JPEG": JPEGLosslessSV1, "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
}  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=list(SYNTAXES))
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16])
def test_lossless_compressions_give_back_each_bit(make_dataset, tmp_path, syntax, kind):
    limits = np.iinfo(kind)
    rng = np.random.default_rng(0)
    pixels = rng.integers(limits.min, limits.max, (40, 30), dtype=kind, endpoint=True)
    if syntax == RLELossless:
        made = make_dataset(pixels)
        made.compress(syntax)
    else:
        made = _by_gdcm(make_dataset(pixels), syntax, tmp_path)
    made.save_as(tmp_path / "a.dcm")
    np.testing.assert_array_equal(dcmread(tmp_path / "a.dcm").stored(), pixels)


def _by_gdcm(dataset, syntax, folder):
    gdcm = pytest.importorskip("gdcm")
    dataset.save_as(folder / "plain.dcm", enforce_file_format=True)
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "plain.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(folder / "packed.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return pydicom.dcmread(folder / "packed.dcm")


def test_every_file_with_pixels_that_pydicom_carries_is_read_or_refused_by_name(carried):
    known_bad = {
        "JPEG2000-embedded-sequence-delimiter.dcm", "MR_truncated.dcm", "badVR.dcm",
        "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm",
    }  # fmt: skip
    read, refused = [], set()
    for path in get_dicom_files(carried("CT_small.dcm").parent, recurse=False):
        try:
            dcm = dcmread(path)
            pixels = dcm.pixels
            assert pixels.isfinite().all()
            assert dcm.by_tags().min() >= 0
            assert dcm.by_tags().max() <= 1
            read.append(path.name)
        except BadItemError as error:
            refused.add(path.name if path.name in str(error) else f"{path.name} is not named")
    assert len(read) > 55
    assert known_bad <= refused
    assert not {name for name in refused if name.endswith("not named")}
    assert not {name for name in refused if name.startswith(("CT", "MR_small", "SC_", "exam"))}


def test_bits_beside_those_stored_are_cleared(make_dataset, make_dicom):
    rng = np.random.default_rng(0)
    twelve = rng.integers(0, 4096, (6, 5)).astype(np.uint16)
    overlay = rng.integers(0, 16, (6, 5)).astype(np.uint16) << 12
    path = make_dicom(twelve | overlay, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(dcmread(path).stored(), twelve)
    signed = rng.integers(-2048, 2048, (6, 5)).astype(np.int16)
    dirty = ((signed.view(np.uint16) & 0xFFF) | overlay).view(np.int16)
    path = make_dicom(dirty, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(dcmread(path).stored(), signed)
    high = make_dicom(twelve << 4, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(dcmread(high).stored(), twelve)


def test_colours_of_every_kind_are_rgb(carried):
    from pydicom.pixels import convert_color_space

    palette = dcmread(carried("examples_palette.dcm"))
    assert palette.stored().shape == (350, 800, 3)
    by_frames = dcmread(carried("examples_ybr_color.dcm"))
    assert by_frames.pixels.shape == (30, 3, 240, 320)
    raw = pydicom.dcmread(carried("examples_ybr_color.dcm"))
    raw.pixel_array_options(raw=True, index=3)
    expected = convert_color_space(raw.pixel_array, "YBR_FULL", "RGB")
    np.testing.assert_array_equal(by_frames.stored(3), expected)


def test_one_frame_of_several_is_that_frame(carried):
    dcm = dcmread(carried("rtdose.dcm"))
    assert dcm.shape == (15, 10, 10)
    np.testing.assert_array_equal(dcm.stored(4), dcm.stored()[4])
    with pytest.raises(IndexError, match="has 15; the first is 0"):
        dcm.stored(15)


def test_what_is_no_dicom_is_a_bad_item_with_its_name(tmp_path):
    text = tmp_path / "notes.dcm"
    text.write_text("this is no picture")
    with pytest.raises(BadItemError, match=r"notes\.dcm is no DICOM file"):
        dcmread(text)
    empty = tmp_path / "empty.dcm"
    empty.touch()
    with pytest.raises(BadItemError, match=r"empty\.dcm"):
        dcmread(empty)
    with pytest.raises(BadItemError, match="5 bytes in memory"):
        dcmread(b"12345")
    with pytest.raises(FileNotFoundError):
        dcmread(tmp_path / "nowhere.dcm")


@pytest.mark.parametrize("share", [0.3, 0.95])
@pytest.mark.parametrize("name", ["MR_small.dcm", "examples_rgb_color.dcm", "image_dfl.dcm"])
def test_a_truncated_file_is_a_bad_item_with_its_name(tmp_path, carried, name, share):
    whole = carried(name).read_bytes()
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadItemError, match=r"cut\.dcm"):
        dcmread(cut).pixels


def test_any_damage_to_a_file_gives_pixels_or_a_bad_item(carried, tmp_path):
    whole = bytearray(carried("MR_small_RLE.dcm").read_bytes())
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(128, len(whole), 12):
            damaged[place] = rng.integers(0, 256)
        path = tmp_path / "damaged.dcm"
        path.write_bytes(damaged)
        try:
            dcmread(path).by_tags()
            outcomes.add("read")
        except (BadItemError, MissingDependencyError) as error:
            outcomes.add("refused" if "damaged.dcm" in str(error) else str(error))
    assert outcomes == {"read", "refused"}


def test_a_header_that_promises_too_much_takes_no_memory(make_dicom, monkeypatch):
    small = np.zeros((4, 4), np.uint16)
    huge = make_dicom(small, Rows=65535, Columns=65535)
    with pytest.raises(BadItemError, match="65535 x 65535 pixels, over the limit"):
        dcmread(huge).pixels
    many = make_dicom(small, Rows=8000, Columns=8000, NumberOfFrames=1000)
    with pytest.raises(BadItemError, match=r"1000 frames .* name one"):
        dcmread(many).pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15)
    with pytest.raises(BadItemError, match="over the limit of 15"):
        dcmread(make_dicom(small)).pixels


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("JPEG2000", {}), ("JPEG2000", {"no_jp2": True}), ("JPEG", {})],
    ids=["boxes", "stream", "JPEG"],
)
def test_a_compressed_picture_larger_than_its_tags_say_is_not_decoded(
    make_dataset, tmp_path, kind, settings
):
    packed = io.BytesIO()
    Image.new("L", (400, 300)).save(packed, kind, **settings)
    made = make_dataset(np.zeros((4, 4), np.uint8))
    made.PixelData = encapsulate([packed.getvalue()])
    syntax = JPEG2000Lossless if kind == "JPEG2000" else JPEGBaseline8Bit
    made.file_meta.TransferSyntaxUID = syntax
    made.save_as(tmp_path / "bomb.dcm")
    told = r"bomb\.dcm: what is compressed has 400 x 300 pixels, the tags say 4 x 4"
    for frame in (None, 0):
        with pytest.raises(BadItemError, match=told):
            dcmread(tmp_path / "bomb.dcm").stored(frame)


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_deflated_file_that_inflates_beyond_reason_is_refused(
    make_dataset, tmp_path, monkeypatch, in_memory
):
    monkeypatch.setattr(codestream, "_INFLATED", 2**20)
    zeros = make_dataset(np.zeros((2000, 2000), np.int16))
    noise = make_dataset(np.random.default_rng(0).integers(0, 99, (1000, 1000)).astype(np.int16))
    for name, made in (("zeros", zeros), ("noise", noise)):
        made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        made.save_as(tmp_path / name, enforce_file_format=True)
        with (tmp_path / name).open("ab") as file:
            file.write(bytes(2))  # padding, behind which nothing is inflated
    files = [(tmp_path / name).read_bytes() if in_memory else tmp_path / name for name in
             ("zeros", "noise")]  # fmt: skip
    with pytest.raises(BadItemError, match=r"(zeros|in memory).* bytes inflate to over"):
        dcmread(files[0])
    assert dcmread(files[1]).shape == (1000, 1000)


def test_every_compressed_file_is_held_against_its_tags(carried):
    held = set()
    for path in get_dicom_files(carried("CT_small.dcm").parent, recurse=False):
        try:
            dcm = dcmread(path)
            dcm.stored(0)
        except BadItemError:
            continue
        syntax = dcm.file_meta.TransferSyntaxUID
        if syntax.is_compressed and syntax not in (RLELossless, DeflatedExplicitVRLittleEndian):
            dcm.Rows -= 1
            with pytest.raises(BadItemError, match="what is compressed has"):
                dcm.stored(0)
            held.add(syntax.name)
    assert len(held) >= 6


@pytest.mark.parametrize(
    "tags", [{"Rows": 0}, {"Rows": 400}, {"BitsAllocated": 7}, {"SamplesPerPixel": 2}]
)
def test_a_header_that_makes_no_sense_is_a_bad_item(make_dicom, tags):
    with pytest.raises(BadItemError, match=r"made\.dcm"):
        dcmread(make_dicom(np.zeros((4, 4), np.uint16), **tags)).pixels


def test_a_dataset_without_pixels_says_what_it_is(carried):
    with pytest.raises(BadItemError, match=r"test-SR\.dcm has no pixels: it is .*SR"):
        dcmread(carried("test-SR.dcm")).pixels


def test_a_compression_that_nobody_decodes_is_named(make_dataset, tmp_path):
    made = make_dataset(np.zeros((4, 4), np.uint8))
    made.PixelData = encapsulate([b"\0\0\0\1"])
    made.file_meta.TransferSyntaxUID = MPEG4HP41
    made.save_as(tmp_path / "film.dcm")
    with pytest.raises(BadItemError, match=r"film\.dcm are compressed as MPEG-4"):
        dcmread(tmp_path / "film.dcm").pixels


def test_a_missing_decoder_is_named_with_what_to_install(make_dataset, tmp_path):
    made = make_dataset(np.zeros((4, 4), np.uint8))
    made.PixelData = encapsulate([b"\0\0\0\1"])
    made.file_meta.TransferSyntaxUID = HTJ2KLossless
    made.save_as(tmp_path / "new.dcm")
    if find_spec("openjpeg"):
        pytest.skip("the decoder is installed")
    with pytest.raises(MissingDependencyError, match="pip install 'pylibjpeg-openjpeg'"):
        dcmread(tmp_path / "new.dcm").pixels


def test_without_pydicom_its_extra_is_named(carried, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingDependencyError) as caught:
        dcmread(carried("CT_small.dcm"))
    assert "DICOM files need the library 'pydicom'" in str(caught.value)
    assert "pip install 'layerwise-vision[medical]'" in str(caught.value)


WITHOUT = """
import sys
sys.modules["gdcm"] = None
from layerwise.vision.medical.dataset import dcmread
try:
    dcmread(sys.argv[1]).pixels
except ImportError as error:
    print(type(error).__name__, error)
"""


def test_without_gdcm_its_extra_is_named(carried):
    path = carried("MR_small_jpeg_ls_lossless.dcm")
    done = subprocess.run([sys.executable, "-c", WITHOUT, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MissingDependencyError pixels compressed as JPEG-LS Lossless" in done.stdout
    assert "pip install 'layerwise-vision[medical]'" in done.stdout


def test_dicom_files_are_found_by_their_endings(tmp_path):
    for name in ("b.dcm", "a.DICOM", "c.png", "sub/d.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in get_dicom_files(tmp_path)] == ["a.DICOM", "b.dcm", "d.dcm"]
    assert [path.name for path in get_dicom_files(tmp_path, recurse=False)] == ["a.DICOM", "b.dcm"]
