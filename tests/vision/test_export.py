"""S3 and S6 for pictures: an exported learner elsewhere, and without layerwise or torch."""

import importlib.util
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from layerwise.core.data.block import DataBlock
from layerwise.core.learner import Learner
from layerwise.core.nn.activations import Mish
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.nn.sized import cnn_for
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorMask
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.augment.geometry import Flip
from layerwise.vision.augment.item import FlipItem, RandomResizedCrop, Resize
from layerwise.vision.blocks import ImageBlock, MaskBlock
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.learner import vision_learner
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.types import PILImage, imagenet_stats


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folders of pictures, 40 x 32, of two kinds."""
    where = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    for split, count in (("train", 6), ("valid", 3)):
        for label in ("cat", "dog"):
            (where / split / label).mkdir(parents=True)
            for i in range(count):
                pixels = noise.integers(0, 255, (32, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(where / split / label / f"{i}.png")
    return where


def loaders(folder, **settings):
    defaults = {"bs": 4, "num_workers": 0, "device": "cpu"}
    return ImageDataLoaders.from_folder(folder, **{**defaults, **settings})


def items(folder):
    return sorted((folder / "valid").rglob("*.png"))


def results(learn, chosen):
    return torch.stack([learn.predict(item)[2] for item in chosen])


ELSEWHERE = """
import sys, torch
from layerwise.core.restore import load_learner
torch.set_num_threads(1)  # as in the tests: sums are split among threads
learn = load_learner(sys.argv[1])
torch.save(torch.stack([learn.predict(item)[2] for item in sys.argv[3:]]), sys.argv[2])
"""


def test_s3_vision_a_fresh_process_in_another_folder_predicts_the_same_bits(folder, tmp_path):
    dls = loaders(folder, item_tfms=[RandomResizedCrop(24), FlipItem()], batch_tfms=Flip())
    dls.add_tfms([Normalize.from_stats(*imagenet_stats)], "after_batch")
    torch.manual_seed(0)
    learn = vision_learner(dls, xresnet18, pretrained=False, path=tmp_path / "a")
    with learn.no_logging():
        learn.fit(1)
    file = learn.export()
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    (elsewhere / "run.py").write_text(ELSEWHERE)
    done = subprocess.run(
        [sys.executable, "run.py", str(file), "found", *map(str, items(folder))],
        cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    expected = results(learn, items(folder))
    assert torch.equal(torch.load(elsewhere / "found", weights_only=True), expected)
    content = file.read_bytes()
    assert str(folder).encode() not in content
    assert str(tmp_path).encode() not in content


ARCHITECTURES = {
    "a name of torchvision": partial(vision_learner, arch="squeezenet1_1"),
    "greys": partial(vision_learner, arch="vision/xresnet18", n_in=3, concat_pool=False, ps=0.1),
    "its own head": partial(
        vision_learner,
        arch="resnet18",
        custom_head=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 2)),
    ),
}


@pytest.mark.parametrize("make", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_models_of_vision_learner_are_made_again_without_their_trained_weights(
    make, folder, tmp_path
):
    learn = make(dls=loaders(folder), pretrained=False, path=tmp_path)
    again = load_learner(learn.export())
    assert torch.equal(results(again, items(folder)[:2]), results(learn, items(folder)[:2]))


def test_other_models_are_made_again_too(folder, tmp_path):
    dls = loaders(folder)
    for number, model in enumerate((xresnet18(n_out=2, act_cls=Mish), cnn_for(dls))):
        learn = Learner(dls, model, path=tmp_path)
        again = load_learner(learn.export(f"{number}.lw"))
        assert type(again.model) is type(model)
        assert torch.equal(results(again, items(folder)[:2]), results(learn, items(folder)[:2]))


def test_rows_of_a_frame_leave_the_folder_of_this_computer_behind(folder, tmp_path):
    pd = pytest.importorskip("pandas")
    names = [str(path.relative_to(folder)) for path in items(folder)]
    frame = pd.DataFrame({"name": names, "label": [name.split("/")[1] for name in names]})
    dls = ImageDataLoaders.from_df(
        frame, folder, valid_pct=0.5, seed=0, bs=2, num_workers=0, device="cpu"
    )
    learn = Learner(dls, cnn_for(dls), path=tmp_path)
    file = learn.export()
    assert str(folder).encode() not in file.read_bytes()
    again = load_learner(file)
    picture = PILImage.create(items(folder)[0])
    assert torch.equal(again.predict(picture)[2], learn.predict(picture)[2])
    whole = frame.assign(name=[str(folder / name) for name in names])
    preds = again.get_preds(dl=again.dls.test_dl(whole))[0]
    assert torch.equal(preds, learn.get_preds(dl=learn.dls.test_dl(frame))[0])


def test_masks_keep_the_names_of_their_classes(folder, tmp_path):
    pairs = DataBlock.from_columns((ImageBlock, MaskBlock(["sky", "ground"])), item_tfms=Resize(16))
    chosen = items(folder)
    dls = pairs.dataloaders((chosen, chosen), bs=2, num_workers=0, device="cpu")
    loss = CrossEntropyLossFlat(axis=1)
    learn = Learner(dls, nn.Conv2d(3, 2, 1), loss, path=tmp_path)
    again = load_learner(learn.export())
    found, expected = (one.predict((chosen[0], None))[0] for one in (again, learn))
    assert isinstance(found, TensorMask)
    assert found.codes == ["sky", "ground"]
    assert torch.equal(found.as_plain(), expected.as_plain())


def test_pictures_and_results_are_shown_by_a_loaded_learner(folder, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    dls = loaders(folder)
    again = load_learner(Learner(dls, cnn_for(dls), path=tmp_path).export())
    again.show_results(dl=again.dls.test_dl(items(folder), with_labels=True), max_n=2)
    shown = [axes.get_title() for axes in plt.gcf().axes]
    plt.close("all")
    assert any(title.startswith("cat") for title in shown)


# What a program without torch has to know, in whole: the guide says the same in words.
WITHOUT_TORCH = """
import io, json, sys, zipfile
import numpy as np, onnxruntime
from PIL import Image
from safetensors.numpy import load

bundle, model, target, *pictures = sys.argv[1:]
with zipfile.ZipFile(bundle) as opened:
    pipeline = json.loads(opened.read("pipeline.json"))
    arrays = load(opened.read("arrays.safetensors"))
    step = pipeline["data"]["members"][1]["steps"][1]
    vocab = json.loads(opened.read(f"vocab/{step['vocab']['$vocab']}.json"))
assert pipeline["data"]["members"][0]["steps"] == [{"$name": "function:vision/PILImage.create"}]
session = onnxruntime.InferenceSession(model)
rows = []
for name in pictures:
    x = np.asarray(Image.open(name).convert("RGB"))
    for step in pipeline["after_item"] + pipeline["after_batch"]:
        kind = step["$type"]
        if kind == "transform:core/ToTensor":
            x = x.transpose(2, 0, 1)[None]
        elif kind == "transform:core/IntToFloatTensor":
            x = (x / step["div"]).astype(np.float32)
        elif kind == "transform:core/Normalize":
            x = (x - arrays[step["mean"]["$tensor"]]) / arrays[step["std"]["$tensor"]]
        else:
            raise SystemExit(f"unknown step {kind}")
    (scores,) = session.run(None, {session.get_inputs()[0].name: x})
    powers = np.exp(scores - scores.max())
    rows.append((powers / powers.sum())[0])
np.savez(target, rows=rows, labels=[vocab[row.argmax()] for row in rows])
assert "torch" not in sys.modules
"""


@pytest.mark.skipif(
    not all(importlib.util.find_spec(m) for m in ("onnxruntime", "onnx", "onnxscript")),
    reason="the extra [onnx] is not installed",
)
def test_s6_a_program_without_torch_preprocesses_by_pipeline_json(folder, tmp_path):
    dls = loaders(folder, batch_tfms=Normalize.from_stats(*imagenet_stats))
    learn = Learner(dls, cnn_for(dls), path=tmp_path)
    bundle, model = learn.export(), learn.to_onnx("model.onnx")
    (tmp_path / "run.py").write_text(WITHOUT_TORCH)
    done = subprocess.run(
        [sys.executable, "run.py", bundle, model, "found.npz", *items(folder)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    expected = [load_learner(bundle).predict(item) for item in items(folder)]
    np.testing.assert_allclose(found["rows"], [e[2].numpy() for e in expected], atol=1e-4)
    assert found["labels"].tolist() == [str(e[0]) for e in expected]
