"""Architectures of torchvision: built where its operators do not load, and given weights."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from layerwise.core.errors import MissingDependencyError
from layerwise.core.torchvision_operators import _nms, stand_in_for_operators
from layerwise.vision.models import torchvision_models, zoo
from layerwise.vision.models.torchvision_models import resnet18, squeezenet1_1
from layerwise.vision.models.zoo import first_weights, load_pretrained, torchvision_model


def test_every_listed_name_is_one_of_torchvision():
    known = zoo.torchvision_models_module().list_models()
    assert set(torchvision_models.__all__) <= set(known)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"no model 'resnet43'\. Did you mean 'resnet34'"):
        torchvision_model("resnet43")


def test_a_missing_torchvision_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MissingDependencyError, match="pip install 'torchvision'"):
        resnet18()


def test_importing_vision_imports_no_torchvision():
    code = "import sys, layerwise.vision.all; print('torchvision' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "False", run.stderr


def test_operators_are_stood_in_for_once():
    zoo.torchvision_models_module()
    stand_in_for_operators()
    stand_in_for_operators()
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    from torchvision.ops import boxes as ops

    assert ops.torch.ops.torchvision.nms(boxes, torch.rand(3), 0.5).numel() == 2


def test_nms_keeps_what_comparing_all_pairs_keeps():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corner, side = rng.uniform(0, 20, (12, 2)), rng.uniform(1, 15, (12, 2))
        boxes, scores = np.concatenate([corner, corner + side], 1), rng.permutation(12) / 12
        kept: list[int] = []
        for i in np.argsort(-scores):
            if all(overlap(boxes[i], boxes[j]) <= 0.4 for j in kept):
                kept.append(int(i))
        found = _nms(torch.tensor(boxes), torch.tensor(scores), 0.4)
        assert found.tolist() == kept


def overlap(a, b):
    shared = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


# -- weights -------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torch's folder of downloaded weights, empty, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def no_network(*_args, **_kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("torch.hub.urlopen", no_network)
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_a_file_in_torchs_cache_is_used_offline(cache):
    trained = squeezenet1_1()
    torch.save(trained.state_dict(), cache / "squeezenet1_1-b8a52dc0.pth")
    for name in ("DEFAULT", "IMAGENET1K_V1", "SqueezeNet1_1_Weights.IMAGENET1K_V1"):
        assert equal(squeezenet1_1(name), trained)
    member = zoo.torchvision_models_module().SqueezeNet1_1_Weights.DEFAULT
    assert equal(squeezenet1_1(member), trained)


def test_without_file_and_network_the_place_of_the_file_is_told(cache):
    with pytest.raises(FileNotFoundError) as caught:
        resnet18("DEFAULT")
    message = str(caught.value)
    assert str(cache / "resnet18-f37072fd.pth") in message
    assert "/models/resnet18-f37072fd.pth cannot be fetched" in message
    assert "pretrained=False" in message


def test_weights_that_run_code_are_refused(cache, tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'canary'}",)

    torch.save({"x": Payload()}, cache / "squeezenet1_1-b8a52dc0.pth")
    torch.save({"x": Payload()}, tmp_path / "mine.pth")
    for weights in ("DEFAULT", tmp_path / "mine.pth"):
        with pytest.raises(Exception, match=r"(?i)weights.only|more than plain"):
            squeezenet1_1(weights)
    assert not (tmp_path / "canary").exists()


def test_a_safetensors_file_in_half_precision_and_a_state_dict(tmp_path):
    trained = squeezenet1_1()
    half = {k: v.half() for k, v in trained.state_dict().items()}
    save_file(half, tmp_path / "w.safetensors")
    for weights in (tmp_path / "w.safetensors", str(tmp_path / "w.safetensors"), half):
        found = squeezenet1_1(weights)
        assert all(p.dtype == torch.float32 for p in found.parameters())
        assert all(
            torch.allclose(a, b, atol=1e-3)
            for a, b in zip(found.parameters(), trained.parameters(), strict=True)
        )


def test_weights_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"does not fit resnet18: missing are conv1.weight, "):
        resnet18({"x": torch.zeros(1)})
    other = {**resnet18().state_dict(), "fc.bias": torch.zeros(3)}
    with pytest.raises(ValueError, match=r"of other shapes are fc.bias \(3,\) instead of \(1000,"):
        resnet18(other)
    with pytest.raises(FileNotFoundError, match="no file of weights"):
        resnet18(tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"resnet18 has no weights 'IMAGENET'.*It has: IMAGENET1K"):
        resnet18("IMAGENET")


def test_the_first_weights_are_the_default_for_transfer():
    assert first_weights("resnet50") == "IMAGENET1K_V1"
    assert first_weights("mnasnet0_5") == "IMAGENET1K_V1"


@pytest.mark.slow
def test_pretrained_squeezenet_names_most_photographs(mirror, shared_weights, tmp_path):
    import csv
    import tarfile

    from layerwise.core.transforms.numeric import IntToFloatTensor, Normalize, ToTensor
    from layerwise.core.transforms.pipeline import Pipeline
    from layerwise.vision.augment.item import Resize
    from layerwise.vision.types import PILImage, imagenet_stats

    archive = mirror / "imagenet_100.tgz"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    folder = tmp_path / "imagenet_100"
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    model = squeezenet1_1(shared_weights / "squeezenet1_1-imagenet.safetensors").eval()
    to_item = Pipeline([PILImage.create, Resize(256), Cropped(), ToTensor], split_idx=1)
    to_batch = Pipeline([IntToFloatTensor, Normalize.from_stats(*imagenet_stats)], split_idx=1)
    right = 0
    with torch.no_grad():
        for row in rows:
            name = row["fname"] if "/" in row["fname"] else f"images/{row['fname']}"
            x = to_batch(to_item(folder / name)[None]).as_plain()
            right += int(model(x).argmax()) == int(row["index"])
    assert len(rows) == 100
    assert right >= 60


class Cropped:
    """The middle 224 pixels of a picture."""

    order = 2

    def __call__(self, x):
        return x.crop_pad(224)


def test_loading_returns_the_model(tmp_path):
    model = squeezenet1_1()
    assert load_pretrained(model, model.state_dict(), name="squeezenet1_1") is model
