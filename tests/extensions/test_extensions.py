"""Packages from outside: each runs its own tests here as if it were installed.

`make alone` does the same with wheels, in environments that hold nothing else.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSIONS = sorted(
    path.parent
    for pattern in ("extension-template", "examples/extensions/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)


def installed(extension, folder):
    """Metadata in `folder`, as an installation of the extension would leave it."""
    project = tomllib.loads((extension / "pyproject.toml").read_text())["project"]
    version = project.get("version", "0.1.0")
    info = folder / f"{project['name'].replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {version}\n"
    )
    points = project["entry-points"]["layerwise.plugins"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[layerwise.plugins]", *lines, ""]))
    return os.pathsep.join([str(extension / "src"), str(folder)])


@pytest.mark.parametrize("extension", EXTENSIONS, ids=lambda path: path.name)
def test_an_extension_passes_its_own_tests(extension, tmp_path):
    path = installed(extension, tmp_path)
    threads = {"OMP_NUM_THREADS": "1"}  # several tests run side by side
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=extension, env={**os.environ, "PYTHONPATH": path, **threads},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
