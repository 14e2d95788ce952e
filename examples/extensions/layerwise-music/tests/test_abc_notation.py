"""ABC notation: each sign by hand, and the books of Nottingham against their MIDI files."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from layerwise.core.errors import DataError

from layerwise_music.abc_notation import parse_abc, read_abc
from layerwise_music.measure import share_of_whole_bars
from layerwise_music.score import Score

mido: Any = import_module("mido")  # it states no types


def tune(body: str, key: str = "C", meter: str = "4/4", length: str = "1/4") -> Score:
    """One tune; 4 steps of a quarter, so that lengths read as sixteenths."""
    (score,) = parse_abc(f"X:1\nM:{meter}\nL:{length}\nK:{key}\n{body}", steps=4)
    return score


def pitches(score: Score) -> list[int]:
    return [note.pitch for note in score.notes]


def lengths(score: Score) -> list[int]:
    return [note.length for note in score.notes]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("C,,CcC'c'", [36, 60, 72, 72, 84]),
        ("^C_D=E^^F__B", [61, 61, 64, 67, 69]),
        ("^FFf|Ff", [66, 66, 78, 65, 77]),  # to the end of the bar, in all octaves (ABC 2.1)
        ("^F=FF|", [66, 65, 65]),
        ('"Am7"C!trill!D~E{ag}F.G(AB)c', [60, 62, 64, 65, 67, 69, 71, 72]),
    ],
)
def test_pitches(body: str, wanted: list[int]) -> None:
    assert pitches(tune(body)) == wanted


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("C", [60, 62, 64, 65, 67, 69, 71]),
        ("D", [61, 62, 64, 66, 67, 69, 71]),
        ("Eb", [60, 62, 63, 65, 67, 68, 70]),
        ("F#m", [61, 62, 64, 66, 68, 69, 71]),
        ("Am", [60, 62, 64, 65, 67, 69, 71]),
        ("D dor", [60, 62, 64, 65, 67, 69, 71]),
        ("Amix", [61, 62, 64, 66, 67, 69, 71]),
        ("G major", [60, 62, 64, 66, 67, 69, 71]),
        ("none", [60, 62, 64, 65, 67, 69, 71]),
    ],
)
def test_keys(key: str, wanted: list[int]) -> None:
    assert pitches(tune("CDEFGAB", key)) == wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("C2D/2E/F3/4G//A0", [8, 2, 2, 3, 1]),
        ("C>DE<FG>>A", [6, 2, 2, 6, 7, 1]),
        ("(3CDE", [3, 2, 3]),  # 2.67 each, to the nearest step
        ("(3C/D/E/F", [1, 2, 1, 4]),
        ("C-C|D-|D2", [8, 12]),
        ("CzD2", [4, 8]),
    ],
)
def test_lengths(body: str, wanted: list[int]) -> None:
    assert lengths(tune(body)) == wanted


def test_triplets_stand_exactly_on_a_grid_of_twelve() -> None:
    (score,) = parse_abc("X:1\nL:1/8\nK:C\n(3CDE F2")
    assert [tuple(n)[:2] for n in score.notes] == [(0, 4), (4, 4), (8, 4), (12, 12)]


def test_chords_sound_together_and_tie_note_by_note() -> None:
    score = tune("[CEG]2-[CEA]2")
    assert sorted(tuple(n) for n in score.notes) == [
        (0, 8, 67), (0, 16, 60), (0, 16, 64), (8, 8, 69),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "played"),
    [
        ("CD:|EF", "CDCDEF"),
        ("C|:DE:|F", "CDEDEF"),
        ("|:CD::EF:|", "CDCDEFEF"),
        ("|:C|1D:|2E|F", "CDCEF"),
        ("|:C|[1D:| [2E||F", "CDCEF"),
        ("|:C|[1,3D:|[2E:|", "CDCECD"),
        ("|:CD|[1E:|[2F:|:G:|", "CDECDFGG"),
        ("CD||EF:|", "CDEFCDEF"),
        ("CD:|:|", "CDCD"),
    ],
)
def test_repeats_are_played(body: str, played: str) -> None:
    names = {60: "C", 62: "D", 64: "E", 65: "F", 67: "G"}
    assert "".join(names[pitch] for pitch in pitches(tune(body))) == played


def test_bars_and_an_upbeat() -> None:
    score = tune("G|CDEF|G3:|", meter="4/4")
    # Upbeat, a bar, then three quarters and the upbeat of the repeat as one bar.
    assert score.bars == (0, 4, 20, 36, 52)
    assert score.length == 64


def test_fields_change_within_a_tune() -> None:
    score = tune("F[K:G]F[L:1/8]F|\nK:D\nC")
    assert (pitches(score), lengths(score)) == ([65, 66, 66, 61], [4, 4, 2, 2])


def test_a_book_has_tunes_with_titles_meters_and_tempo() -> None:
    first, second = parse_abc(
        "% a book\n\nX:1\nT:One\nT:Other name\nM:6/8\nQ:3/8=60\nK:G\nG3 % a comment\n"
        "%%midi off\nA3\n\nwords between\n\nX:2\nT:Two\nK:C\nC"
    )
    assert (first.title, first.meter, first.tempo) == ("One", (6, 8), 90)
    assert (len(first.notes), second.title, lengths(second)) == (2, "Two", [6])  # eighths


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X:1\nK:C\nCD\nE@F", "line 4, column 2: '@F'"),
        ("X:1\nK:H\nC", "the key 'H'"),
        ("X:1\nM:4/0\nK:C\nC", "the meter '4/0'"),
        ("X:1\nL:x\nK:C\nC", "the length 'x'"),
        ("X:1\nK:C\nC/0", "the length '/0'"),
        ("X:1\nK:C\n[C(E]", "no chord"),
        ("X:1\nK:C\n[CE", "none of the ABC"),
        ("X:1\nK:C\n>C", "behind no note"),
        ("X:1\nK:C\nc''''''''", "outside the 128"),
        ("X:1\nK:C\nC9999" + "C9999" * 20, "lasts more than"),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, told: str) -> None:
    with pytest.raises(DataError, match=re.escape(told)):
        parse_abc(text)


def test_a_tune_with_a_mistake_can_be_left_out() -> None:
    book = "X:1\nK:C\nC@\n\nX:2\nK:C\nD"
    with pytest.warns(UserWarning, match="left out a tune: .*line 3"):
        (score,) = parse_abc(book, on_bad="skip")
    assert pitches(score) == [62]
    with pytest.raises(ValueError, match="'raise' or 'skip'"):
        parse_abc(book, on_bad="ignore")


@pytest.mark.parametrize("body", ["|:" * 3000 + "C" + ":|" * 3000, "|:C:|" * 3000, "[1C:|" * 3000])
def test_no_repeat_goes_on_for_ever(body: str) -> None:
    assert len(tune(body).notes) <= 6000


def test_books_of_nottingham_are_as_their_midi_files(real: Path) -> None:
    """Whole melodies, note for note, where the files differ neither in parts nor in repeats.

    Whoever made the MIDI files let accidentals hold for one note and ties be struck again, so that
    not all are equal; nearly half are, note for note, to the end.
    """
    folder = real / "folk_tunes"
    tunes: dict[str, Score] = {}
    for file in sorted((folder / "abc").glob("*.abc")):
        text = file.read_text(encoding="utf8")
        for part in re.split(r"(?m)^(?=X:)", text)[1:]:
            number = part[2:].split()[0]
            if (file.stem, number) != ("jigs", "153"):  # a chord in it never ends
                (tunes[f"{file.stem}{number}"],) = parse_abc(part)
    assert len(tunes) == 1033
    whole = [share_of_whole_bars(tune) for tune in tunes.values() if len(tune.bars) > 2]
    assert sum(whole) / len(whole) > 0.99
    files = sorted((folder / "midi").glob("*.mid"))
    same = sum(_melody(file) == _of(tunes[file.stem]) for file in files)
    assert same >= 94  # of 200
    with pytest.raises(DataError, match=r"jigs\.abc, line"):
        read_abc(folder / "abc" / "jigs.abc")


def _melody(file: Path) -> list[tuple[int, int, int]]:
    """Notes of the first track by the other library alone, from the first on."""
    opened, time, found = mido.MidiFile(file), 0, []
    begun: dict[int, int] = {}
    for message in opened.tracks[0]:
        time += message.time
        if message.type == "note_on" and message.velocity:
            begun[message.note] = time
        elif message.type in ("note_on", "note_off") and message.note in begun:
            start = begun.pop(message.note)
            scale = 12 / opened.ticks_per_beat
            found.append((round(start * scale), round((time - start) * scale), message.note))
    return _from_zero(found)


def _of(score: Score) -> list[tuple[int, int, int]]:
    return _from_zero([(note.start, note.length, note.pitch) for note in score.notes])


def _from_zero(notes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    first = min(start for start, _, _ in notes)
    return sorted((start - first, length, pitch) for start, length, pitch in notes)
