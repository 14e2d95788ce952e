"""Scores: what they hold to, and what can be done with them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise_music.score import Note, Score
from layerwise_music.types import PianoRoll


@pytest.mark.parametrize(
    ("note", "told"),
    [((-1, 1, 60), "begins at 0"), ((0, 0, 60), "lasts a step"), ((0, 1, 128), "from 0 to 127")],
)
def test_a_note_is_one_that_can_be_played(note: tuple[int, int, int], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Score([note])


def test_bars_lie_within_the_score() -> None:
    with pytest.raises(ValueError, match="before the end"):
        Score([(0, 4, 60)], bars=[0, 4])


def test_transposing_there_and_back_changes_nothing() -> None:
    score = Score([(0, 4, 60), (4, 4, 67)], bars=[0])
    assert score.transposed(7).transposed(-7) == score
    with pytest.raises(ValueError, match="from 0 to 127"):
        score.transposed(70)


def test_a_cut_begins_anew_and_ends_what_reaches_beyond() -> None:
    score = Score([(0, 6, 60), (4, 6, 62), (8, 8, 64)], bars=[0, 8], length=16, steps=2)
    assert score.cut(4, 12) == Score([(0, 6, 62), (4, 4, 64)], bars=[4], length=8, steps=2)


def test_first_bars_count_whole_ones_behind_an_upbeat() -> None:
    score = Score([(i, 1, 60) for i in range(13)], bars=[0, 1, 5, 9], steps=1)
    assert score.first_bars(1).length == 5
    assert score.first_bars(9) == score


rolls = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9), st.integers(0, 127)), max_size=20)


@given(notes=rolls)
def test_a_roll_brings_notes_back_unless_one_pitch_overlaps(
    notes: list[tuple[int, int, int]],
) -> None:
    kept: list[Note] = []
    for start, length, pitch in sorted(notes):
        is_free = all(n.pitch != pitch or n.start + n.length <= start for n in kept)
        kept += [Note(start, length, pitch)] if is_free else []
    score = Score(kept, bars=[0] if kept else [], tempo=90)
    assert PianoRoll.of(score).score() == score


def test_a_roll_says_where_a_note_is_struck_again() -> None:
    roll = PianoRoll.of(Score([(0, 2, 60), (2, 2, 60)], bars=[0]))
    assert roll.shape == (128, 4)
    assert roll[60].tolist() == [2, 1, 2, 1]
    added: Any = roll + 0
    assert added.meter == (4, 4)
    low: Any = roll[:12]
    with pytest.raises(ValueError, match=r"give \(128, T\)"):
        low.score()
