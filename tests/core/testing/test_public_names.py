"""A package from outside takes public names alone, or is told which are not."""

import pytest

from layerwise.core.testing import ContractError, check_public_names, raises_with


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that makes the package `lw_outside` of one text."""
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "lw_outside" / "inner"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")

    def write(text):
        (folder / "part.py").write_text(text)
        return "lw_outside"

    return write


@pytest.mark.parametrize(
    "text",
    [
        "from layerwise.core.data.block import DataBlock",
        "from layerwise.core.data import DataBlock",
        "from layerwise.core.all import *",
        "from layerwise.core.prelude import nn",
        "import numpy as np\nself = np\nself._own = 3",
        "x = __file__.__class__",
        "from sys import version_info as x\nx._replace, x._asdict, type(x)._fields, x._make",
    ],
)
def test_public_names_pass(package, text):
    check_public_names(package(text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from layerwise.core.data.block import _Getter", "part.py:1 takes _Getter from"),
        ("from layerwise.core.data.factories import refuse", "part.py:1 takes refuse from"),
        ("import x\nx._hidden", "part.py:2 uses x._hidden"),
        ("from layerwise.core._version import __version__, other", "takes other from"),
    ],
)
def test_others_are_told_with_their_line(package, text, told):
    with raises_with(ContractError, told, "lw_outside"):
        check_public_names(package(text))


def test_a_module_that_is_not_there_is_told():
    with raises_with(ContractError, "no module 'lw_not_there'"):
        check_public_names("lw_not_there")
