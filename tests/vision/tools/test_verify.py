"""Broken files are found by decoding them whole."""

import io
import sys
import types

import pytest
from PIL import Image

from layerwise.core.errors import MissingDependencyError
from layerwise.vision.tools.verify import image_error, verify_image, verify_images


def reason(fn, **given):
    """Why it is no picture, in words."""
    return image_error(fn, **given) or ""


@pytest.fixture
def folder(jpeg, tmp_path):
    data = jpeg.read_bytes()
    (tmp_path / "good.jpg").write_bytes(data)
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    (tmp_path / "almost.jpg").write_bytes(data[:-2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.jpg").write_text("<!doctype html><html><body>403 Forbidden</body></html>")
    Image.new("RGB", (5, 5)).save(tmp_path / "really a png.jpg", "PNG")
    return tmp_path


BROKEN = ["almost.jpg", "empty.png", "half.jpg", "page.jpg"]


@pytest.mark.parametrize("n_workers", [0, 3, None])
def test_the_files_that_do_not_decode_come_back_in_the_order_given(folder, n_workers):
    files = sorted(folder.iterdir())
    assert [f.name for f in verify_images(files, n_workers=n_workers)] == BROKEN
    assert [f.name for f in verify_images(files[::-1], n_workers=n_workers)] == BROKEN[::-1]


def test_pillows_own_check_does_not_find_what_this_one_does(folder):
    for name in ("half.jpg", "almost.jpg"):
        with Image.open(folder / name) as image:
            image.verify()  # content
        assert not verify_image(folder / name)


def test_bad_files_are_removed_in_one_line(folder):
    verify_images(folder.iterdir()).map(lambda file: file.unlink())
    assert sorted(f.name for f in folder.iterdir()) == ["good.jpg", "really a png.jpg"]


def test_the_reason_names_the_file(folder):
    assert image_error(folder / "good.jpg") is None
    assert "half.jpg: image file is truncated" in reason(folder / "half.jpg")
    assert "no.jpg" in reason(folder / "no.jpg")


def test_contents_of_a_file_are_checked_as_well(jpeg):
    data = jpeg.read_bytes()
    assert image_error(data) is None
    assert "truncated" in reason(data[:-2])


def test_a_strict_check_without_simplejpeg_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(MissingDependencyError, match="pip install 'simplejpeg'"):
        verify_images([folder / "good.jpg"], strict=True)
    with pytest.raises(MissingDependencyError, match="strict checks of JPEG"):
        verify_images([], strict=True)


def damaged(jpeg):
    data = bytearray(jpeg.read_bytes())
    middle = len(data) // 2  # 4 kB without a marker, which begins with 255
    data[middle : middle + 4096] = bytes(i * 37 % 255 for i in range(4096))
    return bytes(data)


def test_damage_in_the_middle_passes_pillow_and_not_the_strict_check(jpeg, monkeypatch):
    asked = []

    def decode_jpeg(data, colorspace="RGB", strict=False):
        asked.append((colorspace, strict))
        if bytes(data) != jpeg.read_bytes():
            raise ValueError("Corrupt JPEG data: bad Huffman code")

    stand_in = types.SimpleNamespace(decode_jpeg=decode_jpeg)
    monkeypatch.setitem(sys.modules, "simplejpeg", stand_in)
    assert image_error(damaged(jpeg)) is None
    assert "is damaged: Corrupt JPEG data: bad Huffman" in reason(damaged(jpeg), strict=True)
    assert image_error(jpeg, strict=True) is None
    assert asked == [("RGB", True)] * 2


def test_only_what_simplejpeg_reads_is_given_to_it(monkeypatch):
    asked = []
    stand_in = types.SimpleNamespace(decode_jpeg=lambda data, **given: asked.append(given))
    monkeypatch.setitem(sys.modules, "simplejpeg", stand_in)
    for mode, kind in (("CMYK", "JPEG"), ("RGB", "PNG"), ("L", "JPEG")):
        buffer = io.BytesIO()
        Image.new(mode, (8, 8)).save(buffer, kind)
        assert image_error(buffer.getvalue(), strict=True) is None
    assert asked == [{"colorspace": "GRAY", "strict": True}]


def test_simplejpeg_itself_finds_the_damage(jpeg):
    pytest.importorskip("simplejpeg")
    assert image_error(jpeg, strict=True) is None
    assert "is damaged" in reason(damaged(jpeg), strict=True)
