import pickle

import pytest
import torch

from layerwise.core.display.titled import (
    ShowTitle,
    TitledFloat,
    TitledInt,
    TitledStr,
    TitledTuple,
    show_title,
)
from layerwise.core.tensors import TitledTensorScalar

TITLED = [TitledInt(3), TitledFloat(0.5), TitledStr("cat"), TitledTuple((1, "a"))]


@pytest.mark.parametrize("value", TITLED, ids=lambda value: type(value).__name__)
def test_titled_values_are_what_they_were_and_show_their_text(value, plt, capsys):
    base = type(value).__mro__[2]
    assert value == base(value)
    assert isinstance(value, ShowTitle)
    assert value.show() is None
    assert capsys.readouterr().out == f"{base(value)}\n"
    _, ax = plt.subplots()
    assert value.show(ctx=ax) is ax
    assert ax.get_title() == str(base(value))
    assert value.show(ctx={}) == {"text": str(base(value))}
    assert type(pickle.loads(pickle.dumps(value))) is type(value)


def test_a_title_goes_below_the_one_that_is_there(plt):
    _, ax = plt.subplots()
    show_title("cat", ax=ax)
    show_title("dog", ctx=ax, color="red")
    assert ax.get_title() == "cat\ndog"
    assert ax.title.get_color() == "red"


def test_an_entry_does_not_replace_the_one_that_is_there():
    row = show_title(1, ctx={}, label="n")
    assert show_title(2, ctx=row, label="n") == {"n": 1, "n_": 2}


def test_a_row_of_a_frame_takes_entries_too():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(index=range(2))
    row = show_title("cat", ctx=frame.iloc[0], label="label")
    assert row["label"] == "cat"
    row = show_title("dog", ctx=row, label="label")
    assert row.to_dict() == {"label": "cat", "label_": "dog"}
    assert list(frame.columns) == []


def test_a_context_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="cannot be shown on int; the context is axes"):
        show_title("cat", ctx=3)


def test_an_unknown_keyword_is_refused():
    with pytest.raises(TypeError, match="colour"):
        TitledInt(3).show(colour="red")


def test_text_is_truncated_by_words():
    short = TitledStr("one two  three").truncate(2)
    assert short == "one two"
    assert type(short) is TitledStr
    assert TitledStr("one").truncate(5) == "one"


def test_a_subclass_chooses_its_label():
    class Category(ShowTitle, str):
        _show_args = {"label": "category"}

    assert Category("cat").show(ctx={}) == {"category": "cat"}
    assert Category("cat").show(ctx={}, label="prediction") == {"prediction": "cat"}


def test_a_scalar_in_a_tensor_shows_its_number(capsys):
    TitledTensorScalar(torch.tensor(2)).show()
    assert capsys.readouterr().out == "2\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.0, "7"),
        (9.999971389770508, "10"),
        (0.123456, "0.1235"),
        (123456.7, "123457"),
        (1.5e20, "1.5e+20"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_have_four_significant_digits(value, text, plt):
    assert TitledFloat(value).show(ctx={}) == {"text": text}
    assert TitledTuple((value, 1)).show(ctx={}) == {"text": f"({text}, 1)"}
    assert show_title(value, ax=plt.subplots()[1]).get_title() == text


def test_titles_are_wrapped_to_the_width_of_the_axes(plt):
    narrow = plt.subplots(1, 4, figsize=(10, 3))[1][0]
    lines = show_title("partly_cloudy;primary;road", ax=narrow).get_title().split("\n")
    assert lines == ["partly_cloudy;", "primary;road"]
    long = show_title("x" * 200, ax=plt.subplots(1, 4)[1][0]).get_title()
    assert long.count("\n") == 3
    assert long.endswith("…")
