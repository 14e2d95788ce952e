"""Check that the repository is ready for a release of a number, before anything is built.

    make release-check VERSION=1.2.0

All packages carry that number, ask for core from its X.Y on, and the changelog tells of it.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def number_of(package: Path) -> str:
    """The number that a package carries: in its pyproject.toml, or in the file named there."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    if "version" in project["project"]:
        return str(project["project"]["version"])
    file = package / project["tool"]["hatch"]["version"]["path"]
    found = re.search(r'^__version__ = "([^"]+)"', file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else f"none in {file.name}"


def wrong_bounds(package: Path, version: str) -> list[str]:
    """What of ours a package asks for with a lower bound other than X.Y of `version` X.Y.Z."""
    lowest = f">={version.rpartition('.')[0]}"
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = [wish for wish in project.get("dependencies", ()) if wish.startswith("layerwise-")]
    return [wish for wish in ours if not re.search(rf"{re.escape(lowest)}(,|$|\.)", wish)]


def complaints(root: Path, version: str) -> list[str]:
    """All that is not as a release of `version` needs it."""
    told = []
    for package in sorted(
        p for p in (root / "packages").iterdir() if (p / "pyproject.toml").is_file()
    ):
        if number_of(package) != version:
            told.append(f"{package.name} carries {number_of(package)}")
        told += [f"{package.name} asks for {wish}" for wish in wrong_bounds(package, version)]
    if f"\n## {version} " not in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        told.append(f"CHANGELOG.md has no section {version}: towncrier build --version {version}")
    left = sorted(str(f.relative_to(root)) for f in (root / "changes").glob("*/*.md"))
    if left:
        told.append(f"changes are not in the changelog yet: {', '.join(left)}")
    cited = (root / "CITATION.cff").read_text(encoding="utf-8")
    if f"\nversion: {version}\n" not in cited:
        told.append("CITATION.cff names another version")
    return told


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="the number, such as 1.2.0")
    version = parser.parse_args().version
    told = complaints(ROOT, version)
    print("\n".join(told) if told else f"ready for {version}")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
