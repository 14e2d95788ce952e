"""What holds for all tests of music: seeds, one thread, no windows."""

import os
import tarfile
from pathlib import Path

import pytest
import torch

os.environ["MPLBACKEND"] = "agg"
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of folk tunes and chorales; a test that needs it is skipped where it is absent."""
    near = [parent / "shared" / "data" for parent in Path(__file__).parents]
    told = os.environ.get("LAYERWISE_MIRROR")
    found = [place for place in ([Path(told)] if told else near) if (place / NAMES[0]).is_file()]
    if not found:
        pytest.skip(f"no {NAMES[0]} here; set LAYERWISE_MIRROR to the folder of archives")
    folder = tmp_path_factory.mktemp("real")
    for name in NAMES:
        with tarfile.open(found[0] / name) as archive:
            archive.extractall(folder, filter="data")
    return folder


NAMES = ("folk_tunes.tgz", "jsb_chorales.tgz")
