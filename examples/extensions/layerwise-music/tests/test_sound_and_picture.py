"""What is heard and seen: against the spectrum of a tone, the wave module, and matplotlib."""

import io
import wave
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from layerwise.core.display.generic import show
from layerwise.core.errors import MissingDependencyError

from layerwise_music import sound
from layerwise_music.picture import draw_score, pitch_name
from layerwise_music.score import Score
from layerwise_music.sound import hear, save_wav, synthesise, wav_bytes
from layerwise_music.types import PianoRoll


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.mark.parametrize("pitch", [45, 69, 84])
def test_a_note_sounds_at_its_frequency(pitch: int) -> None:
    samples = synthesise(Score([(0, 12, pitch)], tempo=60), sample_rate=8000)
    spectrum = torch.fft.rfft(samples[:8000]).abs()  # a second: bins are Hz
    assert int(spectrum.argmax()) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=1)


def test_sound_is_there_while_notes_are() -> None:
    samples = synthesise(Score([(12, 12, 69)], length=36, tempo=60), sample_rate=2000)
    first, second, third = samples[:6000].view(3, 2000).abs().amax(1).tolist()
    assert first == 0
    assert second == pytest.approx(0.9, abs=1e-6)
    assert samples[4200:].abs().max() < 1e-6 < third  # the release is over


def test_a_wav_file_has_the_samples(tmp_path: Path) -> None:
    score = Score([(0, 12, 69)], tempo=60)
    data = wav_bytes(score, 8000)
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        read = torch.frombuffer(bytearray(file.readframes(9000)), dtype=torch.int16)
    torch.testing.assert_close(read / 32767, synthesise(score, 8000), atol=1e-4, rtol=0)
    assert save_wav(score, tmp_path / "a.wav", 8000).read_bytes() == data


def test_silence_and_nothing_are_silent() -> None:
    assert not synthesise(Score([], length=12)).any()
    assert len(synthesise(Score([]))) == 2205


def test_no_more_than_an_hour_is_played() -> None:
    with pytest.raises(ValueError, match="an hour at most"):
        synthesise(Score([], length=12 * 9000, tempo=60))


def test_a_notebook_gets_a_player() -> None:
    display = pytest.importorskip("IPython.display")
    assert isinstance(Score([(0, 12, 69)]).hear(8000), display.Audio)


def test_without_ipython_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(sound, "import_module", gone)
    with pytest.raises(MissingDependencyError, match="pip install 'ipython'"):
        hear(Score([(0, 12, 69)]))


def test_a_picture_has_a_bar_for_each_note_at_its_place() -> None:
    score = Score([(0, 12, 60), (12, 24, 67)], bars=[0, 24], title="Two")
    ax = draw_score(score, split=12)
    notes = [patch for patch in ax.patches if patch.get_height() == pytest.approx(0.8)]
    boxes = [patch.get_bbox() for patch in notes]
    assert [(b.x0, b.x1, round((b.y0 + b.y1) / 2)) for b in boxes] == [(0, 1, 60), (1, 3, 67)]
    first, second = (patch.get_facecolor() for patch in notes)
    assert first != second
    assert ax.get_title() == "Two"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["C4", "G4"]


@pytest.mark.parametrize("made", [Score([]), Score([(0, 12, 0), (0, 12, 127)])])
def test_scores_and_rolls_show_themselves(made: Score) -> None:
    assert show(made).get_xlabel() == "quarters"
    assert show(PianoRoll.of(made)).get_xlabel() == "quarters"


def test_pitches_have_names() -> None:
    assert [pitch_name(p) for p in (21, 60, 61, 127)] == ["A0", "C4", "C♯4", "G9"]
