"""Folders prepared once, and again where settings or sounds differ."""

import os

import pytest
import torch

from layerwise.audio.folder import PreprocessAudio, preprocess_audio_folder
from layerwise.audio.sound_files import audio_info
from layerwise.audio.types import AudioTensor
from layerwise.core.errors import DataError

pytest.importorskip("soundfile")


@pytest.fixture
def sounds(tmp_path):
    root = tmp_path / "sounds"
    for name in ("dog/1.wav", "dog/2.flac", "cat/1.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        AudioTensor(torch.rand(2, 800) - 0.5, sr=8000).save(root / name)
    return root


def _times(folder):
    return {file: file.stat().st_mtime_ns for file in sorted(folder.rglob("*.wav"))}


def test_the_tree_is_kept_and_files_have_the_rate_and_channels(sounds):
    made = preprocess_audio_folder(sounds, sample_rate=16000, force_mono=True, n_workers=2)
    assert made == sounds.parent / "sounds_cached"
    names = [file.relative_to(made).as_posix() for file in sorted(made.rglob("*.wav"))]
    assert names == ["cat/1.wav", "dog/1.wav", "dog/2.wav"]
    assert audio_info(made / "dog" / "2.wav")[:3] == (16000, 1600, 1)


def test_what_is_there_is_not_made_again(sounds):
    made = preprocess_audio_folder(sounds, sample_rate=4000, n_workers=0)
    before = _times(made)
    preprocess_audio_folder(sounds, sample_rate=4000, n_workers=0)
    assert _times(made) == before
    (made / "dog" / "2.wav").unlink()  # as if it had been stopped there
    preprocess_audio_folder(sounds, sample_rate=4000, n_workers=0)
    after = _times(made)
    assert [f for f in after if after[f] != before[f]] == [made / "dog" / "2.wav"]


def test_other_settings_make_everything_anew_also_where_that_was_stopped(sounds, monkeypatch):
    made = preprocess_audio_folder(sounds, sample_rate=4000, n_workers=0)
    with monkeypatch.context() as patched:
        patched.setattr(PreprocessAudio, "__call__", _stopped)
        with pytest.raises(KeyboardInterrupt):
            preprocess_audio_folder(sounds, sample_rate=2000, n_workers=0)
    preprocess_audio_folder(sounds, sample_rate=2000, n_workers=0)
    assert {audio_info(file).sr for file in made.rglob("*.wav")} == {2000}


def _stopped(self, jobs):
    raise KeyboardInterrupt
    yield


def test_a_sound_that_was_changed_is_prepared_again(sounds):
    made = preprocess_audio_folder(sounds, n_workers=0)
    AudioTensor(torch.zeros(1, 400), sr=8000).save(sounds / "cat" / "1.wav")
    later = (made / "cat" / "1.wav").stat().st_mtime_ns + 1
    os.utime(sounds / "cat" / "1.wav", ns=(later, later))
    preprocess_audio_folder(sounds, n_workers=0)
    assert audio_info(made / "cat" / "1.wav").frames == 400


def test_crops_and_chosen_folders(sounds, tmp_path):
    made = preprocess_audio_folder(
        sounds, folders="dog", output_dir=tmp_path / "out", crop_signal_to=50, n_workers=0
    )
    assert [audio_info(file).frames for file in made.rglob("*.wav")] == [400, 400]


def test_names_that_differ_in_their_ending_alone_keep_it(sounds):
    AudioTensor(torch.zeros(1, 400), sr=8000).save(sounds / "dog" / "1.flac")
    made = preprocess_audio_folder(sounds, n_workers=0)
    names = sorted(file.name for file in (made / "dog").iterdir())
    assert names == ["1.flac.wav", "1.wav.wav", "2.wav"]


def test_no_sounds_and_broken_ones_are_told(sounds, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there is no sound below"):
        preprocess_audio_folder(tmp_path / "empty")
    (sounds / "dog" / "3.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"3\.wav"):
        preprocess_audio_folder(sounds, n_workers=0)
