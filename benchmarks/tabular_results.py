"""How good on tables: the same program in layerwise and in fastai, beside gradient boosting.

`adult` (will somebody earn 50,000 dollars: accuracy and area under the ROC curve) and
`california` (what a house costs: root mean square error in dollars), 5 seeds, each of which decides
the fifth of the rows that validates and the start of the model. Both sides get the same rows,
columns, layers and `fit_one_cycle`, on one thread; "layerwise" preprocesses as its loaders do
unless told otherwise, "same steps" by Categorify, FillMissing and Normalize, as fastai does. All
metrics are scikit-learn's, whose HistGradientBoosting, with its default settings, shows where a net
stands.

    LAYERWISE_MIRROR=... python benchmarks/tabular_results.py [--tasks adult] [--seeds 5]

`LAYERWISE_MIRROR` is the folder with adult_sample.tgz and california_housing.tgz.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TASKS = ("adult", "california")
SIDES = ("layerwise", "same steps", "fastai", "boosting")
EPOCHS, RATE, BATCH = 5, 1e-2, 64


def table_of(task: str, folder: Path) -> tuple[pd.DataFrame, list[str], list[str], str]:
    """The frame, its columns of categories and of numbers, and its target."""
    if task == "adult":
        df = pd.read_csv(folder / "adult_sample/adult.csv", skipinitialspace=True)
        target = "salary"
    else:
        df = pd.read_csv(next((folder / "california_housing").glob("*.csv")))
        target = "median_house_value"
        df[target] = df[target] / 1e5
    inputs = [name for name in df.columns if name != target]
    numbers = [n for n in inputs if pd.api.types.is_numeric_dtype(df[n])]
    return df, [n for n in inputs if n not in numbers], numbers, target


def validation_rows(count: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).permutation(count)[: count // 5]


def scores(task: str, truth: Any, predicted: np.ndarray) -> dict[str, float]:
    """Metrics of probabilities of the second class, or of numbers."""
    from sklearn.metrics import accuracy_score, roc_auc_score

    if task == "adult":
        hits = np.asarray(truth) == "<50k"
        return {
            "accuracy": accuracy_score(~hits, predicted > 0.5),
            "auc": roc_auc_score(~hits, predicted),
        }
    return {"rmse": float(np.sqrt(np.mean((np.asarray(truth) - predicted) ** 2))) * 1e5}


# ---------------------------------------------------------------------------- one run, one process


def net_run(side: str, task: str, folder: Path, seed: int, arch: str, epochs: int) -> dict:
    df, cats, numbers, target = table_of(task, folder)
    valid = validation_rows(len(df), seed)
    if side != "fastai":
        from layerwise.tabular import all as lib

        settings = {"arch": arch} if arch else {}
    else:
        import peers

        peers.define_torchvision_operators()
        from fastai.tabular import all as lib

        settings = {}
    lib.set_seed(seed)
    start = time.perf_counter()
    steps = None if side == "layerwise" else [lib.Categorify, lib.FillMissing, lib.Normalize]
    dls = lib.TabularDataLoaders.from_df(
        df, procs=steps, cat_names=cats,
        cont_names=list(numbers), y_names=target, valid_idx=list(valid), bs=BATCH,
    )  # fmt: skip
    learn = lib.tabular_learner(dls, **settings)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, RATE if arch in ("", "mlp") else 1e-3)
        seconds = time.perf_counter() - start
        # In the order of the rows, whatever order the loader has them in.
        preds = learn.get_preds(dl=dls.test_dl(df.iloc[valid].drop(columns=target)))[0].numpy()
    predicted = preds[:, 1] if task == "adult" else preds[:, 0]
    return {**scores(task, df[target].iloc[valid], predicted), "seconds": seconds}


def boosting_run(task: str, folder: Path, seed: int) -> dict:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    df, cats, numbers, target = table_of(task, folder)
    valid = validation_rows(len(df), seed)
    train = np.setdiff1d(np.arange(len(df)), valid)
    x = df[[*cats, *numbers]].astype(dict.fromkeys(cats, "category"))
    kind = HistGradientBoostingClassifier if task == "adult" else HistGradientBoostingRegressor
    start = time.perf_counter()
    model = kind(categorical_features="from_dtype", random_state=seed)
    model.fit(x.iloc[train], df[target].iloc[train])
    seconds = time.perf_counter() - start
    rows = x.iloc[valid]
    if task == "adult":
        predicted = model.predict_proba(rows)[:, list(model.classes_).index(">=50k")]
    else:
        predicted = model.predict(rows)
    return {**scores(task, df[target].iloc[valid], predicted), "seconds": seconds}


# ------------------------------------------------------------------------------------ all the runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--arch", default="", help="of our side: mlp, resnet, ft_transformer")
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "TASK", "SEED"), help="one run, here")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        side, task, seed = args.one[0], args.one[1], int(args.one[2])
        if side == "boosting":
            found = boosting_run(task, args.folder, seed)
        else:
            found = net_run(side, task, args.folder, seed, args.arch, args.epochs)
        print("RESULT", json.dumps(found))
        return
    mirror = os.environ.get("LAYERWISE_MIRROR")
    if mirror is None:
        raise SystemExit("set LAYERWISE_MIRROR to the folder with the archives of the data")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("adult_sample", "california_housing"):
            with tarfile.open(Path(mirror) / f"{name}.tgz") as archive:
                archive.extractall(folder, filter="data")
        for task in args.tasks:
            results: dict[str, list[dict[str, float]]] = {side: [] for side in args.sides}
            for seed in range(1, args.seeds + 1):
                for side in args.sides:
                    results[side].append(one_run(side, task, seed, folder, args))
            for side, found in results.items():
                told = []
                for name in found[0]:
                    values = [result[name] for result in found]
                    spread = statistics.stdev(values) if len(values) > 1 else 0.0
                    told.append(f"{name} {statistics.mean(values):.4f} (sd {spread:.4f})")
                print(f"{task} {side}: {', '.join(told)}", flush=True)


def one_run(side: str, task: str, seed: int, folder: str, args: argparse.Namespace) -> dict:
    command = [
        sys.executable, __file__, "--one", side, task, str(seed), "--folder", folder,
        "--epochs", str(args.epochs), "--arch", args.arch,
    ]  # fmt: skip
    # Steps this small are slower on several threads than on one.
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=one_thread)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{side} on {task} failed:\n{done.stdout}\n{done.stderr}")
    found = json.loads(lines[-1].removeprefix("RESULT "))
    print(task, side, seed, found, flush=True)
    return found


if __name__ == "__main__":
    main()
