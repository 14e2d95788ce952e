"""`Score`: notes on a grid of time, with the places where bars begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

__all__ = ["LONGEST_SCORE", "Note", "Score"]

LONGEST_SCORE = 10_000
"""Quarters that a score may last, more than an hour: a damaged file may say any number."""


class Note(NamedTuple):
    """A note: where it begins and how long it lasts, in steps, and its MIDI pitch (60 is C4)."""

    start: int
    length: int
    pitch: int


@dataclass(frozen=True, init=False)
class Score:
    """Notes, bars and meter. Times are whole numbers of steps, `steps` of them to a quarter.

    Notes are kept by the time at which they begin, higher ones first.

    Args:
        notes: the notes, in any order; tuples `(start, length, pitch)` are taken too.
        bars: where bars begin, before the end; a first bar may be shorter (an upbeat).
        length: of the whole; at least to the end of the last note.
        steps: of a quarter; 12 holds sixteenths and triplets of eighths.
        meter: beats of a bar, and what part of a whole note a beat is.
        tempo: quarters a minute.
        title: what it is called.

    Raises:
        ValueError: for a pitch that is none of MIDI, a note without length, a bar outside, a score
            longer than `LONGEST_SCORE`.

    Example:
        >>> score = Score([(12, 12, 62), (0, 12, 60)], bars=[0])
        >>> score.notes[0], score.length, int(score.bar_length)
        (Note(start=0, length=12, pitch=60), 24, 48)
    """

    notes: tuple[Note, ...]
    bars: tuple[int, ...] = ()
    length: int = 0
    steps: int = 12
    meter: tuple[int, int] = (4, 4)
    tempo: float = 120.0
    title: str = ""

    def __init__(
        self,
        notes: Iterable[Note | tuple[int, int, int]],
        bars: Iterable[int] = (),
        length: int = 0,
        *,
        steps: int = 12,
        meter: tuple[int, int] = (4, 4),
        tempo: float = 120.0,
        title: str = "",
    ) -> None:
        if steps < 1 or meter[0] < 1 or meter[1] < 1 or tempo <= 0:
            raise ValueError(
                f"steps={steps}, meter={meter}, tempo={tempo}; give one step of a quarter or more, "
                "a meter such as (3, 4), and quarters a minute"
            )
        kept = sorted((Note(*note) for note in notes), key=_place)
        end = max([length, *(note.start + note.length for note in kept)])
        for note in kept:
            if note.start < 0 or note.length < 1 or not 0 <= note.pitch < 128:
                raise ValueError(
                    f"{note}; a note begins at 0 or later, lasts a step or more, and has a pitch "
                    "from 0 to 127"
                )
        if end > LONGEST_SCORE * steps:
            raise ValueError(
                f"a score of {end // steps} quarters; {LONGEST_SCORE} are the most. Cut it, or "
                "check whether the file is damaged"
            )
        places = tuple(sorted(set(bars)))
        if places and not 0 <= places[0] <= places[-1] < end:
            raise ValueError(
                f"bars begin from {places[0]} to {places[-1]} in a score of {end} steps; give "
                "places from 0 on and before the end"
            )
        values: dict[str, Any] = {
            "notes": tuple(kept), "bars": places, "length": end, "steps": steps, "meter": meter,
            "tempo": tempo, "title": title,
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)  # as dataclasses that are frozen do it

    @property
    def bar_length(self) -> Fraction:
        """Steps of a whole bar by the meter."""
        return Fraction(4 * self.steps * self.meter[0], self.meter[1])

    def transposed(self, by: int) -> Score:
        """The same `by` half tones higher.

        Raises:
            ValueError: if a pitch leaves the 128 of MIDI.

        Example:
            >>> Score([(0, 1, 60)]).transposed(-3).notes[0].pitch
            57
        """
        return self._with([Note(n.start, n.length, n.pitch + by) for n in self.notes])

    def on_grid(self, steps: int) -> Score:
        """The same with `steps` to a quarter; what lies between is moved to the nearest step.

        Notes that fall together become one, and none gets shorter than a step.

        Example:
            >>> Score([(0, 12, 60), (12, 6, 62)], steps=12).on_grid(4).notes[1]
            Note(start=4, length=2, pitch=62)
        """
        if steps == self.steps:
            return self
        moved = {
            Note(at, max(1, _rounded(n.start + n.length, steps, self.steps) - at), n.pitch)
            for n in self.notes
            for at in [_rounded(n.start, steps, self.steps)]
        }
        length = _rounded(self.length, steps, self.steps)
        end = max([length, *(n.start + n.length for n in moved)])
        bars = [_rounded(bar, steps, self.steps) for bar in self.bars]
        return self._with(moved, [bar for bar in bars if bar < end], length, steps)

    def cut(self, start: int, stop: int) -> Score:
        """What lies between two times; notes that reach beyond `stop` end there.

        Notes that begin before `start` are left out.

        Example:
            >>> Score([(0, 12, 60), (12, 24, 62)], bars=[0, 24]).cut(12, 30).notes
            (Note(start=0, length=18, pitch=62),)
        """
        stop = min(stop, self.length)
        notes = [
            Note(n.start - start, min(n.length, stop - n.start), n.pitch)
            for n in self.notes
            if start <= n.start < stop
        ]
        bars = [bar - start for bar in self.bars if start <= bar < stop]
        return self._with(notes, bars, max(0, stop - start))

    def first_bars(self, count: int) -> Score:
        """The first `count` whole bars, with the upbeat before them.

        Example:
            >>> Score([(0, 4, 60)], bars=[0, 1, 5, 9], length=13, steps=1).first_bars(2).length
            9
        """
        has_upbeat = len(self.bars) > 1 and self.bars[1] - self.bars[0] < self.bar_length
        later = self.bars[has_upbeat + count :]
        return self.cut(0, later[0]) if later else self

    def _with(
        self,
        notes: Iterable[Note],
        bars: Iterable[int] | None = None,
        length: int | None = None,
        steps: int | None = None,
    ) -> Score:
        return Score(
            notes,
            self.bars if bars is None else bars,
            self.length if length is None else length,
            steps=self.steps if steps is None else steps,
            meter=self.meter,
            tempo=self.tempo,
            title=self.title,
        )

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the piano roll on `ctx` (axes), a new figure when None. Returns the axes."""
        from layerwise_music.picture import draw_score

        return draw_score(self, ctx, **kwargs)

    def hear(self, sample_rate: int = 22_050) -> Any:
        """A player for a notebook; see `layerwise_music.sound`."""
        from layerwise_music.sound import hear

        return hear(self, sample_rate)

    def __str__(self) -> str:
        name = f"{self.title}: " if self.title else ""
        beats, unit = self.meter
        return f"{name}{len(self.notes)} notes in {len(self.bars)} bars of {beats}/{unit}"


def _place(note: Note) -> tuple[int, int, int]:
    return note.start, -note.pitch, note.length


def _rounded(time: int, steps: int, of: int) -> int:
    """`time` in steps of another grid, halves up."""
    return (2 * time * steps + of) // (2 * of)
