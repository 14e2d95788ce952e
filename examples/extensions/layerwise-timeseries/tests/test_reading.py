"""Files of the archives, against numbers read by hand and the heads of the files."""

import pytest
from layerwise.core.errors import DataError

from layerwise_timeseries.reading import read_ts

HEAD = "# a comment\n@problemName two\n@timeStamps false\n@classLabel true up down\n@data\n"


def test_channels_missing_values_and_unequal_lengths_are_read(tmp_path):
    path = tmp_path / "x.ts"
    path.write_text(HEAD + "1,2,?:4,5:up\n\n-1e2,NaN:3,3:down\n")
    series, labels, classes = read_ts(path)
    assert labels == ["up", "down"]
    assert classes == ["up", "down"]
    assert [s.shape for s in series] == [(2, 3), (2, 2)]
    assert series[0].nan_to_num(-9).tolist() == [[1, 2, -9], [4, 5, -9]]
    assert series[1].nan_to_num(-9).tolist() == [[-100, -9], [3, 3]]


def test_a_file_without_classes_has_no_labels(tmp_path):
    (tmp_path / "x.ts").write_text("@classLabel false\n@data\n1,2\n")
    assert read_ts(tmp_path / "x.ts").labels == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + "1,2:up\n1,b:down\n", "line 7 is no case"),
        (HEAD + "up\n", "line 6 is no case"),
        ("@timeStamps true\n@data\n(0,1),(1,2):up\n", "time stamps"),
        ("1,2,3\n", "no line '@data'"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path, text, told):
    (tmp_path / "x.ts").write_text(text)
    with pytest.raises(DataError, match=told):
        read_ts(tmp_path / "x.ts")


@pytest.mark.parametrize(
    ("name", "train", "test", "channels", "steps", "classes"),
    [  # from the archive's own list of data sets
        ("ArrowHead", 36, 175, 1, 251, 3),
        ("GunPoint", 50, 150, 1, 150, 2),
        ("ItalyPowerDemand", 67, 1029, 1, 24, 2),
        ("BasicMotions", 40, 40, 6, 100, 4),
        ("JapaneseVowels", 270, 370, 12, 29, 9),
    ],
)
def test_the_archives_sets_have_the_sizes_that_it_states(
    ucr, name, train, test, channels, steps, classes
):
    for part, count in (("TRAIN", train), ("TEST", test)):
        series, labels, listed = read_ts(ucr / name / f"{name}_{part}.ts")
        assert len(series) == len(labels) == count
        assert {len(s) for s in series} == {channels}
        assert set(labels) == set(listed)
        assert len(listed) == classes
        assert max(s.shape[1] for s in series) <= steps
