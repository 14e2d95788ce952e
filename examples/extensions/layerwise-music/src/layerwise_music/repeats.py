"""Tunes with repeats in the order in which they are played, as `abc_notation` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

__all__: list[str] = []

_MOST_TURNS = 64  # of a repeat: a damaged tune may ask for more than anyone can play


@dataclass(frozen=True)
class Sound:
    """Pitches at once, none for a rest, and quarters that they last."""

    pitches: tuple[int, ...]
    length: Fraction
    is_tied: bool = False


@dataclass(frozen=True)
class Line:
    """A bar line: where a repeat may end or begin."""

    ends: bool = False
    begins: bool = False


@dataclass(frozen=True)
class Ending:
    """What follows is played in these turns of a repeat."""

    turns: frozenset[int]


Piece = Sound | Line | Ending


def played(pieces: list[Piece]) -> Iterator[Sound | Line]:
    """The pieces in the order in which they are played."""
    start, turn, at, jumps = 0, 1, 0, 0
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if isinstance(piece, Sound):
            yield piece
        elif isinstance(piece, Ending):
            if turn not in piece.turns:
                at = _ending_of(pieces, at, turn)
        else:
            yield piece
            if (
                piece.ends
                and jumps < _MOST_TURNS
                and (turn == 1 or turn + 1 in _turns(pieces[start : at + 1]))
            ):
                at, turn, jumps = start, turn + 1, jumps + 1
            elif piece.begins or (piece.ends and not _is_ending(pieces, at)):
                start, turn = at, 1


def _turns(pieces: list[Piece]) -> set[int]:
    """The turns that endings among these pieces are for."""
    return {turn for piece in pieces if isinstance(piece, Ending) for turn in piece.turns}


def _is_ending(pieces: list[Piece], at: int) -> bool:
    return at < len(pieces) and isinstance(pieces[at], Ending)


def _ending_of(pieces: list[Piece], at: int, turn: int) -> int:
    """Behind which piece the ending of this turn begins; the end of the repeat if there is none."""
    for i in range(at, len(pieces)):
        piece = pieces[i]
        if isinstance(piece, Ending) and turn in piece.turns:
            return i + 1
        if isinstance(piece, Line) and piece.begins:
            return i
    return len(pieces)
