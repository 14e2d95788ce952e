"""Folders of smaller pictures: same places, right sizes, what fails is told and stops nothing."""

import numpy as np
import pytest
from PIL import Image

from layerwise.core.errors import BadItemError
from layerwise.vision.io import load_image
from layerwise.vision.tools.resize import resize_image, resize_images, resize_to


@pytest.fixture
def photos(jpeg, tmp_path):
    root = tmp_path / "photos"
    (root / "cat").mkdir(parents=True)
    with Image.open(jpeg) as photo:
        photo.save(root / "cat" / "big.jpg", quality=95)
        photo.resize((300, 200)).save(root / "cat" / "small.jpg")
        photo.resize((64, 128)).save(root / "tall.png")
    return root


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_longer_or_the_shorter_side_is_brought_to_a_size():
    image = Image.new("L", (400, 100))
    assert resize_to(image, 200) == (200, 50)
    assert resize_to(image, 200, use_min=True) == (800, 200)
    assert resize_to(Image.new("L", (1000, 1)), 10) == (10, 1)
    with pytest.raises(ValueError, match="0 pixels a side"):
        resize_to(image, 0)


def test_folders_are_kept_and_no_picture_is_larger_than_told(photos, tmp_path):
    report = resize_images(photos, max_size=320, dest=tmp_path / "out", recurse=True)
    assert tree(tmp_path / "out") == tree(photos) == ["cat/big.jpg", "cat/small.jpg", "tall.png"]
    assert [load_image(f).size for f in report.done] == [(320, 213), (300, 200), (64, 128)]
    assert (report.kept, report.failed) == ([], {})


def test_a_file_that_needs_nothing_is_copied_byte_by_byte(photos, tmp_path):
    resize_image("cat/small.jpg", tmp_path / "out", photos, max_size=320)
    copy = tmp_path / "out" / "cat" / "small.jpg"
    assert copy.read_bytes() == (photos / "cat" / "small.jpg").read_bytes()


def test_drafted_decoding_changes_nothing_that_can_be_seen(photos, tmp_path):
    made = resize_image("cat/big.jpg", tmp_path, photos, max_size=100, ext=".png")
    whole = load_image(photos / "cat" / "big.jpg").resize((100, 67), Image.Resampling.BILINEAR)
    error = np.abs(np.asarray(whole, np.float64) - np.asarray(load_image(made), np.float64))
    assert error.mean() < 1.5


def test_without_recursion_folders_below_are_left_alone(photos, tmp_path):
    resize_images(photos, max_size=32, dest=tmp_path / "out")
    assert tree(tmp_path / "out") == ["tall.png"]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_channels_say_the_mode(photos, tmp_path, channels, mode):
    made = resize_image("tall.png", tmp_path / "out", photos, n_channels=channels)
    assert load_image(made).mode == mode


def test_an_ending_or_a_format_says_what_is_written(photos, tmp_path):
    resize_images(photos, dest=tmp_path / "out", recurse=True, ext="webp")
    assert tree(tmp_path / "out") == ["cat/big.webp", "cat/small.webp", "tall.webp"]
    with Image.open(tmp_path / "out" / "tall.webp") as image:
        assert image.format == "WEBP"
    made = resize_image("tall.png", tmp_path / "odd", photos, img_format="BMP")
    with Image.open(made) as image:
        assert (made.suffix, image.format) == (".png", "BMP")


def test_settings_of_pillow_are_passed_on_and_others_refused(photos, tmp_path):
    low = resize_image("cat/big.jpg", tmp_path / "low", photos, max_size=500, quality=20)
    high = resize_image("cat/big.jpg", tmp_path / "high", photos, max_size=500, quality=95)
    assert low.stat().st_size * 2 < high.stat().st_size
    with pytest.raises(TypeError, match=r"unknown keyword 'qualty'\. Did you mean 'quality'"):
        resize_images(photos, dest=tmp_path, qualty=20)
    with pytest.raises(TypeError, match=r"'maxsize'\. Did you mean 'max_size'"):
        resize_image("tall.png", tmp_path, photos, maxsize=20)


def test_a_picture_turned_by_exif_is_written_upright(photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200)).save(photos / "turned.jpg", exif=exif)
    made = resize_image("turned.jpg", tmp_path / "out", photos, max_size=100)
    assert load_image(made).size == load_image(made, exif=False).size == (50, 100)


def test_broken_pictures_are_reported_and_stop_nothing(photos, tmp_path):
    data = (photos / "cat" / "big.jpg").read_bytes()
    (photos / "cat" / "half.jpg").write_bytes(data[: len(data) // 2])
    (photos / "empty.jpg").touch()
    with pytest.warns(UserWarning, match=r"2 of 5 pictures could not be resized") as told:
        report = resize_images(photos, max_size=64, dest=tmp_path / "out", recurse=True)
    assert sorted(report.failed) == ["cat/half.jpg", "empty.jpg"]
    assert "the file is empty" in report.failed["empty.jpg"]
    assert "the file is empty" in str(told[0].message)
    assert told[0].filename == __file__
    assert tree(tmp_path / "out") == ["cat/big.jpg", "cat/small.jpg", "tall.png"]


def test_a_small_broken_picture_is_not_copied(photos, tmp_path):
    data = (photos / "cat" / "small.jpg").read_bytes()
    (photos / "cat" / "small.jpg").write_bytes(data[:-2])
    with pytest.raises(BadItemError, match=r"small\.jpg"):
        resize_image("cat/small.jpg", tmp_path / "out", photos, max_size=320)
    assert not (tmp_path / "out").exists()


def test_a_stopped_run_is_resumed(photos, tmp_path):
    out = tmp_path / "out"
    resize_image("tall.png", out, photos, max_size=32)
    before = (out / "tall.png").stat().st_mtime_ns
    report = resize_images(photos, max_size=32, dest=out, recurse=True, resume=True)
    assert [f.name for f in report.kept] == ["tall.png"]
    assert [f.name for f in report.done] == ["big.jpg", "small.jpg"]
    assert (out / "tall.png").stat().st_mtime_ns == before
    again = resize_images(photos, max_size=16, dest=out, recurse=True)
    assert len(again.done) == 3
    assert max(load_image(f).size[1] for f in again.done) == 16


@pytest.mark.parametrize("resume", [False, True])
def test_in_place_only_what_is_too_large_is_replaced(photos, resume):
    small = (photos / "cat" / "small.jpg").read_bytes()
    report = resize_images(photos, max_size=320, dest=photos, recurse=True, resume=resume)
    assert [f.name for f in report.done] == ["big.jpg"]
    assert [f.name for f in report.kept] == ["small.jpg", "tall.png"]
    assert load_image(photos / "cat" / "big.jpg").size == (320, 213)
    assert (photos / "cat" / "small.jpg").read_bytes() == small


def test_results_below_the_folder_are_not_resized_again(photos):
    for _ in range(2):
        report = resize_images(photos, max_size=32, dest=photos / "small", recurse=True)
        assert len(report.done) == 3
    assert not (photos / "small" / "small").exists()


def test_two_pictures_are_never_written_as_one(photos, tmp_path):
    Image.new("RGB", (4, 4)).save(photos / "tall.bmp")
    with pytest.raises(ValueError, match=r"tall\.bmp and tall\.png would both be written"):
        resize_images(photos, dest=tmp_path / "out", ext=".jpg")
    assert not (tmp_path / "out").exists()


def test_no_half_file_is_left_where_writing_fails(photos, tmp_path, monkeypatch):
    def full(_path, _target):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.warns(UserWarning, match="no space left"):
        report = resize_images(photos, max_size=32, dest=tmp_path / "out", recurse=True)
    assert (len(report.failed), tree(tmp_path / "out")) == (3, [])


def test_what_a_power_cut_left_empty_is_made_again(photos, tmp_path):
    (tmp_path / "tall.png").touch()
    report = resize_images(photos, max_size=32, dest=tmp_path, resume=True)
    assert [f.name for f in report.done] == ["tall.png"]
    assert load_image(tmp_path / "tall.png").size == (16, 32)


def test_what_cannot_be_done_is_said(photos, tmp_path):
    with pytest.raises(ValueError, match="n_channels=2; give 1"):
        resize_images(photos, dest=tmp_path / "out", n_channels=2)
    with pytest.raises(ValueError, match=r"no format that Pillow writes ends in '\.doc'"):
        resize_image("tall.png", tmp_path / "out", photos, ext="doc")
    with pytest.raises(ValueError, match="max_workers=-1; give how many threads"):
        resize_images(photos, max_workers=-1, dest=tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        resize_images(tmp_path / "nowhere", dest=tmp_path / "out")
