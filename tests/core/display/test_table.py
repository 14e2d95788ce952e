import sys
from types import SimpleNamespace

import pytest
import torch

from layerwise.core.display.table import Table, display_df, display_table, get_empty_df


def test_numbers_are_aligned_to_the_right_and_text_to_the_left():
    table = Table([("a", 1), ("bbb", 22)], columns=["name", "count"])
    assert str(table).splitlines() == ["name  count", "a         1", "bbb      22"]


def test_rows_may_be_mappings_that_lack_entries():
    table = Table([{"x": 1}, {"x": 2, "y": "b"}])
    assert table.columns == ["x", "y"]
    assert table.rows == [[1, ""], [2, "b"]]
    assert len(table) == 2


def test_columns_without_a_name_are_numbered():
    assert Table([(1, 2)]).columns == ["0", "1"]
    assert str(Table([])) == ""
    assert str(Table([], columns=["a", "b"])) == "a  b"


def test_a_row_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="row 1 has 1 cells for 2 columns: a, b"):
        Table([(1, 2), (3,)], columns=["a", "b"])


def test_long_text_is_cut_and_kept_on_one_line_in_the_terminal_only():
    text = "so\ngood " * 50
    table = Table([(text,)], columns=["text"])
    (line,) = str(table).splitlines()[1:]
    assert len(line) == 60
    assert line.startswith("so good so good")
    assert line.endswith("…")
    assert text in table._repr_html_()


def test_floats_and_tensors_are_written_short():
    line = str(Table([(1 / 3, torch.tensor(0.5), torch.tensor([1, 2]))])).splitlines()[1]
    assert line.split() == ["0.333333", "0.5", "tensor([1,", "2])"]


def test_html_is_escaped():
    found = Table([("<b>",)], columns=["a&b"])._repr_html_()
    assert "<td>&lt;b&gt;</td>" in found
    assert "<th>a&amp;b</th>" in found


def test_empty_rows_do_not_share_their_entries():
    first, second = get_empty_df(2)
    first["a"] = 1
    assert second == {}


def test_a_terminal_gets_text(capsys):
    pd = pytest.importorskip("pandas")
    display_table(Table([{"a": 1}]))
    assert capsys.readouterr().out == "a\n1\n"
    display_df(pd.DataFrame({"name": ["cat"], "n": [3]}))
    assert capsys.readouterr().out == "name  n\ncat   3\n"


def test_a_notebook_gets_the_object(monkeypatch, capsys):
    pd = pytest.importorskip("pandas")
    shown: list = []
    display = SimpleNamespace(display=shown.append)
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    table = Table([{"a": 1}])
    display_table(table)
    assert shown.pop() is table
    display_df(pd.DataFrame({"a": [30.0000011]}))  # as single precision makes it of 30
    assert "<th>a</th>" in shown[0]._repr_html_()
    assert "<td>30</td>" in shown.pop()._repr_html_()
    assert capsys.readouterr().out == ""


def test_ipython_in_a_terminal_gets_text(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    display_table(Table([{"a": 1}]))
    assert capsys.readouterr().out == "a\n1\n"
