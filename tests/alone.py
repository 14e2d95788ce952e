"""Check packages alone: build each, install it beside those it asks for, run its tests there.

    make alone ONLY="core text extension-template"

The first step has nothing but what the package itself asks for, so that a dependency which other
packages or the test tools happen to bring is missed. Environments live in a temporary folder.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACES = ("packages", ".", "examples/extensions")
IMPORT = """
import importlib, importlib.util, importlib.metadata, sys
top, *wanted = sys.argv[1:]
found = {d.name for d in importlib.metadata.distributions() if d.name.startswith("layerwise")}
assert found == set(wanted), found
for part in ("plugin", "types", "all"):
    if importlib.util.find_spec(f"{top}.{part}"):
        importlib.import_module(f"{top}.{part}")
"""


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> None:
    """Run a command and stop if it fails."""
    env = {**os.environ, **variables}
    subprocess.run([str(part) for part in command], check=True, cwd=cwd, env=env)


def folder_of(name: str) -> Path:
    """The folder of a package of ours, or of an extension."""
    return next(ROOT / place / name for place in PLACES if (ROOT / place / name).is_dir())


def project_of(name: str) -> dict[str, Any]:
    """What the package says of itself."""
    text = (folder_of(name) / "pyproject.toml").read_text(encoding="utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def needs(name: str) -> list[str]:
    """The packages of ours that must be installed with `name`, and itself; core first."""
    asked = [re.split(r"[^\w-]", wish)[0] for wish in project_of(name)["dependencies"]]
    ours = [wish.removeprefix("layerwise-") for wish in asked if wish.startswith("layerwise-")]
    return list(dict.fromkeys([*(need for own in ours for need in needs(own)), name]))


def top_module(name: str) -> str:
    """The module that holds all others, as the entry point names it."""
    (point,) = project_of(name)["entry-points"]["layerwise.plugins"].values()
    return str(point).partition(":")[0].rpartition(".")[0]


def build(package: str, folder: Path) -> Path:
    """Build the wheel of a package, through its source distribution, into `folder`."""
    source = folder_of(package)
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder / package, source)
    return next((folder / package).glob("*.whl"))


def check(package: str, wheels: dict[str, Path], folder: Path) -> None:
    """Install `package` and what it needs into a fresh environment, import it, run its tests."""
    home = folder / f"venv-{package}"
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    limits = ["-c", ROOT / "constraints.txt"]
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *limits]
    run(*install, "--upgrade", "pip>=25.1")
    run(*install, *(wheels[need] for need in needs(package)))
    wanted = [project_of(need)["name"] for need in needs(package)]
    run(python, "-c", IMPORT, top_module(package), *wanted, cwd=folder)
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    if folder_of(package).parent.name == "packages":
        run(*install, "--group", "test")
        tests = [ROOT / "tests" / package, folder_of(package) / "README.md"]
        run(*pytest, *(t for t in tests if t.exists()))
    else:  # an extension brings its tests and says what they need
        run(*install, "--group", "test", cwd=folder_of(package))
        data = os.environ.get("LAYERWISE_MIRROR", str(ROOT.parent / "shared" / "data"))
        run(*pytest, cwd=folder_of(package), LAYERWISE_MIRROR=data)


def known() -> list[str]:
    """The packages and extensions that there are."""
    found = [path for place in PLACES for path in (ROOT / place).glob("*/pyproject.toml")]
    published = [path.parent.name for path in found if "layerwise.plugins" in path.read_text()]
    return sorted(published)


def main() -> None:
    """Check the packages named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="+", choices=known())
    names = parser.parse_args().packages
    with tempfile.TemporaryDirectory(prefix="layerwise-alone-") as temporary:
        folder = Path(temporary)
        wanted = dict.fromkeys(need for name in names for need in needs(name))
        wheels = {name: build(name, folder) for name in wanted}
        for name in names:
            print(f"--- {project_of(name)['name']} alone", flush=True)
            check(name, wheels, folder)


if __name__ == "__main__":
    main()
