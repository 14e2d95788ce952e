"""What is installed is told without guesses."""

import sys

import numpy as np
import torch

from layerwise.core.testing import get_env, show_install, try_import


def test_the_report_names_versions_and_devices(capsys):
    show_install()
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["torch"] == torch.__version__
    assert told["numpy"] == np.__version__
    assert told["layerwise.core"].startswith("layerwise-core ")
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"cuda", "platform", "mps", "threads"} <= told.keys()


def test_an_environment_variable_that_is_not_set_is_unknown(monkeypatch):
    monkeypatch.setenv("LAYERWISE_TEST", "")
    assert get_env("LAYERWISE_TEST") == "unknown"
    monkeypatch.setenv("LAYERWISE_TEST", "yes")
    assert get_env("LAYERWISE_TEST") == "yes"


def test_a_module_that_does_not_import_is_none(tmp_path, monkeypatch):
    (tmp_path / "lw_broken_wheel.py").write_text("raise OSError('libfoo.so not found')")
    monkeypatch.syspath_prepend(tmp_path)
    assert try_import("lw_broken_wheel") is None
    assert try_import("json").loads("1") == 1
