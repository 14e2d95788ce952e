"""Ratings in arrays: batches, splits, who was seen, files on the disk."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.collab.ids import Ids
from layerwise.collab.losses import BPRLoss, SampledSoftmaxLoss
from layerwise.collab.ratings import Ratings, UnseenWarning
from layerwise.collab.types import Rating, UserItem
from layerwise.core.errors import DataError
from layerwise.core.nn.losses import MSELossFlat

USERS, ITEMS = Ids("user", [10, 20, 30]), Ids("film", ["Alien", "Brazil"])


@pytest.fixture
def data():
    """Four ratings; user 30 and no other has none."""
    pairs = np.array([[1, 1], [1, 2], [2, 1], [2, 2]], np.int32)
    return Ratings(USERS, ITEMS, pairs, np.array([1, 2, 3, 5], np.float32))


def test_a_batch_is_int64_pairs_and_float_ratings(data):
    x, y = data.gather(torch.tensor([3, 0]))
    assert x.tolist() == [[2, 2], [1, 1]]
    assert y.tolist() == [5.0, 1.0]
    assert (x.dtype, y.dtype) == (torch.int64, torch.float32)
    assert data[1][0].tolist() == [1, 2]


def test_subsets_of_subsets_are_positions_in_them(data):
    part = data.subset([3, 2, 0]).subset([2, 0])
    assert len(part) == 2
    assert part.gather(torch.tensor([0, 1]))[1].tolist() == [1.0, 5.0]
    assert part.pairs is data.pairs


def test_counts_and_mean_are_of_the_subset(data):
    part = data.subset([0, 1, 3])
    assert part.counts(is_item=False).tolist() == [0, 2, 1, 0]
    assert part.counts(is_item=True).tolist() == [0, 1, 2]
    assert part.mean() == pytest.approx(8 / 3)


def test_who_has_no_row_in_training_is_unseen_in_both_splits(data):
    train, valid = data.split([0, 1], [2, 3])
    assert train.users.trained.tolist() == [False, True, False, False]
    assert train.unseen.tolist() == [[False, False], [False, False]]
    assert valid.unseen.tolist() == [[True, False], [True, False]]
    assert data.users.trained.tolist() == [False, True, True, True]


def test_a_code_without_an_id_is_told():
    data = Ratings(USERS, ITEMS, np.array([[1, 7]]), np.array([1.0]))
    with pytest.raises(DataError, match="a code 7 among 3 items"):
        data.split([0], [])


def test_the_items_of_a_user_are_those_of_all_splits(data):
    train, _ = data.split([0], [1, 2, 3])
    assert train.items_of(1).tolist() == [1, 2]
    assert train.items_of(3).tolist() == []


def test_a_sample_decodes_to_ids_and_rating(data):
    pair, rating = data.decode((torch.tensor([2, 1]), torch.tensor(3.0)))
    assert pair == UserItem(20, "Alien", ("user", "film"))
    assert rating == 3.0
    assert isinstance(rating, Rating)


def test_new_rows_warn_of_users_and_items_never_seen(data):
    train, _ = data.split([0, 1], [2, 3])
    df = pd.DataFrame({"user": [10, 20, 99], "film": ["Alien", "Cube", "Brazil"]})
    with pytest.warns(UnseenWarning) as warned:
        rows = train.test_set(df)
    told = [str(w.message) for w in warned]
    assert "2 of 3 rows have a user that training has not seen, first in row 1" in told[0]
    assert "1 of 3 rows have an item that training has not seen, first in row 1" in told[1]
    assert rows.unseen.tolist() == [[False, False], [True, True], [True, False]]
    assert rows.gather(torch.arange(3))[0].tolist() == [[1, 1], [2, 0], [0, 2]]


def test_new_rows_have_targets_only_with_labels(data):
    df = pd.DataFrame({"user": [10], "film": ["Alien"], "rating": [4]})
    assert len(data.test_set(df).gather(torch.tensor([0]))) == 1
    assert data.test_set(df, with_labels=True).gather(torch.tensor([0]))[1].tolist() == [4.0]
    with pytest.raises(DataError, match="'rating' is missing"):
        data.test_set(df[["user", "film"]], with_labels=True)


def test_wrong_new_rows_are_told_by_their_place(data):
    with pytest.raises(DataError, match=r"row 1 of those to predict: column 'user' holds text"):
        data.test_set(pd.DataFrame({"user": [10, "a"], "film": ["Alien", "Alien"]}))


def test_the_loss_is_that_of_the_kind_of_feedback():
    kinds = {None: MSELossFlat, 3: BPRLoss, "batch": SampledSoftmaxLoss}
    for negatives, kind in kinds.items():
        assert type(Ratings(USERS, ITEMS, negatives=negatives).loss_func) is kind


@pytest.mark.parametrize("negatives", [0, -1, "bach", 1.5, True])
def test_other_kinds_of_feedback_are_refused(negatives):
    with pytest.raises(ValueError, match="negatives="):
        Ratings(USERS, ITEMS, negatives=negatives)


def test_arrays_that_do_not_fit_are_refused(data):
    with pytest.raises(DataError, match="4 pairs and 1 ratings"):
        Ratings(USERS, ITEMS, data.pairs, np.array([1.0]))
    with pytest.raises(DataError, match="both are column 'user'"):
        Ratings(USERS, Ids("user", [1]))


def test_settings_make_the_same_without_rows(data):
    train, _ = data.split([0, 1], [2, 3])
    again = Ratings.from_settings(**train.settings())
    assert len(again) == 0
    assert again.classes == train.classes
    assert again.users.trained.tolist() == train.users.trained.tolist()
    assert again.rating_name == "rating"


def test_ratings_on_the_disk_stay_there(data, tmp_path):
    again = Ratings.open(data.save(tmp_path / "ratings"))
    assert isinstance(again.pairs, np.memmap)
    assert isinstance(again.values, np.memmap)
    assert again.classes == data.classes
    rows = torch.tensor([2, 0])
    for ours, theirs in zip(again.gather(rows), data.gather(rows), strict=True):
        assert torch.equal(ours, theirs)
    assert isinstance(again.split([0, 1], [2, 3])[0].pairs, np.memmap)


def test_what_a_file_cannot_hold_and_folders_without_ratings_are_told(tmp_path):
    dates = Ids("day", pd.to_datetime(["2020-01-01"]))
    with pytest.raises(TypeError, match="ids are written as numbers or text"):
        Ratings(dates, ITEMS).save(tmp_path / "a")
    with pytest.raises(DataError, match=r"holds no ratings, for it has no ids\.json"):
        Ratings.open(tmp_path / "b")
