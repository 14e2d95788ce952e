"""Fixtures for data: the mirror of real sets, and a home of its own for each test."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder with archives of real data; a test that needs it is skipped where it is absent."""
    folder = Path(os.environ.get("LAYERWISE_MIRROR", _ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; set LAYERWISE_MIRROR to the folder of archives")
    return folder


@pytest.fixture(scope="session")
def layerwise_home(tmp_path_factory) -> Path:
    """A folder for downloads and settings that all tests of a run share."""
    return tmp_path_factory.mktemp("layerwise-home")


@pytest.fixture(autouse=True)
def _home_of_its_own(layerwise_home, monkeypatch) -> None:
    """Point LAYERWISE_HOME away from the home of whoever runs the tests."""
    monkeypatch.setenv("LAYERWISE_HOME", str(layerwise_home))
