"""The registry: what packages publish is found by name, and each failure says what to do."""

import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoints, distributions

import pytest

from layerwise.core import registry
from layerwise.core._version import __version__
from layerwise.core.errors import MissingDependencyError, RegistryError
from layerwise.core.registry import (
    API_LEVEL,
    Entry,
    Plugin,
    check_version,
    describe_name,
    find,
    names,
    plugins,
    register,
    registered_name,
)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a distribution with a record on the disk; the registry sees no other."""

    def only_here(*, group):
        found = [
            point for each in distributions(path=[str(tmp_path)]) for point in each.entry_points
        ]
        return EntryPoints(found).select(group=group)

    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "entry_points", only_here)
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_records", {})
    monkeypatch.setattr(registry, "_published", None)
    before = set(sys.modules)

    def make(prefix, record, *, distribution=None, module=None, version="1.2"):
        distribution, module = distribution or f"layerwise-{prefix}", module or f"lw_{prefix}"
        info = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(
            f"[layerwise.plugins]\n{prefix} = {module}_plugin:plugin\n"
        )
        (tmp_path / f"{module}_plugin.py").write_text(
            "from layerwise.core.registry import Entry, Plugin\n" + textwrap.dedent(record)
        )
        return tmp_path

    yield make
    for name in set(sys.modules) - before:
        if name.startswith("lw_"):
            del sys.modules[name]


BIRDS = """
    plugin = Plugin(
        name="birds", api=1,
        entries={
            "model": {
                "small": Entry("lw_birds_models:small", "few weights"),
                "smaller": Entry("lw_birds_models:small"),
                "nested": Entry("lw_birds_models:Nets.small"),
                "gone": Entry("lw_birds_models:gone"),
            },
        },
    )
"""
MODELS = """
def small():
    return "a small model"

class Nets:
    small = "nested"
"""


@pytest.fixture
def birds(install):
    (install("birds", BIRDS) / "lw_birds_models.py").write_text(MODELS)
    return install


def test_a_name_of_a_record_is_found_and_only_its_module_is_imported(birds):
    assert plugins()["birds"] == "layerwise-birds 1.2"
    assert "lw_birds_plugin" not in sys.modules
    assert "birds/small" in names("model")
    assert "lw_birds_models" not in sys.modules
    assert find("model", "birds/small")() == "a small model"
    assert find("model", "birds/nested") == "nested"


def test_looking_for_one_prefix_loads_no_other_record(birds):
    birds("fish", "raise RuntimeError('not asked for')")
    assert find("model", "birds/small")() == "a small model"
    assert "lw_fish_plugin" not in sys.modules


def test_describe_says_where_a_name_comes_from(birds):
    assert describe_name("model", "birds/small") == (
        "birds/small: lw_birds_models:small of layerwise-birds 1.2, few weights"
    )
    register("model", "mine/small", len)
    assert describe_name("model", "mine/small").startswith("mine/small: registered at ")
    assert "test_registry.py" in describe_name("model", "mine/small")


def test_name_of_undoes_find(birds):
    assert registered_name("model", find("model", "birds/small")) == "birds/small"
    register("model", "mine/length", len)
    assert registered_name("model", len) == "mine/length"
    assert registered_name("loss", len) is None


def test_an_unknown_prefix_lists_the_installed_ones_and_how_to_install(birds):
    message = (
        r"prefix 'bird'\. Did you mean 'birds'\? Installed: .*birds.*pip install layerwise-bird"
    )
    with pytest.raises(RegistryError, match=message):
        find("model", "bird/small")


def test_an_unknown_name_offers_the_nearest_of_that_package(birds):
    message = r"layerwise-birds 1\.2 has no model 'birds/smal'\. Did you mean 'birds/small' or "
    with pytest.raises(RegistryError, match=message):
        find("model", "birds/smal")


def test_an_unqualified_name_is_refused_with_the_qualified_one(birds):
    with pytest.raises(ValueError, match=r"'small' is not a qualified name.*'birds/small'"):
        find("model", "small")


def test_an_unknown_kind_offers_the_nearest():
    with pytest.raises(ValueError, match=r"'modle' is not a kind of name\. Did you mean 'model'"):
        find("modle", "core/small")
    with pytest.raises(ValueError, match="'models' is not a kind"):
        Plugin("birds", 1, {"models": {}})


def test_two_distributions_with_one_prefix_are_both_named(birds):
    birds("birds", BIRDS, distribution="other-birds", module="lw_other", version="0.3")
    with pytest.raises(
        RegistryError, match=r"layerwise-birds 1\.2 .*both claim the prefix 'birds'"
    ):
        find("model", "birds/small")
    with pytest.raises(RegistryError, match=r"other-birds 0\.3"):
        find("model", "birds/small")


def test_a_record_that_does_not_import_names_its_distribution_and_keeps_the_cause(birds):
    birds("fish", "import no_such_library_anywhere")
    with pytest.raises(RegistryError, match=r"of layerwise-fish 1\.2 does not import") as caught:
        find("model", "fish/small")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.warns(UserWarning, match=r"'fish' are left out: .*layerwise-fish 1\.2"):
        assert "birds/small" in names("model")


def test_an_entry_whose_object_is_missing_names_the_place(birds):
    with pytest.raises(RegistryError, match=r"'lw_birds_models:gone', which does not import"):
        find("model", "birds/gone")


@pytest.mark.parametrize(
    ("api", "upgrade"), [(API_LEVEL + 1, "layerwise-core"), (API_LEVEL - 1, "layerwise-fish")]
)
def test_another_api_level_is_refused_in_one_sentence(install, api, upgrade):
    install("fish", f"plugin = Plugin('fish', {api})")
    with pytest.raises(RegistryError, match=rf"extension API {api} .*--upgrade {upgrade}$"):
        find("model", "fish/small")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("plugin = Plugin('bird', 1)", "is named 'bird' and its entry point 'fish'"),
        ("plugin = {}", "is a dict; make it a Plugin"),
    ],
)
def test_a_record_of_the_wrong_shape_is_refused(install, record, message):
    install("fish", record)
    with pytest.raises(RegistryError, match=message):
        find("model", "fish/small")


def test_a_name_is_registered_once_and_the_first_place_is_shown(install):
    register("model", "mine/small", len)
    assert find("model", "mine/small") is len
    assert names("model").count("mine/small") == 1
    with pytest.raises(RegistryError, match=r"registered at .*test_registry\.py:\d+; nothing"):
        register("model", "mine/small", sum)
    with pytest.raises(RegistryError, match=r"no model 'mine/smal' .*Did you mean 'mine/small'"):
        find("model", "mine/smal")


def test_a_name_of_a_package_is_not_overwritten(birds):
    with pytest.raises(RegistryError, match=r"'birds/small' belongs to layerwise-birds 1\.2"):
        register("model", "birds/small", len)
    register("model", "birds/mine", len)
    assert find("model", "birds/mine") is len


def test_a_package_installed_later_is_found(install):
    plugins()
    (install("birds", BIRDS) / "lw_birds_models.py").write_text(MODELS)
    assert find("model", "birds/small")() == "a small model"


@pytest.mark.parametrize("target", ["module", "module:", ":name", "a b:c", "os.system('x'):y"])
def test_an_entry_says_which_form_it_takes(target):
    with pytest.raises(ValueError, match=r"is not of the form 'package\.module:attr"):
        Entry(target)


def test_the_version_check_accepts_the_same_release_and_names_both_versions():
    major, minor, patch = __version__.split(".")
    check_version("vision", f"{major}.{minor}.{int(patch) + 7}")
    with pytest.raises(MissingDependencyError, match=rf"layerwise-vision 9\.8\.7 .*{__version__}"):
        check_version("vision", "9.8.7")


def test_the_registry_imports_no_torch():
    code = "import sys, layerwise.core.registry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
