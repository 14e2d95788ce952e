"""MIDI files to scores and back, by the library mido."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

from layerwise.core.errors import DataError, MissingDependencyError
from layerwise.core.types import PathLike

from layerwise_music.score import LONGEST_SCORE, Note, Score

__all__ = ["read_midi", "save_midi"]

_LARGEST = 16 << 20  # bytes; the longest symphony has a tenth of it
_DRUMS = 9  # the channel whose pitches are instruments
_CHANNELS = [channel for channel in range(16) if channel != _DRUMS]
_TICKS = 480  # of a quarter where the grid allows it, as most programs write


def _mido() -> Any:
    try:
        mido = import_module("mido")  # it states no types
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of("mido", needed_for="MIDI files", install="mido") from error
    return mido


def read_midi(path: PathLike, steps: int = 12) -> Score:
    """The notes of a Standard MIDI File, of all tracks and channels but the drums.

    Bars are those of the time signatures (4/4 where there is none), and the meter of the score is
    that of most of its time. Changes of tempo do not move notes, which are counted in quarters;
    the first tempo is kept. Velocities and instruments are not, so that equal notes of two voices
    are one.

    Args:
        path: a file of format 0 or 1, no larger than 16 MiB.
        steps: of a quarter; what lies between is moved to the nearest step.

    Raises:
        DataError: if it is none, is damaged, or counts time in frames of films; names the file.
        MissingDependencyError: without mido.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = save_midi(Score([(0, 12, 60)], bars=[0]), Path(folder, "one.mid"))
        ...     read_midi(file).notes
        (Note(start=0, length=12, pitch=60),)
    """
    file = _opened(Path(path))
    ticks = file.ticks_per_beat
    ends = [sum(message.time for message in track) for track in file.tracks]
    end = max(ends, default=0)
    if end > LONGEST_SCORE * ticks:
        raise DataError(
            f"{path} lasts {end // ticks} quarters by its own account, more than {LONGEST_SCORE}; "
            "it is damaged, or no music"
        )
    sounding = [note for track in file.tracks for note in _notes(track)]
    metas = sorted((m for track in file.tracks for m in _metas(track)), key=lambda found: found[0])
    tempo = next((m.tempo for _, m in metas if m.type == "set_tempo" and m.tempo), 500_000)
    meters = [(at, (m.numerator, m.denominator)) for at, m in metas if m.type == "time_signature"]
    last = max([end, *(note.start + note.length for note in sounding)])
    bars, meter = _bars(meters, last, ticks)
    fine = Score(sounding, bars, last, steps=ticks, meter=meter, tempo=round(60e6 / tempo, 3))
    return fine.on_grid(steps)


def _opened(path: Path) -> Any:
    mido = _mido()
    size = path.stat().st_size
    if size > _LARGEST:
        raise DataError(f"{path} has {size} bytes, and MIDI files no more than {_LARGEST}")
    try:
        with path.open("rb") as stream:
            file = mido.MidiFile(file=stream)
    except (EOFError, LookupError, OSError, ValueError, mido.KeySignatureError) as error:
        told = str(error) or "it ends too early"
        raise DataError(
            f"{path} cannot be read as a MIDI file: {told}. Is it damaged, or of another kind?"
        ) from error
    if not file.tracks:
        raise DataError(
            f"{path} says that it has no tracks, or too many to be true; is it damaged?"
        )
    if file.ticks_per_beat < 1 or file.type not in (0, 1):
        raise DataError(
            f"{path} is a MIDI file of format {file.type} with {file.ticks_per_beat} ticks of a "
            "quarter; formats 0 and 1 with one tick or more are read. Save it so in another program"
        )
    return file


def _notes(track: Any) -> Iterator[Note]:
    """The notes of a track, in ticks; one that does not end lasts to the end of the track."""
    open_notes: defaultdict[tuple[int, int], deque[int]] = defaultdict(deque)
    time = 0
    for message in track:
        time += message.time
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = message.channel, message.note
        if message.type == "note_on" and message.velocity:
            open_notes[key].append(time)
        elif open_notes[key]:
            start = open_notes[key].popleft()
            yield Note(start, max(1, time - start), message.note)
    for (_, pitch), starts in open_notes.items():
        for start in starts:
            yield Note(start, max(1, time - start), pitch)


def _metas(track: Any) -> Iterator[tuple[int, Any]]:
    """What is said of the music, and when, in ticks."""
    time = 0
    for message in track:
        time += message.time
        if message.is_meta:
            yield time, message


def _bars(
    meters: list[tuple[int, tuple[int, int]]], end: int, ticks: int
) -> tuple[list[int], tuple[int, int]]:
    """Where bars begin, and the meter of most of the time."""
    if not meters or meters[0][0] > 0:
        meters = [(0, (4, 4)), *meters]
    bars: list[int] = []
    lasts: defaultdict[tuple[int, int], int] = defaultdict(int)
    stops = [at for at, _ in meters[1:]] + [end]
    for (start, (beats, unit)), stop in zip(meters, stops, strict=True):
        stop = min(stop, end)
        # A denominator is stored as a power of two, up to 2**255: no bar is less than a 64th.
        bar = max(Fraction(ticks, 16), Fraction(4 * ticks * max(1, beats), unit))
        count = max(0, -((start - stop) // bar))
        bars += [int(start + i * bar) for i in range(count)]
        lasts[max(1, beats), unit] += max(0, stop - start)
    return [bar for bar in bars if bar < end], max(lasts, key=lambda meter: lasts[meter])


def save_midi(score: Score, path: PathLike, program: int = 0) -> Path:
    """Write a score as a MIDI file of format 1. Returns the path.

    Bars shorter or longer than the meter get a time signature of their own, so that they are read
    again where they were. Of a score without bars those of its meter are read.

    Args:
        score: what to write.
        path: the file.
        program: the instrument by its number in General MIDI, from 0 (piano) to 127.

    Raises:
        ValueError: if one pitch sounds more than 15 times at once.
        MissingDependencyError: without mido.
    """
    mido = _mido()
    factor = max(1, _TICKS // score.steps)
    file = mido.MidiFile(type=1, ticks_per_beat=score.steps * factor)
    frame = [(0, mido.MetaMessage("set_tempo", tempo=round(60e6 / score.tempo)))]
    for at, (beats, unit) in _signatures(score):
        meter = mido.MetaMessage("time_signature", numerator=beats, denominator=unit)
        frame.append((at * factor, meter))
    voices: list[tuple[int, Any]] = []
    used: set[int] = set()
    free: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(_CHANNELS))
    for note in score.notes:
        stop = note.start + note.length
        channel = next((c for c, at in enumerate(free[note.pitch]) if at <= note.start), None)
        if channel is None:
            raise ValueError(f"{note} is more than the fifteenth of its pitch at once")
        free[note.pitch][channel] = stop
        used.add(_CHANNELS[channel])
        fields = {"note": note.pitch, "channel": _CHANNELS[channel]}
        voices.append((note.start * factor, mido.Message("note_on", velocity=80, **fields)))
        voices.append((stop * factor, mido.Message("note_off", velocity=0, **fields)))
    changes = [
        (0, mido.Message("program_change", program=program, channel=channel))
        for channel in sorted(used)
    ]
    for events in (frame, [*changes, *voices]):
        file.tracks.append(_track(mido, events, score.length * factor))
    file.save(path)
    return Path(path)


def _track(mido: Any, events: list[tuple[int, Any]], end: int) -> Any:
    """Events with the time since the one before; what ends at a time comes before what begins."""
    track, time = mido.MidiTrack(), 0
    for at, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=at - time))
        time = at
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - time)))
    return track


def _signatures(score: Score) -> Iterator[tuple[int, tuple[int, int]]]:
    """Where the length of bars changes, and the meter that says so."""
    if not score.bars:
        yield 0, score.meter
    before: tuple[int, int] | None = None
    stops = [*score.bars[1:], score.length] if score.bars else []
    for start, stop in zip(score.bars, stops, strict=True):
        is_cut = stop == score.length and stop - start < score.bar_length
        is_usual = is_cut or stop - start == score.bar_length
        own = None if is_usual else _meter_of(Fraction(stop - start, 4 * score.steps))
        meter = own or score.meter
        if meter != before:
            yield start, meter
        before = meter


def _meter_of(whole: Fraction) -> tuple[int, int] | None:
    """The meter of a bar that lasts this part of a whole note, if one can be written."""
    for unit in (4, 8, 16, 32, 64):
        beats = whole * unit
        if beats.denominator == 1 and beats < 256:
            return int(beats), unit
    return None
