"""Signals without silence, beside what librosa finds."""

import tarfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.audio.augment import (
    RemoveSilence,
    RemoveType,
    loud_parts,
    remove_silence,
    split_silence,
)
from layerwise.audio.tones import create_sin_wave
from layerwise.audio.types import AudioTensor

librosa = pytest.importorskip("librosa", reason="the oracle")


def bursts(places, size=60_000, channels=1):
    """Noise at (first sample, samples, loudness), quiet hiss elsewhere."""
    made = torch.Generator().manual_seed(1)
    x = torch.randn(channels, size, generator=made) * 1e-4
    for first, count, level in places:
        noise = torch.randn(channels, count, generator=made) * level
        x[:, first : first + count] += noise[:, : size - first]
    return x


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 59_000), st.integers(200, 9000), st.floats(0.01, 0.5)), max_size=5
    ),
    st.sampled_from([15.0, 20.0, 40.0]),
    st.integers(1, 2),
    st.integers(1, 60_000),
)
def test_the_parts_are_those_of_librosa(places, threshold, channels, size):
    x = bursts(places, channels=channels)[:, :size]
    expected = librosa.effects.split(x.numpy(), top_db=threshold)
    assert loud_parts(x, threshold) == [tuple(part) for part in expected.tolist()]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50_000), st.integers(500, 9000))
def test_trimming_is_that_of_librosa(first, count):
    x = bursts([(first, count, 0.3)])
    expected, _ = librosa.effects.trim(x.numpy(), top_db=20)
    found = remove_silence(AudioTensor(x, sr=8000), RemoveType.Trim, 20, pad_ms=0)
    assert torch.equal(found.as_plain(), torch.from_numpy(expected))


def two_bursts():
    return AudioTensor(bursts([(10_000, 3000, 0.3), (40_000, 3000, 0.3)]), sr=8000)


def test_all_is_the_pieces_one_after_the_other():
    x = two_bursts()
    pieces = remove_silence(x, RemoveType.Split)
    whole = remove_silence(x, RemoveType.All)
    assert [type(piece) for piece in pieces] == [AudioTensor] * 2
    assert [piece.sr for piece in pieces] == [8000] * 2
    assert torch.equal(whole.as_plain(), torch.cat([p.as_plain() for p in pieces], -1))
    trimmed = remove_silence(x, RemoveType.Trim)
    assert whole.nsamples < trimmed.nsamples < x.nsamples


def test_a_margin_is_kept_and_pieces_that_touch_are_one():
    x = two_bursts()
    bare, wide = (split_silence(x, pad_ms=ms) for ms in (0, 50))
    assert [b.nsamples - a.nsamples for a, b in zip(bare, wide, strict=True)] == [800, 800]
    assert len(split_silence(x, pad_ms=3000)) == 1


def test_the_pieces_have_memory_of_their_own():
    x = two_bursts()
    split_silence(x)[0].zero_()
    assert torch.equal(x.as_plain(), two_bursts().as_plain())


def test_silence_alone_and_nothing_are_left_alone():
    for size in (0, 1, 5000):
        x = AudioTensor(torch.zeros(1, size), sr=8000)
        for kind in (RemoveType.Trim, RemoveType.All):
            assert RemoveSilence(kind)(x).shape == x.shape


def test_the_transform_splits_too_and_keeps_the_list():
    found = RemoveSilence(RemoveType.Split)(two_bursts(), split_idx=1)
    assert isinstance(found, list)
    assert len(found) == 2


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match="Did you mean 'trim'"):
        RemoveSilence("trin")
    with pytest.raises(ValueError, match="threshold=0"):
        RemoveSilence(threshold=0)
    with pytest.raises(ValueError, match="one \\(C, N\\) at a time"):
        RemoveSilence()(AudioTensor(torch.zeros(2, 1, 9), sr=8000))


def test_spoken_digits(mirror, tmp_path):
    """Recordings of digits get shorter and keep their energy."""
    archive = mirror / "fsdd.tgz"
    if not archive.exists():
        pytest.skip(f"no {archive}")
    with tarfile.open(archive) as tar:
        names = [m for m in tar.getmembers() if m.name.endswith(".wav")][:200:10]
        tar.extractall(tmp_path, members=names, filter="data")
    for name in names:
        x = AudioTensor.create(tmp_path / name.name)
        y = remove_silence(x, RemoveType.Trim, threshold=30, pad_ms=0)
        expected, _ = librosa.effects.trim(x.as_plain().numpy(), top_db=30)
        assert y.shape == expected.shape
        assert y.as_plain().square().sum() > 0.99 * x.as_plain().square().sum()


def test_a_tone_is_no_silence():
    x = create_sin_wave(seconds=2)
    assert remove_silence(x, RemoveType.All).nsamples == x.nsamples
