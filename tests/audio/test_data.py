"""Loaders in one call: from the usual layouts, with spectrograms and filling by default."""

import tarfile

import pytest
import torch

from layerwise.audio.blocks import AudioBlock, MelSpecBlock, SpecBlock
from layerwise.audio.config import (
    AudioConfig,
    audio_item_tfms,
    config_from_func,
    spec_of,
)
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.files import get_audio_files
from layerwise.audio.levels import AudioNormalize
from layerwise.audio.sound_files import audio_info
from layerwise.audio.spectrum import AudioToSpec, MelSpectrogram, gives_spectrogram
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.data.split import FuncSplitter, GrandparentSplitter, IndexSplitter
from layerwise.core.errors import DataError

pd = pytest.importorskip("pandas")


def test_folders_give_normalised_mel_spectrograms_in_db(tones):
    dls = AudioDataLoaders.from_folder(tones, bs=4)
    x, y = dls.one_batch()
    assert type(x) is AudioSpectrogram
    assert x.shape[:3] == (4, 1, x.settings.n_mels)
    assert (x.sr, x.mel, x.to_db) == (16000, True, True)
    assert list(dls.vocab) == ["high", "low"]
    assert x.lengths.max() == x.shape[-1]
    assert y.shape == (4,)
    filled = torch.cat([item.flatten() for item in x])
    assert abs(filled.mean().item()) < 0.5
    assert (len(dls.train_ds), len(dls.valid_ds)) == (24, 8)


def test_every_way_of_making_loaders_finds_the_same_labels(tones):
    files = list(get_audio_files(tones))
    settings = {"bs": 4, "seed": 0}
    frame = pd.read_csv(tones / "labels.csv")
    ways = [
        AudioDataLoaders.from_folder(tones, valid_pct=0.2, **settings),
        AudioDataLoaders.from_name_re(tones, files, r"^(\w+)_\d+", **settings),
        AudioDataLoaders.from_path_re(tones, files, r"(\w+)_\d+\.wav$", **settings),
        AudioDataLoaders.from_name_func(tones, files, _first_word, **settings),
        AudioDataLoaders.from_path_func(tones, files, parent_label, **settings),
        AudioDataLoaders.from_lists(tones, files, [parent_label(f) for f in files], **settings),
        AudioDataLoaders.from_df(frame, tones, **settings),
        AudioDataLoaders.from_csv(tones, **settings),
    ]
    for dls in ways:
        assert list(dls.vocab) == ["high", "low"]
        x, _ = dls.one_batch()
        assert isinstance(x, AudioSpectrogram)


def _first_word(name: str) -> str:
    return name.split("_")[0]


def test_folds_of_a_table_validate(tones):
    dls = AudioDataLoaders.from_csv(tones, valid_col="fold", valid_fold=2, bs=4)
    assert set(dls.valid_ds.items["fold"]) == {2}
    assert set(dls.train_ds.items["fold"]) == {1, 3}
    two = AudioDataLoaders.from_csv(tones, valid_col="fold", valid_fold=[1, 2], bs=4)
    assert set(two.train_ds.items["fold"]) == {3}
    with pytest.raises(ValueError, match="of which column"):
        AudioDataLoaders.from_csv(tones, valid_fold=2)


def test_a_splitter_says_which_files_validate(tones):
    files = get_audio_files(tones)
    dls = AudioDataLoaders.from_path_func(
        tones, files, parent_label, splitter=GrandparentSplitter(), bs=4
    )
    assert len(dls.valid_ds) == 8


def test_without_spectrogram_batches_are_waveforms(tones):
    x, _ = AudioDataLoaders.from_folder(tones, bs=4, spectrogram=None).one_batch()
    assert type(x) is AudioTensor
    assert x.lengths.max() == x.shape[-1]


def test_crops_have_one_length_and_no_lengths(tones):
    dls = AudioDataLoaders.from_folder(tones, bs=4, spectrogram=None, crop_signal_to=100)
    x, _ = dls.one_batch()
    assert x.shape == (4, 1, 1600)
    assert "lengths" not in vars(x)


def test_ones_own_transform_to_spectrograms_takes_the_place_of_the_usual_one(tones):
    for own in (AudioToSpec(n_mels=20), MelSpectrogram(n_mels=20)):
        x, _ = AudioDataLoaders.from_folder(tones, bs=4, batch_tfms=[own]).one_batch()
        assert x.shape[2] == 20
    named = AudioConfig.BasicMelSpectrogram(n_mels=24)
    x, _ = AudioDataLoaders.from_folder(tones, bs=4, spectrogram=named).one_batch()
    assert x.shape[2] == 24


@pytest.mark.parametrize(
    ("rate", "n_fft"), [(16000, 1024), (8000, 512), (44100, 2048), (None, 1024)]
)
def test_frames_of_the_usual_spectrograms_take_the_same_time_at_any_rate(tones, rate, n_fft):
    dls = AudioDataLoaders.from_folder(tones, bs=4, sample_rate=rate)
    x, _ = dls.one_batch()
    assert (x.n_fft, x.hop_length, x.shape[2]) == (n_fft, n_fft // 4, 64)
    assert abs(x.n_fft / (rate or 16000) - 0.064) < 0.02


def test_lists_are_split_as_they_are_told(tones):
    files = get_audio_files(tones)
    labels = [file.parent.name for file in files]
    dls = AudioDataLoaders.from_lists(tones, files, labels, splitter=IndexSplitter([0, 3, 4]), bs=4)
    assert len(dls.valid_ds) == 3


def test_other_batch_transforms_come_besides(tones):
    dls = AudioDataLoaders.from_folder(tones, bs=4, batch_tfms=[AudioNormalize(per_item=True)])
    kinds = [type(step).__name__ for step in dls.after_batch]
    assert kinds == ["AudioToSpec", "AudioNormalize"]
    assert dls.after_batch[1].per_item


def test_the_parts_of_a_new_users_program_say_what_is_wrong(tones, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder 'train'"):
        AudioDataLoaders.from_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        AudioDataLoaders.from_folder(tmp_path / "nowhere", valid_pct=0.2)
    with pytest.raises(DataError, match="there are no items"):
        AudioDataLoaders.from_folder(tmp_path, valid_pct=0.2)
    with pytest.raises(TypeError, match="Did you mean 'sample_rate'"):
        AudioDataLoaders.from_folder(tones, sample_rat=8000)
    with pytest.raises(ValueError, match="2 files and 1 labels"):
        AudioDataLoaders.from_lists(tones, ["a.wav", "b.wav"], ["x"])
    with pytest.raises(TypeError, match=r"AudioConfig\.BasicMelSpectrogram\(\)"):
        AudioDataLoaders.from_folder(tones, spectrogram=AudioConfig.Voice)


def test_rates_that_differ_are_told(tones, tmp_path):
    files = []
    for i, sr in enumerate((8000, 11025) * 4):
        files.append(AudioTensor(torch.zeros(1, 500), sr=sr).save(tmp_path / f"{i}.wav"))
    with pytest.raises(DataError, match=r"samples a second, .*sample_rate=16000"):
        AudioDataLoaders.from_lists(tmp_path, files, list("abababab"), sample_rate=None, bs=6)


def test_clips_that_were_not_filled_up_are_told():
    clips = [AudioTensor(torch.zeros(1, n), sr=8000) for n in (5, 6, 7, 8, 9)]
    block = DataBlock((AudioBlock, CategoryBlock), get_y=lambda clip: clip.nsamples % 2)
    with pytest.raises(DataError, match="pad them in before_batch"):
        block.dataloaders(clips, bs=4, before_batch=[]).one_batch()


def test_a_block_of_a_folder_reads_what_it_resampled(tones, tmp_path):
    cache = tmp_path / "cache"
    block = AudioBlock.from_folder(tones, sample_rate=4000, cache_folder=cache, n_workers=0)
    assert len(list(cache.glob("*.wav"))) == 32
    before = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    data = DataBlock((block, CategoryBlock), get_items=get_audio_files, get_y=parent_label)
    x, _ = data.dataloaders(tones, bs=4).one_batch()
    assert x.sr == 4000
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == before


def test_blocks_of_spectrograms():
    assert [type(s).__name__ for s in MelSpecBlock(normalize=False).batch_tfms] == ["AudioToSpec"]
    assert MelSpecBlock().batch_tfms[0].mel
    assert not SpecBlock().batch_tfms[0].mel


def test_voice_means_what_it_says():
    voice = AudioConfig.Voice()
    assert (voice.mel, voice.to_db, voice.n_fft, voice.n_mels) == (True, False, 1024, 128)
    assert (voice.hop_length, voice.f_min, voice.f_max) == (128, 50.0, 8000.0)
    made = spec_of(voice)(AudioTensor(torch.rand(1, 16000), sr=16000))
    assert (made.to_db, made.f_min, made.width) == (False, 50.0, 126)
    assert spec_of(AudioConfig.Voice(to_db=True)).to_db
    with pytest.raises(TypeError):
        AudioConfig.Voice(n_mel=20)  # type: ignore[call-arg]  # as a user might


def test_configurations_of_functions():
    kind = config_from_func(AudioToSpec, "Fine", n_fft=2048)
    assert kind().n_fft == 2048
    assert AudioToSpec.from_cfg(kind(hop_length=64)).hop_length == 64
    with pytest.raises(TypeError, match="Did you mean 'n_fft'"):
        config_from_func(AudioToSpec, "Wrong", n_ftt=3)


def test_what_makes_spectrograms_is_known_by_its_method():
    assert gives_spectrogram(MelSpectrogram())
    assert not gives_spectrogram(AudioNormalize)
    assert not gives_spectrogram(len)


def test_the_usual_steps_for_clips():
    x = AudioTensor(torch.rand(2, 4000), sr=8000)
    for step in audio_item_tfms(crop_signal_to=250):
        x = step(x, split_idx=0)
    assert (x.shape, x.sr) == ((1, 4000), 16000)
    assert audio_item_tfms(None, force_mono=False) == []


def test_digits_of_real_speakers_are_filled_up_to_the_longest(mirror, tmp_path):
    with tarfile.open(mirror / "fsdd.tgz") as archive:
        wanted = [m for m in archive.getmembers() if m.name.endswith(("_0.wav", "_7.wav"))]
        archive.extractall(tmp_path, members=wanted, filter="data")
    files = get_audio_files(tmp_path)
    assert len(files) == 120
    dls = AudioDataLoaders.from_name_re(
        tmp_path, files, r"^(\d)_", splitter=FuncSplitter(_is_first), spectrogram=None, bs=32
    )
    assert (len(dls.train_ds), len(dls.valid_ds)) == (60, 60)
    assert list(dls.vocab) == list("0123456789")
    x, _ = dls.valid.one_batch()
    sizes = [2 * audio_info(file).frames for file in dls.valid_ds.items[:32]]
    assert x.lengths.tolist() == sizes


def _is_first(file) -> bool:
    return file.stem.endswith("_0")
