"""One declaration makes data sets and loaders; what does not fit together is refused in words."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.core.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.readers import ColReader
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import DataError
from layerwise.core.items import L
from layerwise.core.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from layerwise.core.random import set_seed
from layerwise.core.tensors import TensorBase, TensorCategory, TensorImage, TensorMultiCategory
from layerwise.core.transforms.category import Categorize
from layerwise.core.transforms.numeric import IntToFloatTensor, Normalize, ToTensor
from layerwise.core.transforms.transform import Transform

WORDS = ["aa", "bbb", "a", "b", "aaaa", "bb"]


def picture(word):
    """A picture as bright as `word` is long."""
    return TensorImage(torch.full((3, 2, 2), len(word), dtype=torch.uint8))


def initial(word):
    return word[0]


def words(**settings):
    """A block of pictures and initials, words 0 and 1 to validate."""
    defaults = {
        "blocks": (TransformBlock, CategoryBlock),
        "get_x": picture,
        "get_y": initial,
        "splitter": IndexSplitter([0, 1]),
    }
    return DataBlock(**{**defaults, **settings})


# -- blocks ---------------------------------------------------------------------------------


def test_a_block_for_classes():
    dls = words().dataloaders(WORDS, bs=2, num_workers=0)
    x, y = dls.one_batch()
    assert (type(x), type(y)) == (TensorImage, TensorCategory)
    assert dls.vocab == ["a", "b"]
    assert dls.c == 2
    assert isinstance(dls.loss_func, CrossEntropyLossFlat)


def test_classes_may_be_given_or_folded():
    block = words(blocks=(TransformBlock, CategoryBlock(vocab=["b", "a", "c"])))
    assert block.datasets(WORDS).vocab == ["b", "a", "c"]
    folded = words(blocks=(TransformBlock, CategoryBlock(min_count=2, other="other")))
    dsets = folded.datasets([*WORDS, "z"])
    assert dsets.vocab == ["a", "b", "other"]
    assert int(dsets[6][1]) == 2
    with_na = words(blocks=(TransformBlock, CategoryBlock(add_na=True, sort=False)))
    assert with_na.datasets(["x", "y", "b", "a"]).vocab == ["#na#", "b", "a"]


def test_a_block_for_several_classes():
    block = words(blocks=(TransformBlock, MultiCategoryBlock), get_y=sorted)
    dls = block.dataloaders(["z", "z", "ab", "b", "c"], bs=3, num_workers=0, shuffle=False)
    y = dls.one_batch()[1]
    assert type(y) is TensorMultiCategory
    assert y.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert dls.c == 3
    assert isinstance(dls.loss_func, BCEWithLogitsLossFlat)
    assert [list(label) for _, label in dls.train.decode_batch(dls.one_batch())] == [
        ["a", "b"],
        ["b"],
        ["c"],
    ]


def test_a_block_for_classes_that_are_encoded():
    frame = pd.DataFrame({"x": [1.0, 2.0], "sun": [1, 0], "rain": [1, 1]})
    block = DataBlock(
        (RegressionBlock, MultiCategoryBlock(encoded=True, vocab=["sun", "rain"])),
        get_x=ColReader("x"),
        get_y=ColReader(["sun", "rain"]),
        splitter=IndexSplitter([1]),
    )
    dsets = block.datasets(frame)
    assert dsets[0][1].tolist() == [1, 1]
    assert list(dsets.decode(dsets[1])[1]) == ["rain"]
    with pytest.raises(ValueError, match="encoded=True needs vocab=, the names of the columns"):
        MultiCategoryBlock(encoded=True)


@pytest.mark.parametrize(("label", "c"), [(len, 1), (lambda w: [len(w), 0.5], 2)])
def test_a_block_for_numbers(label, c):
    dls = words(blocks=(TransformBlock, RegressionBlock), get_y=label).dataloaders(
        WORDS, bs=2, num_workers=0
    )
    y = dls.one_batch()[1]
    assert (type(y), y.dtype) == (TensorBase, torch.float32)
    assert dls.c == c
    assert isinstance(dls.loss_func, MSELossFlat)
    assert words(blocks=(TransformBlock, RegressionBlock(n_out=7))).blocks[1].type_tfms[0].c == 7


def test_a_block_brings_transforms_loader_and_settings():
    class Mine(TfmdDL): ...

    block = TransformBlock(
        type_tfms=[str.upper],
        item_tfms=[lambda x: x],
        batch_tfms=IntToFloatTensor,
        dl_type=Mine,
        dls_kwargs={"bs": 3},
    )
    data = DataBlock(block, get_x=[initial], splitter=IndexSplitter([0]))
    dls = data.dataloaders(WORDS, num_workers=0)
    assert (type(dls.train), dls.train.bs) == (Mine, 3)
    assert type(dls.train.after_item[-1]) is ToTensor
    assert type(dls.train.after_batch[0]) is IntToFloatTensor
    assert dls.train_ds[0] == ("B",)
    assert data.dataloaders(WORDS, bs=2, num_workers=0).train.bs == 2


def test_transforms_of_one_class_are_merged_and_the_last_stands():
    blocks = TransformBlock(
        batch_tfms=[IntToFloatTensor(div=1.0), Normalize.from_stats([0.0], [1.0])]
    )
    dls = words(blocks=(blocks, CategoryBlock), batch_tfms=[IntToFloatTensor(div=2.0)]).dataloaders(
        WORDS, bs=2, num_workers=0
    )
    steps = list(dls.train.after_batch)
    assert [type(s) for s in steps] == [IntToFloatTensor, Normalize]
    assert steps[0].div == 2.0
    assert sum(isinstance(s, ToTensor) for s in dls.train.after_item) == 1


def test_a_wrong_block_is_refused():
    with pytest.raises(TypeError, match=r"a block is a TransformBlock.*not 3.*CategoryBlock"):
        DataBlock((3,))
    with pytest.raises(TypeError, match="not 'a'"):
        DataBlock((lambda: "a",))


# -- getters --------------------------------------------------------------------------------


def test_getters_are_given_singly_in_lists_or_one_per_block():
    expected = ("aa", "a", 2)
    blocks = [TransformBlock] * 3
    whole = {"blocks": blocks, "splitter": IndexSplitter([0])}
    identity = str.lower
    for given in (
        {"getters": [identity, initial, len]},
        {"get_x": [identity, initial], "get_y": len},
        {"get_x": identity, "get_y": [initial, len], "n_inp": 1},
        {"get_x": [identity, initial, len], "n_inp": 3},
    ):
        assert DataBlock(**whole, **given).datasets(WORDS)[0] == expected


def test_without_getters_the_item_is_taken():
    dsets = DataBlock(splitter=IndexSplitter([0])).datasets(WORDS)
    assert dsets[1] == ("bbb", "bbb")
    assert dsets.n_inp == 1


def test_getters_see_an_item_whole_also_where_it_is_a_tuple():
    rows = [("a.png", 1), ("b.png", 2), ("c.png", 3)]
    block = DataBlock(
        (TransformBlock, RegressionBlock),
        get_x=lambda row: row[0],
        get_y=lambda row: row[1],
        splitter=IndexSplitter([0]),
    )
    x, y = block.datasets(rows)[2]
    assert (x, y.item()) == ("c.png", 3.0)
    named = block.new().datasets([row[1:] for row in pd.DataFrame(rows).itertuples()])
    assert named[0][0] == "a.png"


@pytest.mark.parametrize(
    ("given", "words_"),
    [
        ({"getters": [len]}, r"1 function\(s\) in getters for 2 block\(s\); give one each"),
        ({"get_y": [len, len]}, r"2 function\(s\) in get_y for 1 block.*n_inp= says how many"),
        ({"get_x": [len, len]}, r"2 function\(s\) in get_x for 1 block\(s\)"),
        ({"getters": [len, len], "get_y": len}, "give getters, or get_x and get_y, not both"),
        ({"n_inp": 3}, r"n_inp=3 for 2 block\(s\)"),
        ({"n_inp": 0}, r"n_inp=0 for 2 block\(s\)"),
    ],
)
def test_wrong_numbers_are_refused(given, words_):
    with pytest.raises(ValueError, match=words_):
        DataBlock((TransformBlock, TransformBlock), **given)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="get_z"):
        DataBlock(get_z=len)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match=r"'after_itm'.*'after_item'"):
        words().dataloaders(WORDS, after_itm=[])


# -- items and splits -----------------------------------------------------------------------


def test_items_come_from_the_source():
    block = words(get_items=lambda source: source.split())
    assert len(block.datasets("aa bbb a b")) == 4
    lazy = words(get_items=lambda source: (w for w in source))
    assert len(lazy.datasets(WORDS)) == 6


def test_no_items_are_named():
    with pytest.raises(DataError, match=r"no items in 'nowhere'; is the path or filter right\?"):
        words(get_items=lambda source: []).datasets("nowhere")


def test_a_random_fifth_validates_and_the_seed_repeats_it():
    block = words(splitter=None)
    set_seed(0)
    first = block.datasets(WORDS * 5)
    set_seed(0)
    assert block.datasets(WORDS * 5).splits == first.splits
    assert len(first.valid) == 6
    assert words(splitter=RandomSplitter(0.5, seed=1)).datasets(WORDS).n_subsets == 2


def test_columns_become_members():
    block = DataBlock.from_columns(
        (TransformBlock, CategoryBlock),
        getters=[len, str.upper],
        get_items=lambda source: (source["x"], source["y"]),
        splitter=IndexSplitter([0]),
    )
    dsets = block.datasets({"x": ["a", "bb", "ccc"], "y": ["u", "v", "w"]})
    assert dsets[2] == (3, 1)
    assert dsets.vocab == ["V", "W"]
    plain = DataBlock.from_columns(splitter=IndexSplitter([0])).datasets(([1, 2], [3, 4]))
    assert plain[1] == (2, 4)
    with pytest.raises(ValueError, match=r"1 function\(s\) in getters"):
        DataBlock.from_columns(getters=[len])


def test_all_items_may_be_for_validation(capsys):
    block = words(
        blocks=(TransformBlock, CategoryBlock(vocab=["a", "b"])),
        splitter=lambda items: ([], L(range(6))),
    )
    dls = block.dataloaders(WORDS, bs=4, num_workers=0)
    assert list(dls.train) == []
    assert [len(y) for _, y in dls.valid] == [4, 2]
    block.summary(WORDS)
    assert "one sample (validation, since training is empty)" in capsys.readouterr().out


def test_numbers_need_no_training_items():
    block = words(
        blocks=(TransformBlock, RegressionBlock),
        get_y=len,
        splitter=lambda items: ([], L(range(6))),
    )
    assert block.datasets(WORDS).valid[0][1].item() == 2


# -- one declaration, several sources -------------------------------------------------------


def test_each_source_is_learnt_from_anew():
    block = words(item_tfms=[], batch_tfms=[IntToFloatTensor(div=1.0), Normalize()])
    first = block.dataloaders(WORDS, bs=2, num_workers=0, shuffle=False)
    second = block.dataloaders(["", "", "ccccc", "d"], bs=2, num_workers=0, shuffle=False)
    assert first.vocab == ["a", "b"]
    assert second.vocab == ["c", "d"]
    assert first.train.after_batch[1].mean.mean() == 1.0
    assert second.train.after_batch[1].mean.mean() == 3.0
    assert block.blocks[1].type_tfms[0].vocab is None


def test_a_transform_that_stands_twice_is_one_transform():
    both = Categorize()
    block = DataBlock(
        (TransformBlock(type_tfms=both), TransformBlock(type_tfms=both)),
        splitter=IndexSplitter([0]),
    )
    dsets = block.datasets(["z", "a", "b"])
    assert dsets.tls[0].tfms[-1] is dsets.tls[1].tfms[-1]


def test_new_replaces_transforms_on_samples_and_batches():
    block = words(item_tfms=[Transform(lambda x: x)], batch_tfms=[IntToFloatTensor(div=2.0)])
    other = block.new(batch_tfms=[IntToFloatTensor(div=5.0)])
    assert [t.div for t in block.batch_tfms] == [2.0]
    assert [t.div for t in other.batch_tfms] == [5.0]
    assert [type(t) for t in other.item_tfms] == [ToTensor]
    assert other.getters == block.getters


def test_loaders_can_be_made_from_the_block(tmp_path):
    dls = DataLoaders.from_dblock(words(), WORDS, path=tmp_path, bs=2, num_workers=0)
    assert dls.path == tmp_path
    assert dls.vocab == ["a", "b"]


# -- summary --------------------------------------------------------------------------------


def test_summary_tells_every_step(capsys):
    words(batch_tfms=[IntToFloatTensor()]).summary(WORDS, bs=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "reading the items",
        "6 items, split into 4, 2",
        "",
        "one sample (training):",
        "member 0 starts from str 'a'",
        "  picture -> TensorImage (3, 2, 2) uint8",
        "member 1 starts from str 'a'",
        "  initial -> str 'a'",
        "  Categorize -> TensorCategory () int64",
        "",
        "one batch of 2:",
        "after_item, on the first sample:",
        "  ToTensor -> (TensorImage (3, 2, 2) uint8, TensorCategory () int64)",
        "before_batch, on the list of samples:",
        "  nothing to do",
        "stacked: (TensorImage (2, 3, 2, 2) uint8, TensorCategory (2,) int64)",
        "after_batch, on the batch:",
        "  IntToFloatTensor -> (TensorImage (2, 3, 2, 2) float32, TensorCategory (2,) int64)",
    ]


def test_summary_can_show_the_batch(capsys):
    DataBlock((TransformBlock, CategoryBlock), get_y=initial, splitter=IndexSplitter([0])).summary(
        WORDS, show_batch=True
    )
    assert "bbb" in capsys.readouterr().out


def failing(step):
    class Fails(Transform):
        def encodes(self, x: TensorImage):
            raise OSError("no memory left")

    return {
        "item": {"item_tfms": [Fails()]},
        "batch": {"batch_tfms": [Fails()]},
        "shape": {"get_x": lambda w: torch.zeros(len(w))},
    }[step]


@pytest.mark.parametrize("step", ["item", "batch", "shape"])
def test_summary_fails_with_the_words_of_training(step, capsys):
    block = words(**failing(step), splitter=IndexSplitter([0, 1]))
    with pytest.raises(DataError) as told:
        block.summary(WORDS)
    out = capsys.readouterr().out
    with pytest.raises(DataError) as trained:
        list(block.dataloaders(WORDS, bs=4, num_workers=0, shuffle=False).train)
    assert str(trained.value).endswith(str(told.value))
    assert type(trained.value.__cause__) is type(told.value.__cause__)
    assert "one sample (training):" in out
    assert ("stacked" in out) is (step == "batch")


def test_a_getter_that_fails_is_named_by_summary_and_loaders_alike():
    def broken(word):
        raise LookupError(f"no label for {word}")

    block = words(get_y=broken)
    messages = []
    for run in (block.summary, block.datasets, block.dataloaders):
        with pytest.raises(DataError) as caught:
            run(WORDS)
        messages.append(str(caught.value))
        assert type(caught.value.__cause__) is LookupError
    assert len(set(messages)) == 1
    assert messages[0] == "encoding with broken failed on str 'a': LookupError: no label for a"


def test_an_unknown_label_of_validation_names_item_source_and_nearest():
    dls = words(
        get_y=lambda w: {"zzz": "bat"}.get(w, "cat"), splitter=IndexSplitter([0])
    ).dataloaders(["zzz", "a", "b"], bs=1, num_workers=0)
    with pytest.raises(DataError) as caught:
        list(dls.valid)
    text = str(caught.value)
    assert text.startswith("item 0 (str 'zzz'): encoding with Categorize failed on str 'bat'")
    assert "Did you mean 'cat'" in text
    assert type(caught.value.__cause__) is KeyError


def test_summary_leaves_nothing_learnt_behind():
    block = words()
    block.summary(["x", "y", "z"])
    assert block.datasets(WORDS).vocab == ["a", "b"]
    assert np.all([b.vocab is None for b in block.blocks[1].type_tfms])
