"""A file of weights says what data they are for; other data are pointed out."""

import json
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from layerwise.core.data.dataset import Datasets
from layerwise.core.errors import BundleError
from layerwise.core.learner import Learner
from layerwise.core.tensors import TensorImage
from layerwise.core.train.data_facts import facts_of
from layerwise.core.transforms.category import Categorize
from layerwise.core.transforms.numeric import Normalize


def image_of(i):
    return TensorImage(torch.full((1, 4, 4), i / 10))


def learner(path, classes=("cat", "dog"), stats=None):
    splits = [[0, 1, 2, 3], [4, 5]]
    dsets = Datasets(
        list(range(6)),
        [[image_of], [lambda i: classes[i % len(classes)], Categorize(list(classes))]],
        splits=splits,
    )
    tfms = [] if stats is None else [Normalize.from_stats(*stats)]
    dls = dsets.dataloaders(bs=2, after_batch=tfms)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    return Learner(dls, model, loss_func=nn.CrossEntropyLoss(), path=path)


def test_facts_are_classes_and_scaling(tmp_path):
    facts = facts_of(learner(tmp_path, stats=([0.5], [0.25])).dls)
    assert facts["classes"]["count"] == 2
    assert facts["classes"]["first"] == ["cat", "dog"]
    assert facts["normalize"] == {"mean": [0.5], "std": [0.25]}


def test_equal_data_say_nothing(tmp_path):
    file = learner(tmp_path, stats=([0.5], [0.25])).save("same")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner(tmp_path, stats=([0.5], [0.25])).load(file)


def test_inputs_that_were_normalised_otherwise_are_pointed_out(tmp_path):
    file = learner(tmp_path, stats=([0.5], [0.25])).save("normalised")
    with pytest.warns(UserWarning, match="mean 0.5 and standard deviation 0.25 in the file, not"):
        learner(tmp_path).load(file)
    with pytest.warns(UserWarning, match="deviation 0.5 here"):
        learner(tmp_path, stats=([0.5], [0.5])).load(file)


def test_classes_in_another_order_are_pointed_out(tmp_path):
    file = learner(tmp_path).save("classes")
    with pytest.warns(UserWarning, match=r"2 \(cat, dog, ...\) in the file, 2 \(dog, cat"):
        learner(tmp_path, classes=("dog", "cat")).load(file)


def test_damaged_facts_are_an_error_of_ours(tmp_path):
    first = learner(tmp_path)
    file = first.save("damaged", with_opt=False)
    settings = {"format": "layerwise-model-1", "data": {"classes": {"count": 1}}}
    save_file(load_file(file), file, metadata={"layerwise": json.dumps(settings)})
    before = first.model[1].weight.clone()
    with pytest.raises(BundleError, match="data is damaged"):
        first.load(file)
    assert torch.equal(first.model[1].weight, before)
