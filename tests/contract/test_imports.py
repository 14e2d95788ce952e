"""Who may import whom, and from where."""

import ast
import subprocess
import sys
from pathlib import Path


def test_the_import_contracts_hold(root):
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_our_modules_import_names_from_where_they_are_defined(module, source_of, reference):
    for node in ast.walk(ast.parse(source_of(module).read_text())):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("layerwise."):
            continue
        source = source_of(node.module)
        names = [alias.name for alias in node.names]
        assert "*" not in names, f"line {node.lineno}: stars stand in all.py and __init__.py only"
        if not source.exists():
            folder = source.with_suffix("")
            modules = [(folder / name).with_suffix(".py").exists() for name in names]
            assert all(modules), (
                f"line {node.lineno}: name the module in {node.module} that defines"
            )
        elif source.stem[0] != "_":
            public = reference.public_modules(node.module.split(".")[1])[node.module]
            private = {name for name in names if name not in public}
            assert private == set(), f"line {node.lineno}: {private} are not public there"
