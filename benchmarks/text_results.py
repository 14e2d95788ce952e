"""How good on texts: the same program in layerwise and in fastai, from scratch.

`imdb`: a language model of all 10,000 reviews, then a classifier on its encoder, trained on 5,000
with labels and measured on 2,500; accuracy. Each side cuts texts by its own default, fastai by
spaCy; "layerwise spacy" is ours with spaCy. `wikitext`: a language model of 62 articles, measured
on 60 others, all words between spaces, one vocabulary, the same first weights and order of articles
for both sides; perplexity. Nets, dropouts, epochs, batches and rates are the same, and small enough
for two cores; a seed decides start and order.

    LAYERWISE_MIRROR=... python benchmarks/text_results.py [--tasks imdb] [--seeds 3] [--quick]

`LAYERWISE_MIRROR` is the folder with imdb.tgz and wikitext-2-small.tgz.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

TASKS = ("imdb", "wikitext")
SIDES = ("layerwise", "layerwise spacy", "fastai")
BATCH, LENGTH = 64, 72
NET = {"emb_sz": 100, "n_hid": 200, "n_layers": 2}
# Settings of `--quick`, which only shows that all of it runs.
QUICK_NET, QUICK_FILES = {"emb_sz": 16, "n_hid": 16, "n_layers": 1}, 80


def library(side: str) -> Any:
    """What `from ... import *` would bring, of one side."""
    if side != "fastai":
        return import_module("layerwise.text.all")
    import peers

    peers.define_torchvision_operators()
    return import_module("fastai.text.all")


def net(lib: Any, kind: str, quick: bool) -> dict[str, Any]:
    """The settings of AWD-LSTM, those of its usual config for all but the sizes."""
    usual = lib.awd_lstm_lm_config if kind == "lm" else lib.awd_lstm_clas_config
    return {**usual, **(QUICK_NET if quick else NET)}


# ---------------------------------------------------------------------------- one run, one process


def imdb_run(side: str, path: Path, seed: int, args: argparse.Namespace) -> dict[str, float]:
    lib = library(side)
    tok = {"tok": lib.SpacyTokenizer()} if side == "layerwise spacy" else {}
    lib.set_seed(seed)
    start = time.perf_counter()
    settings = {"path": path, "bs": BATCH, "seq_len": LENGTH, "num_workers": 0}
    texts = partial(lib.get_text_files, folders=["train", "test", "unsup"])
    dls = lib.DataBlock(
        blocks=lib.TextBlock.from_folder(path, is_lm=True, max_vocab=8000, **tok),
        get_items=texts,
        splitter=lib.RandomSplitter(0.1, seed=seed),
    ).dataloaders(path, **settings)
    ready = time.perf_counter()
    learn = lib.language_model_learner(
        dls, lib.AWD_LSTM, config=net(lib, "lm", args.quick), drop_mult=0.3, pretrained=False
    )
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1 if args.quick else args.lm_epochs, 1e-2)
    loss = float(learn.validate()[0])
    learn.save_encoder("encoder")
    dls = lib.DataBlock(
        blocks=(lib.TextBlock.from_folder(path, vocab=dls.vocab, **tok), lib.CategoryBlock),
        get_y=lib.parent_label,
        get_items=partial(lib.get_text_files, folders=["train", "test"]),
        splitter=lib.GrandparentSplitter(valid_name="test"),
    ).dataloaders(path, **settings)
    learn = lib.text_classifier_learner(
        dls, lib.AWD_LSTM, config=net(lib, "classifier", args.quick), drop_mult=0.5,
        pretrained=False, metrics=lib.accuracy,
    )  # fmt: skip
    learn.load_encoder("encoder")
    with learn.no_bar(), learn.no_logging():
        learn.freeze()
        learn.fit_one_cycle(1, 2e-2)
        if not args.quick:
            learn.freeze_to(-2)
            learn.fit_one_cycle(1, slice(1e-2 / 2.6**4, 1e-2))
            learn.unfreeze()
            learn.fit_one_cycle(2, slice(5e-3 / 2.6**4, 5e-3))
    with learn.no_bar():
        accuracy = float(learn.validate()[1])
    seconds = time.perf_counter() - ready
    return {"accuracy": accuracy, "lm_loss": loss, "reading": ready - start, "seconds": seconds}


def wikitext_run(side: str, path: Path, seed: int, args: argparse.Namespace) -> dict[str, float]:
    import pandas as pd

    lib = library(side)
    parts = [pd.read_csv(path / f"{name}.csv", header=None)[0] for name in ("train", "test")]
    articles = [text.replace("\n", " xxnl ").split() for part in parts for text in part]
    count = len(parts[0])
    counts = Counter(word for article in articles[:count] for word in article)
    vocab = ["xxunk", "xxpad", *sorted(word for word, n in counts.items() if n > 1)]
    lib.set_seed(seed)
    start = time.perf_counter()
    rows = [list(range(count)), list(range(count, len(articles)))]
    dsets = lib.Datasets(
        articles, [[lib.Numericalize(vocab=vocab)]], splits=rows, dl_type=lib.LMDataLoader
    )
    dls = dsets.dataloaders(bs=32, seq_len=LENGTH, num_workers=0, shuffle=False)
    learn = lib.language_model_learner(
        dls, lib.AWD_LSTM, config=net(lib, "lm", args.quick), drop_mult=0.5, pretrained=False
    )
    draw_weights(learn.model, seed)
    torch.manual_seed(seed)  # of the masks of dropout, which both sides draw in the same order
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(1 if args.quick else args.epochs, 1e-2)
    return {"perplexity": perplexity(learn), "seconds": time.perf_counter() - start}


def draw_weights(model: torch.nn.Module, seed: int) -> None:
    """The same first weights for both sides, whose models have the same parameters in one order."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            reach = 0.1 if "encoder" in name else model[0].n_hid ** -0.5
            weight.uniform_(-reach, reach, generator=generator)
        model[1].decoder.bias.zero_()


def perplexity(learn: Any) -> float:
    """Of a token, over all tokens that validate; measured here, the same for both sides."""
    learn.model.eval()
    learn.model.reset()
    loss, count = 0.0, 0
    with torch.no_grad():
        for xb, yb in learn.dls.valid:
            scores = learn.model(xb)[0].as_subclass(torch.Tensor)
            target = yb.as_subclass(torch.Tensor).flatten()
            loss += float(F.cross_entropy(scores.flatten(0, 1), target, reduction="sum"))
            count += len(target)
    return math.exp(loss / count)


# ------------------------------------------------------------------------------------ all the runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--sides", nargs="+", default=SIDES, choices=SIDES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lm-epochs", type=int, default=1, help="of the language model of imdb")
    parser.add_argument("--epochs", type=int, default=6, help="of wikitext")
    parser.add_argument("--quick", action="store_true", help="tiny nets on a little of the data")
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "TASK", "SEED"), help="one run, here")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    if args.one:
        side, task, seed = args.one[0], args.one[1], int(args.one[2])
        run = imdb_run if task == "imdb" else wikitext_run
        print("RESULT", json.dumps(run(side, args.folder, seed, args)))
        return
    for task in args.tasks:
        # The words of wikitext are cut already.
        sides = [side for side in args.sides if task == "imdb" or side != "layerwise spacy"]
        results: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for seed in range(1, args.seeds + 1):
            for side in sides:
                results[side].append(one_run(side, task, seed, args))
        for side, found in results.items():
            print(f"{task} {side}: {told(found)}", flush=True)


def told(found: list[dict[str, float]]) -> str:
    """Mean and deviation of each number over the seeds."""
    parts = []
    for name in found[0]:
        values = [result[name] for result in found]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        parts.append(f"{name} {statistics.mean(values):.4f} (sd {spread:.4f})")
    return ", ".join(parts)


def one_run(side: str, task: str, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """The result of a process of its own, over a copy of the data of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = unpacked("imdb" if task == "imdb" else "wikitext-2-small", folder, args.quick)
        command = [
            sys.executable, __file__, "--one", side, task, str(seed), "--folder", str(path),
            "--lm-epochs", str(args.lm_epochs), "--epochs", str(args.epochs),
            *(["--quick"] if args.quick else []),
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not lines:
        raise SystemExit(f"{side} on {task} failed:\n{done.stdout}\n{done.stderr}")
    found: dict[str, float] = json.loads(lines[-1].removeprefix("RESULT "))
    print(task, side, seed, found, flush=True)
    return found


def unpacked(name: str, folder: str, quick: bool) -> Path:
    """The data in a new folder; of reviews few from each folder if `quick`."""
    mirror = os.environ.get("LAYERWISE_MIRROR")
    if mirror is None:
        raise SystemExit("set LAYERWISE_MIRROR to the folder with the archives of the data")
    taken: Counter[str] = Counter()
    with tarfile.open(Path(mirror) / f"{name}.tgz") as archive:
        for member in archive:
            where = member.name.rpartition("/")[0]
            taken[where] += 1
            if not quick or name != "imdb" or taken[where] <= QUICK_FILES:
                archive.extract(member, folder, filter="data")
    return Path(folder) / name


if __name__ == "__main__":
    main()
