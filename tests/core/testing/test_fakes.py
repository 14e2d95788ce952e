"""Made-up data repeat, can be learnt, and leave the random states alone."""

import builtins
import sys

import pytest
import torch

from layerwise.core.errors import MissingDependencyError
from layerwise.core.random import get_random_states
from layerwise.core.testing import (
    RegModel,
    VerboseCallback,
    assert_equal,
    make_shapes,
    raises_with,
    synth_classifier,
    synth_dbunch,
    synth_dls,
    synth_learner,
)
from layerwise.core.train.events import Event


def test_points_lie_along_the_line():
    dls = synth_dls(a=4, b=-1, bs=50, n_train=20)
    x, y = dls.train_ds.tensors
    assert x.shape == y.shape == (1000, 1)
    slope, intercept = torch.linalg.lstsq(torch.cat([x, torch.ones_like(x)], 1), y)[0].flatten()
    assert slope.item() == pytest.approx(4, abs=0.02)
    assert intercept.item() == pytest.approx(-1, abs=0.02)
    assert (y - 4 * x + 1).std().item() == pytest.approx(0.1, abs=0.01)


def test_loaders_have_the_sizes_asked_for():
    dls = synth_dbunch(bs=5, n_train=4, n_valid=3)
    assert (len(dls.train), len(dls.valid), dls.train.bs) == (4, 3, 5)
    assert dls.device == torch.device("cpu")


def test_a_seed_repeats_and_another_gives_other_points():
    assert_equal(synth_dls().valid.one_batch(), synth_dls().valid.one_batch())
    assert not torch.equal(synth_dls(seed=1).valid_ds[0][0], synth_dls(seed=2).valid_ds[0][0])


@pytest.mark.parametrize("make", [synth_learner, synth_classifier])
def test_making_a_learner_draws_nothing_from_the_global_generators(make):
    before = get_random_states()
    make()
    assert_equal(get_random_states(), before)


def test_the_learner_learns_the_line():
    learn = synth_learner(lr=0.02)
    with learn.no_logging():
        learn.fit(12)
    weights = {name: value.item() for name, value in learn.model.named_parameters()}
    assert weights == pytest.approx({"a": 2, "b": 3}, abs=0.1)


def test_the_learner_takes_other_parts():
    model, dls = RegModel(1, 2), synth_dls(bs=2)
    learn = synth_learner(dls=dls, model=model, loss_func=torch.nn.L1Loss(), path="here")
    assert learn.model is model
    assert learn.dls is dls
    assert learn.path.name == "here"
    assert isinstance(learn.loss_func, torch.nn.L1Loss)


def test_the_classifier_is_mostly_right_and_gets_better():
    learn = synth_classifier(n_train=300, n_valid=300)
    before = learn.validate()[0]
    assert 0.3 < (learn.get_preds()[0].argmax(1) == learn.get_preds()[1]).float().mean() < 0.95
    with learn.no_logging():
        learn.fit(3, lr=0.05)
    assert learn.validate()[0] < before


def test_the_verbose_callback_prints_events_in_order(capsys):
    learn = synth_learner(n_train=1, n_valid=1, cbs=VerboseCallback())
    with learn.no_logging():
        learn.fit(1)
    printed = capsys.readouterr().out.split()
    assert printed[0] == "after_create"
    assert printed[1:4] == ["before_fit", "before_epoch", "before_train"]
    assert printed[-1] == "after_fit"
    assert set(printed) == {e.value for e in Event if "cancel" not in e}


# -- pictures ------------------------------------------------------------------------------


def test_shapes_are_in_folders_of_their_class(tmp_path):
    paths = make_shapes(tmp_path, 7, classes=("square", "circle"), size=(20, 10), suffix=".jpg")
    image = pytest.importorskip("PIL.Image")
    assert [p.relative_to(tmp_path).as_posix() for p in paths[:3]] == [
        "square/square_0.jpg",
        "circle/circle_1.jpg",
        "square/square_2.jpg",
    ]
    assert len(paths) == 7
    for path in paths:
        with image.open(path) as picture:
            assert (picture.size, picture.mode, picture.format) == ((20, 10), "RGB", "JPEG")


def test_shapes_repeat_by_seed(tmp_path):
    pytest.importorskip("PIL")
    same = [make_shapes(tmp_path / name, 3)[2].read_bytes() for name in ("one", "two")]
    assert same[0] == same[1]
    assert make_shapes(tmp_path / "other", 3, seed=1)[2].read_bytes() != same[0]


def test_a_shape_fills_the_part_of_its_square_that_geometry_says(tmp_path):
    image = pytest.importorskip("PIL.Image")
    import numpy as np

    shares = {"circle": np.pi / 4, "square": 1.0, "triangle": 0.5}
    for path in make_shapes(tmp_path, 9, size=200):
        with image.open(path) as picture:
            pixels = np.asarray(picture).astype(int)
        values, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
        assert len(values) == 2
        for value, count in zip(values, counts, strict=True):
            rows, columns = np.nonzero((pixels == value).all(2))
            height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
            if height < 200:  # the shape; the ground reaches every edge
                assert count / (height * width) == pytest.approx(shares[path.parent.name], abs=0.02)


def test_an_unknown_shape_and_a_missing_pillow_are_named(tmp_path, monkeypatch):
    pytest.importorskip("PIL")
    with raises_with(ValueError, "['star']", "triangle"):
        make_shapes(tmp_path, classes=("circle", "star"))
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("PIL"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    for name in [n for n in sys.modules if n == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with raises_with(MissingDependencyError, "pillow", "pip install 'layerwise-vision'"):
        make_shapes(tmp_path)
