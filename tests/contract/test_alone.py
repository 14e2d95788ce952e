"""A package imports without the other domains, and without the libraries of other domains."""

import pytest

# The libraries that a domain may import together with itself.
OWN = {"tabular": {"pandas"}, "collab": {"pandas"}}
OPTIONAL = ("torchvision", "torchaudio", "torchcodec", "pandas", "matplotlib", "sklearn", "scipy")

IMPORT = """
import importlib, sys

package, *blocked = sys.argv[1:]

class Block:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in blocked):
            raise ImportError(f"{name} is blocked in this test")

sys.meta_path.insert(0, Block())
for part in ("plugin", "types", "all"):
    try:
        importlib.import_module(f"layerwise.{package}.{part}")
    except ModuleNotFoundError as error:
        if error.name != f"layerwise.{package}.{part}":
            raise
print("imported")
"""


@pytest.mark.parametrize("what", ["domains", "libraries"])
def test_a_package_imports_without_the_others(package, packages, run_python, what):
    others = [f"layerwise.{name}" for name in packages if name not in ("core", package)]
    libraries = [name for name in OPTIONAL if name not in OWN.get(package, ())]
    assert "imported" in run_python(IMPORT, package, *(others if what == "domains" else libraries))


def test_the_block_of_these_tests_blocks(run_python):
    with pytest.raises(AssertionError, match=r"layerwise\.core is blocked in this test"):
        run_python(IMPORT, "core", "layerwise.core")
