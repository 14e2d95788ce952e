# ruff: noqa: F403, F405 - a job is written as users write their scripts
"""GANs trained by the processes of a job; run by the launcher with a folder and names of functions.

What each function returns goes to `<name>.<number of the process>.pt` in the folder.
"""

import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from layerwise.core.all import *
from layerwise.core.distributed.group import joined
from layerwise.vision.gan import *


class Pictures:
    """Pairs of new noise and a fixed picture."""

    def __init__(self, count):
        numbers = torch.Generator().manual_seed(0)
        self.pictures = torch.randn(count, 1, 4, 4, generator=numbers) + 1

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return generate_noise(i, size=6), self.pictures[i]


def make(folder, **settings):
    """A learner whose batches of 5 no two processes share evenly; the last one has a single row.

    The critic is linear, so that its gradient is the same wherever it is taken.
    """
    set_seed(0)
    generator = nn.Sequential(
        nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 16), nn.Unflatten(1, (1, 4, 4))
    )
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    losses = hinge_generator_loss, hinge_critic_loss
    dls = DataLoaders(DataLoader(Pictures(26), bs=5, shuffle=True), DataLoader(Pictures(7), bs=3))
    options = {"opt_func": SGD, "lr": 0.05, "metrics": mae, "path": folder, **settings}
    return GANLearner(dls, generator, critic, *losses, **options)


def trained(learn, epochs=2, **options):
    """What one process and two have to agree on."""
    set_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with learn.no_logging(), learn.no_bar(), learn.distrib_ctx(**options):
            learn.fit(epochs)
            set_seed(4)
            pictures, _, losses = learn.get_preds(with_loss=True)
    trainer = learn.gan_trainer
    return {
        "weights": {k: v.clone() for k, v in learn.model.state_dict().items()},
        "values": [list(row) for row in learn.recorder.values],
        "names": learn.recorder.metric_names,
        "losses": learn.recorder.losses,
        "gen_losses": trainer.gen_losses,
        "crit_losses": trainer.crit_losses,
        "pictures": pictures,
        "item_losses": losses,
        "kept": trainer.imgs,
    }


def plain(folder):
    return trained(make(folder, clip=0.1, switcher=FixedGANSwitcher(2)))


def penalty(folder):
    learn = make(folder, cbs=GradientPenalty(10.0), switcher=FixedGANSwitcher(2))
    learn.add_cb(Draws())
    return {**trained(learn), "draws": torch.stack(learn.draws.seen)}


def accumulated(folder):
    return trained(make(folder, cbs=[GradientAccumulation(10), GradientPenalty(1.0)]))


def two_optimizers(folder):
    optimizers = Optimizers.of(generator=SGD, critic=RMSProp)
    return trained(make(folder, splitter=gan_parts, opt_func=optimizers))


def adaptive(folder):
    learn = make(folder, switcher=AdaptiveGANSwitcher(gen_thresh=0.3, critic_thresh=0.8))
    learn.add_cb(Turns())
    return {**trained(learn, 3), "turns": learn.turns.seen}


class Draws(Callback):
    """Draws a number after each loss, as the penalty does before it."""

    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def after_loss(self):
        self.seen.append(torch.rand((), generator=generator()))


class Turns(Callback):
    """Notes whose turn each batch is."""

    run_valid = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def before_batch(self):
        self.seen.append(self.learn.model.gen_mode)


class Stop(Callback):
    """Ends a training with an error once the checkpoint of its last batch is written."""

    order = 2000
    run_valid = False

    def __init__(self, at):
        super().__init__()
        self.at = at

    def after_batch(self):
        if self.learn.train_iter == self.at:
            raise KeyboardInterrupt


def resumed(folder):
    """A training that is stopped in a turn of the critic and goes on, and one that is not."""
    found = {}
    for name, stop in (("through", None), ("stopped", 5), ("again", None)):
        every = Checkpoint("1ba", dir="other" if name == "through" else "own", background=False)
        cbs = [every, EMA(0.9), GradientPenalty(10.0), *([] if stop is None else [Stop(stop)])]
        learn = make(folder, cbs=cbs, switcher=FixedGANSwitcher(3), opt_func=Adam)
        set_seed(3 if name != "again" else 99)
        try:
            with learn.no_logging(), learn.no_bar(), learn.distrib_ctx():
                learn.fit(2, resume=True)
        except KeyboardInterrupt:
            continue
        found[name] = {
            "weights": [*learn.model.state_dict().values(), *learn.ema.model.state_dict().values()],
            "values": [list(row) for row in learn.recorder.values],
            "gen_losses": learn.gan_trainer.gen_losses,
            "crit_losses": learn.gan_trainer.crit_losses,
        }
    return found


def sharded(folder):
    """What is said where each process is to have a part of the model."""
    learn = make(folder)
    try:
        with learn.no_logging(), learn.no_bar(), learn.distrib_ctx(strategy="fsdp2"):
            learn.fit(1)
    except ValueError as error:
        learn.detach_distributed()
        return {"said": str(error)}
    return {"said": ""}


def main():
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    torch.set_num_threads(1)
    with joined(timeout=120):
        for name in names:
            result = globals()[name](folder / name)
            torch.save(result, folder / f"{name}.{rank_distrib()}.pt")
            if dist.is_initialized():
                dist.barrier()


if __name__ == "__main__":
    main()
