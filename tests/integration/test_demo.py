"""`make demo`: what it prints, the page that it writes, and what it does when a task fails."""

import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEMO, DATA = ROOT / "examples/demo", ROOT / "examples/data"
TASKS = ("vision", "segmentation", "text", "tabular", "collab", "audio")
PNG = b"\x89PNG\r\n\x1a\n"


class Page(HTMLParser):
    """What stands on a page: attributes of its tags by name, and whether each was closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = {}, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.setdefault(tag, []).append(dict(attrs))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def score(**given):
    """A `Score` of the demo, whose folder is no package."""
    spec = spec_from_file_location("demo_score", DEMO / "score.py")
    module = module_from_spec(spec)
    sys.modules["demo_score"] = module  # where the dataclass looks for its own names
    spec.loader.exec_module(module)
    return module.Score("accuracy", **given)


def run(*arguments):
    return subprocess.run(
        [sys.executable, DEMO, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
    )


def read_page(folder):
    html = (folder / "index.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not page.open
    return page, html


def check_page(folder, tasks):
    page, html = read_page(folder)
    assert [section["id"] for section in page.tags["section"]] == list(tasks)
    assert [link["href"] for link in page.tags["a"]] == [f"#{task}" for task in tasks]
    for image in page.tags["img"]:
        kind, _, data = image["src"].partition(",")
        assert kind == "data:image/png;base64"
        assert b64decode(data).startswith(PNG)
        assert image["alt"]
        assert 100 < int(image["width"]) <= 1200
    # Nothing comes from elsewhere: no script, no style sheet, no address.
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert "width=device-width" in html
    assert "prefers-color-scheme: dark" in html
    return page, html


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The two tasks that take seconds."""
    folder = tmp_path_factory.mktemp("demo")
    return run("tabular", "collab", "--output", folder), folder


def test_tasks_reach_their_goals_and_stand_in_the_table(quick):
    done, _ = quick
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("task "))
    assert lines[head].split() == ["task", "data", "metric", "value", "guessing", "seconds"]
    census, films = lines[head + 1 : head + 3]
    assert census.startswith("classify rows")
    # Three of four people earn less: so does whoever names the commonest class.
    value, guess = (float(share) for share in re.findall(r"([\d.]+)%", census))
    assert 74 < guess < 77
    assert value > 84
    error, guess = (float(number) for number in re.findall(r"\d\.\d{3}", films))
    assert error < 0.8 < guess < 1


def test_the_page_holds_all_and_needs_nothing(quick):
    _, folder = quick
    page, html = check_page(folder, ("tabular", "collab"))
    assert len(page.tags["img"]) == 4
    assert len(page.tags["details"]) == 2
    assert "def train(section: Section)" in html
    assert "&lt;50k" in html
    assert any(row.get("class") == "wrong" for row in page.tags["tr"])


def test_an_export_predicts_in_a_fresh_process(quick):
    done, folder = quick
    assert (folder / "work" / "films.lw").is_file()
    assert re.search(r"user 18 would give Alien \(1979\) [0-5]\.\d stars", done.stdout)


def test_a_task_that_fails_is_named_and_the_others_go_on(tmp_path):
    data, output = tmp_path / "data", tmp_path / "output"
    data.mkdir()
    for name in ("movie_lens_sample.tgz", "movie_lens_titles.csv"):
        shutil.copy(DATA / name, data)
    done = run("audio", "collab", "--data", data, "--output", output)
    assert done.returncode == 1
    assert "Something is wrong. audio: FileNotFoundError" in done.stderr
    assert re.search(r"^classify sounds .* failed +\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^predict ratings .* 0\.7\d\d ", done.stdout, re.MULTILINE)
    _, html = check_page(output, ("audio", "collab"))
    assert re.search(r'<p class="wrong">FileNotFoundError: .*spoken_digits.tgz', html)


def test_a_package_that_is_missing_is_a_task_less(tmp_path):
    # The package cannot be found: `find_spec` of this process sees None in its place.
    hidden = (
        "import runpy, sys; import layerwise.core; sys.modules['layerwise.audio'] = None; "
        f"sys.argv = ['demo', 'audio', '--output', {str(tmp_path)!r}]; "
        f"sys.path.insert(0, {str(DEMO)!r}); runpy.run_path({str(DEMO)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = "audio is skipped; it needs: pip install layerwise-audio"
    assert told in done.stdout
    assert told in (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "guess", "goal", "is_reached"),
    [
        (0.91, 0.5, 0.9, True),
        (0.89, 0.5, 0.9, False),
        (0.7, 1.0, 0.8, True),  # an error: less is better
        (0.9, 1.0, 0.8, False),
        (float("nan"), 0.5, 0.9, False),
        (float("nan"), 1.0, 0.8, False),
    ],
)
def test_a_goal_is_above_or_below_the_guess(value, guess, goal, is_reached):
    found = score(value=value, guess=guess, goal=goal)
    assert found.is_reached == is_reached
    assert bool(found.problem()) != is_reached


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["visoin"], "there is no task 'visoin'. Did you mean 'vision'?"),
        (["vision", "--data", "nowhere"], "'nowhere' is no folder"),
        (["--outputs", "here"], "--outputs"),
    ],
)
def test_wrong_arguments_are_answered_before_anything_runs(arguments, told):
    done = run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_data_are_few_enough_to_come_with_the_repository():
    sizes = [file.stat().st_size for file in DATA.rglob("*") if file.is_file()]
    assert sum(sizes) < 8_000_000


@pytest.mark.slow
def test_every_task_reaches_its_goal(tmp_path):
    done = run("--output", tmp_path)
    assert done.returncode == 0, done.stderr
    page, html = check_page(tmp_path, TASKS)
    assert len(page.tags["img"]) >= 15
    assert len(page.tags["audio"]) == 2
    assert "What the language model writes" in html
