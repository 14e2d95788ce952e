"""Every block of Python on a page is run by something, or is named here with the reason."""

import ast
import re
import tomllib

import pytest

# Run by Sybil: what the root conftest.py collects.
RUN = ["README.md", "docs/extend/*.md"]
FRAGMENTS = {
    "docs/explain/style.md": "good and bad lines of other people's programs stand side by side",
    "docs/explain/architecture.md": "a part of a plugin.py, as test_plugins.py reads it",
}
PYTHON = {"python", "python3", "py", "pycon"}


def blocks(text):
    """Of each fenced block of a page: its language, the number of its first line, its text."""
    fence, language, start = "", "", 0
    body: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = re.match(r" *(```+|~~~+|:::+)\s*(.*?)\s*$", line)
        if not fence and found:
            fence, language, start, body = found[1], found[2], number, []
        elif fence and found and found[1].startswith(fence) and not found[2]:
            yield language, start, "\n".join(body)
            fence = ""
        elif fence:
            body.append(line)


@pytest.fixture(scope="module")
def written(root):
    """All pages of the repository that a reader is sent to, by their path in it."""
    places = [
        "*.md",
        "docs/**/*.md",
        "packages/*/*.md",
        "examples/**/*.md",
        "extension-template/*.md",
    ]
    found = {path for place in places for path in root.glob(place)}
    left_out = ("docs/_build/", "docs/reference/generated/", "docs/jupyter_execute/")
    names = {path.relative_to(root).as_posix(): path for path in sorted(found)}
    return {name: path for name, path in names.items() if not name.startswith(left_out)}


def test_sybil_runs_the_pages_that_are_named_here(root):
    conftest = (root / "conftest.py").read_text()
    patterns = re.search(r"patterns=(\[.*?\])", conftest, re.DOTALL)
    assert patterns, "the root conftest.py tells Sybil which pages to run"
    assert re.findall(r'"(.*?)"', patterns[1]) == RUN


def test_a_block_of_python_is_run(root, written):
    run = {path for pattern in RUN for path in (*root.glob(pattern), *root.rglob(pattern))}
    forgotten = []
    for name, path in written.items():
        if path in run or name in FRAGMENTS:
            continue
        for language, line, _ in blocks(path.read_text()):
            forgotten += [f"{name}:{line}"] if language in PYTHON else []
    assert forgotten == [], (
        "nothing runs these blocks; make them {code-cell}, or a fence without a language "
        "where the data are the reader's"
    )


def test_each_exception_still_has_its_fragments(written):
    for name in FRAGMENTS:
        assert PYTHON & {language for language, *_ in blocks(written[name].read_text())}, name


def test_a_page_with_cells_is_executed(written):
    dead = [
        name
        for name, path in written.items()
        if "file_format: mystnb" not in (text := path.read_text())
        and any(language.startswith("{code-cell}") for language, *_ in blocks(text))
    ]
    assert dead == []


def test_code_without_a_language_is_python_that_parses(written):
    """It needs the data of the reader, so it is not run; yet it is code that could be."""
    for name, path in written.items():
        for language, line, body in blocks(path.read_text()):
            if language or not re.search(r"^(learn|dls|path)\b.* = |^from \w", body, re.MULTILINE):
                continue
            try:
                ast.parse(body)
            except SyntaxError as error:
                pytest.fail(f"{name}:{line + (error.lineno or 0)}: {error.msg}")


def test_every_page_stands_in_the_index(root):
    index = (root / "docs" / "index.md").read_text()
    listed = set(re.findall(r"^([\w-]+/[\w-]+)$", index, re.MULTILINE))
    pages = {
        path.relative_to(root / "docs").with_suffix("").as_posix()
        for folder in ("start", "guide", "recipes", "coming", "explain", "extend")
        for path in (root / "docs" / folder).glob("*.md")
    }
    assert listed - {"reference/index"} == pages


def test_the_page_on_dependencies_names_each_and_no_other(root):
    page = (root / "docs" / "explain" / "dependencies.md").read_text()
    needed, extras = set(), set()
    for path in root.glob("packages/*/pyproject.toml"):
        project = tomllib.loads(path.read_text())["project"]
        needed |= {name_of(each) for each in project["dependencies"]}
        for extra, wanted in project.get("optional-dependencies", {}).items():
            others = {name_of(each) for each in wanted if not each.startswith("layerwise-")}
            extras |= {(f"{project['name']}[{extra}]", name) for name in others}
    tables = page.split("## Extras")
    told = set(re.findall(r"^\| `([\w-]+)`", tables[0], re.MULTILINE))
    assert told == {name for name in needed if not name.startswith("layerwise")} | {
        "matplotlib", "pooch",
    }  # fmt: skip
    rows = re.findall(r"^\| `(layerwise-[\w[\]-]+)` \| (.*?) \|", tables[1], re.MULTILINE)
    said = {(extra, library) for extra, names in rows for library in re.findall(r"`(.*?)`", names)}
    assert said == {(extra, name) for extra, name in extras if not extra.startswith("layerwise[")}


def name_of(requirement):
    """The library that a requirement names: `onnx` of `onnx>=1.19`."""
    return re.match(r"[\w-]+", requirement)[0]
