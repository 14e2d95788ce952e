# ruff: noqa: F403, F405 - a job is written as users write their scripts
"""What a process of a job does; run by the launcher, with a folder and the names of functions.

Each function trains something and returns what the tests compare; it goes to `<name>.<rank>.pt`.
"""

import contextlib
import io
import math
import sys
import warnings
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
import torch.utils.data as torch_data
from torch import nn

from layerwise.core.all import *
from layerwise.core.distributed.group import joined

EPOCHS = {1: 50, 7: 50, 63: 13, 200: 4}


class Net(nn.Module):
    """A small classifier; the second input, the number of the sample, it only looks at."""

    def __init__(self, drop=0.0, norm=False):
        super().__init__()
        middle = nn.BatchNorm1d(16) if norm else nn.Identity()
        self.body = nn.Sequential(nn.Linear(6, 16), middle, nn.ReLU(), nn.Dropout(drop))
        self.head = nn.Linear(16, 3)

    def forward(self, x, number):
        return self.head(self.body(x))


class Ids(Callback):
    """The numbers of the samples of each training step that count for this process."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def after_batch(self):
        if self.learn.training:
            dealt = self.learn.strategy.processes > 1
            filler = dealt and self.learn.dl.is_filler
            self.steps.append([] if filler else self.learn.xb[1].tolist())


def samples(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 6, generator=generator)
    return [(x[i], torch.tensor(float(i)), x[i, :3].argmax()) for i in range(count)]


def learner(n=63, bs=16, n_valid=11, out=None, model=None, **settings):
    torch.manual_seed(0)
    train = DataLoader(samples(n), bs, shuffle=True)
    dls = DataLoaders(train, DataLoader(samples(n_valid, 1), 4), n_inp=2)
    options = {
        "loss_func": CrossEntropyLossFlat(),
        "metrics": [accuracy, F1Score(average="macro"), error_rate],
        "lr": 1e-2,
        **settings,
    }
    return Learner(dls, Net() if model is None else model, path=out, **options)


def state_of(learn):
    return {k: v.clone() for k, v in learn.strategy.full_model_state(learn).items()}


def trained(learn, epochs, strategy="ddp", cbs=()):
    """What the tests compare of a training."""
    ids = Ids()
    with learn.no_logging(), learn.distrib_ctx(strategy=strategy):
        learn.fit(epochs, cbs=[ids, *cbs])
        opt = learn.strategy.full_opt_state(learn)
        preds, targs, losses = learn.get_preds(with_loss=True)
        weights = state_of(learn)
    return {
        "weights": weights,
        "after": {k: v.clone() for k, v in learn.model.state_dict().items()},
        "opt": opt,
        "ids": ids.steps,
        "losses": learn.recorder.losses,
        "values": [list(row) for row in learn.recorder.values],
        "preds": preds,
        "targs": targs,
        "item_losses": losses,
    }


def sizes(out):
    """D1: training sets and validation sets of uneven sizes."""
    return {n: trained(learner(n, n_valid=n, out=out), epochs) for n, epochs in EPOCHS.items()}


def stock(out):
    """Torch's own loader and optimizer, unchanged."""
    torch.manual_seed(0)
    train = torch_data.DataLoader(samples(30), 8, shuffle=True)
    valid = torch_data.DataLoader(samples(11, 1), 4)
    learn = learner(out=out, opt_func=partial(torch.optim.AdamW, weight_decay=0.1))
    learn.dls = DataLoaders(train, valid, n_inp=2)
    return trained(learn, 3)


def masked(out):
    """Targets that are left out, so that the parts of a batch weigh unequally."""
    learn = learner(30, 8, out=out)
    learn.loss_func = nn.CrossEntropyLoss(ignore_index=2)
    learn.metrics = []
    return trained(learn, 3)


def accumulated(out):
    """Gradients of several batches before a step."""
    return trained(learner(44, 8, out=out), 3, cbs=[GradientAccumulation(20)])


def thawed(out):
    """A head that is trained first, then all of the model."""
    splitter = lambda model: [list(model.body.parameters()), list(model.head.parameters())]
    learn = learner(out=out, splitter=splitter)
    with learn.no_logging(), learn.distrib_ctx():
        learn.freeze()
        learn.fit(1)
        frozen = state_of(learn)
        learn.unfreeze()
        learn.fit(1)
    return {"frozen": frozen, "weights": state_of(learn)}


def norms(out):
    """Batch norm: running statistics are those of process 0, dropout is each one's own."""
    learn = learner(model=Net(0.5, norm=True), out=out)
    masks = []
    hook = learn.model.body[3].register_forward_hook(lambda m, i, o: masks.append(o == 0))
    with learn.no_logging(), learn.distrib_ctx(sync_bn=False):
        learn.fit(1)
    hook.remove()
    return {"weights": state_of(learn), "mask": masks[0]}


def sharded(out):
    """D2: FSDP2, saved in the middle, against the same without interruption."""
    whole = trained(learner(out=out), 2, "fsdp2")
    learn = learner(out=out)
    with learn.no_logging(), learn.distrib_ctx(strategy="fsdp2"):
        learn.fit(1)
        path = learn.save("half")
        half, opt = state_of(learn), learn.strategy.full_opt_state(learn)
        local = sum(p.to_local().numel() for p in learn.model.parameters())
    return {"whole": whole, "half": half, "opt": opt, "path": str(path), "local": local}


def loaded(out):
    """D2: what two processes saved, in as many as there are now."""
    learn = learner(out=out)
    with learn.no_logging(), learn.distrib_ctx(strategy="fsdp2"):
        learn.load("half")
        weights, opt = state_of(learn), learn.strategy.full_opt_state(learn)
    return {"half": weights, "opt": opt}


def sharded_by_torch(out):
    """FSDP2 with an optimizer of torch, clipping and accumulation."""
    results = {}
    for strategy in ("ddp", "fsdp2"):
        learn = learner(44, 8, out=out, opt_func=torch.optim.AdamW)
        cbs = [GradientClip(0.05), GradientAccumulation(16)]
        results[strategy] = trained(learn, 2, strategy, cbs=cbs)
    return results


def once(out):
    """D7: a short job under each strategy."""
    for strategy in ("ddp", "fsdp2"):
        learn = learner(20, 8, out=out)
        with learn.no_logging(), learn.distrib_ctx(strategy=strategy):
            learn.fit(1, cbs=GradientClip(1.0))
            learn.save(f"once_{strategy}")
            learn.get_preds()
    return {}


def found_rate(out):
    """lr_find under several processes."""
    learn = learner(200, out=out)
    before = state_of(learn)
    with learn.distrib_ctx():
        rate = learn.lr_find(num_it=40, show_plot=False, stop_div=True)
        after = state_of(learn)
    return {"rate": list(rate), "before": before, "after": after}


def unused(out):
    """A parameter without a part in the loss is named."""
    model = Net()
    model.spare = nn.Linear(2, 2)
    learn = learner(model=model, out=out)
    said = ""
    with learn.no_logging():
        learn.to_distributed()
        try:
            learn.fit(1)
        except ValueError as error:
            said = str(error)
        learn.detach_distributed()
        with learn.distrib_ctx(strategy=DDP(find_unused_parameters=True)):
            learn.fit(1)
    return {"said": said}


def first(out):
    """rank0_first, and several groups one after another."""
    mark = out / "downloaded"

    def download():
        there = mark.exists()
        mark.touch()
        return there

    return {"there": rank0_first(download), "again": rank0_first(lambda: 3)}


def written(out):
    """D6: what is printed, and what is written, with callbacks that do either."""
    opened = []
    sys.addaudithook(lambda event, args: opened.append(args) if event == "open" else None)
    learn = learner(30, 8, out=out / "written", model=Net(norm=True), metrics=accuracy)
    learn.recorder.train_metrics = True
    said = io.StringIO()
    cbs = [
        CSVLogger(), JSONLogger(), MixUp(), GradientClip(1.0), EMA(), NaNGuard("skip"),
        SaveModelCallback(), EarlyStoppingCallback(patience=9), ReduceLROnPlateau(patience=9),
        Checkpoint("1ep"), ShortEpochCallback(0.9, short_valid=False),
    ]  # fmt: skip
    with contextlib.redirect_stdout(said), learn.distrib_ctx(sync_bn=False):
        learn.fit(2, cbs=cbs)
        learn.save("end")
        learn.get_preds(save_preds=out / "written" / "preds")
        if num_distrib() > 1:
            dist.barrier()
    files = sorted(p.relative_to(out).as_posix() for p in (out / "written").rglob("*"))
    writing = [
        path for path, mode, _ in opened if isinstance(mode, str) and set(mode) & set("wax+")
    ]
    own = [path for path in map(str, writing) if str(out) in path]
    return {"said": said.getvalue(), "files": files, "opened": own}


class Stopped(Exception):
    """What ends a training in the middle."""


class StopAfter(Callback):
    """Ends a training after so many batches, once the checkpoint of the last one is written."""

    order = 2000

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def after_batch(self):
        if self.learn.training and self.learn.train_iter == self.batches:
            raise Stopped


def gone_on(out):
    """A training that ends in the middle of a group of batches, and the same without that."""
    results = {}

    def fit(name, *cbs):
        torch.manual_seed(1)
        learn = learner(70, 8, out=out / name, metrics=accuracy, model=Net(0.2))
        learn.recorder.train_metrics = True
        learn.loss_func = nn.CrossEntropyLoss(ignore_index=2)
        own = [GradientAccumulation(24), EMA(0.9), MixedPrecision("bf16"), GradientClip(1.0)]
        every = Checkpoint("1ba", background=False)
        with learn.no_logging(), learn.distrib_ctx():
            learn.fit_one_cycle(2, 1e-2, cbs=[*own, every, *cbs], resume=True)
        return state_of(learn), [list(row) for row in learn.recorder.values], learn.recorder.losses

    results["whole"] = fit("whole")
    for batches in (5, 12):
        name = f"stopped{batches}"
        with contextlib.suppress(Stopped):
            fit(name, StopAfter(batches))
        results[batches] = fit(name)
    return results


def unseen(out):
    """No target of process 1 counts, in any step."""
    results = {}
    group = GradientAccumulation(16)
    for name, cbs in {"plain": [], "accumulated": [group], "flat": [SAM()]}.items():
        loss = nn.CrossEntropyLoss(ignore_index=-1)
        learn = learner(out=out, loss_func=loss, opt_func=SGD, lr=0.5, metrics=[])
        made = [(x, i, y if number % 8 < 4 else torch.tensor(-1)) for number, (x, i, y) in
                enumerate(samples(32))]  # fmt: skip
        learn.dls = DataLoaders(DataLoader(made, 8), DataLoader(made, 8), n_inp=2)
        results[name] = trained(learn, 2, cbs=cbs)
    return results


def parted(out):
    """Several losses by name: two train an optimizer each, the third trains both."""

    def losses(pred, target):
        loss = nn.functional.cross_entropy(pred, target)
        return {"head": loss, "body": 2 * loss, "both": pred.square().mean()}

    results = {}
    for name, cbs in {"plain": [], "accumulated": [GradientAccumulation(16)]}.items():
        splitter = lambda m: {"body": list(m.body.parameters()), "head": list(m.head.parameters())}
        learn = learner(32, 8, out=out, opt_func=Optimizers.of(body=SGD, head=Adam),
                        loss_func=losses, splitter=splitter, metrics=[])  # fmt: skip
        with learn.no_logging(), learn.distrib_ctx():
            learn.fit(2, cbs=cbs)
            results[name] = state_of(learn)
    if num_distrib() > 1:
        try:
            with learn.no_logging(), learn.distrib_ctx(strategy="fsdp2"):
                learn.fit(1)
        except ValueError as error:
            results["said"] = str(error)
            learn.detach_distributed()
    return results


def beside(out):
    """A second model that is trained too, made with other weights in each process."""
    results = {}
    for strategy in ("ddp", "fsdp2"):
        learn = learner(32, 8, out=out, metrics=[])
        torch.manual_seed(rank_distrib())
        learn.add_model("critic", nn.Linear(3, 3))
        critic = learn.aux_models["critic"]
        learn.splitter = lambda m, critic=critic: [list(m.parameters()), list(critic.parameters())]
        learn.loss_func = lambda pred, y, critic=critic: nn.functional.cross_entropy(
            critic(pred), y
        )
        with learn.no_logging(), learn.distrib_ctx(strategy=strategy):
            learn.fit(2)
            results[strategy] = {
                **state_of(learn), **{k: v.clone() for k, v in critic.state_dict().items()}
            }  # fmt: skip
    return results


EACH = {
    "mixup": lambda: [MixUp()],
    "accumulation": lambda: [GradientAccumulation(24), GradientClip(0.1)],
    "fp16": lambda: [MixedPrecision("fp16"), GradientClip(0.1)],
    "bf16": lambda: [MixedPrecision("bf16")],
    "statistics": lambda: [ActivationStats(), CollectDataCallback(), BnFreeze()],
    "guards": lambda: [NaNGuard("skip"), TerminateOnNaNCallback()],
    "trackers": lambda: [EarlyStoppingCallback(), ReduceLROnPlateau(), ShortEpochCallback(0.6)],
    "best": lambda: [SaveModelCallback(every_epoch=True, with_opt=True)],
    "profile": lambda: [ProfileCallback(show=False), ChannelsLast(), ShowGraphCallback()],
    "average": lambda: [EMA(0.9)],
    "flat": lambda: [SAM()],
    "first": lambda: [LSUV()],
    "parts": lambda: [AutoMicroBatch()],
}


def each(out):
    """Every callback under both strategies: the weights at the end, or what is said instead."""
    results = {}
    for strategy in ("ddp", "fsdp2"):
        for name, cbs in EACH.items():
            torch.manual_seed(1)
            learn = learner(44, 8, out=out / f"{strategy}_{name}", model=Net(0.2))
            try:
                with learn.no_bar(), learn.no_logging(), learn.distrib_ctx(strategy=strategy):
                    learn.fit(2, cbs=cbs())
                    results[strategy, name] = state_of(learn)
            except ValueError as error:
                results[strategy, name] = str(error)
                learn.detach_distributed()
    return results


class OwnTask(Callback):
    """A loss of what the model gives alone, for batches without targets."""

    def after_pred(self):
        self.learn.loss_grad = self.learn.pred.square().mean()


def untargeted(out):
    """Batches without targets, the last with parts of two sizes."""
    torch.manual_seed(1)
    learn = learner(out=out, model=nn.Linear(6, 4), opt_func=SGD, lr=0.1, metrics=[])
    x = [x for x, _, _ in samples(23)]
    learn.dls = DataLoaders(DataLoader(x, 4), DataLoader(x, 4), n_inp=1)
    with learn.no_logging(), learn.distrib_ctx():
        learn.fit(1, cbs=OwnTask())
    return state_of(learn)


class Aside(Learner):
    """Calls the model past the learner, so that nobody averages its gradients."""

    def batch_step(self):
        if self.training:
            loss = self.loss_func(self.model(*self.xb), *self.yb)
            loss.backward()
            self.opt.step()
            self.opt.zero_grad()


def diverged(out):
    """What is said where the processes train models of their own, and where they do not."""
    said = {}
    for kind in (Learner, Aside):
        made = learner(32, 8, out=out)
        learn = kind(made.dls, made.model, CrossEntropyLossFlat(), path=out)
        with warnings.catch_warnings(record=True) as found, learn.no_logging():
            warnings.simplefilter("always")
            with learn.distrib_ctx():
                learn.fit(2)
        said[kind.__name__] = [str(warning.message) for warning in found]
    return said


class Spoils(Callback):
    """Something that is not finite, in the fourth step, in process 1 alone."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def _now(self, what):
        step = self.learn.training and self.learn.train_iter == 3
        return step and what == self.what and rank_distrib() == 1

    def before_batch(self):
        if self._now("input"):
            x, number = self.learn.xb
            self.learn.xb = (x * math.nan, number)

    def after_loss(self):
        if self._now("loss"):
            self.learn.loss_grad = self.learn.loss_grad * math.inf
        if self._now("constant in the loss"):
            self.learn.loss_grad = self.learn.loss_grad + math.nan


def spoilt(out):
    """R6: what the guard says and leaves, for each strategy, what, and policy."""
    found = {}
    for strategy in ("ddp", "fsdp2"):
        for what in ("input", "loss", "constant in the loss"):
            learn = learner(48, 8, out=out)
            with learn.no_logging(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with learn.distrib_ctx(strategy=strategy):
                    try:
                        learn.fit(1, cbs=Spoils(what))
                        told = ""
                    except NotFiniteError as error:
                        told = str(error)
                    steps, weights = learn.train_iter, state_of(learn)
                    learn.add_cb(NaNGuard("skip"))
                    learn.fit(1, cbs=Spoils(what))
                    skipped, after = learn.nan_guard.skipped, state_of(learn)
            found[strategy, what] = [told, steps, weights, skipped, after]
    return found


class Small(Net):
    """Process 1 has memory for two items at a time, going there or going back."""

    limit, where = 99, ""

    def forward(self, x, number):
        short = rank_distrib() == 1 and len(x) > self.limit
        if short and self.where == "forward":
            raise torch.OutOfMemoryError("out of memory, says the test")
        made = super().forward(x, number)
        if short and made.requires_grad:
            made.register_hook(self._fail)
        return made

    def _fail(self, grad):
        raise torch.OutOfMemoryError("out of memory, says the test")


def short_of_memory(out):
    """R7: what is trained where process 1 is short of memory, and where none is."""
    found = {}
    for where in ("", "forward", "backward"):
        torch.manual_seed(0)
        model = Small()
        learn = learner(40, 16, out=out, model=model)
        model.limit, model.where = 2 if where else 99, where
        micro = AutoMicroBatch()
        found[where] = {**trained(learn, 3, cbs=[micro] if where else []), "size": micro.size}
    return found


def overflown(out):
    """float16: a gradient overflows in the part of process 0 alone."""
    results = {}
    for strategy in ("ddp", "fsdp2"):
        learn = learner(out=out, model=nn.Linear(6, 4), metrics=[])
        learn.dls = DataLoaders(DataLoader([(torch.ones(6), torch.zeros(1))] * 8, 4))
        factors = iter([1e37])

        def loss(pred, _targets, factors=factors):
            return pred[:, 0].mean() * next(factors, 1.0)

        learn.loss_func = loss
        half = MixedPrecision("fp16")
        with learn.no_logging(), learn.distrib_ctx(strategy=strategy):
            learn.fit(2, cbs=half)
            scale, weights = half.scaler.get_scale(), state_of(learn)
        results[strategy] = {"skipped": half.skipped, "scale": scale, "weights": weights}
    return results


def averaged(out):
    """The average of the weights, with running statistics that differ between the processes."""
    learn = learner(model=Net(norm=True), out=out)
    average = EMA(0.9)
    with learn.no_logging(), learn.distrib_ctx(sync_bn=False):
        learn.fit(1, cbs=average)
    return {k: v.clone() for k, v in learn.aux_models["ema"].state_dict().items()}


def dealt_by_torch(out):
    """A loader with torch's DistributedSampler is used as it is, and its epochs differ."""
    data = samples(32)
    learn = learner(out=out, metrics=accuracy)
    dealt: torch_data.Sampler = torch_data.distributed.DistributedSampler(data)
    train = torch_data.DataLoader(data, 4, sampler=dealt)
    learn.dls = DataLoaders(train, torch_data.DataLoader(data, 8), n_inp=2)
    seen = []
    note = lambda m, args: seen.append(args[1].tolist()) if m.training else None
    hook = learn.model.register_forward_pre_hook(note)
    with learn.no_logging(), learn.distrib_ctx():
        learn.fit(2)
    hook.remove()
    return {"seen": seen, "weights": state_of(learn), "values": learn.recorder.values}


def refusals(out):
    """Wrong calls, answered before anything hangs."""
    said = {}
    learn = learner(out=out, opt_func=Lamb)
    for name, call in {
        "strategy": lambda: learn.to_distributed(strategy="fsdp"),
        "norms": lambda: learn.to_distributed(strategy="fsdp2") and learn.opt,
        "twice": lambda: learn.to_distributed() and learn.to_distributed(),
    }.items():
        try:
            call()
        except ValueError as error:
            said[name] = str(error)
        learn.detach_distributed()
    for when in ("given", "added"):
        learn = learner(out=out, cbs=EMA() if when == "given" else None)
        learn.to_distributed(strategy="fsdp2")
        try:
            with learn.no_logging():
                learn.fit(1, cbs=EMA() if when == "added" else None)
        except ValueError as error:
            said[f"average {when}"] = str(error)
        learn.detach_distributed()
    return said


def main():
    out, names = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    with joined(timeout=120):
        for name in names:
            result = globals()[name](out)
            torch.save(result, out / f"{name}.{rank_distrib()}.pt")
            if dist.is_initialized():
                dist.barrier()


if __name__ == "__main__":
    main()
