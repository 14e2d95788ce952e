"""Scores as pictures: the piano roll, time from left to right, pitch from below."""

from __future__ import annotations

from typing import Any

from layerwise.core.display.axes import subplots

from layerwise_music.score import Score

__all__ = ["draw_score", "pitch_name"]

_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_BLACK = frozenset({1, 3, 6, 8, 10})  # keys of a piano


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch.

    Example:
        >>> pitch_name(60), pitch_name(70)
        ('C4', 'B♭4')
    """
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw_score(
    score: Score,
    ax: Any = None,
    *,
    title: str | None = None,
    color: str = "tab:blue",
    split: int | None = None,
    split_color: str = "tab:orange",
) -> Any:
    """The axes with the piano roll of a score: notes, bars, and the black keys of a piano.

    Args:
        score: what to draw.
        ax: axes; those of a new figure when None.
        title: that of the score when None.
        color: of the notes.
        split: a time in steps from which notes have another colour, as where a model went on.
        split_color: that colour.

    Raises:
        MissingDependencyError: without matplotlib.
    """
    if ax is None:
        _, axes = subplots(figsize=(9, 2.6), layout="constrained")
        ax = axes[0]
    pitches = [note.pitch for note in score.notes] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK:
            ax.axhspan(pitch - 0.5, pitch + 0.5, color="0.96", linewidth=0, zorder=0)
    for bar in score.bars:
        ax.axvline(bar / score.steps, color="0.8", linewidth=0.8, zorder=1)
    for note in score.notes:
        is_later = split is not None and note.start >= split
        ax.barh(
            note.pitch, note.length / score.steps, left=note.start / score.steps, height=0.8,
            color=split_color if is_later else color, edgecolor="white", linewidth=0.6, zorder=2,
        )  # fmt: skip
    named = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 7)]
    ax.set_yticks(named, [pitch_name(pitch) for pitch in named])
    ax.set(xlim=(0, max(1, score.length) / score.steps), ylim=(low, high), xlabel="quarters")
    ax.set_title(score.title if title is None else title)
    return ax
