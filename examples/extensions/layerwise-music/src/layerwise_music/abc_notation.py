"""Tunes in ABC notation to scores: the part of the standard that books of folk tunes use.

Read are the fields X, T, M, L, K and Q; notes with octaves, lengths and accidentals, which last to
the end of the bar; rests, ties, tuplets, broken rhythm, chords in brackets; repeats and endings,
which are played. Passed over are names of chords, ornaments, slurs, words and grace notes; parts
are played in the order in which they are written. A tune has one voice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from layerwise.core.errors import DataError, warn_user
from layerwise.core.types import PathLike
from layerwise.text.reading import read_text

from layerwise_music.repeats import Ending, Line, Piece, Sound, played
from layerwise_music.score import LONGEST_SCORE, Note, Score

__all__ = ["parse_abc", "read_abc"]

_PIECES = re.compile(
    r"""
    (?P<skip> \s+ | "[^"]*" | ![^!\s]*! | \{[^}]*\} | [\\~.`*?!+$HLMOPSTuv] | \((?![2-9]) \d? | \) )
    | \[ (?P<key>[A-Za-z]) : (?P<value>[^\]]*) \]
    | \[? (?<=[|\[:\s]) (?P<ending>[1-9](?:[,-][1-9])*)
    | (?P<bar> :*\|[|\]:]* | ::+ | \[\| )
    | \( (?P<tuplet>[2-9]) (?: :(?P<into>\d?) (?: :(?P<count>\d?) )? )?
    | (?P<broken> <+ | >+ )
    | \[ (?P<chord>[^\]|]+) \] (?P<chord_length>\d*/*\d*) (?P<chord_tie>\s?-?)
    | (?P<rest>[zx]) (?P<rest_length>\d*/*\d*)
    | (?P<bars_rest>Z) (?P<bars_count>\d*)
    | (?P<note>[_=^]*[A-Ga-g][,']*) (?P<length>\d*/*\d*) (?P<tie>\s?-?)
    """,
    re.VERBOSE,
)
_IN_CHORD = re.compile(r'(?P<note>[_=^]*[A-Ga-g][,\']*)(?P<length>\d*/*\d*)|[-+~.\s]|"[^"]*"')
_NOTE = re.compile(r"([_=^]*)([A-Ga-g])([,']*)")
_KEY = re.compile(r"\s*([A-G])([#b]?)\s*([A-Za-z]*)")
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"^": 1, "_": -1, "=": 0}
_FIFTHS = "FCGDAEB"  # the order in which keys get sharps; flats in the other
_MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3,
          "phr": -4, "loc": -5, "lyd": 1}  # fmt: skip
_INTO = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # so many notes in the time of how many


@dataclass
class _Tune:
    """What is known while a tune is read."""

    title: str = ""
    meter: tuple[int, int] = (4, 4)
    unit: Fraction | None = None  # of lengths, in quarters
    tempo: float = 120.0
    in_key: dict[str, int] = field(default_factory=dict)
    in_bar: dict[str, int] = field(default_factory=dict)  # of all octaves, as in ABC 2.1
    pieces: list[Piece] = field(default_factory=list)
    tuplet: tuple[int, Fraction] = (0, Fraction(1))  # notes to come, and what they are scaled by
    factor: Fraction = Fraction(1)  # of the next note, after broken rhythm


def read_abc(path: PathLike, steps: int = 12, *, on_bad: str = "raise") -> list[Score]:
    """The tunes of a book in ABC notation; see `parse_abc`.

    Args:
        path: the file, in UTF-8.
        steps: of a quarter.
        on_bad: see `parse_abc`.

    Raises:
        DataError: for what is no ABC; names file, line and place.
    """
    return parse_abc(read_text(path), steps, on_bad=on_bad, source=str(path))


def parse_abc(
    text: str, steps: int = 12, *, on_bad: str = "raise", source: str = "the text"
) -> list[Score]:
    """The tunes of a text in ABC notation, their repeats played.

    Args:
        text: tunes, each begun by a line `X:`; of a single one that line may be missing.
        steps: of a quarter; what lies between is moved to the nearest step.
        on_bad: "raise", or "skip" to leave out a tune that cannot be read, with a warning.
        source: what errors call the text.

    Raises:
        DataError: for what is no ABC; names line and place.

    Example:
        >>> (tune,) = parse_abc("X:1\\nT:Two bars\\nM:2/4\\nL:1/8\\nK:D\\nFA d2|c>B A2|]")
        >>> print(tune)
        Two bars: 6 notes in 2 bars of 2/4
        >>> tune.notes[0], tune.bars
        (Note(start=0, length=6, pitch=66), (0, 24))
    """
    if on_bad not in ("raise", "skip"):
        raise ValueError(f"on_bad={on_bad!r}; give 'raise' or 'skip'")
    found: list[Score] = []
    for lines in _tunes(text):
        try:
            score = _read_tune(lines, steps, source)
        except DataError as error:
            if on_bad == "raise":
                raise
            warn_user(f"left out a tune: {error}")
            continue
        if score is not None:
            found.append(score)
    return found


def _tunes(text: str) -> Iterator[list[tuple[int, str]]]:
    """The lines of each tune with their numbers, without comments."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("X:") and lines:
            yield lines
            lines = []
        plain = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        if plain or not line.strip():  # a comment alone ends no tune, as an empty line does
            lines.append((number, plain))
    yield lines


def _read_tune(lines: list[tuple[int, str]], steps: int, source: str) -> Score | None:
    """The score of one tune; None where there are no notes."""
    tune, is_in_body = _Tune(), False
    for number, line in lines:
        place = f"{source}, line {number}"
        if re.match(r"[A-Za-z]:(?!\|)", line):
            _set(tune, line[0], line[2:].strip(), place)
            is_in_body = is_in_body or line[0] == "K"
        elif not line:
            if tune.pieces:
                break
        elif is_in_body:
            _read_line(tune, line, place)
    return _score(tune, steps, source) if tune.pieces else None


def _set(tune: _Tune, name: str, value: str, place: str) -> None:
    """Take over a field."""
    if name == "T" and not tune.title:
        tune.title = value
    elif name == "M":
        named = {"C": "4/4", "C|": "2/2", "none": "4/4"}.get(value, value)
        beats, unit = _pair(named, f"{place}: the meter {value!r}")
        tune.meter = beats, unit
    elif name == "L":
        top, bottom = _pair(value, f"{place}: the length {value!r}")
        tune.unit = Fraction(4 * top, bottom)
    elif name == "K":
        tune.in_key = _signature(value, place)
        tune.in_bar = {}
    elif name == "Q":
        found = re.search(r"(?:(\d+)/(\d+)\s*=\s*)?(\d{1,4})\s*$", value)
        if found and int(found[3]):
            beat = Fraction(4 * int(found[1]), int(found[2]) or 1) if found[1] else Fraction(1)
            tune.tempo = float(int(found[3]) * (beat or 1))
    elif name == "P":
        tune.pieces.append(Line(begins=True))  # what is repeated next begins here at the latest


def _pair(written: str, told: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*([1-9]\d{0,2})\s*/\s*([1-9]\d{0,2})\s*", written)
    if not found:
        raise DataError(f"{told} is none; write it as in 3/4")
    return int(found[1]), int(found[2])


def _signature(value: str, place: str) -> dict[str, int]:
    """The letters that a key raises or lowers."""
    if value.strip().lower() in ("", "none"):
        return {}
    found = _KEY.match(value)
    mode = found[3].lower() if found else ""
    mode = mode if mode in _MODES else mode[:3]
    if not found or (mode not in _MODES and mode not in ("cle", "tra", "oct")):
        raise DataError(f"{place}: the key {value!r} is none; write it as in G, Bb, Am or D dor")
    sharps = _FIFTHS.index(found[1]) - 1 + {"#": 7, "b": -7, "": 0}[found[2]] + _MODES.get(mode, 0)
    order = _FIFTHS if sharps > 0 else _FIFTHS[::-1]
    return dict.fromkeys(order[: abs(sharps)], 1 if sharps > 0 else -1)


def _read_line(tune: _Tune, line: str, place: str) -> None:
    """Take over a line of notes."""
    at = 0
    while at < len(line):
        found = _PIECES.match(line, at)
        if not found or found.end() == at:
            raise DataError(
                f"{place}, column {at + 1}: {line[at : at + 12]!r} is none of the ABC read here; "
                "see layerwise_music.abc_notation for what is"
            )
        at = found.end()
        _take(tune, {name: part for name, part in found.groupdict().items() if part}, place)


def _take(tune: _Tune, found: dict[str, str], place: str) -> None:
    """Take over one piece of a line."""
    if "key" in found:
        _set(tune, found["key"], found.get("value", "").strip(), place)
    elif "ending" in found:
        parts = [part.split("-") for part in found["ending"].split(",")]
        turns = {n for part in parts for n in range(int(part[0]), int(part[-1]) + 1)}
        tune.pieces.append(Ending(frozenset(turns)))
    elif "bar" in found:
        line = found["bar"]
        ends, begins = line.startswith(":"), line.endswith(":")
        tune.pieces.append(Line(ends, begins))
        tune.in_bar = {}
    elif "tuplet" in found:
        notes = int(found["tuplet"])
        compound = tune.meter[0] % 3 == 0 and tune.meter[0] > 3
        into = int(found.get("into", 0)) or _INTO.get(notes, 3 if compound else 2)
        tune.tuplet = int(found.get("count", 0)) or notes, Fraction(into, notes)
    elif "broken" in found:
        _break(tune, found["broken"], place)
    elif "note" in found:
        pitch = _pitch(tune, found["note"])
        _add(tune, (pitch,), found.get("length", ""), place, is_tied="-" in found.get("tie", ""))
    elif "chord" in found:
        pitches, length = _chord(tune, found["chord"], place)
        whole = _length(found.get("chord_length", ""), place) * length
        is_tied = "-" in found.get("chord_tie", "") or "-" in found["chord"]
        _add(tune, pitches, whole, place, is_tied=is_tied)
    elif "rest" in found:
        _add(tune, (), found.get("rest_length", ""), place)
    elif "bars_rest" in found:
        count = int(found.get("bars_count", "1")[:4])
        bar = Fraction(4 * tune.meter[0], tune.meter[1])
        for i in range(count):
            tune.pieces += [Line()] if i else []
            tune.pieces.append(Sound((), bar))


def _length(written: str, place: str) -> Fraction:
    """A length as in `3/2`, `/`, `//` or nothing, which is one."""
    top, slashes, bottom = re.fullmatch(r"(\d*)(/*)(\d*)", written).groups()  # type: ignore[union-attr]  # the pieces match it
    if len(top) > 4 or len(bottom) > 4 or len(slashes) > 6 or (bottom and not int(bottom)):
        raise DataError(f"{place}: the length {written[:20]!r} is none; write it as in 3/2")
    parts = int(bottom) if bottom else 2 ** len(slashes)
    return Fraction(int(top) if top else 1, parts)


def _pitch(tune: _Tune, written: str) -> int:
    """The MIDI pitch of a note in its key, behind the accidentals of its bar."""
    signs, letter, octave = _NOTE.fullmatch(written).groups()  # type: ignore[union-attr]  # likewise
    height = letter.islower() + octave.count("'") - octave.count(",")
    name = letter.upper()
    if signs:
        tune.in_bar[name] = sum(_SIGNS[sign] for sign in signs)
    raised = tune.in_bar.get(name, tune.in_key.get(name, 0))
    return 60 + 12 * height + _STEPS[name] + raised


def _chord(tune: _Tune, written: str, place: str) -> tuple[tuple[int, ...], Fraction]:
    """The pitches of a chord, and the length of the first, which is that of all."""
    pitches, length, at = [], None, 0
    while at < len(written):
        found = _IN_CHORD.match(written, at)
        if not found:
            raise DataError(f"{place}: {written[:40]!r} is no chord; write it as in [ceg]2")
        at = found.end()
        if found["note"]:
            pitches.append(_pitch(tune, found["note"]))
            length = _length(found["length"], place) if length is None else length
    return tuple(pitches), Fraction(1) if length is None else length


def _add(
    tune: _Tune,
    pitches: tuple[int, ...],
    length: str | Fraction,
    place: str,
    *,
    is_tied: bool = False,
) -> None:
    """Add what sounds, as long as unit, tuplet and broken rhythm say."""
    if tune.unit is None:  # sixteenths in short bars, else eighths
        tune.unit = Fraction(1, 4) if Fraction(*tune.meter) < Fraction(3, 4) else Fraction(1, 2)
    if any(not 0 <= pitch < 128 for pitch in pitches):
        raise DataError(f"{place}: a note is outside the 128 pitches of MIDI")
    lasts = (_length(length, place) if isinstance(length, str) else length) * tune.unit
    left, scale = tune.tuplet
    if left:
        lasts *= scale
        tune.tuplet = left - 1, scale
    if lasts * tune.factor:
        tune.pieces.append(Sound(pitches, lasts * tune.factor, is_tied))
    tune.factor = Fraction(1)


def _break(tune: _Tune, signs: str, place: str) -> None:
    """`a>b`: the first longer by half, the second as much shorter; `<` the other way."""
    before = tune.pieces[-1] if tune.pieces else None
    if not isinstance(before, Sound):
        raise DataError(f"{place}: {signs!r} stands behind no note")
    short = Fraction(1, 2 ** min(len(signs), 6))
    first, tune.factor = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
    tune.pieces[-1] = Sound(before.pitches, before.length * first, before.is_tied)


def _score(tune: _Tune, steps: int, source: str) -> Score:
    """The score of what is played."""
    time = Fraction(0)
    notes: list[Note] = []
    lines = {0}
    tied: dict[int, int] = {}  # pitch -> place in `notes`
    for piece in played(tune.pieces):
        if isinstance(piece, Line):
            lines.add(_step(time, steps))
            continue
        start, time = _step(time, steps), time + piece.length
        if time > LONGEST_SCORE:
            raise DataError(f"{source}: {tune.title!r} lasts more than {LONGEST_SCORE} quarters")
        kept: dict[int, int] = {}
        for pitch in piece.pitches:
            length = max(1, _step(time, steps) - start)
            if pitch in tied:
                before = notes[tied[pitch]]
                notes[tied[pitch]] = Note(before.start, start + length - before.start, pitch)
            else:
                notes.append(Note(start, length, pitch))
            kept[pitch] = tied.get(pitch, len(notes) - 1)
        tied = kept if piece.is_tied else {}
    end = max([_step(time, steps), *(note.start + note.length for note in notes)])
    bar = 4 * steps * tune.meter[0] // tune.meter[1]
    bars = _joined(sorted(line for line in lines if line < end), end, bar)
    return Score(
        notes, bars, end, steps=steps, meter=tune.meter, tempo=tune.tempo, title=tune.title
    )


def _step(time: Fraction, steps: int) -> int:
    return int(time * steps + Fraction(1, 2))


def _joined(bars: list[int], end: int, bar: int) -> list[int]:
    """Where bars begin, without the lines of repeats that part one bar in two."""
    kept: list[int] = []
    for start, stop in pairwise([*bars, end]):
        # The upbeat at the beginning of all is no part of the bar after it.
        if len(kept) > 1 and start - kept[-1] < bar and stop - kept[-1] == bar:
            continue
        kept.append(start)
    return kept
