"""`layerwise info`: what is there, and what is broken and why."""

import importlib.metadata as metadata

import pytest
import torch

from layerwise.core import registry
from layerwise.core.cli import broken_parts, info, main


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """A function that lets core ask for made-up libraries: name -> source, None: not installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(info, "plugins", lambda: {"core": "layerwise-core 1.0"})

    def make(required=(), extra=(), **sources):
        lines = [*required, *(f'{name}>=1; extra == "more"' for name in extra)]
        monkeypatch.setattr(metadata, "requires", lambda _name: lines)
        there = {name: text for name, text in sources.items() if text is not None}
        for name, text in there.items():
            (tmp_path / f"{name}.py").write_text(text)
        known = {name: [name.replace("_", "-")] for name in there}
        monkeypatch.setattr(metadata, "packages_distributions", lambda: known)

    return make


def test_an_extra_that_does_not_import_is_broken_and_says_why(libraries):
    libraries(extra=["lw-e1-bad"], lw_e1_bad="raise OSError('libfoo.so: not found\\nmore')")
    told = broken_parts()["lw-e1-bad"]
    assert "layerwise-core[more]" in told
    assert "`import lw_e1_bad` raises OSError: libfoo.so: not found" in told
    assert "more\n" not in told


def test_an_extra_that_is_not_installed_is_not_broken(libraries):
    libraries(extra=["lw-e1-absent"])
    assert broken_parts() == {}


def test_a_requirement_that_is_not_installed_is_broken(libraries):
    libraries(required=["lw-e1-absent[fast]>=2"])
    assert "layerwise-core needs it" in broken_parts()["lw-e1-absent"]


def test_what_a_library_prints_or_warns_is_not_seen(libraries, capsys):
    noisy = "import warnings\nprint('hello')\nwarnings.warn('old')"
    libraries(required=["lw-e1-noisy"], lw_e1_noisy=noisy)
    assert broken_parts() == {}
    assert capsys.readouterr().out == ""


def test_the_report_names_versions_counts_and_devices_and_ends_with_0(libraries, capsys):
    libraries()
    assert main(["info"]) == 0
    told = capsys.readouterr().out
    assert "layerwise-core 1.0" in told
    assert f"{len(registry.record_of('core').entries['metric'])} metric" in told
    assert torch.__version__ in told
    assert "nothing is broken" in told
    assert "CohenKappa" not in told


def test_all_names_are_printed_where_they_are_asked_for(libraries, capsys):
    libraries()
    assert main(["info", "--names"]) == 0
    assert "CohenKappa" in capsys.readouterr().out


def test_a_record_that_does_not_import_is_broken_and_ends_with_1(libraries, capsys, monkeypatch):
    libraries()

    def fails(prefix):
        raise registry.RegistryError("the record 'x:plugin' does not import: no module x")

    monkeypatch.setattr(info, "record_of", fails)
    assert main(["info"]) == 1
    assert "core: the record 'x:plugin' does not import" in capsys.readouterr().out
