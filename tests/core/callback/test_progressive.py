"""`ProgressiveResizing`: which sizes when, and what becomes of images, masks and other targets."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.progressive import ProgressiveResizing
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.tensors import TensorImage, TensorMask
from layerwise.core.train.callback import Callback


class Looks(Callback):
    order = 5

    def __init__(self):
        super().__init__()
        self.train, self.valid = [], []

    def before_batch(self):
        learn = self.learn
        seen = self.train if learn.training else self.valid
        seen.append((learn.xb, learn.yb, learn.batch))

    def sizes(self, seen):
        return [tuple(xb[0].shape[-2:]) for xb, _, _ in seen]


def learner(data, path=".", cbs=(), **settings):
    looks = Looks()
    dls = DataLoaders(DataLoader(data, 2), DataLoader(data[:2], 2))
    resizing = ProgressiveResizing(multiple=4, **settings)
    model = nn.Sequential(nn.Conv2d(1, 1, 1))
    more = list(cbs) if isinstance(cbs, list | tuple) else [cbs]
    learn = Learner(
        dls, model, lambda pred, *y: pred.mean(), cbs=[resizing, looks, *more], path=path
    )
    learn.logger = lambda row: None
    return learn, looks


def images(count=4, size=(16, 24)):
    return [TensorImage(torch.rand(1, *size)) for _ in range(count)]


def test_sizes_grow_on_schedule_and_validation_is_whole():
    learn, looks = learner([(x, torch.tensor(0)) for x in images(10)], start=0.2, finish=0.6)
    with learn.no_bar():
        learn.fit(2)
    # Ten batches: two small, then four sizes on the way, then whole; by hand.
    heights = [8, 8, 8, 12, 12, 16, 16, 16, 16, 16]
    scales = [0.5, 0.5, 0.5, 0.625, 0.75, 0.875, 1, 1, 1, 1]
    widths = [int(24 * s / 4 + 0.5) * 4 for s in scales]
    heights = [int(16 * s / 4 + 0.5) * 4 for s in scales]
    assert looks.sizes(looks.train) == list(zip(heights, widths, strict=True))
    assert set(looks.sizes(looks.valid)) == {(16, 24)}
    assert learn.progressive_resizing.size == (16, 24)


def test_a_training_that_goes_on_has_the_sizes_of_one_that_was_never_stopped(tmp_path):
    def fails():
        if learn.train_iter == 5 and learn.training:
            raise KeyError

    data = [(x, torch.tensor(0)) for x in images(10)]
    whole, looks = learner(data)
    with whole.no_bar():
        whole.fit(2)
    kept = Checkpoint("1ba", background=False, signals=())
    learn, first = learner(data, path=tmp_path, cbs=[kept, Callback(before_backward=fails)])
    with learn.no_bar(), pytest.raises(KeyError):
        learn.fit(2)
    kept = Checkpoint("1ba", background=False, signals=())
    resumed, rest = learner(data, path=tmp_path, cbs=kept)
    with resumed.no_bar():
        resumed.fit(2, resume=True)
    sizes = looks.sizes(looks.train)
    assert first.sizes(first.train)[:5] == sizes[:5]
    assert rest.sizes(rest.train) == sizes[5:]
    assert len(set(sizes)) > 2


@given(
    st.floats(0.05, 1), st.floats(0, 1), st.floats(0, 1), st.integers(1, 64),
    st.floats(0, 1), st.integers(1, 300), st.integers(1, 300),
)  # fmt: skip
def test_a_size_is_a_multiple_or_whole_and_never_too_large(initial, a, b, multiple, pct, h, w):
    resizing = ProgressiveResizing(initial, min(a, b), max(a, b), multiple)
    for side, full in zip(resizing.size_at(pct, (h, w)), (h, w), strict=True):
        assert 1 <= side <= full
        assert side == full or side % multiple == 0
    assert resizing.size_at(max(a, b), (h, w)) == (h, w)


def test_a_schedule_of_ones_own():
    late = ProgressiveResizing(0.5, 0.0, 1.0, 1, schedule=lambda share: share**2)
    assert late.size_at(0.5, (100, 200)) == (63, 125)


def test_images_are_interpolated_and_masks_keep_their_classes():
    masks = [TensorMask(torch.randint(0, 250, (16, 24), dtype=torch.uint8)) for _ in range(4)]
    learn, looks = learner(list(zip(images(), masks, strict=True)), start=1.0, finish=1.0)
    with learn.no_bar():
        learn.fit(1)
    (x,), (y,), (whole, mask) = looks.train[0]
    expected = F.interpolate(
        whole.as_subclass(torch.Tensor), (8, 12), mode="bilinear", antialias=True
    )
    torch.testing.assert_close(x, expected)
    assert y.shape == (2, 8, 12)
    assert y.dtype == torch.uint8
    # The nearest pixel of a picture half as large is one of the four that it stands for.
    mask = mask.as_subclass(torch.Tensor)
    four = mask.unflatten(1, (8, 2)).unflatten(3, (12, 2))
    assert (four == y[:, :, None, :, None]).any(4).any(2).all()


def test_masks_of_floating_numbers_stay_what_they_are():
    masks = [TensorMask((torch.rand(1, 16, 24) > 0.5).float()) for _ in range(4)]
    learn, looks = learner(list(zip(images(), masks, strict=True)), start=1.0, finish=1.0)
    with learn.no_bar():
        learn.fit(1)
    assert set(looks.train[0][1][0].unique().tolist()) <= {0.0, 1.0}


def test_image_targets_are_interpolated_and_others_left():
    data = [(x, x * 2, torch.rand(4, 2)) for x in images()]
    looks = Looks()
    dls = DataLoaders(DataLoader(data, 2), n_inp=1)
    resizing = ProgressiveResizing(multiple=4, start=1.0, finish=1.0)
    learn = Learner(dls, nn.Conv2d(1, 1, 1), lambda p, *t: p.mean(), cbs=[resizing, looks])
    learn.logger = lambda row: None
    with learn.no_bar():
        learn.fit(1)
    (x,), (y, points), (_, _, given) = looks.train[0]
    torch.testing.assert_close(y, 2 * x)
    assert torch.equal(points, given)


def test_pictures_too_small_for_its_steps_are_told():
    data = [(x, x.mean()) for x in images()]
    for settings, told in (({}, 1), ({"initial": 1.0}, 0), ({"multiple": 4}, 0)):
        learn = Learner(
            DataLoaders(DataLoader(data, 2)),
            nn.Conv2d(1, 1, 1),
            lambda p, *t: p.mean(),
            cbs=ProgressiveResizing(**settings),
        )
        with warnings.catch_warnings(record=True) as heard, learn.no_logging():
            warnings.simplefilter("always")
            learn.fit(2)
        texts = [str(w.message) for w in heard]
        assert len(texts) == told, settings
        assert all("16 x 24" in t and "smaller multiple than 32" in t for t in texts)


def test_inputs_without_images_are_refused(make_learner):
    with pytest.raises(ValueError, match="found no pictures among the inputs"):
        make_learner(cbs=ProgressiveResizing()).fit(1)


@pytest.mark.parametrize(
    "settings",
    [{"initial": 0}, {"initial": 1.5}, {"start": 0.9}, {"finish": 1.2}, {"multiple": 0}],
    ids=str,
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ProgressiveResizing(**settings)
