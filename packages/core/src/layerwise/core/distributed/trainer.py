"""`DistributedTrainer`: what one process of several does differently in training."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
import torch.distributed as dist
from torch import Tensor

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.devices import num_distrib, sum_processes
from layerwise.core.distributed.batchnorm import SyncedNorms
from layerwise.core.distributed.ddp import DDP
from layerwise.core.distributed.exchange import broadcast_tensors, from_first
from layerwise.core.distributed.fsdp import FSDP2
from layerwise.core.distributed.group import TIMEOUT, joined
from layerwise.core.distributed.loader import DistributedDL, deals_itself
from layerwise.core.distributed.several import SeveralProcesses
from layerwise.core.errors import nearest
from layerwise.core.metrics.loss_weight import loss_weight
from layerwise.core.nested import nested_reorder
from layerwise.core.random import isolated, mix_key
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.progress import ProgressCallback
from layerwise.core.train.strategy import Strategy

__all__ = ["DistributedTrainer", "detach_distributed", "distrib_ctx", "to_distributed"]

_STRATEGIES: dict[str, type[Strategy]] = {"ddp": DDP, "fsdp2": FSDP2}


class DistributedTrainer(Callback):
    """Deals batches to the processes, and makes of their parts what one process would have.

    All get the seed of process 0, so that all agree on the order of the data; what a model or a
    callback draws while a batch is trained comes from a key with the number of the process in it,
    so no two drop the same units, and a resumed run draws what the first one would have.
    A loss over a part that is larger than the average counts more, so that gradients and recorded
    losses are those of the whole batch. Reads `dl`, `model`; sets `run_seed`, `dl`, `loss`,
    `loss_grad`, and for a process without samples `pred`, `xb`, `yb`.

    Args:
        sync_bn: let batch norm see the whole batch; on GPUs only.
    """

    order: ClassVar[float] = -9
    after: ClassVar = (TrainEvalCallback,)

    def __init__(self, sync_bn: bool = True) -> None:
        super().__init__()
        self.sync_bn = sync_bn
        self._loaders: dict[int, tuple[Any, DistributedDL]] = {}
        self._random: isolated | None = None
        self._asked: tuple[Tensor, Any] | None = None
        self._unsent: Tensor | None = None
        self._norms: SyncedNorms | None = None
        self._quiet: list[tuple[Any, str, Any]] = []
        self._checked = self._weighed_elsewhere = self._apart = False
        self._settled = True

    def attach(self, strategy: Strategy) -> None:
        """Take over the learner."""
        learn = self.learn
        if self.sync_bn:
            self._norms = SyncedNorms(learn.model, learn.device)
        learn.strategy = strategy
        strategy.attach(learn)
        if strategy.rank:
            bars = [cb for cb in learn.cbs if isinstance(cb, ProgressCallback)]
            self._silence(learn, "logger", _discard)
            for bar in bars:
                self._silence(bar, "show", False)

    def detach(self) -> None:
        """Give the learner back as it was."""
        learn = self.learn
        learn.strategy.detach(learn)
        del learn.strategy  # that of one process shows again
        if self._norms is not None:
            self._norms.put_back()
        for owner, name, value in reversed(self._quiet):
            setattr(owner, name, value)
        self._loaders.clear()

    def _silence(self, owner: Any, name: str, value: Any) -> None:
        self._quiet.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    def before_fit(self) -> None:
        """Agree on the seed; follow what was frozen."""
        learn = self.learn
        learn.run_seed = from_first(learn.run_seed)
        learn.strategy.refresh(learn)
        self._checked = self._apart = False
        # Accumulation divides by what all batches of all processes weigh together.
        self._weighed_elsewhere = any(isinstance(cb, GradientAccumulation) for cb in learn.cbs)

    def before_train(self) -> None:
        """Deal the training batches."""
        self._deal()

    def after_train(self) -> None:
        """Give all the buffers of process 0, which the last batch has changed in each."""
        broadcast_tensors(list(self.learn.model.buffers()))
        strategy = self.learn.strategy
        if self._apart or not isinstance(strategy, DDP) or strategy.agree(self.learn):
            return
        self._apart = True
        if strategy.rank == 0:
            warnings.warn(
                f"after epoch {self.learn.epoch} the weights differ between the processes, which "
                "each train a model of their own: gradients are exchanged where the model is "
                "called by learn.call_model(*learn.xb); look at what calls or changes it otherwise",
                stacklevel=2,
            )

    def after_cancel_fit(self) -> None:
        """Likewise."""
        self.after_train()

    def before_validate(self) -> None:
        """Deal the batches that are measured or predicted."""
        self._deal()

    def _deal(self) -> None:
        dl = self.learn.dl
        if deals_itself(dl):
            return
        slot = int(self.learn.training)
        before, dealt = self._loaders.get(slot, (None, None))
        if before is not dl or dealt is None:
            dealt = DistributedDL(dl)
            self._loaders[slot] = dl, dealt
        self.learn.dl = dealt

    def before_batch(self) -> None:
        """Draw from this process's own numbers from here on."""
        learn = self.learn
        self._end_random()
        parts = learn.run_seed, learn.epoch, learn.iter, int(learn.training), learn.strategy.rank
        seed = mix_key(*parts)
        self._random = isolated(seed)
        self._random.__enter__()
        if learn.device is not None and learn.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def after_loss(self) -> None:
        """Weigh the loss of this part by its size; leave out what counts elsewhere."""
        learn, dl, self._settled = self.learn, self.learn.dl, False
        if learn.parted is not None and learn.parted.is_parted and learn.strategy.shards:
            raise ValueError(
                f"under {learn.strategy!r} the losses of several optimizers cannot be kept apart; "
                'pass strategy="ddp", or give one loss'
            )
        if not isinstance(dl, DistributedDL):
            return
        if learn.loss_grad is None:
            if dl.is_filler and not learn.training:
                self._leave_out()
            return
        weight = loss_weight(learn.loss_func, learn.pred, *learn.yb)
        if learn.training:
            self._weigh(dl, weight)
        elif dl.is_filler:
            self._count_filler(weight)
            self._leave_out()
        elif isinstance(weight, Tensor) and not learn.loss.ndim:
            # Losses are averaged by items, but this part's mean is over fewer than it has.
            total = sum_processes(weight)
            share = torch.where(total > 0, weight * dl.total / total / dl.items, 0.0)
            learn.loss = _weighed(learn.loss, share)

    def _weigh(self, dl: DistributedDL, weight: float | Tensor | None) -> None:
        """Make the loss of this part its share, times the processes, of that of the whole batch.

        A mean counts with what it is taken over: items, or what of the targets is not ignored. How
        much that is in all processes is asked while gradients are computed, and put in afterwards.
        """
        learn = self.learn
        processes = learn.strategy.processes
        factor: float | Tensor = dl.weight
        if weight is None:  # a sum
            factor = float(processes) * (not dl.is_filler)
        elif isinstance(weight, Tensor):
            own = weight.float() * (not dl.is_filler)
            self._unsent = own.clone()
            if not learn.strategy.averages_late:
                self._ask()
            factor = own * (processes / dl.total)
        if not self._weighed_elsewhere:
            learn.loss_grad = _weighed(learn.loss_grad, factor)
        if learn.loss is not None:  # a callback that sets loss_grad may leave it out
            learn.loss = _weighed(learn.loss, factor)

    def _ask(self) -> None:
        """Ask what the parts of all processes weigh together."""
        if self._unsent is not None:
            total, self._unsent = self._unsent, None
            self._asked = total, dist.all_reduce(total, async_op=True)

    def _count_filler(self, weight: float | Tensor | None) -> None:
        """Take part where the others ask what their parts weigh."""
        if isinstance(weight, Tensor) and not self.learn.loss.ndim:
            sum_processes(weight * 0)

    def _leave_out(self) -> None:
        learn: Any = self.learn
        none = torch.tensor([], dtype=torch.long)
        learn.pred, learn.xb, learn.yb = nested_reorder((learn.pred, learn.xb, learn.yb), none)
        per_item = isinstance(learn.loss, Tensor) and learn.loss.ndim
        learn.loss = learn.loss[:0] if per_item else None

    def before_backward(self) -> None:
        """Let all processes feel a loss that is not finite."""
        if self.learn.strategy.shares_gradients:
            self.learn.loss_grad = _felt(self.learn.loss_grad)

    def after_backward(self) -> None:
        """Divide by what all parts weigh; look for parameters that no gradient reaches.

        Once in a fit these are named: torch would only count them.
        """
        self._check_used()
        share = self._settle()
        if share != 1:
            self.learn.loss = self.learn.loss * share

    def before_step(self) -> None:
        """Likewise, where a callback has gone back once more for this step."""
        if not self._settled:
            self._settle()

    def _settle(self) -> float:
        """Make gradients those of the whole batch; returns what the loss has to be scaled by."""
        learn, share, self._settled = self.learn, 1.0, True
        self._ask()
        if self._asked is not None:
            (total, asked), self._asked = self._asked, None
            asked.wait()
            share = learn.dl.total / total.item() if total > 0 else 1.0
            lists = [] if self._weighed_elsewhere or share == 1 else learn.opt.param_lists
            grads = [p.grad for params in lists for p in params if p.grad is not None]
            if grads:
                torch._foreach_mul_(grads, share)
        if isinstance(learn.strategy, SeveralProcesses):
            learn.strategy.finish_grads(learn)
        return share

    def _check_used(self) -> None:
        if self._checked:
            return
        self._checked = True
        strategy = self.learn.strategy
        unused = strategy.unused(self.learn) if isinstance(strategy, DDP) else []
        if unused:
            shown = ", ".join(unused[:8]) + (", ..." if len(unused) > 8 else "")
            raise ValueError(
                f"{len(unused)} parameter(s) had no part in the loss: {shown}. Processes exchange "
                "gradients of all that are trained, so freeze those (requires_grad_(False)), take "
                "them out of the model, or pass strategy=DDP(find_unused_parameters=True)"
            )

    def after_cancel_backward(self) -> None:
        """Forget what the parts weigh."""
        self._unsent = None
        if self._asked is not None:
            self._asked[1].wait()
            self._asked = None

    def after_batch(self) -> None:
        """Draw from the common numbers again."""
        self._end_random()

    def after_fit(self) -> None:
        """Likewise where an error ends the fit."""
        self._end_random()

    def _end_random(self) -> None:
        if self._random is not None:
            self._random.__exit__(None, None, None)
            self._random = None


def _felt(loss: Tensor) -> Tensor:
    """`loss`, whose gradients are NaN where it is not finite itself, and else as they were.

    A constant that is NaN has a gradient of 0; this way all processes hear of it.
    """
    return loss * (loss.detach() * 0 + 1)


def _weighed(loss: Tensor, factor: float | Tensor) -> Tensor:
    if isinstance(factor, Tensor):
        # The mean over no targets at all is not a number; it adds nothing.
        return torch.where(factor > 0, loss * factor, 0.0)
    return loss if factor == 1 else loss * factor


def to_distributed(learn: Any, sync_bn: bool = True, strategy: str | Strategy = "ddp") -> Any:
    """`learn`, trained by all processes of the group from now on; one alone changes nothing.

    Args:
        learn: the learner.
        sync_bn: let batch norm see the whole batch; on GPUs only.
        strategy: "ddp" (each process has the whole model), "fsdp2" (each has a part), or a strategy
            with settings, as `DDP(find_unused_parameters=True)`.
    """
    if learn.strategy.processes > 1:
        raise ValueError(
            "this learner is trained by several processes already; call detach_distributed first"
        )
    chosen = _strategy(strategy)
    if num_distrib() < 2:
        return learn
    if not dist.is_initialized():
        raise RuntimeError(
            f"the launcher has started {num_distrib()} processes, which have not met yet; use "
            "`with learn.distrib_ctx():`, or call setup_distrib() first"
        )
    trainer = DistributedTrainer(sync_bn)
    learn.add_cb(trainer)
    trainer.attach(chosen)
    return learn


def detach_distributed(learn: Any) -> Any:
    """`learn`, a learner of this process alone again, with the weights that were trained."""
    for cb in [cb for cb in learn.cbs if isinstance(cb, DistributedTrainer)]:
        cb.detach()
        learn.remove_cb(cb)
    return learn


@contextmanager
def distrib_ctx(
    learn: Any,
    sync_bn: bool = True,
    in_notebook: bool = False,
    strategy: str | Strategy = "ddp",
    timeout: float = TIMEOUT,
) -> Iterator[Any]:
    """Train with all processes that the launcher has started, inside this context.

    Started without a launcher, the script trains in its one process as if this were not there.

    Args:
        learn: the learner.
        sync_bn: as for `to_distributed`.
        strategy: as for `to_distributed`.
        in_notebook: keep the group of processes at the end, for a launcher within a notebook, whose
            processes may come here again.
        timeout: seconds that a process waits for the others before it gives up.
    """
    with joined(timeout=timeout, keep=in_notebook):
        to_distributed(learn, sync_bn, strategy)
        try:
            yield learn
        except BaseException:
            _abandon(learn)
            raise
        detach_distributed(learn)


def _abandon(learn: Any) -> None:
    """Let go of what is wrapped without talking to the others, who may be gone."""
    if not isinstance(learn.strategy, FSDP2):
        detach_distributed(learn)


def _strategy(strategy: str | Strategy) -> Strategy:
    if isinstance(strategy, Strategy):
        return strategy
    if strategy not in _STRATEGIES:
        raise ValueError(
            f"no strategy {strategy!r}.{nearest(strategy, _STRATEGIES)} There are: "
            f"{', '.join(_STRATEGIES)}"
        )
    return _STRATEGIES[strategy]()


def _discard(_row: Sequence[Any]) -> None:
    """A logger that writes nothing."""
