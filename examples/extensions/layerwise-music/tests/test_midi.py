"""MIDI files: bytes written by hand, round trips, and files that lie."""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layerwise.core.errors import DataError, MissingDependencyError

from layerwise_music import midi
from layerwise_music.midi import read_midi, save_midi
from layerwise_music.score import Score

mido: Any = import_module("mido")  # it states no types

# Format 0, 96 ticks of a quarter. Tempo 500,000 µs; 3/4; C4 for a quarter (running status for its
# end, a note_on without velocity), then G4 from tick 96 to 96 + 0x81 0x40 = 192 ticks.
HEAD = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60"
EVENTS = (
    b"\x00\xff\x51\x03\x07\xa1\x20"
    b"\x00\xff\x58\x04\x03\x02\x18\x08"
    b"\x00\x90\x3c\x40"
    b"\x60\x3c\x00"
    b"\x00\x43\x40"
    b"\x81\x40\x43\x00"
    b"\x00\xff\x2f\x00"
)
BY_HAND = HEAD + b"MTrk" + len(EVENTS).to_bytes(4, "big") + EVENTS


def written(folder: Path, data: bytes) -> Path:
    (folder / "a.mid").write_bytes(data)
    return folder / "a.mid"


def test_bytes_by_hand_are_read(tmp_path: Path) -> None:
    score = read_midi(written(tmp_path, BY_HAND))
    assert [tuple(note) for note in score.notes] == [(0, 12, 60), (12, 24, 67)]
    assert (score.meter, score.tempo, score.bars) == ((3, 4), 120.0, (0,))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    notes=st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 40), st.integers(0, 127)),
        min_size=1, max_size=15,
        unique=True,
    ),
    meter=st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 4)]),
    upbeat=st.sampled_from([0, 6, 12]),
)  # fmt: skip
def test_a_score_comes_back_from_its_file(
    tmp_path: Path, notes: list[tuple[int, int, int]], meter: tuple[int, int], upbeat: int
) -> None:
    bar = 48 * meter[0] // meter[1]
    end = max(start + length for start, length, _ in notes)
    bars = [0, *range(upbeat, end, bar)]
    score = Score(notes, [b for b in bars if b < end], end, meter=meter, tempo=100)
    back = read_midi(save_midi(score, tmp_path / "b.mid"))
    if upbeat and end - upbeat <= upbeat:  # the bar of an upbeat lasts the longest
        assert (back.notes, back.bars) == (score.notes, score.bars)
    else:
        assert back == score


def test_another_reader_hears_the_same(tmp_path: Path) -> None:
    score = Score([(0, 6, 60), (6, 6, 62), (6, 6, 65)], bars=[0], tempo=90)
    file = mido.MidiFile(save_midi(score, tmp_path / "c.mid", program=40))
    played = [m for m in file if m.type == "note_on"]
    assert sorted(m.note for m in played) == [60, 62, 65]
    assert file.length == pytest.approx(12 / 12 * 60 / 90)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "too early"),
        (b"RIFF" + bytes(40), "not a MIDI file|Probably not"),
        (BY_HAND[:-9], "too early"),
        (HEAD + b"MTrk\x7f\xff\xff\xff" + EVENTS, "too early"),  # a track of 2 GiB, it says
        (HEAD[:8] + b"\x00\x01\x7f\xff" + BY_HAND[12:], "too early"),  # 32,767 tracks
        (HEAD[:8] + b"\x00\x01\xff\xff" + BY_HAND[12:], "too many"),
        (HEAD[:12] + b"\xe7\x28" + BY_HAND[14:], "ticks"),  # frames of films
        (HEAD[:12] + b"\x00\x00" + BY_HAND[14:], "0 ticks"),
        (BY_HAND[:8] + b"\x00\x02" + BY_HAND[10:], "format 2"),
        (BY_HAND.replace(b"\x81\x40", b"\xff\xff\xff\x7f"), "cannot be read|quarters"),
        # A meta event of 256 MiB, it says.
        (BY_HAND.replace(b"\x51\x03", b"\x51\xff\xff\xff\x7f"), "cannot be read"),
    ],
)
def test_files_that_lie_are_named(tmp_path: Path, data: bytes, told: str) -> None:
    file = written(tmp_path, data)
    with pytest.raises(DataError, match=told) as caught:
        read_midi(file)
    assert str(file) in str(caught.value)


def test_running_status_for_ever_ends_with_the_file(tmp_path: Path) -> None:
    notes = b"\x00\x90\x3c\x40" + b"\x00\x3c\x40" * 50_000
    data = HEAD + b"MTrk" + (len(notes) + 4).to_bytes(4, "big") + notes + b"\x00\xff\x2f\x00"
    assert len(read_midi(written(tmp_path, data)).notes) <= 1  # one pitch at one time


def test_many_long_silences_are_no_music(tmp_path: Path) -> None:
    notes = b"\xff\xff\xff\x7f\x90\x3c\x40" * 100
    data = HEAD + b"MTrk" + (len(notes) + 4).to_bytes(4, "big") + notes + b"\x00\xff\x2f\x00"
    with pytest.raises(DataError, match="by its own account"):
        read_midi(written(tmp_path, data))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(BY_HAND) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    kept=st.integers(0, len(BY_HAND)),
)
def test_whatever_is_wrong_is_one_kind_of_error(
    tmp_path: Path, changes: list[tuple[int, int]], kept: int
) -> None:
    data = bytearray(BY_HAND)
    for place, value in changes:
        data[place] = value
    for given_bytes in (bytes(data), bytes(data[:kept])):
        try:
            read_midi(written(tmp_path, given_bytes))
        except DataError:
            continue


def test_a_file_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, b"")
    with file.open("wb") as stream:
        stream.truncate((16 << 20) + 1)  # takes no room on the disk
    with pytest.raises(DataError, match="no more than"):
        read_midi(file)


def test_sixteen_times_one_pitch_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fifteenth"):
        save_midi(Score([(0, i, 60) for i in range(1, 17)]), tmp_path / "d.mid")


def test_without_mido_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(midi, "import_module", gone)
    with pytest.raises(MissingDependencyError, match="pip install 'mido'"):
        read_midi(written(tmp_path, BY_HAND))
