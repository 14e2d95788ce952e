"""Who may import whom, and from where."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path


def test_the_import_contracts_hold(root):
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-logo", "--no-cache"], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@cache
def imported_names(path):
    imports = (ast.Import, ast.ImportFrom)
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, imports)]
    return {alias.asname or alias.name for node in nodes for alias in node.names}


@cache
def defined_names(path):
    return {
        name.id if isinstance(name, ast.Name) else name.name
        for name in ast.walk(ast.parse(path.read_text()))
        if isinstance(name, ast.FunctionDef | ast.ClassDef)
        or (isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store))
    }


def test_our_modules_import_names_from_where_they_are_defined(module, source_of):
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
            continue
        private = {name for name in names if name.startswith("_") and not name.endswith("__")}
        assert not private, f"line {node.lineno}: {private} are private to {node.module}"
        passed_on = set(names) & imported_names(source) - defined_names(source)
        assert not passed_on, f"line {node.lineno}: {passed_on} are not defined in {node.module}"
