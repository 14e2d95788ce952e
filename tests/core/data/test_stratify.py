"""Sizes and proportions are those of scikit-learn."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from layerwise.core.data.stratify import TrainTestSplitter

classes = st.lists(st.sampled_from("aaaabbc"), min_size=10, max_size=80)
amounts = st.one_of(st.floats(0.1, 0.5), st.integers(3, 5))


@given(classes, amounts, st.one_of(st.none(), amounts), st.integers(0, 99))
def test_sizes_are_those_of_scikit_learn(labels, test_size, train_size, seed):
    ours = TrainTestSplitter(test_size, random_state=seed, train_size=train_size)(labels)
    theirs = train_test_split(
        range(len(labels)), test_size=test_size, train_size=train_size, random_state=seed
    )
    assert [len(part) for part in ours] == [len(part) for part in theirs]
    assert not set(ours[0]) & set(ours[1])
    assert set(ours[0] + ours[1]) <= set(range(len(labels)))


@given(classes, amounts, st.integers(0, 99))
def test_classes_keep_their_proportions_as_in_scikit_learn(labels, test_size, seed):
    splitter = TrainTestSplitter(test_size, random_state=seed, stratify=labels)
    try:
        theirs = train_test_split(
            np.arange(len(labels)), test_size=test_size, random_state=seed, stratify=labels
        )
    except ValueError:
        with pytest.raises(ValueError, match=r"two items of each class|cannot show all"):
            splitter(labels)
        return
    ours = splitter(labels)
    assert sorted(ours[0] + ours[1]) == list(range(len(labels)))
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine) == len(other)
        here, there = (Counter(labels[i] for i in part) for part in (mine, other))
        for label in set(labels):  # ties are broken by chance there
            assert abs(here[label] - there[label]) <= 1


def test_classes_that_divide_evenly_are_divided_evenly():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    train, test = TrainTestSplitter(0.1, random_state=0, stratify=labels)(labels)
    assert Counter(labels[i] for i in test) == {"a": 6, "b": 3, "c": 1}
    assert Counter(labels[i] for i in train) == {"a": 54, "b": 27, "c": 9}
    assert list(train) != sorted(train)


def test_labels_of_an_array_serve():
    labels = np.array([0, 1] * 10)
    _, test = TrainTestSplitter(0.2, random_state=0, stratify=labels)(labels)
    assert sorted(labels[test].tolist()) == [0, 0, 1, 1]


def test_without_shuffling_the_end_validates():
    assert TrainTestSplitter(0.25, shuffle=False)("abcd") == ([0, 1, 2], [3])
    assert TrainTestSplitter(1, train_size=1, shuffle=False)("abcd") == ([0], [1])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"stratify": [0, 0, 0, 0, 1]}, "stratify needs two items of each class.*has 1"),
        ({"stratify": [0, 1]}, "2 classes for 5 items"),
        ({"stratify": [0, 0, 1, 1, 1], "test_size": 1}, "cannot show all 2 classes"),
        ({"stratify": [0, 0, 1, 1, 1], "shuffle": False}, "needs shuffle=True"),
        ({"test_size": 5}, "make 0 training and 5 validation items.*5 in all"),
        ({"test_size": 0.5, "train_size": 0.9}, "both need one, and there are 5"),
        ({"test_size": 0.1, "train_size": 0.1}, "make 0 training"),
        ({"test_size": 1.5}, "from 0 to 1"),
        ({"test_size": -1}, "give a share from 0.0 to 1.0, or a number"),
    ],
)
def test_what_cannot_be_split_is_said_in_words(settings, words):
    with pytest.raises(ValueError, match=words):
        TrainTestSplitter(**settings)(range(5))
