"""Copies are found whatever was done to them, and different photographs are kept apart."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from scipy.fft import dctn

from layerwise.core.data.download import untar_data
from layerwise.core.data.source import get_image_files
from layerwise.core.errors import BadItemError
from layerwise.vision.io import load_image
from layerwise.vision.tools.duplicates import find_duplicates, image_hash


def cut(image, share):
    w, h = image.size
    return image.crop(
        (round(w * share), round(h * share), w - round(w * share), h - round(h * share))
    )


CHANGES = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "a quarter": lambda image: image.resize((image.width // 4, image.height // 4)),
    "other proportions": lambda image: image.resize((160, 160)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.6),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": lambda image: image.convert("L"),
    "cut": lambda image: cut(image, 0.025),
}


def shapes(seed, side=240):
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (7, 7, 3), np.uint8))
    return coarse.resize((side, side * 3 // 4), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change, tmp_path):
    for seed in range(8):
        shapes(seed).save(tmp_path / f"{seed}.png")
    CHANGES[change](shapes(3)).save(tmp_path / "copy.jpg", quality=40)
    (group,) = find_duplicates(sorted(tmp_path.iterdir()))
    assert {file.name for file in group} == {"3.png", "copy.jpg"}


def test_the_largest_comes_first_and_groups_come_in_the_order_of_the_files(tmp_path):
    for name, seed, side in (("a", 0, 60), ("b", 1, 80), ("c", 0, 120), ("d", 1, 40), ("e", 0, 90)):
        shapes(seed, side).save(tmp_path / f"{name}.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "f.png")
    groups = find_duplicates(sorted(tmp_path.iterdir()))
    assert [[file.stem for file in group] for group in groups] == [["c", "e", "a"], ["b", "d"]]


def test_flat_pictures_are_equal_if_their_grey_is(tmp_path):
    for name, colour in (("a", "black"), ("b", "white"), ("c", "white"), ("d", "#808080")):
        Image.new("RGB", (50, 50), colour).save(tmp_path / f"{name}.jpg")
    (group,) = find_duplicates(sorted(tmp_path.iterdir()))
    assert [file.stem for file in group] == ["b", "c"]


def test_a_file_that_cannot_be_read_is_told_and_left_out(tmp_path):
    for name in "ab":
        shapes(0).save(tmp_path / f"{name}.png")
        (tmp_path / f"empty_{name}.jpg").touch()
    with pytest.warns(UserWarning, match=r"2 of 4 pictures could not be compared"):
        (group,) = find_duplicates(sorted(tmp_path.iterdir()))
    assert [file.stem for file in group] == ["a", "b"]
    with pytest.raises(BadItemError, match=r"empty_a\.jpg"):
        image_hash(tmp_path / "empty_a.jpg")


def test_one_file_given_twice_is_no_duplicate(tmp_path):
    shapes(0).save(tmp_path / "a.png")
    assert find_duplicates([tmp_path / "a.png", str(tmp_path / "a.png")]) == []
    assert find_duplicates([]) == []


def test_a_distance_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match=r"max_distance=0\.5; give a share"):
        find_duplicates([], max_distance=0.5)


def test_signs_are_those_of_the_discrete_cosine_transform_of_scipy(tmp_path):
    shapes(5).save(tmp_path / "a.png")
    grey = load_image(tmp_path / "a.png", "L").resize((32, 32), Image.Resampling.BOX)
    strengths = dctn(np.asarray(grey, float), norm="ortho")[:12, :12].ravel()[1:]
    wanted = strengths > np.median(strengths)
    assert (image_hash(tmp_path / "a.png") != wanted).mean() < 0.01  # rounding in 32 bits


def test_all_pairs_are_compared_also_over_several_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.vision.tools.duplicates._BLOCK", 3)
    for i, seed in enumerate([0, 1, 2, 3, 4, 0, 5, 1]):
        shapes(seed, 60 - i).save(tmp_path / f"{i}.png")
    groups = find_duplicates(sorted(tmp_path.iterdir()))
    assert [[file.stem for file in group] for group in groups] == [["0", "5"], ["1", "7"]]


def test_among_photographs_copies_are_found_and_nothing_else(mirror, monkeypatch, tmp_path):
    """All 650 cats and dogs, of 100 of which there are copies: none missed or made up."""
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    files = get_image_files(untar_data("https://example.com/dogscats.tgz"))
    chosen = [files[i] for i in np.random.default_rng(0).choice(len(files), 100, replace=False)]
    wanted = set()
    for i, file in enumerate(chosen):
        change = CHANGES[list(CHANGES)[i % 7]]
        copy = tmp_path / f"{i}.jpg"
        change(load_image(file, "RGB")).save(copy, quality=60)
        wanted.add(frozenset([file, copy]))
    found = {frozenset(group) for group in find_duplicates([*files, *tmp_path.iterdir()])}
    assert found == wanted
