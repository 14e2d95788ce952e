"""Check packages alone: build each, install it beside core only, run its tests there.

    make alone ONLY="core text"

The first step has nothing but what the package itself asks for, so that a dependency which other
packages or the test tools happen to bring is missed. Environments live in a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORT = """
import importlib, importlib.util, importlib.metadata, sys
package = sys.argv[1]
others = {d.name for d in importlib.metadata.distributions() if d.name.startswith("layerwise")}
assert others == {"layerwise-core", f"layerwise-{package}"}, others
for part in ("plugin", "types", "all"):
    if importlib.util.find_spec(f"layerwise.{package}.{part}"):
        importlib.import_module(f"layerwise.{package}.{part}")
"""


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command and stop if it fails."""
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


def build(package: str, folder: Path) -> Path:
    """Build the wheel of a package, through its source distribution, into `folder`."""
    source = ROOT / "packages" / package
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder / package, source)
    return next((folder / package).glob("*.whl"))


def check(package: str, wheels: dict[str, Path], folder: Path) -> None:
    """Install `package` and core into a fresh environment, import it, run its tests."""
    home = folder / f"venv-{package}"
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    limits = ["-c", ROOT / "constraints.txt"]
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *limits]
    run(*install, "--upgrade", "pip>=25.1")
    run(*install, *{wheels["core"], wheels[package]})
    run(python, "-c", IMPORT, package, cwd=folder)
    run(*install, "--group", "test")
    tests = [ROOT / "tests" / package, ROOT / "packages" / package / "README.md"]
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(t for t in tests if t.exists()))


def main() -> None:
    """Check the packages named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "packages", nargs="+", choices=[p.name for p in (ROOT / "packages").iterdir()]
    )
    names = parser.parse_args().packages
    with tempfile.TemporaryDirectory(prefix="layerwise-alone-") as temporary:
        folder = Path(temporary)
        wheels = {name: build(name, folder) for name in dict.fromkeys(["core", *names])}
        for name in names:
            print(f"--- layerwise-{name} alone", flush=True)
            check(name, wheels, folder)


if __name__ == "__main__":
    main()
