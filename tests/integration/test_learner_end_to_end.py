"""From a folder of pictures to a prediction in another process: train, save, load, predict."""

import json
import subprocess
import sys

import pytest
import torch

from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.sized import cnn_for
from layerwise.core.random import set_seed
from layerwise.core.testing.fakes import make_shapes
from layerwise.vision.data import ImageDataLoaders

ELSEWHERE = """
import json, sys
import torch
from layerwise.core.learner import Learner
from layerwise.core.nn.sized import cnn_for
from layerwise.vision.data import ImageDataLoaders

torch.set_num_threads(1)
shapes, home, *files = sys.argv[1:]
dls = ImageDataLoaders.from_folder(shapes, valid_pct=0.25, seed=1, bs=32, num_workers=0)
learn = Learner(dls, cnn_for(dls), path=home).load("shapes", with_opt=False)
for file in files:
    label, index, probabilities = learn.predict(file)
    print(json.dumps([label, int(index), probabilities.tolist()]))
"""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of 320 small pictures of circles and triangles."""
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes(folder, 320, classes=("circle", "triangle"), size=16)
    return folder


@pytest.fixture(scope="module")
def trained(shapes, tmp_path_factory):
    """A learner that has been trained on them, saved as `shapes`."""
    set_seed(3)
    dls = ImageDataLoaders.from_folder(shapes, valid_pct=0.25, seed=1, bs=32, num_workers=0)
    home = tmp_path_factory.mktemp("home")
    learn = Learner(dls, cnn_for(dls), metrics=accuracy, path=home)
    learn.fit_one_cycle(8, 1e-2)
    learn.save("shapes")
    return learn


def test_it_learns_to_tell_the_shapes_apart(trained):
    assert trained.validate()[1] > 0.9
    assert trained.recorder.values[-1][0] < trained.recorder.values[0][0]


def test_what_it_predicts_is_what_get_preds_gives(trained):
    probabilities, targets = trained.get_preds()
    for i in (0, 7):
        label, index, one = trained.predict(trained.dls.valid.items[i])
        torch.testing.assert_close(one, probabilities[i])
        assert label == trained.dls.vocab[int(index)]
    share = (probabilities.argmax(1) == targets).double().mean().item()
    assert trained.validate()[1] == pytest.approx(share)


def test_another_process_loads_it_and_predicts_the_same(trained, shapes):
    files = [str(item) for item in trained.dls.valid.items[:3]]
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(shapes), str(trained.path), *files],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    for file, (label, index, probabilities) in zip(files, answers, strict=True):
        here = trained.predict(file)
        assert (here[0], int(here[1])) == (label, index)
        assert here[2].tolist() == probabilities
