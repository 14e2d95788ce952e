"""Tokens: the vocabulary by hand, and scores that come back as they were."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layerwise.text.vocab import Numericalize

from layerwise_music.score import LONGEST_SCORE, Score
from layerwise_music.tokens import (
    FIRST_NOTE,
    METERS,
    MusicTokenizer,
    music_vocab,
    numbers_of,
    score_of_tokens,
)

notes = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 130), st.integers(0, 127)), max_size=30
)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    kept = draw(notes)
    end = max([draw(st.integers(0, 500)), *(start + length for start, length, _ in kept)])
    bars = draw(st.sets(st.integers(0, max(0, end - 1)), max_size=12)) if end else set()
    return Score(kept, bars, end, meter=draw(st.sampled_from(METERS)))


@settings(deadline=None)
@given(score=scores())
def test_tokens_bring_a_score_back_through_their_numbers(score: Score) -> None:
    tokenize, to_numbers = MusicTokenizer(), Numericalize(music_vocab())
    numbers = to_numbers(tokenize(score))
    assert 0 not in numbers.tolist()  # none is unknown
    assert tokenize.decode(to_numbers.decode(numbers)) == score


def test_tokens_are_those_that_the_table_says() -> None:
    score = Score(
        [(0, 4, 60), (0, 4, 64), (4, 60, 67)], bars=[0, 4], length=66, steps=4, meter=(3, 4)
    )
    assert " ".join(MusicTokenizer(4)(score)) == (
        "xxbos m3/4 bar n64 d4 n60 d4 t4 bar n67 d16 d16 d16 d12 t16 t16 t16 t14"
    )


def test_what_lies_off_the_grid_goes_to_the_nearest_step() -> None:
    score = Score([(0, 12, 60), (12, 4, 62), (16, 4, 64), (20, 4, 65)], steps=12)
    back = MusicTokenizer(4).decode(MusicTokenizer(4)(score))
    # Thirds of a quarter (4, 8 of 12 steps) are at 1.33 and 2.67 sixteenths.
    assert [tuple(note) for note in back.notes] == [(0, 4, 60), (4, 1, 62), (5, 2, 64), (7, 1, 65)]


@given(tokens=st.lists(st.sampled_from(music_vocab()), max_size=60))
def test_any_row_of_tokens_is_a_score(tokens: list[str]) -> None:
    score = score_of_tokens(tokens)
    assert all(note.length > 0 for note in score.notes)
    assert MusicTokenizer().decode(MusicTokenizer()(score)) == score


@given(tokens=st.lists(st.text(max_size=6), max_size=30))
def test_what_is_no_token_is_passed_over(tokens: list[str]) -> None:
    assert score_of_tokens([*tokens, "bar", "n60", "d3"]).notes[-1].pitch == 60


def test_a_row_that_lasts_for_ever_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{LONGEST_SCORE} are the most"):
        score_of_tokens(["n60", "d9999999"])


def test_notes_stand_at_the_same_numbers_in_every_vocabulary() -> None:
    for steps in (1, 4, 12, 24):
        vocab = music_vocab(steps)
        assert vocab[FIRST_NOTE : FIRST_NOTE + 128] == [f"n{pitch}" for pitch in range(128)]
        assert len(set(vocab)) == len(vocab)


def test_a_meter_that_the_vocabulary_lacks_is_unknown() -> None:
    tokens = list(MusicTokenizer()(Score([(0, 12, 60)], meter=(11, 8))))
    assert tokens[1] == "m11/8"
    assert numbers_of(tokens, music_vocab())[1] == 0


def test_a_grid_has_steps() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        MusicTokenizer(0)
