"""Faults of table files, each told with file and line."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.core.data.csv_check import check_csv
from layerwise.core.errors import DataError


@pytest.fixture
def table(tmp_path):
    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n3\n", r"table.csv, line 3: 1 field where the first line has 2 \(a, b\)"),
        ("a,b\n1,2\n3,4,5\n6,7\n", "line 3: 3 fields where the first line has 2"),
        ('a,b\n"1,5",2\n3\n', "line 3: 1 field"),
        ('a,b\n"x\ny",2\n3\n', "line 4: 1 field"),
        ("a,b,a\n1,2,3\n", "table.csv: several columns are called 'a'"),
        ("", "table.csv is empty"),
        (b"a,b\nx,1\ncaf\xe9,2\n", r"line 3: the bytes b'\\xe9,2\\n' are not utf-8; pass encoding"),
        ("a,b\n1,2\n3,4", None),
        ("a,b\r\n1,2\r\n", None),
        ("a,b\n1,2\n\n3,4\n", None),
        ("a,b\n", None),
        ("a,b", None),
    ],
    ids=["short", "long", "quoted", "line in quotes", "twice", "empty", "latin", "no end",
         "windows", "blank line", "no rows", "names alone"],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(table, content, told):
    if told is None:
        assert check_csv(table(content)) == ["a", "b"]
        return
    with pytest.raises(DataError, match=told):
        check_csv(table(content))


def test_another_encoding_and_delimiter_are_read(table):
    assert check_csv(table(b"a;caf\xe9\n1;2\n"), ";", "latin-1") == ["a", "café"]


@given(rows=st.lists(st.lists(st.text('ab,"é\n', max_size=3), min_size=1, max_size=4), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_tables_with_even_lines_pass(tmp_path, rows):
    rows = [["x", "y"], *rows]
    path = tmp_path / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    even = all(len(row) == 2 for row in rows)
    if even:
        assert check_csv(path) == ["x", "y"]
    else:
        with pytest.raises(DataError, match="where the first line has 2"):
            check_csv(path)
