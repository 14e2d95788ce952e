"""How good, how fast: transfer learning by the same program in layerwise and in fastai.

Each run is a process of its own: loaders (Resize(160), augmentation to 128 pixels), a pretrained
body, `fine_tune`; a unet on the small CamVid likewise. Sides take turns, with seeds 1 to 3. Seconds
are those from the files to the end of training, without imports.

    LAYERWISE_MIRROR=... LAYERWISE_WEIGHTS=... python benchmarks/vision_results.py
    python benchmarks/vision_results.py --tasks flowers5 --arch mobilenet_v2 --sides layerwise

`LAYERWISE_MIRROR` is the folder with dogscats.tgz, flowers5.tgz and camvid_tiny.tgz,
`LAYERWISE_WEIGHTS` the one with squeezenet1_1-imagenet.safetensors, from which both sides start.
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

import peers

TASKS = ("dogscats", "flowers5", "camvid_tiny")
SIDES = ("layerwise", "fastai")
Result = dict[str, Any]


# ---------------------------------------------------------------------------- one run, one process


def layerwise_run(
    task: str, path: Path, arch: str, weights: Path, seed: int, epochs: int, bs: int
) -> Result:
    """Accuracy and seconds of our side."""
    from layerwise.vision import all as lw

    lw.set_seed(seed)
    start = time.perf_counter()
    if task == "camvid_tiny":
        dls = _layerwise_camvid(lw, path, bs)
        learn = lw.unet_learner(dls, arch, weights=weights, metrics=_pixel_accuracy)
    else:
        dls = lw.ImageDataLoaders.from_folder(
            path,
            bs=bs,
            item_tfms=lw.Resize(160),
            batch_tfms=lw.aug_transforms(size=128, min_scale=0.75),
        )
        learn = lw.vision_learner(dls, arch, weights=weights, metrics=lw.accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs)
    return {"metric": float(learn.recorder.values[-1][-1]), "seconds": time.perf_counter() - start}


def _layerwise_camvid(lw: Any, path: Path, bs: int) -> Any:
    valid = set((path / "valid.txt").read_text().split())
    names = lw.get_image_files(path / "images")
    return lw.DataBlock(
        (lw.ImageBlock, lw.MaskBlock((path / "codes.txt").read_text().split())),
        splitter=lw.FuncSplitter(lambda f: f.name in valid),
        get_y=lambda f: path / "labels" / f"{f.stem}_P{f.suffix}",
        batch_tfms=lw.aug_transforms(),
    ).dataloaders(names, path=path, bs=bs)


def fastai_run(
    task: str, path: Path, arch: str, weights: Path, seed: int, epochs: int, bs: int
) -> Result:
    """Accuracy and seconds of fastai's."""
    peers.define_torchvision_operators()
    import torch
    import torchvision.models
    from fastai.vision import all as fa
    from safetensors.torch import load_file

    fa.set_seed(seed)
    start = time.perf_counter()
    normal = fa.Normalize.from_stats(*fa.imagenet_stats)
    build = getattr(torchvision.models, arch)
    if task == "camvid_tiny":
        dls = _fastai_camvid(fa, path, bs, normal)
        learn = fa.unet_learner(dls, build, pretrained=False, metrics=_pixel_accuracy)
        body = learn.model[0]
    else:
        dls = fa.ImageDataLoaders.from_folder(
            path,
            valid="valid",
            bs=bs,
            item_tfms=fa.Resize(160),
            batch_tfms=[*fa.aug_transforms(size=128, min_scale=0.75), normal],
        )
        learn = fa.vision_learner(dls, build, pretrained=False, metrics=fa.accuracy)
        body = learn.model[0]
    whole = build()
    state = {k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()}
    whole.load_state_dict(state)
    trained = list(whole.features.parameters()) + list(whole.features.buffers())
    with torch.no_grad():
        for own, given in zip([*body.parameters(), *body.buffers()], trained, strict=True):
            own.copy_(given)
    learn.freeze()
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(epochs)
    return {"metric": float(learn.recorder.values[-1][-1]), "seconds": time.perf_counter() - start}


def _fastai_camvid(fa: Any, path: Path, bs: int, normal: Any) -> Any:
    valid = set((path / "valid.txt").read_text().split())
    names = fa.get_image_files(path / "images")
    return fa.DataBlock(
        (fa.ImageBlock, fa.MaskBlock((path / "codes.txt").read_text().split())),
        splitter=fa.FuncSplitter(lambda f: f.name in valid),
        get_y=lambda f: path / "labels" / f"{f.stem}_P{f.suffix}",
        batch_tfms=[*fa.aug_transforms(), normal],
    ).dataloaders(names, path=path, bs=bs)


def _pixel_accuracy(pred: Any, targ: Any) -> Any:
    """Share of pixels of the right class, those without a class (Void, the last code) aside."""
    known = targ != pred.shape[1] - 1
    return (pred.argmax(1)[known] == targ[known]).float().mean()


# ------------------------------------------------------------------------------------ all the runs


def measure(options: argparse.Namespace, task: str, folder: str, side: str, seed: int) -> Result:
    """One run in a process of its own."""
    command = [
        *(sys.executable, __file__, "--one", side, "--tasks", task, "--arch", options.arch),
        *("--seeds", str(seed), "--epochs", str(options.epochs), "--bs", str(options.bs)),
        *("--folder", folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def table(task: str, options: argparse.Namespace, results: dict[str, list[Result]]) -> None:
    """Print what came out of one task."""
    print(f"\n| {task}, {options.arch}, {options.epochs} epochs | each seed | mean | seconds |")
    print("|---|---|---:|---:|")
    for side, runs in results.items():
        each = ", ".join(f"{run['metric']:.3f}" for run in runs)
        mean = statistics.mean(run["metric"] for run in runs)
        seconds = statistics.median(run["seconds"] for run in runs)
        print(f"| {side} | {each} | {mean:.3f} | {seconds:.1f} |", flush=True)


def main() -> None:
    """Measure, and print a table for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arch", default="squeezenet1_1")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--bs", type=int, default=64)
    parser.add_argument("--folder", help="where the archives of --one are unpacked")
    parser.add_argument("--one", choices=SIDES, help="run one side here, and print its result")
    options = parser.parse_args()
    weights = Path(os.environ.get("LAYERWISE_WEIGHTS", "")) / f"{options.arch}-imagenet.safetensors"
    mirror = Path(os.environ.get("LAYERWISE_MIRROR", ""))
    if not weights.is_file() or not mirror.is_dir():
        raise SystemExit("set LAYERWISE_MIRROR and LAYERWISE_WEIGHTS, see --help: nothing measured")
    if options.one:
        run = layerwise_run if options.one == "layerwise" else fastai_run
        task, seed = options.tasks[0], options.seeds[0]
        path = Path(options.folder) / task
        found = run(task, path, options.arch, weights, seed, options.epochs, options.bs)
        print(json.dumps(found))
        return
    print(peers.versions())
    with tempfile.TemporaryDirectory() as folder:
        for task in options.tasks:
            with tarfile.open(mirror / f"{task}.tgz") as archive:
                archive.extractall(folder, filter="data")
            results: dict[str, list[Result]] = {side: [] for side in options.sides}
            for seed in options.seeds:
                for side in options.sides:
                    results[side].append(measure(options, task, folder, side, seed))
            table(task, options, results)


if __name__ == "__main__":
    main()
