"""`layerwise train`, `lr-find` and `resume`: trainings that packages publish.

An entry of the kind "training" is a function that makes a learner of what a command line says: its
typed parameters become arguments. Under the name `"vision"` it is `layerwise train vision` and
`layerwise lr-find vision`. How a learner is trained, noted down and gone on with is here, the same
for all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.csv_log import CSVLogger
from layerwise.core.callback.lr_find import minimum, slide, steep, valley
from layerwise.core.cli import run_folder
from layerwise.core.cli.arguments import as_words, given_to, parsed, plain
from layerwise.core.cli.named import named
from layerwise.core.cli.pictures import draw_curves, draw_samples, save_figure
from layerwise.core.cli.run_folder import RunFolder
from layerwise.core.devices import distrib_barrier, num_distrib, rank_distrib
from layerwise.core.display.table import Table
from layerwise.core.errors import ConfigError, nearest
from layerwise.core.learner import Learner
from layerwise.core.random import set_seed
from layerwise.core.registry import find, names

__all__ = ["RunSettings", "SearchSettings", "resume"]

Training = Callable[..., Learner]


@dataclass(frozen=True)
class RunSettings:
    """How a training of the command line runs, whatever it trains.

    Args:
        out: the folder of the run; by default a new one in `runs`, with the time in its name. The
            same command with the same folder goes on where it was.
        epochs: epochs of the whole model.
        lr: the largest learning rate; that of the learner when None. `layerwise lr-find` suggests
            one.
        freeze_epochs: epochs in which the head alone is trained before, where the body comes with
            weights.
        precision: numbers of the forward pass; fp16 needs a GPU.
        callbacks: names of callbacks, made as they are by default, such as `MixUp`.
        checkpoint_every: how often a checkpoint is written: "1ep", "100ba" (batches), "10min".
        seed: of all random numbers.
    """

    out: Path | None = None
    epochs: int = 5
    lr: float | None = None
    freeze_epochs: int = 1
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    callbacks: tuple[str, ...] = ()
    checkpoint_every: str = "1ep"
    seed: int = 42

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs={self.epochs}; give one or more")


@dataclass(frozen=True)
class SearchSettings:
    """How a learning rate is searched.

    Args:
        picture: where the curve is drawn.
        seed: of all random numbers.
    """

    picture: Path = Path("lr-find.png")
    seed: int = 42


def train(name: str, words: Sequence[str]) -> int:
    """`layerwise train`: the exit code.

    Args:
        name: the qualified name of the training.
        words: the arguments after its word.
    """
    training = find("training", name)
    word = name.partition("/")[2]
    return _run(name, parsed([training, RunSettings], f"layerwise train {word}", words))


def lr_find(name: str, words: Sequence[str]) -> int:
    """`layerwise lr-find`: prints suggested rates and draws the curve; the exit code."""
    training = find("training", name)
    word = name.partition("/")[2]
    settings = parsed([training, SearchSettings], f"layerwise lr-find {word}", words)
    search = SearchSettings(**given_to(SearchSettings, settings))
    learn = _made(training, settings)
    found = learn.lr_find(suggest_funcs=(valley, slide, minimum, steep))
    save_figure(search.picture)
    print(Table([{"from": key, "rate": f"{rate:.2e}"} for key, rate in found._asdict().items()]))
    print(f"the curve: {search.picture}")
    return 0


def resume(folder: Path, /, *, epochs: int | None = None) -> int:
    """Go on with a run where it was when it ended.

    Args:
        folder: what `layerwise train` had as `--out`.
        epochs: as many in all, in place of those that the run began with.
    """
    name, settings = RunFolder(folder).read()
    if name not in names("training"):
        raise ConfigError(
            f"{folder} trained {name!r}, which no installed package publishes."
            f"{nearest(name, names('training'))}"
        )
    program = f"layerwise resume {folder}"
    settings = parsed([find("training", name), RunSettings], program, as_words(settings))
    settings["out"] = folder
    if epochs is not None:
        if epochs < (done := RunFolder(folder).epochs_done()):
            raise ConfigError(f"epochs={epochs}, and {folder} has trained {done}; ask for more")
        settings["epochs"] = epochs
        RunSettings(**given_to(RunSettings, settings))  # which may refuse them
        if not rank_distrib():
            RunFolder(folder).change(plain(_without_place(settings)))
        distrib_barrier()
    return _run(name, settings)


def _run(name: str, settings: dict[str, Any]) -> int:
    """Make the learner, train it in its folder, and write down what became of it."""
    run = RunSettings(**given_to(RunSettings, settings))
    folder = RunFolder(run.out or _new_folder(name))
    is_first = not rank_distrib()
    # Before anything is written, since settings may be refused.
    callbacks = [*_callbacks(run.callbacks), Checkpoint(run.checkpoint_every)]
    learn = _made(find("training", name), settings)
    if is_first:
        folder.begin(name, plain(_without_place(settings)))
        print(f"the run: {folder.path}")
    learn.path = folder.path
    learn.add_cbs([*callbacks, CSVLogger(run_folder.LOG, append=True)])
    if run.precision != "fp32":
        learn.to_fp16() if run.precision == "fp16" else learn.to_bf16()
    with learn.distrib_ctx() if num_distrib() else nullcontext():
        try:
            _fit(learn, run)
        except (KeyboardInterrupt, SystemExit):  # after a checkpoint was written
            print(f"`layerwise resume {folder.path}` goes on", file=sys.stderr)
            raise
        values = learn.validate()
    if is_first:  # and alone: nothing below waits for another process
        _finish(learn, folder, values)
    return 0


def _made(training: Training, settings: Mapping[str, Any]) -> Learner:
    set_seed(settings["seed"])
    learn = training(**given_to(training, settings))
    if not isinstance(learn, Learner):
        raise ConfigError(f"a training returns a Learner, not the {type(learn).__name__} {learn!r}")
    return learn


def _without_place(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides what a run does, which its folder does not."""
    return {name: value for name, value in settings.items() if name != "out"}


def _new_folder(name: str) -> Path:
    if num_distrib() > 1:
        raise ConfigError("several processes need one folder for their run; name it with --out")
    return Path("runs") / f"{name.partition('/')[2]}-{time.strftime('%Y%m%d-%H%M%S')}"


def _callbacks(wanted: Sequence[str]) -> list[Any]:
    made = []
    for one in wanted:
        try:
            made.append(named("callback", one)())
        except TypeError as error:
            raise ConfigError(
                f"--callbacks {one}: it is not made without settings ({error}); write a program "
                "for that"
            ) from error
    return made


def _fit(learn: Any, run: RunSettings) -> None:
    """Fine-tune what comes with a frozen body, and train anything else from the beginning."""
    if all(p.requires_grad for p in learn.model.parameters()):
        learn.fit_one_cycle(run.epochs, run.lr, resume=True)
    else:
        rate = {} if run.lr is None else {"base_lr": run.lr}
        learn.fine_tune(run.epochs, freeze_epochs=run.freeze_epochs, resume=True, **rate)


def _finish(learn: Any, folder: RunFolder, values: Sequence[float]) -> None:
    names = ["valid_loss", *(metric.name for metric in learn.metrics)]
    results = dict(zip(names, map(float, values), strict=True))
    folder.write(run_folder.RESULTS, results)
    written = [folder.path / run_folder.RESULTS, learn.export(folder.path / run_folder.BUNDLE)]
    written += [
        draw_curves(learn, folder.path / run_folder.CURVES),
        draw_samples(learn, folder.path / run_folder.SAMPLES),
    ]
    print(Table([{name: f"{value:.4f}" for name, value in results.items()}]))
    print("wrote", ", ".join(file.name for file in written if file is not None))
    sys.stdout.flush()
