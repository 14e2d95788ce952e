import io
import json
import os
import pickletools
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from layerwise.core.files.plain import from_json, join, split, to_json
from layerwise.core.files.tensor_file import tensors_from_bytes, tensors_to_parts
from layerwise.core.optim.algorithms import SGD, Adam, RAdam
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.train.checkpoint import ModelFileError, load_model, load_weights, save_model


def tensors_to_bytes(tensors):
    return b"".join(tensors_to_parts(tensors))


OPTIMIZERS: dict[str, Any] = {
    "SGD": partial(SGD, mom=0.9),
    "Adam": Adam,
    "RAdam": RAdam,
    "torch.SGD": partial(OptimWrapper, opt=torch.optim.SGD, momentum=0.9),
    "torch.AdamW": partial(OptimWrapper, opt=torch.optim.AdamW),
}


def net(width=4):
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 1))


def trained(model, opt, steps=3):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(8, 3, generator=generator)
        model(x).square().mean().backward()
        opt.step()
        opt.zero_grad()


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# -- there and back ------------------------------------------------------------------------


def test_weights_and_buffers_come_back(tmp_path):
    torch.manual_seed(0)
    model, other = net(), net()
    path = save_model(tmp_path / "model", model)
    assert path == tmp_path / "model.safetensors"
    load_model(path, other)
    assert same(model, other)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_going_on_from_a_file_equals_going_on(tmp_path, kind):
    torch.manual_seed(0)
    model = net()
    opt = OPTIMIZERS[kind](model.parameters(), lr=0.1)
    trained(model, opt)
    save_model(tmp_path / "half", model, opt)
    trained(model, opt)

    twin = net()
    twin_opt = OPTIMIZERS[kind](twin.parameters(), lr=0.5)
    load_model(tmp_path / "half", twin, twin_opt)
    trained(twin, twin_opt)
    assert same(model, twin)
    assert twin_opt.hypers[0]["lr"] == 0.1


def test_hyper_parameters_come_back_exactly(tmp_path):
    model = net()
    opt = Adam(model.parameters(), lr=1 / 3, wd=1e-300)
    save_model(tmp_path / "m", model, opt)
    other = Adam(net().parameters(), lr=1.0)
    load_model(tmp_path / "m", net(), other)
    assert other.hypers == opt.hypers


@settings(deadline=None, max_examples=25)
@given(
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(-(2**40), 2**40),
            st.floats(), st.text(max_size=5),
            st.integers(0, 3).map(lambda n: torch.arange(n, dtype=torch.float64)),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.tuples(inner, inner),
            st.dictionaries(st.one_of(st.text(max_size=4), st.integers(-5, 5)), inner, max_size=3),
        ),
        max_leaves=8,
    )
)  # fmt: skip
def test_any_state_of_numbers_and_tensors_survives_the_file(value):
    plain, arrays = split(value)
    back = join(from_json(to_json(plain)), tensors_from_bytes(tensors_to_bytes(arrays)))

    def equal(a, b):
        if isinstance(a, torch.Tensor):
            return isinstance(b, torch.Tensor) and torch.equal(a, b)
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
        if isinstance(a, list | tuple):
            return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
        return type(a) is type(b) and (a == b or a != a != b)

    assert equal(value, back)


def test_without_the_optimizer_its_state_is_not_written(tmp_path):
    model = net()
    opt = Adam(model.parameters(), lr=0.1)
    trained(model, opt)
    path = save_model(tmp_path / "m", model, opt, with_opt=False)
    assert all(name.startswith("model.") for name in load_weights(path))


def test_with_opt_false_leaves_the_optimizer_alone(tmp_path):
    model = net()
    opt = Adam(model.parameters(), lr=0.1)
    save_model(tmp_path / "m", model, opt)
    other = Adam(model.parameters(), lr=0.7)
    load_model(tmp_path / "m", model, other, with_opt=False)
    assert other.hypers[0]["lr"] == 0.7


def test_tied_weights_can_be_saved(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.out.weight = self.embed.weight

    model, other = Tied(), Tied()
    save_model(tmp_path / "tied", model)
    load_model(tmp_path / "tied", other)
    assert torch.equal(other.out.weight, model.embed.weight)
    assert other.out.weight is other.embed.weight


def test_buffers_that_share_part_of_their_memory_can_be_saved(tmp_path):
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            flat = torch.arange(6.0)
            self.register_buffer("a", flat[:4])
            self.register_buffer("b", flat[2:])
            self.register_buffer("c", flat.view(2, 3).T)

    model, other = Views(), Views()
    for buffer in other.buffers():
        buffer.data = torch.zeros_like(buffer)
    save_model(tmp_path / "views", model)
    load_model(tmp_path / "views", other)
    assert same(model, other)


def test_a_wrapped_model_is_saved_without_the_wrapper(tmp_path):
    model = net()
    save_model(tmp_path / "m", nn.DataParallel(model))
    load_model(tmp_path / "m", nn.DataParallel(other := net()))
    assert same(model, other)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("m", "m.safetensors"),
        ("m.safetensors", "m.safetensors"),
        ("best_0.51", "best_0.51.safetensors"),
        ("deep/er/m", "deep/er/m.safetensors"),
    ],
)
def test_the_suffix_is_added_where_there_is_none(tmp_path, given, written):
    assert save_model(tmp_path / given, net()) == tmp_path / written
    load_model(tmp_path / given, net())


# -- nothing is executed -------------------------------------------------------------------


class Malicious:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, (str(Malicious.target),))


def test_files_hold_no_pickle(tmp_path):
    model = net()
    opt = Adam(model.parameters(), lr=0.1)
    trained(model, opt)
    content = save_model(tmp_path / "m", model, opt).read_bytes()
    header = int.from_bytes(content[:8], "little")
    assert isinstance(json.loads(content[8 : 8 + header]), dict)  # all that is not raw numbers
    assert b"\x80\x04\x95" not in content  # how a pickle of today begins
    assert b"PK\x03\x04" not in content  # the archive that torch.save writes
    with pytest.raises(Exception):  # noqa: B017, PT011 - any of many
        list(pickletools.genops(io.BytesIO(content)))


def test_plain_weights_of_another_program_are_read(tmp_path):
    model, other = net(), net()
    torch.save(model.state_dict(), tmp_path / "old.pth")
    load_model(tmp_path / "old.pth", other)
    assert same(model, other)


def test_the_suffix_pth_is_found_too(tmp_path):
    model, other = net(), net()
    torch.save(model.state_dict(), tmp_path / "old.pth")
    load_model(tmp_path / "old", other)
    assert same(model, other)


def test_weights_beside_an_optimizer_are_found_and_the_rest_is_not_lost_in_silence(tmp_path):
    model, other = net(), net()
    opt = torch.optim.Adam(model.parameters())
    torch.save({"model": model.state_dict(), "opt": opt.state_dict()}, tmp_path / "old.pth")
    own = Adam(other.parameters(), lr=0.1)
    with pytest.raises(ModelFileError, match="with_opt=False"):
        load_model(tmp_path / "old.pth", other, own)
    load_model(tmp_path / "old.pth", other, own, with_opt=False)
    assert same(model, other)


def test_weights_of_plain_safetensors_are_read(tmp_path):
    model, other = net(), net()
    save_file(model.state_dict(), tmp_path / "plain.safetensors")
    load_model(tmp_path / "plain", other, Adam(other.parameters(), lr=0.1))
    assert same(model, other)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    Malicious.target = tmp_path / "owned"
    torch.save({"0.weight": Malicious()}, tmp_path / "bad.pth")
    with pytest.raises(ModelFileError, match="more than plain tensors"):
        load_model(tmp_path / "bad.pth", net())
    assert not Malicious.target.exists()


# -- written whole or not at all -----------------------------------------------------------


def full_disk(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, step):
    old = net()
    path = save_model(tmp_path / "m", old)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(step, full_disk)
        with pytest.raises(OSError, match="No space left"):
            save_model(tmp_path / "m", net())
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["m.safetensors"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_model(tmp_path / "m", net())
    before = path.read_bytes()

    def interrupt(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_model(tmp_path / "m", net())
    assert path.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["m.safetensors"]


def test_the_file_can_be_read_by_those_who_may_read_the_folder(tmp_path):
    (tmp_path / "plain").write_text("")
    path = save_model(tmp_path / "m", net())
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


# -- what does not fit ---------------------------------------------------------------------


def test_a_missing_file_names_what_is_there(tmp_path):
    save_model(tmp_path / "first", net())
    with pytest.raises(ModelFileError, match=r"no model file .*second.*first.safetensors"):
        load_model(tmp_path / "second", net())


def test_a_missing_folder_is_said_to_have_no_files(tmp_path):
    with pytest.raises(ModelFileError, match="no files"):
        load_model(tmp_path / "nowhere" / "m", net())


def test_weights_of_a_missing_file_are_said_to_be_missing(tmp_path):
    with pytest.raises(ModelFileError, match="there is no model file"):
        load_weights(tmp_path / "nothing.pth")


def test_a_damaged_file_is_named(tmp_path):
    path = save_model(tmp_path / "m", net())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"m.safetensors cannot be read"):
        load_model(path, net())


def test_a_file_of_something_else_is_named(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelFileError, match="holds a list, not weights by name"):
        load_model(tmp_path / "list.pth", net())


def test_what_differs_is_named(tmp_path):
    save_model(tmp_path / "m", nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}))
    other = nn.ModuleDict({"a": nn.Linear(2, 3), "c": nn.Linear(2, 2)})
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(ModelFileError) as caught:
        load_model(tmp_path / "m", other)
    text = str(caught.value)
    assert "missing in the file: c.bias, c.weight" in text
    assert "unknown to the model: b.bias, b.weight" in text
    assert "a.weight: (2, 2) in the file, (3, 2) in the model" in text
    assert "strict=False" in text
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


def test_strict_false_loads_what_fits(tmp_path):
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    save_model(tmp_path / "m", model)
    other = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 3)})
    load_model(tmp_path / "m", other, strict=False)
    assert torch.equal(other["a"].weight, model["a"].weight)


def test_an_optimizer_that_does_not_fit_raises_and_changes_nothing(tmp_path):
    model = net()
    opt = Adam([list(model[0].parameters()), list(model[3].parameters())], lr=0.1)
    trained(model, opt)
    save_model(tmp_path / "m", model, opt)
    other = net()
    other_opt = Adam(other.parameters(), lr=0.7)
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(
        ModelFileError, match=r"(?s)optimizer state in .*2 groups, here are 1.*with_opt=False"
    ):
        load_model(tmp_path / "m", other, other_opt)
    assert other_opt.hypers[0]["lr"] == 0.7
    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


class _OfVersionTwo(nn.Linear):
    """Refuses weights that do not say of which layout they are, as MNASNet of torchvision does."""

    _version = 2

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
        assert local_metadata.get("version") == 2
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)


def test_layers_that_ask_for_the_version_of_their_weights_are_told(tmp_path):
    model, other = (nn.Sequential(_OfVersionTwo(2, 2)) for _ in range(2))
    load_model(save_model(tmp_path / "model", model), other)
    assert torch.equal(other[0].weight, model[0].weight)
