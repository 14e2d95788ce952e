import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.errors import BundleError
from layerwise.core.files.torch_file import read_torch_file
from layerwise.core.train.checkpoint import ModelFileError, load_model, load_weights

WAYS = {
    "usual": {},
    "before 1.6": {"_use_new_zipfile_serialization": False},
    "protocol 4": {"pickle_protocol": 4},
}


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))


def same(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[k], v) and found[k].dtype == v.dtype for k, v in expected.items()
    )


ODD = {
    "turned": torch.arange(12).view(3, 4).T, "part": torch.arange(10)[3:7],
    "half": torch.ones(2, dtype=torch.bfloat16), "none": torch.empty(0, 3),
    "one": torch.tensor(True),
    "unsigned": torch.ones(3, dtype=torch.uint16), "complex": torch.ones(2, dtype=torch.complex64),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_what_torch_saved_is_read(tmp_path, way):
    model = net()
    opt = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 3)).sum().backward()
    opt.step()
    path = tmp_path / "a.pth"
    wholes = [
        model.state_dict(),
        dict(model.named_parameters()),
        {"model": model.state_dict(), "opt": opt.state_dict(), "epoch": 3, "loss": float("nan")},
        {"state_dict": model.state_dict(), "args": {"a": (1, [2, {3}], None, "é", b"x", 2**70)}},
        ODD,
    ]
    for whole in wholes:
        torch.save(whole, path, **WAYS[way])
        found, has_opt = read_torch_file(path)
        assert same(found, whole.get("model", whole.get("state_dict", whole)))
        assert has_opt == ("opt" in whole)


def test_tied_weights_keep_their_values(tmp_path):
    weight = torch.randn(3, 2)
    torch.save({"a": weight, "b": weight.T}, tmp_path / "a.pth")
    found, _ = read_torch_file(tmp_path / "a.pth")
    assert torch.equal(found["b"], weight.T)


# -- files as fastai writes them -----------------------------------------------------------


class L:
    """Stands in for fastai's list: made anew without arguments, then given its attributes."""

    def __init__(self, items):
        self.items = items


L.__module__, L.__qualname__ = "fastcore.foundation", "L"


@pytest.fixture
def fastai_file(tmp_path, monkeypatch):
    """A function that writes a model, and an optimizer of numpy's numbers, as `learn.save` does."""
    module = ModuleType("fastcore.foundation")
    module.L = L
    monkeypatch.setitem(sys.modules, "fastcore", ModuleType("fastcore"))
    monkeypatch.setitem(sys.modules, "fastcore.foundation", module)

    def write(model):
        state = [{"grad_avg": p.detach().clone(), "step": 8} for p in model.parameters()]
        hypers = L([{"lr": np.float64(1e-3), "mom": 0.9, "wd": 0.01}])
        opt = {"state": state, "hypers": hypers}
        torch.save({"model": model.state_dict(), "opt": opt}, tmp_path / "fastai.pth")
        monkeypatch.undo()
        return tmp_path / "fastai.pth"

    return write


def test_weights_saved_by_fastai_with_the_optimizer_load(fastai_file):
    model, other = net(), net()
    path = fastai_file(model)
    with pytest.raises(Exception, match=r"fastcore\.foundation"):
        torch.load(path, weights_only=True)
    load_model(path, other, with_opt=False)
    assert same(other.state_dict(), model.state_dict())
    assert same(load_weights(path), model.state_dict())


def test_names_that_differ_are_told(fastai_file):
    path = fastai_file(net())
    other = nn.ModuleDict({"body": nn.Linear(3, 4)})
    with pytest.raises(ModelFileError) as caught:
        load_model(path, other, with_opt=False)
    text = str(caught.value)
    assert "missing in the file: body.bias, body.weight" in text
    assert "unknown to the model: 0.bias, 0.weight" in text


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_names_of_wrappers_are_taken_off(tmp_path, prefix):
    model, other = net(), net()
    wrapped = OrderedDict((prefix + k, v) for k, v in model.state_dict().items())
    torch.save(wrapped, tmp_path / "a.pth")
    load_model(tmp_path / "a.pth", other)
    assert same(other.state_dict(), model.state_dict())


def test_names_of_compiled_parts_are_taken_off(tmp_path):
    model, other = net(), net()
    renamed = {k.replace("3.", "3._orig_mod."): v for k, v in model.state_dict().items()}
    torch.save(renamed, tmp_path / "a.pth")
    load_model(tmp_path / "a.pth", other)
    assert same(other.state_dict(), model.state_dict())


def test_a_model_whose_own_names_look_wrapped_loads(tmp_path):
    model, other = (nn.ModuleDict({"module": nn.Linear(2, 2)}) for _ in range(2))
    torch.save(model.state_dict(), tmp_path / "a.pth")
    load_model(tmp_path / "a.pth", other)
    assert same(other.state_dict(), model.state_dict())


# -- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (net(), "holds more than plain tensors.*torch.save"),
        ([1], "holds a list"),
        ({"a": 1}, "no tensors by name"),
        ({"a": torch.ones(2, 2).to_sparse()}, "_rebuild_sparse_tensor"),
    ],
    ids=["module", "list", "numbers", "sparse"],
)
def test_what_is_no_weights_by_name_is_refused(tmp_path, value, told):
    torch.save(value, tmp_path / "a.pth")
    with pytest.raises(BundleError, match=told):
        read_torch_file(tmp_path / "a.pth")
