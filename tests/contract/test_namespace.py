"""`layerwise` is a namespace of several distributions: each adds one folder, none adds a file."""

import importlib.util
import re
import tomllib

import pytest


@pytest.fixture
def project(root, package):
    return tomllib.loads((root / "packages" / package / "pyproject.toml").read_text())


def test_a_package_adds_one_folder_and_no_file_to_the_namespace(root, package):
    found = {path.name for path in (root / "packages" / package / "src" / "layerwise").iterdir()}
    assert found - {"__pycache__"} == {package}


def test_a_package_is_typed_and_every_folder_of_it_is_a_package(root, package):
    top = root / "packages" / package / "src" / "layerwise" / package
    assert (top / "py.typed").exists()
    folders = {path.parent for path in top.rglob("*.py")}
    assert sorted(str(folder) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_nobody_owns_the_namespace():
    assert importlib.util.find_spec("layerwise").origin is None


def test_a_package_publishes_one_record_under_its_own_name(package, project):
    points = project["project"]["entry-points"]
    assert points == {"layerwise.plugins": {package: f"layerwise.{package}.plugin:plugin"}}
    assert project["project"]["name"] == f"layerwise-{package}"


def test_a_wheel_holds_the_namespace_folder_and_a_licence(root, package, project):
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["src/layerwise"]
    licence = (root / "LICENSE").read_text()
    assert "Apache License" in licence
    assert (root / "packages" / package / "LICENSE").read_text() == licence


def test_all_packages_carry_one_version_and_ask_for_that_core(root, package, project):
    def version_of(name):
        text = (root / f"packages/{name}/src/layerwise/{name}/_version.py").read_text()
        return re.search(r'__version__ = "(.+)"', text)[1]

    version = version_of("core")
    assert version_of(package) == version
    if package != "core":
        major, minor, _ = version.split(".")
        core = [need for need in project["project"]["dependencies"] if "layerwise-core" in need]
        assert [re.sub(r"\[.*\]", "", need) for need in core] == [
            f"layerwise-core>={major}.{minor},<{major}.{int(minor) + 1}"
        ]


def test_the_distribution_that_reserves_the_name_holds_no_module(root):
    folder = root / "packages" / "layerwise"
    assert list(folder.rglob("*.py")) == []
    settings = tomllib.loads((folder / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"] == {"bypass-selection": True}
