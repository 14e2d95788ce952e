"""From files to clips: rate, channels, crops, and the cache that knows its settings."""

import os

import pytest
import torch

from layerwise.audio.reading import ReadAudio, cached_clip
from layerwise.audio.sound_files import audio_info, write_samples
from layerwise.audio.types import AudioTensor
from layerwise.core.errors import DataError
from layerwise.core.random import keyed

soundfile = pytest.importorskip("soundfile")


@pytest.fixture
def ramp(tmp_path):
    """Two channels of 8 kHz for a second: a ramp from 0 to 0.5, and twice that."""
    rise = torch.linspace(0, 0.5, 8000)
    return write_samples(tmp_path / "ramp.wav", torch.stack([rise, 2 * rise]), 8000)


def test_a_file_comes_with_the_rate_and_the_channels_that_are_asked_for(ramp):
    assert ReadAudio()(ramp).shape == (1, 16000)
    as_it_is = ReadAudio(sample_rate=None, force_mono=False)(ramp)
    assert (as_it_is.shape, as_it_is.sr) == ((2, 8000), 8000)
    assert ReadAudio(8000)(str(ramp))[0, -1].item() == pytest.approx(0.75, abs=1e-3)


def test_the_contents_of_a_file_and_clips_are_taken_too(ramp):
    from_file = ReadAudio(16000)(ramp)
    assert torch.equal(ReadAudio(16000)(ramp.read_bytes()), from_file)
    clip = AudioTensor.create(ramp)
    assert torch.equal(ReadAudio(16000)(clip), from_file)


def test_validation_takes_the_middle_and_training_a_random_crop(ramp):
    read = ReadAudio(8000, crop_signal_to=250)
    middle = read(ramp, split_idx=1)
    assert middle.shape == (1, 2000)
    assert middle[0, 0].item() == pytest.approx(0.75 * 3 / 8, abs=1e-3)
    with keyed(1):
        first = read(ramp, split_idx=0)
    with keyed(2):
        second = read(ramp, split_idx=0)
    with keyed(1):
        again = read(ramp, split_idx=0)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_a_crop_decodes_only_the_crop(ramp, monkeypatch):
    asked = []
    create = AudioTensor.create.__func__

    def noted(cls, fn, offset=0, frames=-1, **kwargs):
        asked.append((offset, frames))
        return create(cls, fn, offset, frames, **kwargs)

    monkeypatch.setattr(AudioTensor, "create", classmethod(noted))
    ReadAudio(8000, crop_signal_to=100)(ramp, split_idx=1)
    assert asked == [(3600, 800)]


@pytest.mark.parametrize("rate", [8000, 16000, 11025])
def test_crops_have_one_length_also_where_clips_are_shorter(ramp, rate):
    for size in (100, 1000, 1500):
        clip = ReadAudio(rate, crop_signal_to=size)(ramp, split_idx=0)
        assert clip.shape == (1, round(size * rate / 1000))
    assert not clip[0, -rate // 4 :].any()


def test_the_cache_holds_what_was_made_with_its_settings(ramp, tmp_path):
    cache = tmp_path / "cache"
    first = cached_clip(ramp, cache, 4000, force_mono=True)
    assert audio_info(first)[:3] == (4000, 4000, 1)
    written = first.stat().st_mtime_ns
    assert cached_clip(ramp, cache, 4000, force_mono=True) == first
    assert first.stat().st_mtime_ns == written
    other = cached_clip(ramp, cache, 4000, force_mono=False)
    assert other != first
    assert audio_info(other).channels == 2


def test_a_file_that_was_changed_is_read_anew(ramp, tmp_path):
    read = ReadAudio(8000, cache_folder=tmp_path / "cache")
    before = read(ramp)
    assert torch.equal(read(ramp), before)
    write_samples(ramp, torch.full((1, 8000), 0.25), 8000)
    os.utime(ramp, ns=(1, 1))
    assert read(ramp).mean().item() == pytest.approx(0.25, abs=1e-4)


def test_cached_and_fresh_clips_agree_to_16_bits(ramp, tmp_path):
    fresh = ReadAudio(16000)(ramp)
    cached = ReadAudio(16000, cache_folder=tmp_path / "cache")(ramp)
    torch.testing.assert_close(cached, fresh, atol=1 / 32768, rtol=0)


def test_a_folder_of_this_computer_is_no_setting(tmp_path):
    assert "cache_folder" not in ReadAudio(cache_folder=tmp_path).settings()
    assert ReadAudio(**ReadAudio(8000, False, 20).settings()).crop_signal_to == 20


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.wav"):
        ReadAudio()(tmp_path / "nothing.wav")
    empty = write_samples(tmp_path / "empty.wav", torch.zeros(1, 0), 8000)
    with pytest.raises(DataError, match=r"empty\.wav has no samples"):
        ReadAudio()(empty)
    (tmp_path / "words.wav").write_text("no sound at all")
    with pytest.raises(DataError, match=r"words\.wav"):
        ReadAudio(cache_folder=tmp_path / "cache")(tmp_path / "words.wav")


@pytest.mark.parametrize("wrong", [{"sample_rate": 0}, {"crop_signal_to": -5}])
def test_rates_and_lengths_are_positive(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.*positive"):
        ReadAudio(**wrong)


def test_an_unknown_setting_is_refused():
    with pytest.raises(TypeError, match="sample_rate"):
        ReadAudio(sample_rat=16000)  # type: ignore[call-arg]  # as a user might


def test_a_clip_that_is_as_it_should_be_stays():
    clip = AudioTensor(torch.rand(1, 50), sr=8000)
    assert torch.equal(ReadAudio(sample_rate=None)(clip), clip)
