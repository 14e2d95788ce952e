"""What happens to an item and to a batch is told step by step, and failures in the usual words."""

import pytest
import torch

from layerwise.core.data.explain import explain_batch, explain_item
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import Transform


def test_each_member_of_an_item_is_told_step_by_step():
    told: list[str] = []
    sample = explain_item("ab", [Pipeline([len, float]), Pipeline([])], tell=told.append)
    assert sample == (2.0, "ab")
    assert told == [
        "member 0 starts from str 'ab'",
        "  len -> int 2",
        "  float -> float 2.0",
        "member 1 starts from str 'ab'",
        "  nothing to do",
    ]


def test_a_failing_step_is_named_after_those_before_it_were_told(capsys):
    pipe = Pipeline([len, lambda n: 1 / (n - 2)])
    with pytest.raises(DataError) as caught:
        explain_item("ab", [pipe])
    assert capsys.readouterr().out.splitlines()[-1] == "  len -> int 2"
    with pytest.raises(DataError) as direct:
        pipe("ab")
    assert str(caught.value) == str(direct.value)


def test_the_split_of_a_pipeline_counts():
    told: list[str] = []
    step = Transform(lambda x: -x, split_idx=0)
    assert explain_item(3, [Pipeline([step], split_idx=1)], tell=told.append) == (3,)
    assert explain_item(3, [Pipeline([step], split_idx=0)], tell=told.append) == (-3,)


def test_a_batch_is_told_from_its_samples_to_the_device():
    told: list[str] = []
    image = TensorImage(torch.full((3, 2, 2), 255, dtype=torch.uint8))
    dl = TfmdDL([(image, 1)] * 2, 2, num_workers=0, after_batch=IntToFloatTensor())
    x, y = explain_batch([(image, 1)] * 2, dl, tell=told.append)
    assert told == [
        "after_item, on the first sample:",
        "  nothing to do",
        "before_batch, on the list of samples:",
        "  nothing to do",
        "stacked: (TensorImage (2, 3, 2, 2) uint8, Tensor (2,) int64)",
        "after_batch, on the batch:",
        "  IntToFloatTensor -> (TensorImage (2, 3, 2, 2) float32, Tensor (2,) int64)",
    ]
    assert type(x) is TensorImage
    assert y.tolist() == [1, 1]


def test_samples_that_do_not_stack_are_named_after_what_was_done(capsys):
    dl = TfmdDL([torch.zeros(1), torch.zeros(2)], 2, num_workers=0)
    with pytest.raises(DataError, match="item 1 of the batch has shape"):
        explain_batch([torch.zeros(1), torch.zeros(2)], dl)
    assert "before_batch" in capsys.readouterr().out
