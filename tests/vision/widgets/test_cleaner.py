"""Pictures with choices: what is chosen comes back as positions, and is not lost."""

import io

import ipywidgets
import pytest
from PIL import Image

from layerwise.vision.widgets import ImagesCleaner


@pytest.fixture
def files(tmp_path):
    for i in range(6):
        Image.new("RGB", (600, 300), (40 * i, 0, 0)).save(tmp_path / f"{i}.jpg")
    return sorted(tmp_path.iterdir())


def choose(cleaner, i, value):
    """As a click would."""
    cleaner.widget.children[i].children[1].value = value


def test_each_picture_is_shown_small_above_its_choices(files):
    cleaner = ImagesCleaner(["cat", "dog"], height=100, width=120)
    cleaner.set_fns(files)
    assert list(cleaner.fns) == files
    for i, card in enumerate(cleaner.widget.children):
        picture, choice = card.children
        assert isinstance(picture, ipywidgets.Image)
        with Image.open(io.BytesIO(picture.value)) as image:
            assert image.size == (120, 60)
            assert abs(image.convert("RGB").getpixel((5, 5))[0] - 40 * i) < 4
        assert choice.options == ("<Keep>", "<Delete>", "cat", "dog")
    assert list(cleaner.values()) == ["<Keep>"] * 6


def test_what_is_chosen_comes_back_as_positions(files):
    cleaner = ImagesCleaner(["cat", "dog"])
    cleaner.set_fns(files)
    assert (list(cleaner.delete()), list(cleaner.change())) == ([], [])
    for i, value in ((1, "<Delete>"), (4, "<Delete>"), (2, "dog"), (5, "cat")):
        choose(cleaner, i, value)
    assert list(cleaner.delete()) == [1, 4]
    assert list(cleaner.change()) == [(2, "dog"), (5, "cat")]
    for i in cleaner.delete():
        cleaner.fns[i].unlink()
    assert [f.exists() for f in files] == [True, False, True, True, False, True]


def test_no_more_are_shown_than_told(files):
    cleaner = ImagesCleaner(max_n=4)
    cleaner.set_fns(files)
    assert list(cleaner.fns) == files[:4]
    assert len(cleaner.widget.children) == len(cleaner.values()) == 4


def test_choices_are_kept_while_other_files_are_shown(files):
    cleaner = ImagesCleaner(["cat"])
    cleaner.set_fns(files[:3])
    choose(cleaner, 2, "cat")
    cleaner.set_fns(files[3:])
    assert list(cleaner.values()) == ["<Keep>"] * 3
    cleaner.set_fns([str(f) for f in files[1:4]])
    assert list(cleaner.change()) == [(1, "cat")]


def test_a_broken_or_missing_file_is_shown_as_such_and_can_be_deleted(files):
    files[1].write_bytes(files[1].read_bytes()[:200])
    (files[2].parent / "<b>.jpg").touch()
    cleaner = ImagesCleaner()
    cleaner.set_fns([*files[:2], files[2].parent / "<b>.jpg", "/no/such.jpg"])
    kinds = [type(card.children[0]).__name__ for card in cleaner.widget.children]
    assert kinds == ["Image", "HTML", "HTML", "HTML"]
    assert "Truncated" in cleaner.widget.children[1].children[0].value
    assert "&lt;b&gt;.jpg" in cleaner.widget.children[2].children[0].value
    choose(cleaner, 2, "<Delete>")
    assert list(cleaner.delete()) == [2]


def test_a_notebook_shows_the_widget(files):
    cleaner = ImagesCleaner()
    bundle = cleaner._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
