"""Loaders of ratings: splits, vocabularies, files, and what is wrong with them."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.ids import Ids
from layerwise.collab.ratings import Ratings, UnseenWarning
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import DataError


def test_batches_are_codes_and_ratings(ratings, dls):
    x, y = dls.one_batch()
    assert x.shape == (16, 2)
    assert y.shape == (16,)
    assert (x.dtype, y.dtype) == (torch.int64, torch.float32)
    users, films = dls.classes["user"], dls.classes["film"]
    known = {(row.user, row.film): row.rating for row in ratings.itertuples()}
    for (user, film), rating in zip(x.tolist(), y.tolist(), strict=True):
        assert known[users[user], films[film]] == pytest.approx(rating)


def test_an_epoch_has_each_row_of_training_once_but_for_the_last_batch(ratings, dls):
    seen = torch.cat([x for x, _ in dls.train])
    assert len(seen) == len(dls.train_ds) // 16 * 16
    assert len(seen.unique(dim=0)) == len(seen)
    valid = torch.cat([x for x, _ in dls.valid])
    assert len(valid) == int(0.2 * len(ratings))


def test_columns_are_the_first_three_unless_named(ratings):
    mixed = ratings[["rating", "film", "user"]].assign(extra=0)
    named = CollabDataLoaders.from_df(
        mixed, user_name="user", item_name="film", rating_name="rating", bs=16, seed=1
    )
    for ours, theirs in zip(named.train_ds.gather(torch.arange(9)), _first(ratings), strict=True):
        assert torch.equal(ours, theirs)


def _first(ratings):
    return CollabDataLoaders.from_df(ratings, bs=16, seed=1).train_ds.gather(torch.arange(9))


def test_the_split_is_that_of_random_splitter(ratings):
    train, valid = RandomSplitter(0.3, seed=5)(ratings)
    dls = CollabDataLoaders.from_df(ratings, valid_pct=0.3, seed=5)
    assert dls.train_ds.rows.tolist() == list(train)
    assert dls.valid_ds.rows.tolist() == list(valid)


def test_a_splitter_is_asked_with_the_frame(ratings):
    dls = CollabDataLoaders.from_df(ratings, splitter=IndexSplitter([3, 5]))
    assert dls.valid_ds.rows.tolist() == [3, 5]


def test_items_only_in_validation_are_unseen_unless_the_vocabulary_is_given():
    df = pd.DataFrame({"user": [1, 2, 1], "film": ["a", "b", "c"], "rating": [3, 4, 5]})
    split = IndexSplitter([2])
    learnt = CollabDataLoaders.from_df(df, splitter=split, bs=2)
    assert list(learnt.classes["film"]) == ["#na#", "a", "b"]
    assert learnt.valid_ds.gather(torch.tensor([0]))[0].tolist() == [[1, 0]]
    assert learnt.valid_ds.unseen.tolist() == [[False, True]]
    given = CollabDataLoaders.from_df(df, splitter=split, bs=2, item_vocab=["c", "b", "a"])
    assert list(given.classes["film"]) == ["#na#", "c", "b", "a"]
    assert given.valid_ds.gather(torch.tensor([0]))[0].tolist() == [[1, 1]]
    assert given.valid_ds.unseen.tolist() == [[False, True]]


def test_a_row_that_trains_has_to_be_in_a_given_vocabulary(ratings):
    with pytest.raises(DataError, match=r"row \d+ of the frame: 'film 00' .* not in the vocabular"):
        CollabDataLoaders.from_df(ratings, item_vocab=[f"film {i:02}" for i in range(1, 30)])


def test_one_row_is_enough():
    df = pd.DataFrame({"user": [1], "film": ["a"], "rating": [3]})
    x, y = CollabDataLoaders.from_df(df).one_batch()
    assert (x.tolist(), y.tolist()) == ([[1, 1]], [3.0])


def test_validation_may_have_other_batches(ratings):
    dls = CollabDataLoaders.from_df(ratings, bs=16)
    assert (dls.train.bs, dls.valid.bs) == (16, 1024)
    assert CollabDataLoaders.from_df(ratings, bs=16, val_bs=8).valid.bs == 8


def test_show_batch_has_a_column_for_each_part(dls, capsys):
    assert dls.show_batch(max_n=3) is None  # a notebook would print rows once more
    names, *rows = capsys.readouterr().out.splitlines()
    assert (names.split(), len(rows)) == (["user", "film", "rating"], 3)
    _, _, samples = dls.show_batch(max_n=3, show=False)
    assert len(samples) == 3


def test_new_rows_are_coded_as_those_of_training(dls):
    with pytest.warns(UnseenWarning):
        dl = dls.test_dl(pd.DataFrame({"film": ["film 03", "none"], "user": [100, 101]}))
    (x,) = dl.one_batch()
    assert dls.classes["film"].map_ids(x[:, 1].tolist()) == ["film 03", "#na#"]
    assert dl.unseen.tolist() == [[False, False], [False, True]]


@pytest.mark.parametrize("negatives", [2, "batch"])
def test_implicit_feedback_needs_no_rating_and_has_candidates(ratings, negatives, capsys):
    dls = CollabDataLoaders.from_df(ratings[["user", "film"]], negatives=negatives, bs=16, seed=1)
    batch = dls.one_batch()
    if negatives == "batch":
        (users, items), relevance, log_q = batch
        assert len(users) == len(items) == 16
        assert relevance.shape == log_q.shape == (16, 16)
    else:
        assert batch[0].shape == (16, 4)
        assert batch[1].shape == (16, 3)
    assert dls.valid.one_batch()[0].shape[1] == 101
    dls.show_batch(max_n=2)
    names, *rows = capsys.readouterr().out.splitlines()
    assert (names.split(), len(rows)) == (["user", "film", "rating"], 2)
    assert dls.test_dl([(100, "film 03")]).one_batch()[0].shape == (1, 2)


def test_arrays_on_the_disk_train_as_they_lie(ratings, tmp_path):
    Ratings.from_df(ratings, "user", "film", "rating").save(tmp_path)
    dls = CollabDataLoaders.from_ratings(Ratings.open(tmp_path), seed=1, bs=16)
    assert isinstance(dls.train_ds.pairs, np.memmap)
    expected = CollabDataLoaders.from_df(ratings, seed=1, bs=16)
    for ours, theirs in zip(dls.train_ds.gather(torch.arange(9)),
                            expected.train_ds.gather(torch.arange(9)), strict=True):  # fmt: skip
        assert torch.equal(ours, theirs)


# -- files ---------------------------------------------------------------------------------


@pytest.fixture
def csv(tmp_path):
    """A function that writes a file."""

    def write(text):
        path = tmp_path / "ratings.csv"
        path.write_text(text)
        return path

    return write


def test_a_file_is_the_same_as_its_frame(ratings, csv):
    path = csv(ratings.to_csv(index=False))
    dls = CollabDataLoaders.from_csv(path, seed=1, bs=16)
    for ours, theirs in zip(dls.train_ds.gather(torch.arange(9)), _first(ratings), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("na_values", ["?", ["?", "-"]])
def test_texts_that_stand_for_missing_values_are_told_by_line(csv, na_values):
    path = csv("user,film,rating\n1,a,3\n?,b,4\n")
    with pytest.raises(DataError, match="line 3: column 'user' has no id there"):
        CollabDataLoaders.from_csv(path, na_values=na_values)


def test_a_file_without_names_is_given_them(csv):
    path = csv("1\t7\t5\n2\t8\t3\n")
    dls = CollabDataLoaders.from_csv(
        path, delimiter="\t", names=["user", "film", "rating"], valid_pct=0
    )
    assert list(dls.classes["film"]) == ["#na#", 7, 8]


BAD_FILES = {
    "no rating": ("user,film,rating\n1,a,3\n2,b,\n", "line 3: column 'rating' has no rating"),
    "infinite": ("user,film,rating\n1,a,3\n2,b,inf\n", "line 3: column 'rating' holds inf"),
    "text": ("user,film,rating\n1,a,3\n\n2,b,good\n", "line 4: column 'rating' holds 'good'"),
    "no user": ("user,film,rating\n,a,3\n2,b,4\n", "line 2: column 'user' has no id"),
    "too short": ("user,film,rating\n1,a,3\n2,b\n", "line 3: 2 fields"),
    "too long": ("user,film,rating\n1,a,3,9\n", "line 2: 4 fields"),
    "twice": ("user,user,rating\n1,1,3\n", "several columns are called 'user'"),
    "no rows": ("user,film,rating\n", "has no rows"),
    "no column": ("user,film\n1,a\n", "has 2 columns (user, film)"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_file_is_one_error_with_its_place(csv, fault):
    text, told = BAD_FILES[fault]
    path = csv(text)
    with pytest.raises(DataError) as error:
        CollabDataLoaders.from_csv(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_a_column_that_is_asked_for_by_a_wrong_name_is_told(csv):
    path = csv("user,film,rating\n1,a,3\n")
    with pytest.raises(DataError, match=r"no column 'flim'. Did you mean 'film'"):
        CollabDataLoaders.from_csv(path, item_name="flim")


# -- frames --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda df: df.assign(rating=df.rating.mask(df.index == 3)), "row 3 of the frame: column"),
        (lambda df: df.assign(rating=np.inf), "row 0 of the frame: column 'rating' holds inf"),
        (lambda df: df.assign(user=df.user.astype(object).where(df.index != 2, "x")), "row 2 of"),
        (lambda df: df.assign(film=None), "row 0 of the frame: column 'film' has no id"),
        (lambda df: df.iloc[:0], "the frame has no rows"),
        (lambda df: pd.concat([df, df.user], axis=1), "the frame has several columns named 'user'"),
    ],
)
def test_a_bad_frame_is_one_error_with_its_row(ratings, change, told):
    with pytest.raises(DataError) as error:
        CollabDataLoaders.from_df(change(ratings))
    assert told in str(error.value)


def test_settings_that_nobody_knows_are_refused(ratings):
    for make in (CollabDataLoaders.from_df, CollabDataLoaders.from_csv):
        with pytest.raises(TypeError, match=r"'valid_pc'. Did you mean 'valid_pct'"):
            make(ratings, valid_pc=0.1)
    with pytest.raises(TypeError, match=r"'val_bbs'. Did you mean 'val_bs'"):
        CollabDataLoaders.from_ratings(Ratings(Ids("a", [1]), Ids("b", [1])), val_bbs=3)


def test_shares_that_leave_nothing_to_train_are_refused(ratings):
    with pytest.raises(ValueError, match="valid_pct=1"):
        CollabDataLoaders.from_df(ratings, valid_pct=1)
    with pytest.raises(DataError, match="no row is left for training"):
        CollabDataLoaders.from_df(ratings.iloc[:1], splitter=IndexSplitter([0]))


def test_the_frame_stays_as_it_was(ratings):
    before = ratings.copy()
    CollabDataLoaders.from_df(ratings, seed=1)
    pd.testing.assert_frame_equal(ratings, before)
