"""Entities and their F1, against values worked out by the rules of conlleval."""

import pytest
import torch

from layerwise.text.tagging.metrics import EntityF1, entities, tag_accuracy

VOCAB = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("O O", []),
        ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),
        ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
        ("I-PER I-PER", [("PER", 0, 2)]),
        ("B-PER I-LOC", [("PER", 0, 1), ("LOC", 1, 2)]),
        ("O I-LOC B-LOC I-LOC", [("LOC", 1, 2), ("LOC", 2, 4)]),
        ("B-time-of-day I-time-of-day", [("time-of-day", 0, 2)]),
        ("", []),
    ],
)
def test_entities_are_those_of_conlleval(labels, expected):
    assert [tuple(e) for e in entities(labels.split())] == expected


def test_labels_of_another_form_are_refused():
    with pytest.raises(ValueError, match="'NNP' says of no entity"):
        entities(["NNP"])


def scores(labels):
    return torch.eye(len(VOCAB))[[VOCAB.index(label) for label in labels.split()]][None]


def test_f1_counts_whole_entities_over_all_batches():
    f1 = EntityF1(VOCAB)
    per, loc, o = VOCAB.index("B-PER"), VOCAB.index("B-LOC"), VOCAB.index("O")
    more = VOCAB.index("I-PER")
    # Right: none of one, for its end is wrong; the piece with -100 does not count.
    f1.update(scores("B-PER I-LOC O"), torch.tensor([[per, -100, more]]))
    assert f1.value == 0
    # Right: two. Found besides: one.
    f1.update(scores("B-PER O B-LOC B-LOC"), torch.tensor([[per, o, loc, o]]))
    # In all 2 right, 4 found, 3 there: 2 * 2 / 7.
    assert f1.value == pytest.approx(4 / 7)
    twin = EntityF1(VOCAB)
    twin.load_state_dict(f1.state_dict())
    assert twin.value == f1.value
    assert EntityF1(VOCAB).value is None


def test_labels_have_to_be_known():
    with pytest.raises(ValueError, match="pass vocab="):
        EntityF1().update(scores("O"), torch.tensor([[0]]))


def test_words_count_once_in_the_accuracy():
    found = scores("O O B-LOC O")
    assert tag_accuracy(found, torch.tensor([[4, -100, 4, 4]])).item() == pytest.approx(2 / 3)
