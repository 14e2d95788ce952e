"""Transforms from signals to spectrograms, and of spectrograms: numbers, metadata, errors."""

import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.audio.features import Delta, TfmResize
from layerwise.audio.levels import AmplitudeToDB, AmplitudeToDBMode, AudioNormalize
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.spectrum import (
    AudioToMFCC,
    AudioToSpec,
    MelSpectrogram,
    Spectrogram,
    SpectrogramTransformer,
    gives_spectrogram,
)
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.settings import settings_of
from layerwise.core.transforms.transform import Transform

SR = 8000
MAKERS = [Spectrogram, MelSpectrogram, AudioToSpec, AudioToMFCC]


def noise(*shape, **meta):
    draw = torch.Generator().manual_seed(0)
    return AudioTensor(torch.randn(*shape, generator=draw), sr=SR, **meta)


def padded(lengths, channels=1):
    """A batch of noise, filled up with zeros, and its items alone."""
    clips = [noise(channels, n) for n in lengths]
    batch = torch.zeros(len(clips), channels, max(lengths))
    for row, clip in zip(batch, clips, strict=True):
        row[:, : clip.nsamples] = clip.as_plain()
    return AudioTensor(batch, sr=SR, lengths=torch.tensor(lengths)), clips


# -- numbers -------------------------------------------------------------------------------


def test_spectrograms_are_those_of_librosa():
    librosa = pytest.importorskip("librosa", reason="librosa is what results are compared with")
    x = noise(2, 4000)
    y = x.numpy()
    frames = {"n_fft": 256, "hop_length": 100}
    bands = librosa.feature.melspectrogram(y=y, sr=SR, n_mels=32, fmin=50, fmax=3000, **frames)
    mel = {"n_mels": 32, "f_min": 50, "f_max": 3000, **frames}
    expected = {
        Spectrogram(**frames): abs(librosa.stft(y, **frames)) ** 2,
        Spectrogram(**frames, power=1): abs(librosa.stft(y, **frames)),
        MelSpectrogram(**mel): bands,
        AudioToSpec(**mel): librosa.power_to_db(bands),
        AudioToSpec(**mel, top_db=None, ref=0.1): librosa.power_to_db(bands, ref=0.1, top_db=None),
        AudioToSpec(**mel, to_db=False): bands,
        AudioToMFCC(13, **mel): librosa.feature.mfcc(S=librosa.power_to_db(bands), n_mfcc=13),
    }
    for transform, values in expected.items():
        found = transform(x)
        assert type(found) is AudioSpectrogram
        torch.testing.assert_close(
            found.as_plain(), torch.tensor(values), rtol=1e-4, atol=1e-5 * abs(values).max()
        )


@pytest.mark.parametrize("maker", MAKERS)
def test_a_batch_gives_what_its_items_give(maker):
    transform = maker(n_fft=256)
    batch = noise(3, 2, 2000)
    found = transform(batch)
    alone = torch.stack([transform(item) for item in batch])
    torch.testing.assert_close(found.as_plain(), alone.as_plain(), rtol=1e-4, atol=1e-4)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(200, 1500), min_size=1, max_size=4), st.sampled_from(MAKERS))
def test_a_filled_up_clip_gives_what_it_gives_alone(lengths, maker):
    batch, clips = padded(lengths)
    steps = [maker(n_fft=128), Delta(width=5)]
    for normalise in (None, AudioNormalize(per_item=True)):
        every = [*steps, *([normalise] if normalise else [])]
        whole = batch
        for step in every:
            whole = step(whole)
        assert whole.lengths.max() == whole.width
        for item, clip in zip(whole, clips, strict=True):
            alone = clip
            for step in every:
                alone = step(alone)
            assert item.shape == alone.shape
            torch.testing.assert_close(item.as_plain(), alone.as_plain(), rtol=1e-3, atol=2e-3)


# -- what is known of them -----------------------------------------------------------------


def test_all_settings_arrive_in_the_spectrogram():
    x = noise(1, 4000, source="here")
    found = AudioToSpec(
        n_fft=256, win_length=200, hop_length=50, window="hamming", center=False,
        pad_mode="reflect", power=1, n_mels=20, f_min=20, f_max=3000, htk=True, norm=None,
        top_db=60,
    )(x)  # fmt: skip
    assert found.settings == SpectrogramSettings(
        sr=SR, kind="mel", n_fft=256, win_length=200, hop_length=50, window="hamming",
        center=False, pad_mode="reflect", power=1, n_mels=20, f_min=20, f_max=3000, htk=True,
        norm=None, to_db=True, top_db=60,
    )  # fmt: skip
    assert found.source == "here"
    assert AudioToMFCC(7)(x).n_mfcc == 7
    assert (AudioToMFCC()(x).kind, Spectrogram()(x).kind, MelSpectrogram()(x).kind) == (
        "mfcc",
        "linear",
        "mel",
    )


CHANGED = {
    "mel": False, "to_db": False, "n_fft": 256, "win_length": 500, "hop_length": 100,
    "window": "hamming", "center": False, "pad_mode": "replicate", "power": 1.0, "n_mels": 20,
    "f_min": 100.0, "f_max": 2000.0, "htk": True, "norm": None, "ref": 2.0, "top_db": 20.0,
    "n_mfcc": 5,
}  # fmt: skip


@pytest.mark.parametrize("maker", MAKERS)
def test_no_setting_is_without_effect(maker):
    x = noise(1, 4000) + 0.5
    usual = maker()(x).as_plain()
    for name in inspect.signature(maker.__init__).parameters:
        if name != "self":
            found = maker(**{name: CHANGED[name]})(x).as_plain()
            assert found.shape != usual.shape or not torch.allclose(found, usual), name


@pytest.mark.parametrize("maker", MAKERS)
def test_it_is_made_again_from_its_settings(maker):
    made = maker(n_fft=512, hop_length=100)
    assert settings_of(maker(**settings_of(made))) == settings_of(made)
    assert settings_of(made)["n_fft"] == 512


def test_unknown_settings_are_refused_with_the_nearest():
    for make in (AudioToSpec, MelSpectrogram, SpectrogramTransformer(), AudioToMFCC):
        with pytest.raises(TypeError, match="Did you mean 'n_mels'"):
            make(n_mel=64)  # type: ignore[call-arg]  # what is tested
    with pytest.raises(TypeError, match="Did you mean 'hop_length'"):
        AudioToSpec.from_cfg({"hop_lenght": 64})
    with pytest.raises(TypeError, match="takes a configuration"):
        AudioToSpec.from_cfg(64)


def test_settings_that_say_nothing_are_refused():
    with pytest.raises(ValueError, match="n_mels=64 says something about mel bands"):
        AudioToSpec(mel=False, n_mels=64)
    with pytest.raises(ValueError, match="top_db=60 says something about decibels"):
        AudioToSpec(to_db=False, top_db=60)
    with pytest.raises(ValueError, match="to_db='False'; give True or False"):
        AudioToSpec(to_db="False")
    with pytest.raises(ValueError, match="n_mfcc=30"):
        AudioToMFCC(30, n_mels=20)


@pytest.mark.parametrize("mel", [True, False])
@pytest.mark.parametrize("to_db", [True, False])
def test_the_factory_has_the_signature_of_what_it_makes(mel, to_db):
    make = SpectrogramTransformer(mel=mel, to_db=to_db)
    names = set(inspect.signature(make).parameters)
    assert ("n_mels" in names, "top_db" in names) == (mel, to_db)
    assert {"n_fft", "hop_length"} <= names
    made = make(n_fft=256)
    assert (made.mel, made.to_db, made.n_fft) == (mel, to_db, 256)


def test_which_steps_make_spectrograms():
    class Own(Transform):
        def encodes(self, x: AudioTensor) -> AudioSpectrogram:
            return Spectrogram()(x)

    assert all(gives_spectrogram(step) for step in (Own(), *(maker() for maker in MAKERS)))
    assert not any(gives_spectrogram(step) for step in (Delta(), TfmResize(3), len, Transform()))


def test_others_pass():
    for transform in (AudioToSpec(), AudioToMFCC(), AmplitudeToDB(), Delta(), TfmResize(3)):
        assert transform(3) == 3
        assert torch.equal(transform(torch.ones(3)), torch.ones(3))


# -- decibels ------------------------------------------------------------------------------


def test_amplitudes_and_powers_give_the_same_decibels():
    x = noise(2, 1, 4000)
    of_power = AmplitudeToDB()(Spectrogram(256)(x))
    of_amplitude = AmplitudeToDB()(Spectrogram(256, power=1)(x))
    torch.testing.assert_close(of_power.as_plain(), of_amplitude.as_plain(), atol=1e-3, rtol=0)
    assert of_power.to_db
    assert of_power.top_db == 80
    forced = AmplitudeToDB(AmplitudeToDBMode.Magnitude)(Spectrogram(256)(x))
    torch.testing.assert_close(
        forced.as_plain().amax(), 2 * of_power.as_plain().amax(), atol=1e-3, rtol=0
    )


def test_each_item_has_its_own_loudest():
    x = noise(2, 1, 2000)
    x[1] *= 1e-3
    found = AmplitudeToDB(ref="max", top_db=40)(Spectrogram(256)(x))
    assert found.amax((1, 2, 3)).tolist() == [0, 0]
    assert found.amin((1, 2, 3)).tolist() == [-40, -40]


def test_decibels_of_decibels_are_refused():
    x = AudioToSpec()(noise(1, 2000))
    with pytest.raises(ValueError, match="decibels already"):
        AmplitudeToDB()(x)
    with pytest.raises(ValueError, match="coefficients"):
        AmplitudeToDB()(AudioToMFCC()(noise(1, 2000)))
    with pytest.raises(ValueError, match="Did you mean 'magnitude'"):
        AmplitudeToDB("magnitud")


# -- normalising ---------------------------------------------------------------------------


class OneBatch:
    def __init__(self, x):
        self.x = x

    def one_batch(self):
        return self.x, torch.zeros(len(self.x))


@pytest.mark.parametrize("per_frequency", [False, True])
def test_what_is_learnt_brings_data_to_mean_0_and_deviation_1(per_frequency):
    x = MelSpectrogram(256, n_mels=16)(noise(8, 2, 4000))
    norm = AudioNormalize(per_frequency=per_frequency)
    norm.setup(OneBatch(x))
    assert norm.mean.shape == ((2, 16) if per_frequency else (2,))
    found = norm(x)
    over = (0, 3) if per_frequency else (0, 2, 3)
    assert found.as_plain().mean(over).abs().max() < 1e-4
    assert (found.as_plain().std(over, correction=0) - 1).abs().max() < 1e-4
    torch.testing.assert_close(norm.decode(found).as_plain(), x.as_plain(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(norm(x[0]).as_plain(), found[0].as_plain())
    again = AudioNormalize(**settings_of(norm))
    assert torch.equal(again(x), found)


def test_filling_does_not_count():
    batch, clips = padded([1000, 300, 700])
    norm = AudioNormalize()
    norm.setup(OneBatch(batch))
    samples = torch.cat([clip.as_plain() for clip in clips], -1)
    assert norm.mean.item() == pytest.approx(samples.mean().item(), abs=1e-6)
    assert norm.std.item() == pytest.approx(samples.std(correction=0).item(), rel=1e-5)


def test_silence_stays_silent():
    x = AudioTensor(torch.full((2, 1, 100), 0.3), sr=SR)
    assert AudioNormalize(per_item=True)(x).abs().max() < 0.1
    x = AudioToSpec()(AudioTensor(torch.zeros(2, 1, 4000), sr=SR))
    assert AudioNormalize(per_item=True)(x).abs().max() < 0.1


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match="together"):
        AudioNormalize(mean=[0.0])
    with pytest.raises(ValueError, match="leave them out"):
        AudioNormalize([0.0], [1.0], per_item=True)
    with pytest.raises(ValueError, match="set it up"):
        AudioNormalize()(noise(1, 3))
    with pytest.raises(ValueError, match="no frequencies"):
        AudioNormalize(per_item=True, per_frequency=True)(noise(1, 3))


# -- derivatives and sizes -----------------------------------------------------------------


def test_derivatives_are_channels():
    x = Spectrogram(64)(noise(3, 2, 500))
    found = Delta(width=3)(x)
    assert found.shape == (3, 6, 33, x.width)
    assert torch.equal(found[:, :2].as_plain(), x.as_plain())
    slope = (x.as_plain()[..., 2:] - x.as_plain()[..., :-2]) / 2
    torch.testing.assert_close(found.as_plain()[:, 2:4, :, 1:-1], slope)
    second = x.as_plain()[..., 2:] - 2 * x.as_plain()[..., 1:-1] + x.as_plain()[..., :-2]
    torch.testing.assert_close(found.as_plain()[:, 4:, :, 1:-1], second, rtol=1e-4, atol=1e-3)
    assert found.deltas == 2
    with pytest.raises(ValueError, match="odd"):
        Delta(width=4)
    with pytest.raises(ValueError, match="mode='edge'"):
        Delta(mode="edge")


def test_resizing_keeps_hz_and_seconds():
    x = Spectrogram(256)(noise(2, 1, 8000, lengths=torch.tensor([8000, 4000])))
    found = TfmResize((65, 20))(x)
    assert found.shape == (2, 1, 65, 20)
    assert found.duration == pytest.approx(x.duration)
    assert found.freqs[[0, -1]].tolist() == pytest.approx([0, 4000], abs=40)
    assert found.times[10].item() == pytest.approx(x.times[-1].item() / 2, abs=0.03)
    assert found.lengths.tolist() == [20, 11]
    expected = torch.nn.functional.interpolate(x.as_plain(), (65, 20), mode="bilinear")
    assert torch.equal(found.as_plain(), expected)
    item = TfmResize(8, interp_mode="area")(x[0])
    assert item.shape == (1, 8, 8)
    with pytest.raises(ValueError, match="Did you mean 'nearest'"):
        TfmResize(3, interp_mode="neares")
    with pytest.raises(ValueError, match="rows and frames"):
        TfmResize((1, 2, 3))
