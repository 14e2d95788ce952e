import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.errors import BundleError, MissingDependencyError
from layerwise.core.learner import Learner
from layerwise.core.train import deploy
from layerwise.core.train.deploy import DeployError


class Sentences(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 6, 2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(6, 3)

    def forward(self, tokens):
        return self.head(self.lstm(self.embed(tokens))[0][:, -1])


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeds = nn.ModuleList([nn.Embedding(5, 3), nn.Embedding(4, 2)])
        self.norm = nn.BatchNorm1d(2)
        self.layers = nn.Sequential(
            nn.Linear(7, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Dropout(0.3), nn.Linear(5, 1)
        )

    def forward(self, cat, cont):
        embedded = [embed(cat[:, i]) for i, embed in enumerate(self.embeds)]
        return self.layers(torch.cat([*embedded, self.norm(cont)], dim=1))


def tokens(rows):
    return (torch.randint(0, 20, (rows, 9)),)


def table(rows):
    return torch.randint(0, 4, (rows, 2)), torch.randn(rows, 2)


def images(rows):
    return (torch.randn(rows, 3, 16, 16),)


def convolutions():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip


MODELS = {
    "sentences": (Sentences, tokens), "table": (Table, table), "images": (convolutions, images)
}  # fmt: skip


def learner(model, made, tmp_path, bs=4):
    """A learner whose norm layers have seen data."""
    rows = made(8)
    data = [(*(x[i] for x in rows), torch.zeros(1)) for i in range(8)]
    dl = DataLoader(data, bs=bs)
    learn = Learner(
        DataLoaders(dl, dl, path=tmp_path), model, loss_func=nn.MSELoss(), default_cbs=False
    )
    model(*rows)
    return learn


def expected(model, inputs):
    model.eval()
    with torch.no_grad():
        found = model(*inputs)
    model.train()
    return found


@pytest.mark.parametrize("kind", MODELS)
def test_s5_onnx_says_what_the_model_says_for_any_batch(tmp_path, kind):
    torch.manual_seed(0)
    make, made = MODELS[kind]
    model = make()
    path = learner(model, made, tmp_path).to_onnx(check=False)
    assert path == tmp_path / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    assert names == {"sentences": ["tokens"], "table": ["cat", "cont"], "images": ["input"]}[kind]
    for rows in (1, 7):
        inputs = made(rows)
        (found,) = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
        wanted = expected(model, inputs).numpy()
        assert np.abs(found - wanted).max() < 1e-4
        assert (found.argmax(1) == wanted.argmax(1)).all()


@pytest.mark.parametrize("kind", MODELS)
def test_a_program_says_what_the_model_says_for_any_batch(tmp_path, kind):
    torch.manual_seed(0)
    make, made = MODELS[kind]
    model = make()
    path = learner(model, made, tmp_path).to_program()
    program = torch.export.load(path).module()
    for rows in (1, 7):
        inputs = made(rows)
        torch.testing.assert_close(program(*inputs), expected(model, inputs))


def test_texts_of_any_length_by_onnx(tmp_path):
    torch.manual_seed(0)
    model = Sentences()
    path = learner(model, tokens, tmp_path).to_onnx("text.onnx", dynamic_dims=(0, 1))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    assert given.shape == ["batch", "size_1"]
    for shape in ((1, 30), (5, 2)):
        x = torch.randint(0, 20, shape)
        (found,) = session.run(None, {"tokens": x.numpy()})
        assert np.abs(found - expected(model, (x,)).numpy()).max() < 1e-4


@pytest.mark.parametrize("write", ["to_onnx", "to_program"])
def test_the_learner_is_as_it_was(tmp_path, write):
    model = Table()
    learn = learner(model, table, tmp_path)
    model.norm.eval()  # as a frozen norm layer may be
    model.layers.compile(backend="eager")
    compiled = model.layers._compiled_call_impl
    before = {k: v.clone() for k, v in model.state_dict().items()}
    parameters = list(model.parameters())
    random = torch.get_rng_state()
    inputs = learn.dls.one_batch()[:2]
    torch.set_rng_state(random)
    getattr(learn, write)(inputs=inputs)
    assert model.training
    assert model.layers.training
    assert not model.norm.training
    assert model.layers._compiled_call_impl is compiled
    assert torch.equal(torch.get_rng_state(), random)
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_files_name_no_place_of_this_machine_and_hold_no_data(tmp_path):
    learn = learner(Table(), table, tmp_path)
    cont = torch.full((3, 2), 1234.5678)
    inputs = (torch.zeros(3, 2, dtype=torch.long), cont)
    for path in (learn.to_onnx(inputs=inputs), learn.to_program(inputs=inputs)):
        content = path.read_bytes()
        for place in (__file__, "site-packages", sys.prefix, "forward(self, cat"):
            assert place.encode() not in content
        assert cont.numpy()[0].tobytes() not in content


def test_one_row_is_enough(tmp_path):
    path = learner(Table(), table, tmp_path, bs=1).to_onnx("small")
    assert path.name == "small.onnx"
    onnx.checker.check_model(onnx.load(path))


def test_a_model_called_by_keywords(tmp_path):
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 4)

        def forward(self, input_ids, attention_mask=None, labels=None):
            found = (self.embed(input_ids) * attention_mask[..., None]).sum(1)
            return {"loss": found.mean() if labels is not None else None, "logits": found}

    batch = {
        "input_ids": torch.randint(0, 9, (4, 5)),
        "attention_mask": torch.ones(4, 5),
        "labels": torch.zeros(4),
    }
    learn = learner(Table(), table, tmp_path)
    learn.model = Named()
    session = onnxruntime.InferenceSession(learn.to_onnx(inputs=[batch]))
    assert [each.name for each in session.get_inputs()] == ["input_ids", "attention_mask"]


class Drawing(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Deciding(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Fixed(nn.Module):
    def forward(self, x):
        return x.view(3, -1) * torch.ones(3, 1)


@pytest.mark.parametrize("write", ["to_onnx", "to_program"])
def test_a_model_that_draws_numbers_is_refused(tmp_path, write):
    learn = learner(Drawing(), images, tmp_path)
    with pytest.raises(DeployError, match="something else than the model: for 1 rows"):
        getattr(learn, write)()
    assert list(tmp_path.iterdir()) == []
    assert issubclass(DeployError, BundleError)


@pytest.mark.parametrize("model", [Deciding(), Fixed()], ids=["decides by values", "fixed batch"])
def test_a_model_that_cannot_be_followed_is_refused(tmp_path, model):
    learn = learner(Table(), table, tmp_path)
    learn.model = model
    with pytest.raises(DeployError, match="leave it out of dynamic_dims"):
        learn.to_program(inputs=(torch.randn(3, 2),))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    learn = learner(Table(), table, tmp_path)

    def missing(name, *_args):
        raise ImportError(name)

    monkeypatch.setattr(deploy, "import_module", missing)
    with pytest.raises(MissingDependencyError, match=r"'onnx'.*layerwise-core\[onnx\]"):
        learn.to_onnx(check=False)
    with pytest.raises(MissingDependencyError, match="onnxruntime"):
        learn.to_onnx(check=True)


def test_without_onnxruntime_the_file_is_written_unchecked(tmp_path, monkeypatch):
    learn = learner(Table(), table, tmp_path)
    real = deploy.import_module

    def without(name, *args):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(deploy, "import_module", without)
    assert learn.to_onnx().is_file()


def test_importing_layerwise_imports_no_onnx():
    code = (
        "import sys, layerwise.core.all as _; "
        "sys.exit(any(name.startswith('onnx') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
