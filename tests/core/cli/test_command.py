"""The command `layerwise`: its own words, those of packages, and what it says of wrong ones."""

import textwrap
from importlib.metadata import EntryPoints, distributions

import pytest

from layerwise.core import registry
from layerwise.core.cli import commands, main

RECORD = """
    from layerwise.core.registry import Entry, Plugin

    plugin = Plugin(name="{name}", api=1, entries={{"command": {{
        "count": Entry("{name}_words:count", "counts birds"),
        "train.{name}": Entry("{name}_words:train", "trains"),
    }}}})
"""
WORDS = """
    from pathlib import Path

    def count(names: tuple[str, ...], *, times: int = 1) -> None:
        '''Print how many birds there are.

        Args:
            names: the birds.
            times: what their number is multiplied by.
        '''
        print("birds:", len(names) * times)

    def train(data: Path, *, epochs: int) -> int:
        '''Train on data.'''
        if epochs < 1:
            raise ValueError(f"epochs={epochs}; give one at least")
        return epochs
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs packages with commands; the registry sees no others."""

    def only_here(*, group):
        found = [p for each in distributions(path=[str(tmp_path)]) for p in each.entry_points]
        return EntryPoints(found).select(group=group)

    def make(*names, record=RECORD, words=WORDS):
        for name in names:
            info = tmp_path / f"layerwise_{name}-1.0.dist-info"
            info.mkdir()
            meta = f"Metadata-Version: 2.1\nName: layerwise-{name}\nVersion: 1.0\n"
            (info / "METADATA").write_text(meta)
            point = f"[layerwise.plugins]\n{name} = {name}_record:plugin\n"
            (info / "entry_points.txt").write_text(point)
            made = textwrap.dedent(record).format(name=name)
            (tmp_path / f"{name}_record.py").write_text(made)
            (tmp_path / f"{name}_words.py").write_text(textwrap.dedent(words))

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "entry_points", only_here)
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_records", {})
    monkeypatch.setattr(registry, "_published", None)
    yield make
    import sys

    for name in [n for n in sys.modules if "." not in n and n.endswith(("_record", "_words"))]:
        sys.modules.pop(name)


def test_a_package_adds_words_without_being_imported(install):
    import sys

    install("kites")
    told = [(" ".join(c.words), c.name, c.summary, c.source) for c in commands()]
    assert told == [
        ("count", "kites/count", "counts birds", "kites"),
        ("train kites", "kites/train.kites", "trains", "kites"),
    ]
    assert "kites_words" not in sys.modules


def test_typed_parameters_become_arguments(install, capsys):
    pytest.importorskip("tyro")
    install("kites")
    assert main(["count", "--names", "a", "b", "--times", "3"]) == 0
    assert capsys.readouterr().out == "birds: 6\n"


def test_what_a_command_returns_is_the_exit_code_and_what_it_raises_is_told(install, capsys):
    pytest.importorskip("tyro")
    install("kites")
    assert main(["train", "kites", "--data", "x", "--epochs", "3"]) == 3
    assert main(["train", "kites", "--data", "x", "--epochs", "0"]) == 1
    assert "layerwise train kites: epochs=0; give one" in capsys.readouterr().err


def test_help_of_a_command_has_its_docstring(install, capsys):
    pytest.importorskip("tyro")
    install("kites")
    with pytest.raises(SystemExit) as ended:
        main(["count", "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "what their number is multiplied by" in told
    assert "layerwise count" in told


def test_an_argument_that_is_unknown_ends_with_2(install, capsys):
    pytest.importorskip("tyro")
    install("kites")
    with pytest.raises(SystemExit) as ended:
        main(["count", "--names", "a", "--tmies", "3"])
    assert ended.value.code == 2


def test_help_lists_own_words_and_those_of_packages(install, capsys):
    install("kites")
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "launch" in told
    assert "info" in told
    assert "counts birds (kites)" in told
    assert "train kites" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cuont"], "Did you mean 'count'?"),
        (["trian", "kites"], "Did you mean 'train'?"),
        (["train"], "goes on with another word: train kites"),
        (["train", "owls"], "goes on with another word: train kites"),
        (["lauch", "script.py"], "Did you mean 'launch'?"),
    ],
)
def test_a_wrong_word_ends_with_2_and_the_nearest(install, capsys, words, told):
    install("kites")
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_same_word_of_two_packages_is_refused_and_both_are_named(install, capsys):
    install("kites", "owls")
    assert main(["count"]) == 1
    err = capsys.readouterr().err
    assert "'kites'" in err
    assert "'owls'" in err


def test_without_tyro_what_to_install_is_told(install, capsys, monkeypatch):
    import sys

    install("kites")
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert main(["count", "--names", "a"]) == 1
    assert "pip install 'layerwise-core[cli]'" in capsys.readouterr().err


def test_a_command_that_does_not_import_is_told(install, capsys):
    install("kites", words="import no_such_module")
    assert main(["count"]) == 1
    assert "no_such_module" in capsys.readouterr().err
