"""The check before a release finds what would be wrong with it."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("release", ROOT / "tests" / "release.py")


@pytest.fixture(scope="module")
def release():
    module = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(module)
    return module


@pytest.fixture
def ready(tmp_path):
    """A repository of two packages that is ready for 1.2.0."""
    for name, text in {
        "core": '[project]\ndynamic=["version"]\n[tool.hatch.version]\npath="src/_version.py"\n',
        "vision": '[project]\nversion="1.2.0"\ndependencies=["layerwise-core>=1.2,<2"]\n',
    }.items():
        (tmp_path / "packages" / name / "src").mkdir(parents=True)
        (tmp_path / "packages" / name / "pyproject.toml").write_text(text)
    (tmp_path / "packages/core/src/_version.py").write_text('__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changes\n\n## 1.2.0 (2026-12-01)\n")
    (tmp_path / "CITATION.cff").write_text("title: x\nversion: 1.2.0\n")
    (tmp_path / "changes" / "core").mkdir(parents=True)
    return tmp_path


def test_what_is_ready_has_no_complaint(release, ready):
    assert release.complaints(ready, "1.2.0") == []


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("packages/core/src/_version.py", '__version__ = "1.1.0"', "core carries 1.1.0"),
        (
            "packages/vision/pyproject.toml",
            '[project]\nversion="1.2.0"\ndependencies=["layerwise-core>=1.1"]\n',
            "vision asks for layerwise-core>=1.1",
        ),
        ("CHANGELOG.md", "# Changes\n\n## 1.1.0 (2026-12-01)\n", "no section 1.2.0"),
        ("CITATION.cff", "title: x\nversion: 1.1.0\n", "CITATION.cff names another version"),
        ("changes/core/9.added.md", "New.", "not in the changelog yet: changes/core/9.added.md"),
    ],
)
def test_what_is_not_ready_is_told(release, ready, file, text, says):
    (ready / file).write_text(text)
    (told,) = release.complaints(ready, "1.2.0")
    assert says in told


def test_all_packages_carry_one_number(release):
    packages = sorted((ROOT / "packages").glob("*/pyproject.toml"))
    assert len(packages) == 7
    numbers = {release.number_of(file.parent) for file in packages}
    assert len(numbers) == 1, numbers
    (number,) = numbers
    assert f"\nversion: {number}\n" in (ROOT / "CITATION.cff").read_text()
