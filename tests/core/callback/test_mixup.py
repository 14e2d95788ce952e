from math import exp, lgamma, log

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.mixup import CutMix, MixHandler, MixUp, reduce_loss
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.multilabel import accuracy_multi
from layerwise.core.nn.losses import (
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    FocalLossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)
from layerwise.core.optim.algorithms import SGD
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelBatchException, CancelFitException
from layerwise.core.train.recorder import Recorder

WEIGHT = torch.tensor([1.0, 3.0, 0.5])


def pictures(kind="classes", count=24):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(count, 2, 6, 6, generator=draw)
    y = torch.arange(count) % 3
    targets = {
        "classes": y,
        "one-hot": F.one_hot(y, 3).float(),
        "labels": torch.randint(0, 2, (count, 3), generator=draw),
        "numbers": torch.randn(count, 3, generator=draw),
        "masks": torch.randint(0, 3, (count, 6, 6), generator=draw),
    }
    return list(zip(x, targets[kind], strict=True))


class Flat(nn.Module):
    """A line from pictures to three numbers."""

    def __init__(self):
        super().__init__()
        self.line = nn.Linear(72, 3)

    def forward(self, x):
        return self.line(x.flatten(1))


def mix_learner(cbs=(), kind="classes", loss=None, path=".", model=None, lr=0.1, metrics=None):
    torch.manual_seed(0)
    data = pictures(kind)
    dls = DataLoaders(DataLoader(data, 8), DataLoader(data[:8], 8))
    model = model or Flat()
    loss = loss or CrossEntropyLossFlat()
    learn = Learner(dls, model, loss, SGD, lr=lr, cbs=cbs, path=path, metrics=metrics)
    learn.logger = lambda row: None
    return learn


class Batches(Callback):
    """Keeps what went in and what came out of every training batch."""

    order = 95
    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def after_loss(self):
        learn = self.learn
        loss = learn.loss_func
        self.seen.append(
            (
                learn.batch[0],
                learn.x,
                learn.pred.detach(),
                learn.y,
                learn.loss,
                loss.share,
                loss.other,
            )
        )


def seen_by(mix, **settings):
    keep = Batches()
    mix_learner([mix, keep], **settings).fit(2)
    assert len(keep.seen) == 6
    return keep.seen


def soft(y, other, share):
    """One-hot targets of mixtures."""
    hot = F.one_hot(y, 3).float()
    return torch.lerp(hot[other], hot, share.expand(len(y))[:, None])


MIXES = {"mixup": MixUp, "cutmix": CutMix}


@pytest.mark.parametrize("mix", MIXES)
def test_an_item_is_mixed_with_another_by_its_share(mix):
    for x, mixed, _, _, _, share, other in seen_by(MIXES[mix]()):
        assert bool((share >= 0.5).all())
        assert bool((share <= 1).all())
        assert sorted(other.tolist()) == list(range(8))
        x = torch.as_tensor(x)
        if mix == "mixup":
            parts = share[:, None, None, None]
            torch.testing.assert_close(mixed, parts * x + (1 - parts) * x[other])
        else:
            kept = (mixed == x).all(1)
            pasted = (mixed == x[other]).all(1)
            assert bool((kept | pasted).all())
            moved = (other != torch.arange(8)).nonzero()[0]
            torch.testing.assert_close(kept[moved].float().mean(), share[0])


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("smooth", [0.0, 0.1])
def test_classes_are_mixed_as_soft_targets_of_torch(mix, smooth):
    losses = [CrossEntropyLossFlat(label_smoothing=smooth), nn.CrossEntropyLoss()]
    losses += [LabelSmoothingCrossEntropyFlat(eps=smooth), LabelSmoothingCrossEntropy(smooth)]
    for loss in losses[:1] + losses[2:] if smooth else losses:
        for _, _, pred, y, shown, share, other in seen_by(MIXES[mix](), loss=loss):
            wanted = F.cross_entropy(pred, soft(y, other, share), label_smoothing=smooth)
            torch.testing.assert_close(shown, wanted)


def test_a_mean_by_class_weights_counts_the_mixed_weight():
    for _, _, pred, y, shown, share, other in seen_by(MixUp(), loss=CrossEntropyLossFlat(WEIGHT)):
        own, others = (F.cross_entropy(pred, t, WEIGHT, reduction="none") for t in (y, y[other]))
        above = (share * own + (1 - share) * others).sum()
        below = (share * WEIGHT[y] + (1 - share) * WEIGHT[y[other]]).sum()
        torch.testing.assert_close(shown, above / below)


def test_a_sum_stays_a_sum():
    loss = CrossEntropyLossFlat(reduction="sum")
    for _, _, pred, y, shown, share, other in seen_by(MixUp(), loss=loss, lr=1e-3):
        wanted = F.cross_entropy(pred, soft(y, other, share), reduction="sum")
        torch.testing.assert_close(shown, wanted)


OTHERS = {
    "one-hot": CrossEntropyLossFlat(),
    "labels": BCEWithLogitsLossFlat(),
    "numbers": MSELossFlat(),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_losses_get_the_mixed_target(kind):
    loss = OTHERS[kind]
    for _, _, pred, y, shown, share, other in seen_by(CutMix(), kind=kind, loss=loss):
        mixed = torch.lerp(y.float()[other], y.float(), share[:, None])
        torch.testing.assert_close(shown, loss(pred, mixed))


def test_focal_losses_are_mixed_item_by_item():
    for _, _, pred, y, shown, share, other in seen_by(MixUp(), loss=FocalLossFlat()):
        entropy = [F.cross_entropy(pred, t, reduction="none") for t in (y, y[other])]
        own, others = ((1 - torch.exp(-e)) ** 2 * e for e in entropy)
        torch.testing.assert_close(shown, (share * own + (1 - share) * others).mean())


def test_masks_are_mixed_pixel_by_pixel():
    model = nn.Conv2d(2, 3, 1)
    loss = CrossEntropyLossFlat(axis=1)
    for _, _, pred, y, shown, share, other in seen_by(
        MixUp(), kind="masks", loss=loss, model=model
    ):
        hot = F.one_hot(y, 3).movedim(-1, 1).float()
        mixed = torch.lerp(hot[other], hot, share[:, None, None, None])
        torch.testing.assert_close(shown, F.cross_entropy(pred, mixed))


def test_cutmix_refuses_masks():
    learn = mix_learner(CutMix(), kind="masks", loss=CrossEntropyLossFlat(axis=1))
    with pytest.raises(ValueError, match="MixUp takes them"):
        learn.fit(1)


@pytest.mark.parametrize("mix", MIXES)
def test_validation_is_not_touched(mix):
    plain = mix_learner()
    learn = mix_learner(MIXES[mix](), model=plain.model)
    assert learn.validate() == plain.validate()
    torch.testing.assert_close(learn.get_preds(), plain.get_preds())
    learn.fit(1)
    plain.model = learn.model
    assert learn.recorder.values[0][1] == pytest.approx(plain.validate()[0])


@pytest.mark.parametrize("mix", MIXES)
def test_metrics_over_training_batches_see_the_larger_part(mix):
    learn = mix_learner(metrics=accuracy)
    learn.remove_cb(Recorder)
    learn.add_cbs([Recorder(train_metrics=True), MIXES[mix]()])
    learn.fit(8)
    assert learn.recorder.metric_names[2] == "train_accuracy"
    assert learn.recorder.values[-1][1] > 0.6
    several = mix_learner(kind="labels", loss=BCEWithLogitsLossFlat(), metrics=accuracy_multi)
    several.remove_cb(Recorder)
    several.add_cbs([Recorder(train_metrics=True), MIXES[mix]()])
    several.fit(1)
    assert 0 <= several.recorder.values[0][1] <= 1


@pytest.mark.parametrize("mix", MIXES)
def test_it_keeps_the_contract(mix):
    check_callback(MIXES[mix](), make_learner=lambda path: mix_learner(path=path))


@pytest.mark.parametrize("error", [CancelBatchException, CancelFitException, RuntimeError])
def test_the_loss_function_is_put_back_whatever_happens(error):
    def stop():
        raise error

    loss = CrossEntropyLossFlat()
    learn = mix_learner([MixUp(), Callback(after_pred=stop)], loss=loss)
    if error is RuntimeError:
        with pytest.raises(RuntimeError):
            learn.fit(1)
    else:
        learn.fit(1)
    assert learn.loss_func is loss


def test_draws_come_from_the_global_generator():
    found = []
    for seed in (1, 1, 2):
        learn = mix_learner(MixUp())
        torch.manual_seed(seed)
        learn.fit(1)
        found.append(torch.cat([p.flatten() for p in learn.model.parameters()]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@settings(max_examples=20, deadline=None)
@given(alpha=st.floats(0.05, 20), seed=st.integers(0, 99))
def test_shares_have_the_distribution_of_the_larger_of_two(alpha, seed):
    torch.manual_seed(seed)
    drawn = MixUp(alpha).draw_share(4000)
    # Half, and the mean absolute deviation of a Beta(a, a): 2 a^2a / (B(a, a) (2a)^(2a + 1)).
    beta = 2 * lgamma(alpha) - lgamma(2 * alpha)
    deviation = 2 * exp(2 * alpha * log(alpha) - (2 * alpha + 1) * log(2 * alpha) - beta)
    assert drawn.mean().item() == pytest.approx(0.5 + deviation, abs=0.015)
    assert drawn.min() >= 0.5
    assert drawn.max() <= 1


def test_what_cannot_be_mixed_is_named():
    class Ids(nn.Embedding):
        def forward(self, x):
            return super().forward(x).mean(1)

    data = [(torch.tensor([1, 2]), torch.tensor(0)) for _ in range(4)]
    learn = mix_learner(MixUp(), model=Ids(3, 3))
    learn.dls = DataLoaders(DataLoader(data, 2), DataLoader(data, 2))
    with pytest.raises(TypeError, match=r"torch\.int64 of shape \(2, 2\)"):
        learn.fit(1)
    flat = [(torch.randn(72), torch.tensor(0)) for _ in range(4)]
    learn = mix_learner(CutMix())
    learn.dls = DataLoaders(DataLoader(flat, 2), DataLoader(flat, 2))
    with pytest.raises(TypeError, match="MixUp takes any"):
        learn.fit(1)

    def own(pred, y):
        return F.cross_entropy(pred, y)

    with pytest.raises(TypeError, match="reduction") as found:
        mix_learner(MixUp(), loss=own).fit(1)
    assert any("one loss an item" in note for note in found.value.__notes__)


@pytest.mark.parametrize("make", [MixUp, CutMix, MixHandler])
def test_a_distribution_that_is_none_is_refused(make):
    with pytest.raises(ValueError, match="above 0"):
        make(0.0)


def test_a_handler_has_to_mix():
    with pytest.raises(NotImplementedError, match="define `mix`"):
        mix_learner(MixHandler(0.4)).fit(1)


def test_losses_are_reduced_as_asked():
    loss = torch.tensor([1.0, 2.0, 6.0])
    assert [reduce_loss(loss, how).tolist() for how in ("mean", "sum", "none")] == [3, 9, [1, 2, 6]]
    with pytest.raises(ValueError, match="reduction"):
        reduce_loss(loss, "median")
