"""What the tests share: no window, the same numbers, the archive of real series."""

import os
import tarfile
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"  # a test opens no window

import pytest
import torch


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def ucr(tmp_path_factory):
    """The folder of five sets of the UCR and UEA archives; skips where they are absent."""
    mirror = Path(os.environ.get("LAYERWISE_MIRROR", Path(__file__).parents[5] / "shared" / "data"))
    archive = mirror / "ucr_small.tgz"
    if not archive.is_file():
        pytest.skip(f"no real series: {archive} is absent; set LAYERWISE_MIRROR to its folder")
    folder = tmp_path_factory.mktemp("ucr")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "ucr_small"
