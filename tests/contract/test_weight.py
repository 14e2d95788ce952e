"""No heavy library comes along with an import; benchmarks/import_time.py measures the time."""

import pytest

HEAVY = {
    "pandas", "matplotlib", "sklearn", "PIL", "scipy", "torchvision", "spacy", "pooch", "requests",
    "IPython", "librosa", "soundfile", "torchaudio", "timm", "pydicom", "sentencepiece",
    "tensorboard",
}  # fmt: skip
OWN = {"vision": {"PIL"}, "tabular": {"pandas"}, "collab": {"pandas"}}

LOADED = """
import importlib, sys
import torch

before = set(sys.modules)
importlib.import_module(sys.argv[1])
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


def test_a_star_loads_no_heavy_library(star, run_python):
    loaded = set(run_python(LOADED, f"layerwise.{star}.all").split())
    assert sorted(loaded & (HEAVY - OWN.get(star, set()))) == []


def test_reading_the_records_loads_no_torch(run_python):
    code = (
        "import sys, layerwise.core.plugin, layerwise.core.registry\nprint('torch' in sys.modules)"
    )
    assert run_python(code).strip() == "False"


@pytest.mark.parametrize("part", ["torch.distributed.fsdp", "torch._dynamo", "torch.onnx"])
def test_core_loads_no_slow_part_of_torch(part, run_python):
    code = f"import sys, torch\nbefore = {part!r} in sys.modules\nimport layerwise.core.all\n"
    assert run_python(f"{code}print(before or {part!r} not in sys.modules)").strip() == "True"
