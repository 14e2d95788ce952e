"""What no file may hold: a path of a machine, the host of a registry, a way to run data."""

import ast
import re
import subprocess

import pytest

# Letters in brackets keep this file from matching itself.
PATHS = re.compile(r"(?<![\w.~/}>-])/(?:h[o]me|U[s]ers|r[o]ot|w[o]rk\w*)/")
HOSTS = re.compile(r"p[y]pi\.org|p[y]thonhosted|d[o]wnload\.pytorch\.org|a[n]aconda\.org", re.I)
# Loaders that run what a file tells them to.
UNSAFE = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {
    *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"),
    *("torch.load", "torch.save", "torch.jit.load", "torch.hub.load", "torch.export.load"),
    *("pd.read_pickle", "pandas.read_pickle", "torch.package.PackageImporter"),
}
UNSAFE_NAMES = {"torch": {"load", "save", "hub", "jit"}, "torch.export": {"load"}}
ALLOWED = {
    # Annotations written as text, read in the scope of the function that our caller registers.
    "packages/core/src/layerwise/core/dispatch.py: eval",
    # Weights that torch wrote.
    "packages/core/src/layerwise/core/train/checkpoint.py: torch.load",
    "packages/vision/src/layerwise/vision/models/zoo.py: torch.load",
    # Pickles what was made a moment ago, to see whether loader processes can be given it.
    "packages/core/src/layerwise/core/data/jobs.py: pickle",
    "packages/core/src/layerwise/core/data/loader.py: pickle",
    "packages/core/src/layerwise/core/testing/kinds.py: pickle",
}


@pytest.fixture(scope="session")
def texts(root):
    """{path: text} of each file that git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    names = listed.stdout.splitlines() or [str(p.relative_to(root)) for p in root.rglob("*.py")]
    found = {}
    for name in names:
        try:
            found[name] = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return found


@pytest.mark.parametrize("pattern", [PATHS, HOSTS], ids=["path of a machine", "registry host"])
def test_no_file_names(texts, pattern):
    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def unsafe_parts(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] in UNSAFE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE:
            yield node.module
        elif isinstance(node, ast.ImportFrom) and node.module in UNSAFE_NAMES:
            for each in node.names:
                if each.name in UNSAFE_NAMES[node.module]:
                    yield f"{node.module}.{each.name}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in UNSAFE_CALLS:
                yield called
            if called == "torch.load" and "weights_only=True" not in ast.unparse(node):
                yield "torch.load without weights_only=True"
            for key in node.keywords:
                if key.arg == "allow_pickle" and ast.unparse(key.value) != "False":
                    yield "allow_pickle"


def test_s2_our_packages_read_no_pickle_and_run_no_data(texts):
    found = [
        f"{name}: {part}"
        for name, text in texts.items()
        if name.startswith("packages/") and name.endswith(".py")
        for part in unsafe_parts(ast.parse(text))
    ]
    assert sorted(set(found) - ALLOWED) == []


def test_the_search_for_unsafe_parts_finds_them():
    code = "import pickle\nfrom joblib import load\neval('1')\ntorch.load(f)\nmodel.eval()"
    assert sorted(unsafe_parts(ast.parse(code))) == [
        "eval", "joblib", "pickle", "torch.load", "torch.load without weights_only=True",
    ]  # fmt: skip
