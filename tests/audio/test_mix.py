"""Waves mixed before their spectrograms are made, with the losses of both."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.audio.mix import (
    AudioCutMix,
    AudioCutMixUp,
    AudioCutMixUpAugment,
    AudioMixUp,
    MixWaves,
)
from layerwise.audio.padding import LengthsBeside
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.spectrum import AudioToSpec
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.callback.mixup import MixUp
from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import SGD
from layerwise.core.random import keyed
from layerwise.core.testing.fakes import synth_learner
from layerwise.core.testing.kinds import check_callback, check_transform
from layerwise.core.train.callback import Callback

SR = 8000
CALLBACKS = [AudioMixUp, AudioCutMix, AudioCutMixUp, AudioCutMixUpAugment]


def waves(count=6, size=400):
    made = torch.Generator().manual_seed(0)
    return AudioTensor(torch.randn(count, 1, size, generator=made), sr=SR)


def mixed(x, seed=1, **settings):
    with keyed(seed):
        return MixWaves(**settings)((x, torch.arange(len(x))), split_idx=0)[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 60), st.integers(0, 99))
def test_means_are_what_the_shares_say(count, size, seed):
    x = waves(count, size)
    y = mixed(x, seed)
    share, other = y.mixture
    plain = x.as_plain()
    expected = share.view(-1, 1, 1) * plain + (1 - share).view(-1, 1, 1) * plain[other]
    torch.testing.assert_close(y.as_plain(), expected)
    assert ((share >= 0.5) & (share <= 1)).all()
    assert sorted(other.tolist()) == list(range(count))
    assert y.sr == SR


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 60), st.integers(0, 99))
def test_parts_are_as_long_as_the_shares_say(count, size, seed):
    x = waves(count, size)
    y = mixed(x, seed, mixup_ratio=0, cutmix_ratio=1)
    share, other = y.mixture
    for i, j in enumerate(other.tolist()):
        own, found = x.as_plain()[i], y.as_plain()[i]
        assert torch.equal(torch.where(found == own, own, x.as_plain()[j]), found)
        if i != j:
            assert (found == own).double().mean().item() == pytest.approx(share[i].item())


def test_ratios_choose_the_kind():
    x = waves(300, 50)
    y = mixed(x, mixup_ratio=1, cutmix_ratio=1, plain_ratio=2)
    same = (y.as_plain() == x.as_plain()).all(-1).flatten()
    assert same.double().mean().item() == pytest.approx(0.5, abs=0.12)
    assert (y.mixture.share[~same] < 1).all()
    partly = (y.as_plain() == x.as_plain()).any(-1).flatten() & ~same
    assert partly.double().mean().item() == pytest.approx(0.25, abs=0.1)


def test_lengths_are_those_of_what_is_heard():
    x = AudioTensor(torch.ones(2, 1, 8), sr=SR, lengths=torch.tensor([8, 3]))
    x = AudioTensor(x.as_plain() * (torch.arange(8) < x.lengths.view(-1, 1, 1)), **vars(x))
    for seed in range(20):
        y = mixed(x, seed)
        assert y.lengths.tolist() == ([8, 8] if y.mixture.other.tolist() == [1, 0] else [8, 3])
        cut = mixed(x, seed, mixup_ratio=0, cutmix_ratio=1)
        assert cut.lengths.tolist() == [8, 3]
        assert torch.equal(cut.as_plain(), x.as_plain())  # ones in ones, none in the filling


def test_it_keeps_the_contract_and_the_split():
    check_transform(MixWaves(1, 1, 1), (waves(), torch.arange(6)))
    batch = waves(), torch.arange(6)
    assert MixWaves()(batch, split_idx=1) is batch


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mixup_ratio": -1.0}, "none is below 0"),
        ({"mixup_ratio": 0.0}, "ratios"),
        ({"mix_alpha": 0.0}, "above 0"),
    ],
)
def test_settings_that_cannot_be(settings, told):
    with pytest.raises(ValueError, match=told):
        MixWaves(**settings)


def test_what_is_no_wave_is_refused():
    spectrogram = AudioSpectrogram.create(torch.zeros(2, 1, 5, 5), SpectrogramSettings(sr=SR))
    with pytest.raises(TypeError, match="before they are made"):
        MixWaves()((spectrogram,), split_idx=0)
    with pytest.raises(TypeError, match="AudioTensor \\(B, C, N\\)"):
        MixWaves()((torch.zeros(2, 1, 5),), split_idx=0)


# -- in training ------------------------------------------------------------------------------


class Line(nn.Module):
    """A line from the mean over time to three numbers."""

    def __init__(self, rows):
        super().__init__()
        self.line = nn.Linear(rows, 3)

    def forward(self, x):
        return self.line(x.mean(-1).flatten(1))


class Seen(Callback):
    """Keeps what the model and the loss are given."""

    order = 95

    def before_fit(self):
        self.seen = []

    def after_loss(self):
        learn = self.learn
        batch = learn.batch[0]
        self.seen.append((learn.training, batch, learn.pred, learn.yb[0], learn.loss.item()))


def learner(*cbs, batch_tfms=None, path="."):
    clips = [(AudioTensor(x, sr=SR), i % 3) for i, x in enumerate(waves(24).as_plain())]
    tfms = [AudioToSpec(mel=False, n_fft=128)] if batch_tfms is None else batch_tfms
    block = DataBlock(
        (TransformBlock, CategoryBlock),
        get_x=lambda o: o[0],
        get_y=lambda o: o[1],
        splitter=IndexSplitter(range(16, 24)),
        batch_tfms=tfms,
    )
    torch.manual_seed(0)
    return Learner(
        block.dataloaders(clips, bs=8),
        Line(65),
        loss_func=nn.CrossEntropyLoss(),
        opt_func=SGD,
        lr=0.0,
        cbs=[Seen(), *cbs],
        path=path,
    )


@pytest.mark.parametrize("kind", CALLBACKS)
def test_the_loss_is_that_of_both_targets(kind):
    learn = learner(kind())
    learn.fit(1)
    seen = learn.seen.seen
    trained = [row[1:] for row in seen if row[0]]
    assert len(trained) == 2
    for batch, pred, target, loss in trained:
        share, other = batch.mixture
        own = F.cross_entropy(pred, target, reduction="none")
        others = F.cross_entropy(pred, target[other], reduction="none")
        assert loss == pytest.approx((share * own + (1 - share) * others).mean().item(), rel=1e-5)


@pytest.mark.parametrize("kind", CALLBACKS)
def test_waves_are_mixed_and_then_made_a_spectrogram(kind):
    learn = learner(kind(), batch_tfms=[])  # the waves themselves
    learn.model = Line(1)
    learn.fit(1)
    plain = {tuple(x.flatten().tolist()) for x in waves(24).as_plain()}
    seen = learn.seen.seen
    for is_training, batch, *_ in seen:
        own = [tuple(x.flatten().tolist()) in plain for x in batch.as_plain()]
        if not is_training:
            assert all(own)
            assert "mixture" not in vars(batch)
        else:
            whole = (batch.mixture.share == 1) | (batch.mixture.other == torch.arange(len(batch)))
            assert own == whole.tolist()


def test_the_spectrogram_is_that_of_the_mixed_wave():
    """Not a mixture of spectrograms: the transform stands before the one that makes them."""
    make = AudioToSpec(mel=False, n_fft=128)
    pipeline = learner(AudioMixUp()).dls.train.after_batch
    pipeline.add(MixWaves(), do_setup=False)
    with keyed(3):
        found = pipeline((waves(), torch.arange(6)))[0]
    expected = make(mixed(waves(), 3))
    assert isinstance(found, AudioSpectrogram)
    assert torch.equal(found.as_plain(), expected.as_plain())
    assert torch.equal(found.mixture.share, expected.mixture.share)


@pytest.mark.parametrize("kind", CALLBACKS)
def test_loaders_and_loss_are_as_before_also_after_an_error(kind):
    class Stop(Callback):
        def after_pred(self):
            raise RuntimeError("stop")

    for cbs in ([], [Stop()]):
        learn = learner(kind(), *cbs)
        steps, loss = list(learn.dls.train.after_batch), learn.loss_func
        if cbs:
            with pytest.raises(RuntimeError, match="stop"):
                learn.fit(1)
        else:
            learn.fit(1)
        assert list(learn.dls.train.after_batch) == steps
        assert learn.loss_func is loss


def test_models_that_take_lengths_are_given_mixtures_too():
    class OfPairs(Line):
        def forward(self, x, lengths=None):
            return super().forward(x[0] if isinstance(x, tuple) else x)

    def lengthened(x: AudioTensor) -> AudioTensor:
        return AudioTensor(x.as_plain(), **{**vars(x), "lengths": torch.full((len(x),), 400)})

    learn = learner(
        AudioMixUp(), batch_tfms=[lengthened, AudioToSpec(mel=False, n_fft=128), LengthsBeside()]
    )
    learn.model = OfPairs(65)
    learn.fit(1)
    seen = learn.seen.seen
    assert all(hasattr(batch[0], "mixture") for is_training, batch, *_ in seen if is_training)


def test_the_end_of_a_training_may_do_without():
    for finetune, expected in ((1, [True, True, False]), (0.7, [True, False, False])):
        learn = learner(AudioCutMixUpAugment(augment_finetune=finetune))
        epochs: list[bool] = []

        class Watch(Callback):
            order = 99

            def before_batch(self, epochs=epochs):
                if self.learn.training and self.learn.iter == 0:
                    epochs.append("mixture" in vars(self.learn.batch[0]))

        learn.fit(3, cbs=Watch())
        assert epochs == expected


def test_runs_repeat():
    def losses():
        torch.manual_seed(5)
        learn = learner(AudioCutMixUp())
        learn.fit(2)
        return [row[-1] for row in learn.seen.seen]

    assert losses() == losses()


def test_two_of_a_kind_are_refused():
    with pytest.raises(ValueError, match="AudioMixUp and"):
        learner(AudioMixUp(), MixUp()).fit(1)


def test_loaders_without_batch_transforms_are_refused():
    learn = learner(AudioMixUp())
    data = [(torch.zeros(65, 3), torch.tensor(0))] * 8
    learn.dls = type("Two", (), {"train": torch.utils.data.DataLoader(data), "valid": []})()
    with pytest.raises(TypeError, match="take loaders of layerwise"):
        learn.fit(1)


def test_other_numbers_are_refused():
    with pytest.raises(ValueError, match="augment_finetune=-1"):
        AudioCutMixUpAugment(augment_finetune=-1)
    with pytest.raises(ValueError, match="alpha=0"):
        AudioMixUp(0)
    wrong = {"alhpa": 0}
    with pytest.raises(TypeError, match="Did you mean 'alpha'"):
        AudioMixUp(**wrong)


def test_a_batch_of_nothing_is_no_mixture():
    assert "mixture" not in vars(mixed(waves(0)))


def test_a_training_loader_that_does_not_know_its_split_is_mixed_too():
    learn = synth_learner(cbs=AudioMixUp())  # whose batches are numbers
    with pytest.raises(DataError, match="mixed are batches of signals"):
        learn.fit(1)


@pytest.mark.parametrize("kind", CALLBACKS)
def test_the_contract_of_callbacks_holds(kind):
    check_callback(kind(), make_learner=learner)
