"""Keys, bars and counts, by hand."""

import math

import pytest

from layerwise_music.measure import (
    key_name,
    key_of,
    ngram_perplexity,
    share_in_key,
    share_of_whole_bars,
)
from layerwise_music.score import Score

MAJOR = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 7, 0]
MINOR = [0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0, 7, 0]


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize(("mode", "scale"), [("major", MAJOR), ("minor", MINOR)])
def test_a_scale_is_in_its_key(tonic: int, mode: str, scale: list[int]) -> None:
    score = Score([(i, 1, 60 + tonic + step) for i, step in enumerate(scale)])
    assert key_of(score) == (tonic, mode)
    assert share_in_key(score, (tonic, mode)) == 1


def test_half_of_all_half_tones_are_not_in_c_major() -> None:
    score = Score([(i, 1, 60 + i) for i in range(12)])
    assert share_in_key(score, (0, "major")) == 7 / 12
    assert key_name(key_of(Score([(0, 1, 60)]))) in ("C major", "C minor")


def test_nothing_is_in_no_key() -> None:
    with pytest.raises(ValueError, match="in no key"):
        key_of(Score([]))
    with pytest.raises(ValueError, match="key_of"):
        share_in_key(Score([(0, 1, 60)]), (0, "lydian"))


def test_whole_bars_are_counted_without_first_and_last() -> None:
    score = Score([], bars=[0, 12, 36, 60, 80], length=82, meter=(2, 4))
    assert share_of_whole_bars(score) == 2 / 3
    with pytest.raises(ValueError, match="three or more"):
        share_of_whole_bars(Score([], bars=[0], length=4))


def test_perplexity_by_hand() -> None:
    train, valid = [[0, 0, 0, 1]], [[0, 1]]
    # Alone: (3 + 1) / (4 + 2) and (1 + 1) / (4 + 2); 1 behind 0: (1 + 1) / (3 + 2).
    alone = math.exp(-(math.log(4 / 6) + math.log(2 / 6)) / 2)
    assert ngram_perplexity(train, valid, 2, context=0, added=1) == pytest.approx(alone)
    assert ngram_perplexity(train, valid, 2, context=1, added=1) == pytest.approx(5 / 2)
