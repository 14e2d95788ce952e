"""The tensor types of music."""

from __future__ import annotations

from typing import Any

import torch
from layerwise.core.tensors import TensorBase
from layerwise.text.types import LMTensorText

from layerwise_music.score import Note, Score

__all__ = ["PianoRoll", "TensorMusic"]

_BEGINS, _GOES_ON = 2, 1

# T: steps of time.


class TensorMusic(LMTensorText):
    """(T,) or (B, T) numbers of the tokens of music, which show as notes."""


class PianoRoll(TensorBase):
    """(128, T) uint8: by pitch and step 2 where a note begins, 1 where it goes on, 0 in silence.

    Metadata: `bars`, `steps`, `meter` and `tempo` of the score. Notes of one pitch that overlap end
    where the next begins.

    Example:
        >>> roll = PianoRoll.of(Score([(0, 2, 60), (2, 1, 60)], steps=1))
        >>> roll[60].tolist(), roll.score().notes[1].start
        ([2, 1, 2], 2)
    """

    bars: tuple[int, ...]
    steps: int
    meter: tuple[int, int]
    tempo: float

    @classmethod
    def of(cls, score: Score) -> PianoRoll:
        """The roll of a score."""
        cells = torch.zeros(128, score.length, dtype=torch.uint8)
        for note in score.notes:
            held = cells[note.pitch, note.start : note.start + note.length]
            held[held == 0] = _GOES_ON
        for note in score.notes:
            cells[note.pitch, note.start] = _BEGINS
        return cls(cells, bars=score.bars, steps=score.steps, meter=score.meter, tempo=score.tempo)

    def score(self) -> Score:
        """The score of the roll.

        Raises:
            ValueError: if it has not two dimensions, 128 pitches first.
        """
        if self.ndim != 2 or self.shape[0] != 128:
            raise ValueError(f"a roll of shape {tuple(self.shape)}; give (128, T)")
        notes = []
        for pitch, row in enumerate(self.as_plain().tolist()):
            start = 0
            for time, cell in enumerate([*row, _BEGINS]):
                is_going = time > start and row[start] != 0 and cell == _GOES_ON
                if not is_going:
                    if time > start and row[start] != 0:
                        notes.append(Note(start, time - start, pitch))
                    start = time
        bars = [bar for bar in self.bars if bar < self.shape[1]]
        return Score(
            notes, bars, self.shape[1], steps=self.steps, meter=self.meter, tempo=self.tempo
        )

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:
        """Draw the roll on `ctx` (axes), a new figure when None. Returns the axes."""
        return self.score().show(ctx, **kwargs)
