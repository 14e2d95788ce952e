"""Long recordings by windows."""

import matplotlib.pyplot as plt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.sound_files import write_samples
from layerwise.audio.types import AudioTensor
from layerwise.audio.windows import (
    Detection,
    merge_detections,
    read_windows,
    show_detections,
)


@given(size=st.integers(1, 200), duration=st.floats(0.5, 4), hop=st.floats(0.3, 6), sr=st.just(10))
def test_windows_are_the_parts_of_the_recording_and_cover_it(size, duration, hop, sr):
    x = torch.arange(size, dtype=torch.float32)[None]
    found = list(read_windows(AudioTensor(x, sr=sr), duration, hop))
    width = round(duration * sr)
    for number, (start, window) in enumerate(found):
        begin = round(number * hop * sr)
        assert start == begin / sr
        assert torch.equal(window.as_plain(), x[:, begin : begin + width])
    if hop <= duration - 1 / sr:
        begin, last = round((len(found) - 1) * hop * sr), found[-1][1]
        assert begin + last.nsamples == size  # nothing is left out
        # And none lies in the one before it.
        assert len(found) == 1 or round((len(found) - 2) * hop * sr) + width < size


def test_files_give_the_same_windows_as_clips_with_little_memory(tmp_path):
    pytest.importorskip("soundfile")
    sr, seconds = 4000, 95
    x = torch.rand(1, sr * seconds + 123) - 0.5
    file = write_samples(tmp_path / "long.wav", x, sr)
    clip = AudioTensor.create(file)
    pairs = zip(read_windows(file, 2.0, 0.7), read_windows(clip, 2.0, 0.7), strict=True)
    for (start, window), (other, same) in pairs:
        assert start == other
        assert torch.equal(window, same)


def test_memory_does_not_grow_with_the_recording(tmp_path):
    pytest.importorskip("soundfile")
    held = []
    for seconds in (120, 480):
        file = write_samples(tmp_path / "long.wav", torch.zeros(1, 1000 * seconds), 1000)
        # Windows are views of what is in memory.
        held.append(max(w.untyped_storage().nbytes() for _, w in read_windows(file, 1.0)))
    assert held[0] == held[1] <= 4 * 1000 * 65


def test_neighbours_of_one_class_are_one_event():
    found = [
        Detection(0, 1, "dog", 0.7), Detection(1, 2, "dog", 0.9), Detection(1, 2, "rain", 0.6),
        Detection(2.5, 3, "dog", 0.8), Detection(5, 6, "dog", 0.5),
    ]  # fmt: skip
    assert merge_detections(found) == [
        Detection(0, 2, "dog", 0.9), Detection(1, 2, "rain", 0.6),
        Detection(2.5, 3, "dog", 0.8), Detection(5, 6, "dog", 0.5),
    ]  # fmt: skip
    assert merge_detections(found, gap=0.5, shortest=1.5) == [Detection(0, 3, "dog", 0.9)]
    assert merge_detections(reversed(found)) == merge_detections(found)
    assert merge_detections([]) == []


def test_events_are_drawn_over_the_spectrogram():
    clip = AudioTensor(torch.rand(1, 16000) - 0.5, sr=8000)
    events = [Detection(0.0, 1.0, "a", 0.9), Detection(0.5, 1.5, "b", 0.8)]
    ax = show_detections(clip, events)
    assert [text.get_text().strip() for text in ax.texts] == ["a 0.90", "b 0.80"]
    assert len(ax.collections) == 2
    # The colours of a recording say that they are decibels.
    beside = ax.child_axes[-1]
    assert beside.yaxis.get_major_formatter()(10).endswith("dB")
    plt.close(ax.figure)


@pytest.mark.parametrize("wrong", [{"duration": 0.0}, {"duration": 1.0, "hop": -1.0}])
def test_windows_have_a_length(wrong):
    with pytest.raises(ValueError, match="give seconds, more than 0"):
        read_windows(AudioTensor(torch.zeros(1, 5), sr=5), **wrong)
