"""Programs as a reader of a book on this design writes them run unchanged but for their data."""

import runpy
import tarfile
from pathlib import Path
from textwrap import dedent

import pytest
import torch

from layerwise.core.testing.fakes import make_shapes
from layerwise.vision.models.torchvision_models import resnet34
from layerwise.vision.models.zoo import torchvision_models_module

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"

PETS = """
    from layerwise.vision.all import *
    path = untar_data(URLs.PETS)/"images"
    dls = ImageDataLoaders.from_name_func(path, get_image_files(path), valid_pct=0.2, seed=42, label_func=lambda f: f[0].isupper(), item_tfms=Resize(224))
    learn = vision_learner(dls, resnet34, metrics=error_rate)
    learn.fine_tune(1)
"""  # noqa: E501 - as it is printed

DIGITS = """
    from layerwise.vision.all import *
    mnist = DataBlock(blocks=(ImageBlock(cls=PILImageBW), CategoryBlock), get_items=get_image_files,
                      splitter=GrandparentSplitter(train_name="train", valid_name="valid"), get_y=parent_label)
    dls = mnist.dataloaders(untar_data(URLs.MNIST_SAMPLE), bs=64); dls.show_batch()
    learn = Learner(dls, nn.Sequential(nn.Flatten(), nn.Linear(28*28, 2)), opt_func=SGD, loss_func=CrossEntropyLossFlat(), metrics=accuracy)
    learn.fit(2, lr=0.1)
"""  # noqa: E501 - as it is printed


@pytest.fixture
def run(tmp_path):
    """What runs the text of a program as a file of its own, and gives its variables."""

    def run_text(text):
        file = tmp_path / "program.py"
        file.write_text(dedent(text))
        return runpy.run_path(str(file))

    return run_text


@pytest.fixture
def pets_mirror(tmp_path, monkeypatch):
    """A mirror with an archive of pets: Cats have a capital, dogs have none."""
    shapes = make_shapes(tmp_path / "shapes", 24, classes=("circle", "square"), size=(48, 40))
    names = {"circle": "Abyssinian", "square": "beagle"}
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with tarfile.open(mirror / "oxford-iiit-pet.tgz", "w:gz") as archive:
        for shape in shapes:
            new = shape.name.replace(shape.parent.name, names[shape.parent.name])
            archive.add(shape, f"oxford-iiit-pet/images/{new}")
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "home"))


@pytest.fixture
def resnet34_in_cache(tmp_path, monkeypatch):
    """Weights of a resnet34 (random ones) where torchvision keeps what it has downloaded."""
    weights = resnet34().state_dict()
    url = torchvision_models_module().ResNet34_Weights.IMAGENET1K_V1.url
    file = tmp_path / "torch/hub/checkpoints" / Path(url).name
    file.parent.mkdir(parents=True)
    torch.save(weights, file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return weights


def test_the_program_for_pets_runs_as_it_is_printed(run, pets_mirror, resnet34_in_cache):
    made = run(PETS)
    learn, dls = made["learn"], made["dls"]
    assert list(dls.vocab) == [False, True]
    assert (len(dls.train_ds), len(dls.valid_ds)) == (20, 4)
    assert learn.recorder.metric_names[:4] == ["epoch", "train_loss", "valid_loss", "error_rate"]
    losses = torch.tensor(learn.recorder.values[-1])
    assert losses.isfinite().all()
    head = learn.model[1][-1][-1]
    assert head.out_features == 2
    x, _ = dls.one_batch()
    assert x.shape[1:] == (3, 224, 224)


def test_its_body_starts_from_the_weights_that_lie_in_the_cache(
    run, pets_mirror, resnet34_in_cache
):
    learn = run(PETS.replace("learn.fine_tune(1)", ""))["learn"]
    assert torch.equal(learn.model[0][0].weight, resnet34_in_cache["conv1.weight"])
    assert not learn.model[0][0].weight.requires_grad


def test_the_program_for_digits_learns_them(run, tmp_path, monkeypatch):
    monkeypatch.setenv("LAYERWISE_MIRROR", str(EXAMPLES))
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "home"))
    made = run(DIGITS)
    import matplotlib.pyplot as plt

    titles = [ax.get_title() for ax in plt.gcf().axes]
    plt.close("all")
    assert titles
    assert set(titles) <= {"3", "7"}
    values = made["learn"].recorder.values
    assert len(values) == 2
    assert values[-1][-1] > 0.95
