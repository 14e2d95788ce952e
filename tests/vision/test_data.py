"""`ImageDataLoaders`: the same pictures and labels from every layout, in every process."""

import pytest
import torch

from layerwise.core.data.block import RegressionBlock
from layerwise.core.data.source import get_image_files
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorImage, TensorImageBW
from layerwise.vision.augment.geometry import Flip
from layerwise.vision.augment.item import RandomResizedCrop, Resize
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.types import PILImageBW

SETTINGS = {"item_tfms": Resize(32), "bs": 4, "num_workers": 0, "device": "cpu"}


def first_letters(name):
    return name[:3]


def folder_name(path):
    return path.parent.name


MAKERS = {
    "from_folder": lambda p: ImageDataLoaders.from_folder(p, **SETTINGS),
    "from_folder, share": lambda p: ImageDataLoaders.from_folder(p, valid_pct=0.25, **SETTINGS),
    "from_path_func": lambda p: ImageDataLoaders.from_path_func(
        p, get_image_files(p), folder_name, valid_pct=0.25, **SETTINGS
    ),
    "from_path_re": lambda p: ImageDataLoaders.from_path_re(
        p, get_image_files(p), r"/(\w+)_\d+\.jpg$", valid_pct=0.25, **SETTINGS
    ),
    "from_name_func": lambda p: ImageDataLoaders.from_name_func(
        p, get_image_files(p), first_letters, valid_pct=0.25, **SETTINGS
    ),
    "from_name_re": lambda p: ImageDataLoaders.from_name_re(
        p, get_image_files(p), r"^(\w+)_\d+\.jpg$", valid_pct=0.25, **SETTINGS
    ),
    "from_csv": lambda p: ImageDataLoaders.from_csv(
        p, label_col="label", fn_col="name", valid_pct=0.25, **SETTINGS
    ),
    "from_csv, column": lambda p: ImageDataLoaders.from_csv(p, valid_col="is_valid", **SETTINGS),
    "from_lists": lambda p: ImageDataLoaders.from_lists(
        p,
        get_image_files(p),
        [f.parent.name for f in get_image_files(p)],
        valid_pct=0.25,
        **SETTINGS,
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_layout_gives_pictures_and_classes(name, pets):
    dls = MAKERS[name](pets)
    assert list(dls.vocab) == ["cat", "dog"]
    assert (len(dls.train_ds), len(dls.valid_ds)) == {
        "from_folder": (16, 8),
        "from_csv, column": (16, 8),
    }.get(name, (18, 6))
    x, y = dls.one_batch()
    assert (type(x), tuple(x.shape), x.dtype) == (TensorImage, (4, 3, 32, 32), torch.float32)
    assert 0 <= x.min() < x.max() <= 1
    redder = x.as_plain()[:, 0].mean((1, 2)) > x.as_plain()[:, 2].mean((1, 2))
    assert redder.tolist() == [dls.vocab[i] == "cat" for i in y]


def test_a_vocabulary_may_be_given(pets):
    dls = ImageDataLoaders.from_folder(pets, vocab=["dog", "cat"], **SETTINGS)
    assert list(dls.vocab) == ["dog", "cat"]


def test_several_labels_in_a_column(pets):
    dls = ImageDataLoaders.from_csv(pets, label_col="tags", label_delim=";", **SETTINGS)
    assert list(dls.vocab) == ["animal", "cat", "dog"]
    assert dls.one_batch()[1].shape == (4, 3)


def test_labels_say_what_they_are(pets):
    files = get_image_files(pets)
    numbers = ImageDataLoaders.from_lists(pets, files, [0.5] * len(files), **SETTINGS)
    assert numbers.one_batch()[1].dtype == torch.float32
    lists = ImageDataLoaders.from_lists(pets, files, [["a", "b"]] * len(files), **SETTINGS)
    assert lists.one_batch()[1].shape == (4, 2)
    as_told = ImageDataLoaders.from_lists(
        pets, files, [1] * len(files), y_block=RegressionBlock, **SETTINGS
    )
    assert as_told.one_batch()[1].dtype == torch.float32


def test_lists_of_different_length_are_refused(pets):
    with pytest.raises(ValueError, match="3 files and 2 labels"):
        ImageDataLoaders.from_lists(pets, ["a", "b", "c"], [1, 2], **SETTINGS)


@pytest.mark.parametrize("given", [{}, {"train": "training", "valid": "val"}])
def test_a_folder_that_is_missing_is_told_with_those_that_are_there(tmp_path, given):
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        ImageDataLoaders.from_folder(tmp_path, **given, **SETTINGS)
    told = str(caught.value)
    assert f"there is no folder '{'training' if given else 'valid'}' in " in told
    assert "it has 'train', 'val'" in told
    assert "valid_pct=" in told


def test_the_type_of_picture_can_be_chosen(pets):
    dls = ImageDataLoaders.from_folder(pets, img_cls=PILImageBW, **SETTINGS)
    x, _ = dls.one_batch()
    assert (type(x), tuple(x.shape)) == (TensorImageBW, (4, 1, 32, 32))


def test_file_names_that_leave_the_folder_are_refused(pets):
    import pandas as pd

    df = pd.DataFrame({"name": ["../secret.jpg"] * 6, "label": ["a", "b"] * 3})
    with pytest.raises(DataError, match="leaves the folder"):
        ImageDataLoaders.from_df(df, pets, **SETTINGS).one_batch()


def test_misspelt_settings_are_refused(pets):
    with pytest.raises(TypeError, match="shufle"):
        ImageDataLoaders.from_folder(pets, shufle=True, **SETTINGS)


def test_a_broken_file_in_a_batch_is_named(pets, tmp_path):
    for i in range(4):
        (tmp_path / f"a_{i}.jpg").write_bytes((pets / "train/cat/cat_0.jpg").read_bytes())
    (tmp_path / "a_2.jpg").write_bytes(b"no picture")
    dls = ImageDataLoaders.from_name_func(
        tmp_path, get_image_files(tmp_path), first_letters, valid_pct=0.0, **SETTINGS
    )
    with pytest.raises(DataError, match=r"item \d.*a_2\.jpg.*no format that Pillow reads"):
        list(dls.train)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_make_the_same_batches(start, pets):
    settings = {**SETTINGS, "item_tfms": RandomResizedCrop(32), "batch_tfms": Flip()}
    dls = ImageDataLoaders.from_folder(pets, **settings)

    def epoch(loader):
        loader.set_epoch(1, 2)
        return [x.clone() for x, _ in loader]

    alone = epoch(dls.train)
    if start == "spawn":
        import pickle

        copy = pickle.loads(pickle.dumps(dls.train))  # what a spawned worker gets
        together = epoch(copy)
    else:
        together = epoch(dls.train.new(num_workers=2))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_training_varies_and_validation_does_not(pets):
    dls = ImageDataLoaders.from_folder(pets, **{**SETTINGS, "item_tfms": RandomResizedCrop(32)})
    assert torch.equal(dls.valid.one_batch()[0], dls.valid.one_batch()[0])
    dls.train.set_epoch(0, 0)
    first = dls.train.one_batch()[0]
    dls.train.set_epoch(0, 1)
    assert not torch.equal(first, dls.train.one_batch()[0])


def test_a_misspelt_keyword_of_a_factory_names_the_nearest(tmp_path):
    with pytest.raises(TypeError, match=r"'items_tfms'\. Did you mean 'item_tfms'"):
        ImageDataLoaders.from_folder(tmp_path, items_tfms=[])
    with pytest.raises(TypeError, match=r"'shufle'\. Did you mean 'shuffle'"):
        ImageDataLoaders.from_folder(tmp_path, shufle=True)


@pytest.mark.parametrize(
    "factory", ["from_path_func", "from_name_func", "from_path_re", "from_name_re", "from_lists"]
)
def test_a_refused_keyword_is_told_with_the_factory_that_was_called(factory, tmp_path):
    with pytest.raises(TypeError, match=rf"ImageDataLoaders\.{factory} .*'item_tfm'.*'item_tfms'"):
        getattr(ImageDataLoaders, factory)(tmp_path, [], "(.*)", item_tfm=[])


def test_rows_without_a_label_are_named_before_anything_is_made(tmp_path):
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame({"fn": ["a.png", "b.png"], "label": ["cat", None]})
    with pytest.raises(DataError, match="1 of 2 rows have no label"):
        ImageDataLoaders.from_df(df, tmp_path)
