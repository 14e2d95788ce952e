"""Every public name says in a sentence what it is, and stands in the reference."""

import ast
import importlib
import re

FIRST_SENTENCE = re.compile(r"\S.*[.!?:](\s|$)", re.DOTALL)


def docstrings(tree):
    """The docstring of each name at the top of a module; a constant's stands in the line below."""
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            text = following.value if isinstance(following, ast.Expr) else None
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, text.value if isinstance(text, ast.Constant) else None


def test_every_public_name_begins_its_docstring_with_a_sentence(module, reference, source_of):
    names = reference.public_modules(module.split(".")[1])[module]
    if module == "layerwise.core.prelude":
        return
    documented: dict[str, str | None] = {}
    for name, text in docstrings(ast.parse(source_of(module).read_text())):
        documented[name] = documented.get(name) or text  # one of several overloads is enough
    loaded = importlib.import_module(module)
    for name in names:
        value = getattr(loaded, name)
        if value.__doc__ is not type(value).__doc__:  # an instance that carries its own
            documented[name] = documented.get(name) or value.__doc__
    silent = [name for name in names if not FIRST_SENTENCE.match(documented.get(name) or "")]
    assert not silent, f"no first sentence: {silent}"


def test_every_module_says_what_it_holds(module, source_of):
    text = ast.get_docstring(ast.parse(source_of(module).read_text()))
    assert text, "a module begins with a docstring"
    assert FIRST_SENTENCE.match(text)


def test_every_public_name_stands_in_the_reference(module, reference, tmp_path):
    names = importlib.import_module(module).__all__
    page = reference.page(module, reference.public_modules(module.split(".")[1])[module])
    assert f".. automodule:: {module}" in page
    assert [name for name in names if not re.search(rf"\b{name}\b", page)] == []


def test_the_reference_has_a_page_for_every_module(reference, packages, tmp_path, root):
    written = {path.name for path in reference.write_reference(tmp_path)}
    modules = {f"{each}.md" for name in packages for each in reference.public_modules(name)}
    assert written == modules | {f"{name}.md" for name in packages}
    index = (root / "docs" / "reference" / "index.md").read_text()
    assert [name for name in packages if f"generated/{name}" not in index] == []


def test_docstrings_render_as_the_source_shows_them(reference):
    lines = ["A (N, *) shape of two `L`s.", "", "    a  picture"]
    assert reference.plain_to_rst("module", lines) == [
        "A (N, \\*) shape of two `L`\\ s.", "", "::", "", "    a  picture",
    ]  # fmt: skip
    example = [">>> print(*[1], `2`)", "*"]
    assert reference.plain_to_rst("function", example) == example


def test_a_table_in_a_docstring_becomes_a_table_of_the_page(reference):
    lines = ["Gives", "", "| what | keys |", "|---|---|", "| a class | `label` |", "", "and more."]
    assert reference.plain_to_rst("function", lines) == [
        "Gives", "", ".. list-table::", "   :header-rows: 1", "",
        "   * - what", "     - keys", "   * - a class", "     - `label`", "", "and more.",
    ]  # fmt: skip


def test_a_backslash_in_code_is_kept(reference):
    assert reference.plain_to_rst("function", ["around `/` and `\\`."]) == [
        "around `/` and ``\\``."
    ]


def test_pages_of_modules_that_are_gone_go_too(reference, tmp_path):
    (tmp_path / "layerwise.core.gone.md").write_text("# Gone")
    reference.write_reference(tmp_path)
    assert not (tmp_path / "layerwise.core.gone.md").exists()
