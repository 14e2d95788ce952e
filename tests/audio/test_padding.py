"""Clips of unequal length in one batch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.padding import LengthsBeside, PadAudio, pad_audio
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.data.collate import fa_collate
from layerwise.core.errors import DataError
from layerwise.core.tensors import TensorCategory


def _clip(size: int, sr: int = 8000, channels: int = 1) -> AudioTensor:
    return AudioTensor(torch.rand(channels, size) + 0.5, sr=sr)


@given(sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_items_of_a_padded_batch_come_back_as_they_were(sizes):
    clips = [_clip(size) for size in sizes]
    batch = fa_collate(pad_audio(clips))
    assert type(batch) is AudioTensor
    assert batch.shape == (len(sizes), 1, max(sizes))
    assert batch.lengths.tolist() == sizes
    for clip, item in zip(clips, batch, strict=True):
        assert torch.equal(item, clip)
        assert item.sr == 8000
    for row, size in zip(batch.as_plain(), sizes, strict=True):
        assert not row[:, size:].any()


def test_clips_themselves_stay_as_they_are():
    clips = [_clip(3), _clip(2)]
    pad_audio(clips)
    assert [clip.shape[-1] for clip in clips] == [3, 2]
    assert not any("lengths" in vars(clip) for clip in clips)


def test_targets_pass_and_every_place_of_a_sample_has_its_own_length():
    samples = [(_clip(3), _clip(7), 0), (_clip(5), _clip(1), 1)]
    x1, x2, y = fa_collate(PadAudio()(samples))
    assert (x1.shape[-1], x2.shape[-1]) == (5, 7)
    assert (x1.lengths.tolist(), x2.lengths.tolist(), y.tolist()) == ([3, 5], [7, 1], [0, 1])


def test_spectrograms_are_filled_up_along_time():
    settings = SpectrogramSettings(sr=8000, n_fft=8)
    made = [AudioSpectrogram.create(torch.ones(1, 5, n), settings) for n in (4, 6)]
    batch = fa_collate(pad_audio(made))
    assert batch.shape == (2, 1, 5, 6)
    assert batch.lengths.tolist() == [4, 6]
    assert batch.hop_length == 4


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (_clip(3, sr=16000), "16000 samples a second, item 0 has 8000; resample"),
        (_clip(3, channels=2), r"shape \(2, 3\), item 0 has \(1, 3\): they .*force_mono=True"),
        (torch.zeros(1, 3), "item 1 of the batch is a Tensor, item 0 a AudioTensor"),
    ],
)
def test_what_does_not_fit_is_told_with_what_to_do(other, said):
    with pytest.raises(DataError, match=said):
        pad_audio([_clip(3), other])


def test_spectrograms_of_other_settings_do_not_fit():
    made = [
        AudioSpectrogram.create(torch.ones(1, n // 2 + 1, 3), SpectrogramSettings(sr=80, n_fft=n))
        for n in (8, 16)
    ]
    with pytest.raises(DataError, match="item 1 of the batch has 9 rows, item 0 has 5"):
        pad_audio(made)


def test_lengths_beside_a_batch_and_back():
    batch = AudioTensor(torch.zeros(2, 1, 3), sr=8000, lengths=torch.tensor([3, 2]))
    y = TensorCategory(torch.tensor([0, 1]))
    step = LengthsBeside()
    (x, lengths), kept = step((batch, y))
    assert type(x) is AudioTensor
    assert lengths.tolist() == [3, 2]
    assert kept is y
    # The batch may have come back with the lengths of another one among what it knows.
    x.lengths = torch.tensor([1, 1])
    back, _ = step.decode(((x, lengths), y))
    assert back.lengths.tolist() == [3, 2]


def test_a_batch_without_lengths_stays_as_it_is():
    batch = AudioTensor(torch.zeros(2, 1, 3), sr=8000)
    assert LengthsBeside()((batch, 1))[0] is batch
    assert LengthsBeside().decode((batch, TensorCategory(torch.tensor([0, 1]))))[0] is batch
