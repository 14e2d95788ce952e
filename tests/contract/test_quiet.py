"""Importing everything changes nothing: no class, option, filter, seed or setting of anybody."""

import json

SNAPSHOT = """
import importlib, json, logging, multiprocessing, os, pathlib, random, signal, sys, warnings
import matplotlib, numpy, pandas, PIL.Image, torch

def options(group, prefix=""):
    warnings.simplefilter("ignore")  # reading an old option of pandas warns
    for key in dir(group):
        value = getattr(group, key)
        if type(value).__name__ == "DictWrapper":
            yield from options(value, f"{prefix}{key}.")
        else:
            yield prefix + key, repr(value)

def pandas_options():
    with warnings.catch_warnings():
        return dict(options(pandas.options))

def members(owner):
    return {name: id(value) for name, value in vars(owner).items()}

def snapshot():
    owners = (torch.Tensor, torch.nn.Module, torch.nn.Parameter, torch.optim.Optimizer,
              torch.utils.data.DataLoader, pathlib.Path, pathlib.PurePath, PIL.Image.Image,
              pandas.DataFrame, pandas.Series, numpy.random, random, multiprocessing)
    state = {f"attributes of {owner.__name__}": members(owner) for owner in owners}
    state |= {
        "pandas options": pandas_options(),
        "matplotlib settings": {key: repr(value) for key, value in matplotlib.rcParams.items()},
        "numpy print options": repr(numpy.get_printoptions()),
        "warning filters": repr(warnings.filters),
        "random": hash(random.getstate()),
        "numpy random": repr(numpy.random.get_state()[1].tolist()),
        "torch random": repr(torch.get_rng_state().tolist()),
        "torch": [str(torch.get_default_dtype()), torch.get_num_threads(),
                  torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled(),
                  torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(),
                  torch.multiprocessing.get_sharing_strategy()],
        "start method": multiprocessing.get_start_method(allow_none=True),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "hooks": [id(sys.excepthook), id(sys.displayhook), len(sys.meta_path)],
        "signals": [repr(signal.getsignal(each)) for each in sorted(signal.valid_signals())],
        "loggers": [logging.root.level, len(logging.root.handlers)],
        "folder": os.getcwd(),
    }
    return state

before = snapshot()
for name in sys.argv[1:]:
    importlib.import_module(name)
after = snapshot()
changed = {}
for key, value in before.items():
    if value != after[key]:
        same_kind = isinstance(value, dict)
        changed[key] = sorted(
            name for name in {*value, *after[key]} if value.get(name) != after[key].get(name)
        ) if same_kind else [repr(value)[:200], repr(after[key])[:200]]
print(json.dumps(changed))
"""


def test_importing_everything_changes_nothing(run_python, stars, packages):
    names = [f"layerwise.{name}.all" for name in stars]
    names += [f"layerwise.{name}.plugin" for name in packages]
    assert json.loads(run_python(SNAPSHOT, *names).splitlines()[-1]) == {}


def test_the_snapshot_sees_a_patch(run_python, tmp_path):
    (tmp_path / "loud.py").write_text(
        "import pathlib, random, warnings\n"
        "pathlib.Path.ls = lambda self: list(self.iterdir())\n"
        "random.seed(1)\n"
        "warnings.filterwarnings('ignore', message='nothing')\n"
    )
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n" + SNAPSHOT
    changed = json.loads(run_python(code, "loud").splitlines()[-1])
    assert sorted(changed) == ["attributes of Path", "random", "warning filters"]
    assert changed["attributes of Path"] == ["ls"]


def test_importing_everything_prints_nothing(run_python, stars):
    code = "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    assert run_python(code, *(f"layerwise.{name}.all" for name in stars)) == ""
