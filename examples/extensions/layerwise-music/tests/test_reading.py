"""Files of all kinds, by their endings."""

from pathlib import Path

import pytest
from layerwise.core.errors import DataError

from layerwise_music.chorale import read_chorale
from layerwise_music.midi import save_midi
from layerwise_music.reading import get_music_files, read_scores
from layerwise_music.score import Score


def test_a_chorale_holds_equal_pitches_and_leaves_out_silence(tmp_path: Path) -> None:
    file = tmp_path / "c.csv"
    file.write_text("note0,note1\n67,60\n67,0\n67,60\n69,60\n" + "0,0\n" * 14)
    score = read_chorale(file)
    assert [tuple(n) for n in score.notes] == [(0, 3, 67), (0, 1, 60), (2, 2, 60), (3, 1, 69)]
    assert (score.steps, score.bars, score.length, score.title) == (4, (0, 16), 18, "c")


@pytest.mark.parametrize(
    ("rows", "told"),
    [("60,61,62", "line 2: '60,61,62'"), ("60,x", "line 2"), ("60,128", "0 .silence. to 127"),
     ("60,-1", "line 2"), ("60,\x00", "line 2|no table")],
)  # fmt: skip
def test_rows_that_are_no_pitches_are_named(tmp_path: Path, rows: str, told: str) -> None:
    file = tmp_path / "c.csv"
    file.write_text(f"note0,note1\n{rows}\n")
    with pytest.raises(DataError, match=told):
        read_chorale(file)


def test_files_are_read_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.abc").write_text("X:1\nK:C\nC|D|\n\nX:2\nK:C\nE|\n")
    (tmp_path / "c.CSV").write_text("note0\n60\n60\n60\n60\n")
    save_midi(Score([(0, 12, 72)], bars=[0]), tmp_path / "a.mid")
    (tmp_path / "notes.txt").write_text("not music")
    files = get_music_files(tmp_path)
    assert [file.name for file in files] == ["a.mid", "c.CSV", "b.abc"]
    scores = read_scores(files)
    assert [len(score.notes) for score in scores] == [1, 1, 2, 1]
    assert {score.steps for score in scores} == {12}
    assert scores[1].notes[0].length == 12


def test_another_ending_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Did you mean '\.midi'"):
        read_scores(tmp_path / "a.mdi")


def test_bad_files_are_left_out_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"junk")
    (tmp_path / "b.abc").write_text("X:1\nK:C\nC\n")
    with pytest.warns(UserWarning, match="left out a file: .*a.mid"):
        assert len(read_scores(get_music_files(tmp_path), on_bad="skip")) == 1
    with pytest.raises(DataError, match=r"a\.mid"):
        read_scores(get_music_files(tmp_path))


def test_chorales_of_bach_have_four_voices(real: Path) -> None:
    files = get_music_files(real / "jsb_chorales" / "test")
    scores = read_scores(files)
    assert len(scores) == 77
    for file, score in zip(files, scores, strict=True):
        rows = len(file.read_text().splitlines()) - 1
        assert score.length == rows * 3  # 12 steps of a quarter are 3 of a sixteenth
        assert all(note.length % 3 == 0 for note in score.notes)
