"""Predictions as JSON, by the type of what was decoded."""

import json
from base64 import b64decode
from types import SimpleNamespace

import pytest
import torch

from layerwise.core.data.block import CategoryBlock, DataBlock, MultiCategoryBlock, TransformBlock
from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.display.titled import TitledStr
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.serve.answers import answer_of, flat_record, plain_of, told_of
from layerwise.core.tensors import TensorCategory, TensorImage, TensorMask, TitledTensorScalar
from layerwise.core.transforms.category import Categorize, MultiCategory

DEAF = SimpleNamespace(dls=None, loss_func=None)


def learner(block, loss_func=None):
    items = [(0.0, "cat"), (1.0, "dog")] * 8
    dls = DataBlock(
        (TransformBlock(type_tfms=lambda x: torch.tensor([x])), block),
        get_x=lambda o: o[0],
        get_y=lambda o: [o[1]] if block is MultiCategoryBlock else o[1],
    ).dataloaders(items, bs=4)
    model = torch.nn.Linear(1, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-2.0], [2.0]]))
        model.bias.zero_()
    return Learner(dls, model, **({} if loss_func is None else {"loss_func": loss_func}))


def test_a_class_with_the_softmax_of_its_scores():
    learn = learner(CategoryBlock)
    found = answer_of(learn, learn.predict(1.0))
    expected = torch.softmax(torch.tensor([-2.0, 2.0]), 0).tolist()
    assert found["label"] == "dog"
    assert found["probabilities"] == pytest.approx({"cat": expected[0], "dog": expected[1]})
    assert found["probability"] == found["probabilities"]["dog"]
    assert json.loads(json.dumps(found)) == found


def test_without_activation_they_are_scores():
    learn = learner(CategoryBlock, torch.nn.functional.cross_entropy)
    found = answer_of(learn, learn.predict(1.0))
    assert found == {"label": "dog", "score": 2.0, "scores": {"cat": -2.0, "dog": 2.0}}


def test_several_labels():
    learn = learner(MultiCategoryBlock)
    found = answer_of(learn, learn.predict(1.0))
    assert found["labels"] == ["dog"]
    sure = torch.sigmoid(torch.tensor([-2.0, 2.0])).tolist()
    assert found["probabilities"] == pytest.approx({"cat": sure[0], "dog": sure[1]})


def test_classes_that_are_numbers_are_told_by_name():
    datasets = Datasets([3, 7] * 2, [[float], [Categorize]])
    dl = TfmdDL(datasets, bs=2)
    learn = SimpleNamespace(dls=DataLoaders(dl, dl), loss_func=CrossEntropyLossFlat())
    decoded = datasets.tls[1].decode(TensorCategory(1))
    found = answer_of(learn, (decoded, torch.tensor(1), torch.tensor([0.25, 0.75])))
    assert found == {"label": "7", "probability": 0.75, "probabilities": {"3": 0.25, "7": 0.75}}


@pytest.mark.parametrize(
    ("decoded", "told"),
    [
        (2.5, {"value": 2.5}),
        (TitledTensorScalar(torch.tensor(2.5)), {"value": 2.5}),
        (torch.tensor([1.5]), {"value": 1.5}),
        (torch.tensor([1.0, float("inf")]), {"values": [1.0, None]}),
        (TitledStr("so good"), {"text": "so good"}),
        (MultiCategory(["a", "b"]), {"labels": ["a", "b"]}),
    ],
)
def test_what_is_told_by_type(decoded, told):
    assert answer_of(DEAF, (decoded, None, None)) == told


def test_a_mask_is_a_picture_of_codes_with_the_share_of_each():
    image = pytest.importorskip("PIL.Image")
    from io import BytesIO

    mask = TensorMask(torch.tensor([[0, 2], [2, 2]]), codes=["sky", "road", "car"])
    found = answer_of(DEAF, (mask, None, None))
    assert found["shares"] == {"sky": 0.25, "car": 0.75}
    assert (found["width"], found["height"]) == (2, 2)
    opened = image.open(BytesIO(b64decode(found["mask"])))
    assert opened.mode == "L"
    assert list(opened.tobytes()) == [0, 2, 2, 2]


def test_a_picture_of_fractions_is_one_of_bytes():
    image = pytest.importorskip("PIL.Image")
    from io import BytesIO

    found = answer_of(DEAF, (TensorImage(torch.tensor([[[0.0, 1.0]]] * 3)), None, None))
    opened = image.open(BytesIO(b64decode(found["picture"])))
    assert list(opened.tobytes()) == [0, 0, 0, 255, 255, 255]


def test_several_targets_are_merged_unless_they_differ():
    both = answer_of(DEAF, ((2.5, TitledStr("so")), None, None))
    assert both == {"value": 2.5, "text": "so"}
    assert answer_of(DEAF, ((1.0, 2.0), None, None)) == {
        "targets": [{"value": 1.0}, {"value": 2.0}]
    }


def test_a_type_of_another_package_tells_itself():
    class Chord:
        def to_answer(self, scores, vocab):
            return {"notes": ["c", "e"], "sure": torch.tensor(0.5)}

    assert answer_of(DEAF, (Chord(), None, None)) == {"notes": ["c", "e"], "sure": 0.5}


def test_a_type_that_cannot_be_told_says_what_to_add():
    with pytest.raises(TypeError, match=r"type object cannot be told.*to_answer\(self, scores"):
        answer_of(DEAF, (object(), None, None))


def test_an_answer_that_is_no_dictionary_is_refused():
    with pytest.raises(TypeError, match=r"Wrong\.to_answer gave a list"):
        told_of(type("Wrong", (), {"to_answer": lambda *_: []})(), None)


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="a complex is nothing"):
        plain_of([1j])


def test_a_flat_record_has_no_nested_values():
    answer = {"label": "a", "probabilities": {"a": 0.5}, "boxes": [[1, 2]], "value": None}
    flat = {"label": "a", "probabilities.a": 0.5, "boxes": "[[1, 2]]", "value": None}
    assert flat_record(answer) == flat
