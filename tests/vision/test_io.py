"""Reading picture files: every kind there is, and every way in which one can be broken."""

import io
import math
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from layerwise.core.errors import BadItemError, DataError
from layerwise.vision.io import ImageSource, load_image, to_codes, to_mode


def psnr(a, b):
    error = ((np.asarray(a, float) - np.asarray(b, float)) ** 2).mean()
    return 10 * math.log10(255**2 / max(error, 1e-9))


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


GREY = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4)
COLOUR = Image.merge("RGB", (GREY, GREY.rotate(90), GREY.rotate(180)))


def paletted(transparency):
    image = COLOUR.quantize(8)
    return encoded(image, "PNG", transparency=transparency)


def animated():
    frames = [Image.new("RGB", (5, 4), c) for c in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


CORPUS = {
    "rgb": encoded(COLOUR, "PNG"),
    "grey": encoded(GREY, "PNG"),
    "grey jpeg": encoded(GREY, "JPEG"),
    "grey and alpha": encoded(GREY.convert("LA"), "PNG"),
    "rgba": encoded(COLOUR.convert("RGBA"), "PNG"),
    "one bit": encoded(GREY.convert("1"), "PNG"),
    "palette": encoded(COLOUR.quantize(8), "PNG"),
    "palette, one clear index": paletted(3),
    "palette, alpha per index": paletted(bytes([0, 128, 255])),
    "cmyk": encoded(COLOUR.convert("CMYK"), "JPEG"),
    "progressive": encoded(COLOUR, "JPEG", progressive=True),
    "16 bit": encoded(Image.fromarray(np.asarray(GREY, np.uint16) * 257), "PNG"),
    "32 bit": encoded(Image.fromarray(np.asarray(GREY, np.int32)), "TIFF"),
    "float": encoded(Image.fromarray(np.asarray(GREY, np.float32) / 255), "TIFF"),
    "bmp": encoded(COLOUR, "BMP"),
    "webp": encoded(COLOUR, "WEBP", lossless=True),
    "one pixel": encoded(Image.new("RGB", (1, 1)), "JPEG"),
    "very long": encoded(Image.new("RGB", (1, 10000)), "PNG"),
    "animated": animated(),
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", CORPUS)
def test_every_kind_of_picture_comes_in_the_mode_asked_for(kind, mode):
    image = load_image(CORPUS[kind], mode)
    with Image.open(io.BytesIO(CORPUS[kind])) as expected:
        assert (image.mode, image.size) == (mode, expected.size)


@pytest.mark.parametrize("kind", ["grey", "16 bit", "32 bit", "float"])
def test_deeper_pixels_become_the_eight_bits_they_were_made_of(kind):
    assert np.array_equal(load_image(CORPUS[kind], "L"), np.asarray(GREY))


def test_transparency_leaves_the_colour_below_it():
    image = load_image(CORPUS["rgba"], "RGB")
    assert np.array_equal(image, np.asarray(COLOUR))


def test_of_an_animation_the_first_frame_is_read():
    assert load_image(CORPUS["animated"], "RGB").getpixel((0, 0)) == (255, 0, 0)


def test_floats_without_a_meaning_in_eight_bits_are_refused():
    with pytest.raises(ValueError, match=r"from -3.0 to 2.0 have no one meaning"):
        to_mode(Image.fromarray(np.array([[-3.0, 2.0]], np.float32)), "L")


# -- broken files --------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_claiming(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


NATURAL = encoded(COLOUR.resize((200, 200), Image.Resampling.BICUBIC), "JPEG")
BROKEN = {
    "empty": b"",
    "text": b"this is a poem, not a picture",
    "half a jpeg": NATURAL[: len(NATURAL) // 2],
    "jpeg without its end": NATURAL[:-2],
    "header alone": NATURAL[:20],
    "half a png": CORPUS["rgb"][: len(CORPUS["rgb"]) // 2],
    "large": png_claiming(10_000, 10_000),  # Pillow itself only warns of this one
    "huge": png_claiming(40_000, 40_000),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_broken_file_is_named(kind, tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(BROKEN[kind])
    with pytest.raises(BadItemError, match=r"broken\.jpg"):
        load_image(path, "RGB")


def test_the_reason_is_told_in_words():
    with pytest.raises(BadItemError, match="bytes in memory>: the file is empty"):
        load_image(b"")
    with pytest.raises(BadItemError, match=r"no format that Pillow reads\. Replace or remove"):
        load_image(BROKEN["text"])
    with pytest.raises(BadItemError, match="truncated"):
        load_image(BROKEN["half a jpeg"])


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_on_pixels_is_pillows_own_setting(monkeypatch):
    with pytest.raises(BadItemError, match=r"10000 x 10000 pixels, over the limit of 89478485"):
        load_image(BROKEN["large"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 63)
    with pytest.raises(BadItemError, match="over the limit of 63"):
        load_image(CORPUS["rgb"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert load_image(CORPUS["rgb"]).size == (8, 8)


def test_a_wrong_extension_does_no_harm(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(CORPUS["rgb"])
    assert load_image(path).size == (8, 8)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.jpg"):
        load_image(tmp_path / "nothing.jpg")


def test_bad_items_are_data_errors_for_who_skips_them():
    assert issubclass(BadItemError, DataError)
    assert issubclass(BadItemError, ValueError)


# -- orientation ---------------------------------------------------------------------------


def oriented(image, orientation, kind="JPEG", **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_would(orientation, kind):
    data = oriented(COLOUR.crop((0, 0, 8, 5)), orientation, kind)
    source = ImageSource(data)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
    assert source.size == expected.size
    assert np.array_equal(source.decode("RGB"), np.asarray(expected))


def test_orientation_can_be_left_alone():
    data = oriented(COLOUR.crop((0, 0, 8, 5)), 6)
    assert load_image(data, exif=False).size == (8, 5)


def test_a_turned_picture_is_not_turned_again_when_saved_with_its_exif():
    image = load_image(oriented(COLOUR.crop((0, 0, 8, 5)), 6), "RGB")
    again = encoded(image, "JPEG", exif=image.info.get("exif", b""))
    assert load_image(again).size == image.size == (5, 8)


# -- draft ---------------------------------------------------------------------------------


def test_a_size_that_is_enough_makes_decoding_smaller(jpeg):
    assert load_image(jpeg, size=(300, 200)).size == (300, 200)
    assert load_image(jpeg, size=(301, 200)).size == (600, 400)
    assert load_image(jpeg, size=(100, 100)).size == (150, 100)
    assert load_image(jpeg, size=(2000, 2000)).size == (1200, 800)


def test_other_formats_are_decoded_whole():
    assert load_image(CORPUS["rgb"], size=(1, 1)).size == (8, 8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1203, 797), (1200, 800)])
def test_a_box_of_a_drafted_picture_shows_what_it_shows_in_the_whole(size, orientation, jpeg):
    whole = load_image(jpeg, "RGB").resize(size)
    data = oriented(whole, orientation, quality=95)
    full = ImageSource(data)
    width, height = full.size
    box = (width * 0.2, height * 0.3, width * 0.8, height * 0.9)
    drafted = full.drafted(width / 4, height / 4)
    small = drafted.decode("RGB").resize((64, 64), Image.Resampling.BILINEAR, drafted.box(box))
    expected = ImageSource(data).decode("RGB").resize((64, 64), Image.Resampling.BILINEAR, box)
    assert drafted.scale == 4
    assert psnr(small, expected) > 45


def test_drafting_leaves_the_source_as_it_was(jpeg):
    source = ImageSource(jpeg)
    small = source.drafted(300, 200)
    assert small.decode("RGB").size == (300, 200)
    assert source.decode("RGB").size == source.size == (1200, 800)
    assert small.decode("RGB").size == (300, 200), "a source may be decoded again"


def test_a_source_pickles_without_its_open_file(jpeg):
    copy = pickle.loads(pickle.dumps(ImageSource(jpeg).drafted(300, 200)))
    assert copy.decode("RGB").size == (300, 200)


# -- masks ---------------------------------------------------------------------------------


def test_codes_of_a_coloured_palette_are_its_indices():
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    assert np.asarray(to_codes(image)).tolist() == [[0, 1], [2, 1]]


def test_codes_of_a_grey_palette_are_its_greys():
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([7, 7, 7, 9, 9, 9])
    assert np.asarray(to_codes(image)).tolist() == [[7, 9]]


def test_codes_of_sixteen_bits_are_kept_or_refused():
    fits = Image.fromarray(np.array([[3, 200]], np.uint16))
    assert np.asarray(to_codes(fits)).tolist() == [[3, 200]]
    with pytest.raises(ValueError, match="goes up to 300"):
        to_codes(Image.fromarray(np.array([[3, 300]], np.uint16)))
