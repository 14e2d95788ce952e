"""What a bundle takes is found from its data, whoever wrote them."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.errors import ConfigError
from layerwise.core.serve.intake import Column, Intake, intake_of
from layerwise.core.serve.limits import Refused

ROWS = Intake("row", columns=(Column("job", is_number=False), Column("age", is_number=True)))


def with_loader(loader):
    return SimpleNamespace(dls=DataLoaders(loader, loader))


def test_a_step_that_accepts_bytes_takes_files(files):
    found = intake_of(files)
    assert (found.kind, found.skip, found.media_type) == ("file", 0, None)


def test_a_step_that_says_so_takes_texts(texts):
    assert intake_of(texts).kind == "text"


def test_steps_before_the_one_that_reads_are_left_out():
    def content_of(row: dict) -> bytes:
        return row["content"]

    class Sound(float):
        media_type = "audio/*"

    def read(content: bytes) -> Sound:
        return Sound(len(content))

    datasets = Datasets([{"content": b"a"}, {"content": b"bc"}], [[content_of, read]])
    found = intake_of(with_loader(TfmdDL(datasets, bs=2)))
    assert (found.kind, found.skip, found.media_type) == ("file", 1, "audio/*")


def test_data_with_columns_take_rows():
    class Table(list):
        def request_columns(self):
            return ROWS.columns

    assert intake_of(with_loader(DataLoader(Table(), bs=2))) == ROWS


def test_a_step_that_takes_names_of_files_alone_is_not_served():
    def read(name: str) -> float:
        return float(Path(name).read_text())

    datasets = Datasets([], [[read]])
    with pytest.raises(ConfigError, match="has to accept `bytes`"):
        intake_of(with_loader(TfmdDL(datasets, bs=2)))


def test_several_inputs_are_refused():
    datasets = Datasets([b"a"], [[len], [len], [len]], n_inp=2)
    with pytest.raises(ConfigError, match="its items have 2 inputs"):
        intake_of(with_loader(TfmdDL(datasets, bs=1)))


def test_a_loader_may_say_why_not():
    class Stream(DataLoader):
        unserved = "it has no items"

    with pytest.raises(ConfigError, match="cannot be served: it has no items"):
        intake_of(with_loader(Stream([], bs=1)))


def test_a_row_is_given_to_the_data_by_their_names_in_their_order():
    columns = (Column(7, is_number=False), Column("age", is_number=True))
    found = Intake("row", columns=columns).checked({"age": 3, "7": "cook"}, "row")
    assert list(found.items()) == [(7, "cook"), ("age", 3)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"jbo": "cook", "age": 1}, r"unknown column 'jbo'\. Did you mean 'job'\? The columns are"),
        ({"job": "cook"}, r"row has no column 'age'; give null"),
        ({"job": "cook", "age": "old"}, r"row\.age is a text, 'old'; give a number or null"),
        ({"job": "cook", "age": True}, r"row\.age is a truth value, True"),
        ({"job": "cook", "age": 10**400}, r"row\.age is a number, 1000"),
        ({"job": ["cook"], "age": 1}, r"row\.job is a list; give a text, a number or null"),
        ([1, 2], r"row is a list; give an object with a value for each of 'job', 'age'"),
        ("/etc/passwd", r"row is a text, '/etc/passwd'; give an object"),
    ],
)
def test_a_row_that_is_none_is_refused_in_words(row, told):
    with pytest.raises(Refused, match=told) as refused:
        ROWS.checked(row, "row")
    assert refused.value.status == 422


def test_missing_values_are_null():
    assert ROWS.checked({"job": None, "age": None}, "row") == {"job": None, "age": None}


@pytest.mark.parametrize(
    ("kind", "item", "told"),
    [
        ("text", b"abc", "x is a file; give a text in quotes"),
        ("text", " \n", "x is empty; give a text"),
        ("file", "/etc/passwd", "x is a text, '/etc/passwd'; give the contents of a file"),
        ("file", b"", "x is empty; give the contents of a file"),
    ],
)
def test_one_kind_is_not_taken_for_another(kind, item, told):
    with pytest.raises(Refused, match=told):
        Intake(kind).checked(item, "x")
