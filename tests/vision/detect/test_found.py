"""Predicted boxes keep their scores wherever they go."""

import pickle

import torch

from layerwise.core.nested import batch_to_samples, nested_reorder
from layerwise.vision.coords import LabeledBBox, TensorBBox
from layerwise.vision.detect.found import FoundBoxes

SCORES = torch.tensor([[0.9, 0.5, 0.0], [0.8, 0.0, 0.0]])


def found():
    return FoundBoxes(torch.arange(24.0).reshape(2, 3, 4), scores=SCORES)


def test_samples_of_a_batch_have_their_own_scores():
    samples = batch_to_samples((found(), torch.arange(2)))
    assert [type(boxes) for boxes, _ in samples] == [FoundBoxes, FoundBoxes]
    assert torch.equal(samples[1][0].scores, SCORES[1])


def test_reordering_and_choosing_take_scores_along():
    assert torch.equal(nested_reorder(found(), [1, 0]).scores, SCORES.flip(0))
    one = found()[0]
    assert torch.equal(one[one.scores > 0.4].scores, torch.tensor([0.9, 0.5]))
    assert torch.equal(one[:1].scores, SCORES[0, :1])
    assert torch.equal(one[TensorBBox([True, False, True]).bool()].scores, SCORES[0, [0, 2]])


def test_coordinates_alone_and_all_else_keep_the_scores_as_they_are():
    one = found()[0]
    assert one[:, :2].scores.shape == (3,)
    assert torch.equal((one + 1).scores, one.scores)
    again = pickle.loads(pickle.dumps(found()))
    assert type(again) is FoundBoxes
    assert torch.equal(again[1].scores, SCORES[1])


def test_scores_are_written_beside_labels(tmp_path):
    import matplotlib.pyplot as plt

    boxes = FoundBoxes([[1.0, 1, 5, 5], [3.0, 3, 8, 8]], scores=torch.tensor([0.9, 0.25]))
    axes = LabeledBBox(boxes, ["cat", "dog"]).show()
    assert [text.get_text().strip() for text in axes.texts] == ["cat 0.90", "dog 0.25"]
    plt.close("all")
