"""Files of a class by falling loss, over every way in which files get into data."""

import math
import shutil

import pytest
import torch

from layerwise.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    ImageDataLoaders,
    Interpretation,
    Learner,
    MultiCategoryBlock,
    RandomSplitter,
    cnn_for,
    get_image_files,
    load_learner,
    parent_label,
)
from layerwise.vision.widgets import ImageClassifierCleaner


@pytest.fixture
def folder(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "pets")
    return tmp_path / "pets"


def learner(dls):
    torch.manual_seed(0)
    return Learner(dls, cnn_for(dls, 2))


def choose(cleaner, i, value):
    cleaner.cleaner.widget.children[i].children[1].value = value


@pytest.fixture
def learn(folder):
    return learner(ImageDataLoaders.from_folder(folder, bs=4, num_workers=0))


def by_hand(learn, ds_idx, label):
    """Files of a class with their losses, one at a time through the model."""
    learn.model.eval()
    found = []
    for file in learn.dls[ds_idx].dataset.items:
        if file.parent.name == label:
            (x,) = learn.dls.test_dl([file]).one_batch()
            with torch.no_grad():
                target = torch.tensor([list(learn.dls.vocab).index(label)])
                loss = torch.nn.functional.cross_entropy(learn.model(x.as_plain()), target)
            found.append((float(loss), file))
    return [file for _, file in sorted(found, reverse=True)]


def test_the_files_of_a_class_come_by_falling_loss(learn):
    cleaner = ImageClassifierCleaner(learn)
    assert cleaner.category.options == ("cat", "dog")
    assert list(cleaner.fns) == by_hand(learn, 0, "cat")
    cleaner.split.value = "Valid"
    assert list(cleaner.fns) == by_hand(learn, 1, "cat")
    cleaner.category.value = "dog"
    assert list(cleaner.fns) == by_hand(learn, 1, "dog")


def test_the_loop_of_the_book_moves_and_deletes_files(learn, folder):
    cleaner = ImageClassifierCleaner(learn, max_n=5)
    assert len(cleaner.fns) == 5
    gone, moved = cleaner.fns[0], cleaner.fns[3]
    choose(cleaner, 0, "<Delete>")
    choose(cleaner, 3, "dog")
    assert list(cleaner.values()) == ["<Delete>", "<Keep>", "<Keep>", "dog", "<Keep>"]
    for idx in cleaner.delete():
        cleaner.fns[idx].unlink()
    for idx, cat in cleaner.change():
        shutil.move(str(cleaner.fns[idx]), folder / "train" / cat)
    assert not gone.exists()
    assert not moved.exists()
    assert (folder / "train" / "dog" / moved.name).exists()
    cleaner.refresh()
    assert not {gone, moved} & set(cleaner.fns)
    assert len(cleaner.fns) == 5  # those that follow have moved up


def test_choices_outlast_a_look_at_another_class(learn):
    cleaner = ImageClassifierCleaner(learn, opts=("unsure",))
    choose(cleaner, 2, "unsure")
    cleaner.category.value = "dog"
    assert list(cleaner.change()) == []
    cleaner.category.value = "cat"
    assert list(cleaner.change()) == [(2, "unsure")]


@pytest.mark.parametrize("on_bad_item", ["raise", "skip"])
@pytest.mark.filterwarnings("ignore:left out")
def test_broken_files_come_first_and_disturb_no_other(folder, on_bad_item):
    broken = folder / "train" / "cat" / "cat_3.jpg"
    learn = learner(
        ImageDataLoaders.from_folder(folder, bs=4, num_workers=0, on_bad_item=on_bad_item)
    )
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-2])
    cleaner = ImageClassifierCleaner(learn)
    assert cleaner.fns[0] == broken
    assert "truncated" in cleaner.cleaner.widget.children[0].children[0].value
    broken.write_bytes(whole)
    rest = [file for file in by_hand(learn, 0, "cat") if file != broken]
    assert list(cleaner.fns[1:]) == rest


def test_an_error_that_is_not_of_a_file_is_not_hidden(learn):
    learn.dls.train.dataset.tls[0].tfms.add(lambda x: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        raise_cause(lambda: ImageClassifierCleaner(learn))


def raise_cause(make):
    try:
        make()
    except ValueError as error:
        raise error.__cause__ or error from None


def test_augmentation_of_the_training_data_is_left_out(folder):
    dls = ImageDataLoaders.from_folder(folder, bs=4, num_workers=0, shuffle=True)
    learn = learner(dls)
    first = list(ImageClassifierCleaner(learn).fns)
    assert first == list(ImageClassifierCleaner(learn).fns)
    assert math.isfinite(Interpretation.from_learner(learn, 0).losses.sum())


def frame(folder):
    pd = pytest.importorskip("pandas")
    return pd.read_csv(folder / "labels.csv")


MAKERS = {
    "paths": lambda p: ImageDataLoaders.from_path_func(
        p, get_image_files(p), parent_label, seed=0, bs=4
    ),
    "lists": lambda p: ImageDataLoaders.from_lists(
        p, get_image_files(p), [f.parent.name for f in get_image_files(p)], seed=0, bs=4
    ),
    "frame": lambda p: ImageDataLoaders.from_df(frame(p), p, seed=0, bs=4, num_workers=0),
}


@pytest.mark.parametrize("made", MAKERS)
def test_files_are_found_however_the_data_are_made(folder, made):
    cleaner = ImageClassifierCleaner(learner(MAKERS[made](folder)))
    assert cleaner.fns
    assert all(file.exists() and file.parent.name == "cat" for file in cleaner.fns)


def test_a_learner_without_data_is_refused_and_one_split_is_enough(learn, folder):
    learn.export(folder / "pets.lw")
    with pytest.raises(ValueError, match="this learner has no data, as one from load_learner"):
        ImageClassifierCleaner(load_learner(folder / "pets.lw"))
    learn.dls = type(learn.dls)(learn.dls.train, path=learn.dls.path)
    assert ImageClassifierCleaner(learn).split.options == ("Train",)


def test_what_has_no_one_class_or_no_file_is_refused(folder):
    several = DataBlock(
        (ImageBlock, MultiCategoryBlock), get_items=get_image_files, splitter=RandomSplitter(),
        get_y=lambda file: [file.parent.name],
    ).dataloaders(folder, bs=4, num_workers=0)  # fmt: skip
    with pytest.raises(TypeError, match="pictures with one class each"):
        ImageClassifierCleaner(learner(several))
    pictures = [torch.zeros(3, 8, 8)] * 8
    block = DataBlock.from_columns((ImageBlock, CategoryBlock), splitter=RandomSplitter(seed=0))
    in_memory = block.dataloaders((pictures, list("ab") * 4), bs=2)
    with pytest.raises(TypeError, match="is read from no file but"):
        ImageClassifierCleaner(learner(in_memory))
