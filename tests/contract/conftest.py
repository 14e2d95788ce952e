"""What the contract tests share: the packages, their public modules, and a fresh interpreter."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

_spec = importlib.util.spec_from_file_location("public_names", ROOT / "docs" / "public_names.py")
_reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_reference)

PACKAGES = sorted(path.parent.name for path in (ROOT / "packages").glob("*/src"))
STARS = [name for name in PACKAGES if (_source := ROOT / f"packages/{name}/src/layerwise/{name}")
         and (_source / "all.py").exists()]  # fmt: skip
MODULES = [module for name in PACKAGES for module in _reference.public_modules(name)]


def pytest_generate_tests(metafunc):
    """Run a test that asks for `package`, `star` or `module` once for each."""
    for argument, values in {"package": PACKAGES, "star": STARS, "module": MODULES}.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, values)


@pytest.fixture(scope="session")
def root():
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def packages():
    """The names of all packages, those of the domains and core."""
    return PACKAGES


@pytest.fixture(scope="session")
def stars():
    """The packages that have a star module."""
    return STARS


@pytest.fixture(scope="session")
def reference():
    """The generator of the reference, which reads every `__all__` without an import."""
    return _reference


@pytest.fixture
def source_of(root):
    """A function from the dotted name of a module of ours to its file."""

    def find(module):
        parts = module.split(".")
        return (root / "packages" / parts[1] / "src").joinpath(*parts).with_suffix(".py")

    return find


@pytest.fixture(scope="session")
def run_python():
    """A function that runs code in a fresh interpreter and gives back what it printed."""

    def run(code, *arguments):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run
