"""What was not taken: never what the user took, drawn alike, the same for the same key."""

import numpy as np
import pytest
import torch

from layerwise.collab.ids import Ids
from layerwise.collab.negatives import BatchNegatives, DrawNegatives
from layerwise.collab.ratings import Ratings
from layerwise.core.data.array_loader import ArrayDL

USERS, ITEMS = Ids("user", range(1, 6)), Ids("film", range(1, 21))


@pytest.fixture
def taken():
    """Five users, each of whom took 12 of 20 films; film 20 was taken by nobody."""
    rng = np.random.default_rng(0)
    pairs = [(u, i) for u in range(1, 6) for i in rng.choice(np.arange(1, 20), 12, replace=False)]
    data = Ratings(USERS, ITEMS, np.array(pairs, np.int32), negatives=3)
    return data.split(range(len(pairs)), [])[0]


def test_candidates_are_the_item_taken_and_others_that_were_not(taken):
    known = set(map(tuple, taken.pairs.tolist()))
    dl = ArrayDL(taken, bs=10, after_batch=DrawNegatives(3))
    seen = set()
    for x, relevance in dl:
        assert x.shape == (10, 5)
        assert relevance.shape == (10, 4)
        assert (relevance[:, 0] == 1).all()
        for user, taken_item, *others in x.tolist():
            assert (user, taken_item) in known
            seen |= set(others)
        is_known = [[(row[0], item) in known for item in row[2:]] for row in x.tolist()]
        assert torch.equal(relevance[:, 1:] == -1, torch.tensor(is_known))
    assert 20 not in seen  # which has no row in training
    assert 0 not in seen


def test_hardly_anything_drawn_was_taken(taken):
    dl = ArrayDL(taken, bs=60, after_batch=DrawNegatives(200))
    _, relevance = dl.one_batch()
    # A draw hits with 12 in 19; four in a row with 0.16.
    assert (relevance == -1).float().mean().item() == pytest.approx((12 / 19) ** 4, abs=0.02)


def test_all_that_was_not_taken_is_drawn_alike(taken):
    dl = ArrayDL(taken, bs=60, after_batch=DrawNegatives(500))
    x, relevance = dl.one_batch()
    rows = x[:, 0] == 1
    drawn = x[rows, 2:][relevance[rows, 1:] == 0]
    counts = torch.bincount(drawn, minlength=20)
    free = sorted(set(range(1, 20)) - set(taken.items_of(1).tolist()))
    assert counts.nonzero().flatten().tolist() == free
    shares = counts[free] / counts.sum()
    torch.testing.assert_close(shares, torch.full((7,), 1 / 7), atol=0.02, rtol=0)


def test_training_does_not_know_what_validates():
    """What users took in validation is drawn in training as often as what nobody took."""
    pairs = np.array([(u, i) for u in range(1, 6) for i in range(u, u + 9)], np.int32)
    valid = range(0, 45, 5)
    whole = Ratings(USERS, ITEMS, pairs, negatives=3)
    train, validation = whole.split([i for i in range(45) if i not in set(valid)], valid)
    in_training = _drawn(ArrayDL(train, bs=64, after_batch=DrawNegatives(300)))
    hidden = {tuple(pairs[i]) for i in valid if train.items.trained[pairs[i][1]]}
    assert hidden <= in_training
    assert not in_training & {tuple(row) for row in pairs[train.rows].tolist()}
    # Candidates that validate are compared with what was taken: none of them was.
    dl = ArrayDL(validation, bs=64, after_batch=DrawNegatives(300, all_splits=True))
    assert not _drawn(dl) & set(map(tuple, pairs.tolist()))


def _drawn(dl):
    """The pairs that were drawn as not taken."""
    x, relevance = dl.one_batch()
    users, items = x[:, :1].expand(-1, x.shape[1] - 2), x[:, 2:]
    kept = relevance[:, 1:] == 0
    return set(zip(users[kept].tolist(), items[kept].tolist(), strict=True))


def test_a_key_decides_what_is_drawn(taken):
    batches = []
    for epoch in (0, 0, 1):
        dl = ArrayDL(taken, bs=16, shuffle=True, after_batch=DrawNegatives(2))
        dl.set_epoch(7, epoch)
        batches.append([x for x, _ in dl])
    same, other = zip(batches[0], batches[1], strict=True), zip(batches[0], batches[2], strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert not any(torch.equal(a, b) for a, b in other)


def test_the_rest_of_a_batch_is_what_others_took(taken):
    x = torch.tensor([[1, 4], [2, 5], [3, 4]])
    transform = BatchNegatives()
    transform.setup(ArrayDL(taken, bs=4))
    (users, items), relevance, log_q = transform((x, torch.ones(3)))
    assert users.tolist() == [1, 2, 3]
    assert items.tolist() == [4, 5, 4]
    assert relevance.tolist() == [[1, 0, -1], [0, 1, 0], [-1, 0, 1]]
    counts = taken.counts(is_item=True)
    expected = np.log(np.maximum(counts, 1)[[4, 5, 4]] / len(taken))
    np.testing.assert_allclose(log_q.numpy(), np.broadcast_to(expected, (3, 3)), rtol=1e-6)


@pytest.mark.parametrize("transform", [DrawNegatives(2), BatchNegatives()])
def test_decoding_gives_the_pairs_and_what_is_said_of_them(transform, taken):
    transform.setup(ArrayDL(taken, bs=4))
    x, y = torch.tensor([[1, 4], [2, 5]]), torch.ones(2)
    batch = transform((x, y))
    pairs, targets, *_ = transform.decode(batch)
    assert torch.equal(pairs, x)
    assert targets.tolist() == [1, 1]
    scores = torch.rand(batch[1].shape)
    own = torch.tensor([0, 0] if isinstance(transform, DrawNegatives) else [0, 1])
    pairs, found = transform.decode((batch[0], scores))
    assert torch.equal(found, scores[torch.arange(2), own])


@pytest.mark.parametrize("transform", [DrawNegatives(2), BatchNegatives()])
def test_batches_without_targets_pass_and_others_need_data(transform):
    x = torch.tensor([[1, 4]])
    assert transform((x,))[0] is x
    with pytest.raises(ValueError, match="has seen no data"):
        transform((x, torch.ones(1)))


def test_at_least_one_is_drawn():
    with pytest.raises(ValueError, match="count=0"):
        DrawNegatives(0)
