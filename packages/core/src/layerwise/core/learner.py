"""`Learner`: model, data, loss and optimizer together, and the methods that users call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.utils.data as torch_data
from torch import nn

from layerwise.core.callback.channels_last import to_channelslast, to_contiguous
from layerwise.core.callback.lr_find import Suggestion, lr_find, valley
from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.callback.precision import AMPMode, to_bf16, to_fp16, to_fp32
from layerwise.core.callback.resume import fit_or_resume
from layerwise.core.callback.run_args import gather_args
from layerwise.core.callback.schedule import fine_tune, fit_flat_cos, fit_one_cycle, fit_sgdr
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL, shown_by
from layerwise.core.distributed.files import load_shared, save_shared
from layerwise.core.distributed.group import TIMEOUT
from layerwise.core.distributed.parallel import detach_parallel, parallel_ctx, to_parallel
from layerwise.core.distributed.trainer import detach_distributed, distrib_ctx, to_distributed
from layerwise.core.errors import DataError, names_nearest, nearest
from layerwise.core.items import L, listify
from layerwise.core.metrics.metric import Metric, mk_metric
from layerwise.core.nested import nested_reorder
from layerwise.core.nn.base_loss import NoneReduce
from layerwise.core.nn.norm import norm_bias_params
from layerwise.core.nn.summary import ModuleSummary, module_summary
from layerwise.core.nn.walk import trainable_params
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.random import draw_seed
from layerwise.core.train import engine
from layerwise.core.train.batches import known_length
from layerwise.core.train.callback import (
    Callback,
    CallbackTable,
    TrainEvalCallback,
    drawn_loop,
    warn_of_misspelt,
)
from layerwise.core.train.checkpoint import load_model, save_model
from layerwise.core.train.data_facts import facts_of
from layerwise.core.train.deploy import export_onnx, export_program
from layerwise.core.train.events import FIT, Event
from layerwise.core.train.export import export_learner
from layerwise.core.train.inference import Kept, augmented_preds, in_order, predicted_item
from layerwise.core.train.log import LogBus
from layerwise.core.train.outputs import ModelLoss, computes_loss
from layerwise.core.train.predict import GatherPredsCallback, activation_of, decodes_of
from layerwise.core.train.progress import (
    EpochTable,
    ProgressCallback,
    no_bar,
    no_logging,
    replacing_yield,
)
from layerwise.core.train.recorder import Recorder
from layerwise.core.train.run_config import (
    NotedCalls,
    noted,
    repeat_calls,
    run_to_config,
    settings_from_config,
)
from layerwise.core.train.state import TrainState
from layerwise.core.train.strategy import Strategy

__all__ = ["Learner"]

Splitter = Callable[[nn.Module], Any]

_USUAL: tuple[type[Callback], ...] = (TrainEvalCallback, NaNGuard, Recorder, ProgressCallback)


class Learner(TrainState):
    """Everything that is needed to train a model.

    Args:
        dls: `DataLoaders`; stock `torch.utils.data.DataLoader`s in them are fine, and so is any
            object with `train` and `valid`.
        model: the model; it is called with the inputs of a batch.
        loss_func: called as `loss_func(pred, *targets)`; the data says which when None.
        opt_func: makes the optimizer from parameter groups and `lr`; a class of `torch.optim`
            such as `torch.optim.AdamW` is fine.
        lr: default learning rate.
        splitter: from the model to its parameter groups, input side first; one group when None.
        cbs: callbacks besides the usual ones.
        metrics: functions of (pred, *targets), `Metric`s, or one of them.
        path: where files are written; the path of `dls` when None.
        model_dir: the folder in `path` for models.
        wd: weight decay; that of `opt_func` when None.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where their group is frozen, since their statistics move
            with the new data anyway.
        moms: momentum at the start, at the largest learning rate and at the end of a cycle.
        default_cbs: add the usual callbacks: `TrainEvalCallback`, `NaNGuard`, `Recorder`,
            `ProgressCallback`.
        compile: run the model through `torch.compile`, with these options where it is a mapping
            (`{"mode": "max-autotune"}`). The model keeps its class and the names of its weights.

    Example:
        >>> from layerwise.core.data.loader import DataLoader
        >>> from layerwise.core.data.loaders import DataLoaders
        >>> data = [(torch.tensor([x]), torch.tensor([2 * x])) for x in (0.1, 0.5, 0.9, 0.3)]
        >>> dls = DataLoaders(DataLoader(data, bs=2), DataLoader(data, bs=2))
        >>> learn = Learner(dls, nn.Linear(1, 1), loss_func=nn.MSELoss(), lr=0.1)
        >>> with learn.no_logging(): learn.fit(20)
        >>> learn.recorder.losses[-1] < learn.recorder.losses[0]
        True
    """

    exported_example: tuple[Any, Any] | None = None
    """An input and what the model gave for it, of a learner that was loaded from an export."""

    @names_nearest
    def __init__(
        self,
        dls: Any,
        model: nn.Module,
        loss_func: Callable[..., Any] | None = None,
        opt_func: Callable[..., BaseOptimizer | torch.optim.Optimizer] = Adam,
        lr: float | slice = 1e-3,
        splitter: Splitter = trainable_params,
        cbs: Callback | Iterable[Callback] | None = None,
        metrics: Any = None,
        path: str | Path | None = None,
        model_dir: str = "models",
        wd: float | None = None,
        wd_bn_bias: bool = False,
        train_bn: bool = True,
        moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
        default_cbs: bool = True,
        compile: bool | Mapping[str, Any] = False,  # noqa: A002 - what torch calls it
    ) -> None:
        _refuse_wrong(dls, model, loss_func)
        self.dls, self.model = dls, model
        self.aux_models = {}
        self.compiling = _options_of(compile)
        self.loss_func = loss_func if loss_func is not None else _loss_of(dls, model)
        self.opt_func, self.lr, self.splitter = opt_func, lr, splitter
        self.wd, self.wd_bn_bias, self.train_bn, self.moms = wd, wd_bn_bias, train_bn, moms
        self.path = Path(path if path is not None else getattr(dls, "path", "."))
        self.model_dir = model_dir
        self.metrics = [mk_metric(m) for m in listify(metrics)]
        self.logger, self.log_bus = EpochTable(), LogBus()
        self.epoch, self.n_epoch, self.run_seed = 0, 1, 0
        self.calls = NotedCalls()
        self._opt: BaseOptimizer | None = None
        self._frozen_to = 0
        self._table = CallbackTable([])
        given = _listed(cbs)
        usual = _USUAL if default_cbs else ()
        # One of the same kind is given with other settings: it stands in the place of the default.
        self.add_cbs([kind() for kind in usual if not any(_is_kind(cb, kind) for cb in given)])
        self.add_cbs(given)

    @property
    def metrics(self) -> list[Metric]:
        """What is measured; may be set as it may be given to the learner, one or a list."""
        return self._metrics

    @metrics.setter
    def metrics(self, metrics: Any) -> None:
        self._metrics = [m if isinstance(m, Metric) else mk_metric(m) for m in listify(metrics)]

    # -- callbacks -------------------------------------------------------------------------

    @property
    def cbs(self) -> Sequence[Callback]:  # type: ignore[override]  # read from the table
        """The callbacks, in the order in which they are called."""
        return self._table.cbs

    @property
    def ordered_cbs(self) -> Sequence[Callback]:
        """The same as `cbs`, which are always in order."""
        return self._table.cbs

    def __call__(self, event: str) -> None:
        """Call the method `event` of all callbacks, in order."""
        self._table.call(event, self)

    def add_cb(self, cb: Callback | type[Callback]) -> Self:
        """Add one callback; it becomes the attribute `self.<its name>` too."""
        made = cb() if isinstance(cb, type) else cb
        if not isinstance(made, Callback):
            raise TypeError(
                f"{made!r} is no Callback; subclass Callback from layerwise.core.train.callback"
            )
        own = made.name in TrainState.__annotations__ or hasattr(type(self), made.name)
        if own or not isinstance(getattr(self, made.name, made), Callback):
            raise ValueError(
                f"a callback named {made.name!r} would hide the learner's own {made.name!r}; "
                f"give {type(made).__name__} another class name"
            )
        warn_of_misspelt(made)
        before = self._table
        self._table = CallbackTable([*before.cbs, made])
        made.learn = self
        setattr(self, made.name, made)
        try:
            CallbackTable([made]).call(Event.after_create, self)
        except BaseException:
            self.remove_cb(made)
            raise
        return self

    def add_cbs(self, cbs: Any) -> Self:
        """Add several callbacks."""
        for cb in _listed(cbs):
            self.add_cb(cb)
        return self

    def remove_cb(self, cb: Callback | type[Callback]) -> Self:
        """Remove one callback, or all of a class."""
        gone = [c for c in self.cbs if c is cb or (isinstance(cb, type) and type(c) is cb)]
        if not gone:
            names = ", ".join(type(c).__name__ for c in self.cbs)
            raise ValueError(f"this learner has no callback {cb!r}; it has {names}")
        self._set_cbs([c for c in self.cbs if c not in gone])
        return self

    def _set_cbs(self, cbs: Sequence[Callback]) -> None:
        """Have exactly these callbacks, each the attribute of its name."""
        for old in self.cbs:
            if self.__dict__.get(old.name) is old:
                delattr(self, old.name)
        self._table = CallbackTable(cbs)
        for cb in self.cbs:
            setattr(self, cb.name, cb)

    def remove_cbs(self, cbs: Any) -> Self:
        """Remove several callbacks."""
        for cb in _listed(cbs):
            self.remove_cb(cb)
        return self

    @contextmanager
    def added_cbs(self, cbs: Any) -> Iterator[Self]:
        """These callbacks too, inside this context."""
        added = [cb() if isinstance(cb, type) else cb for cb in _listed(cbs)]
        try:
            self.add_cbs(added)
            yield self
        finally:
            self._set_cbs([c for c in self.cbs if c not in added])

    @contextmanager
    def removed_cbs(self, cbs: Any) -> Iterator[Self]:
        """Without these callbacks, inside this context."""
        kinds = _listed(cbs)
        before = self.cbs
        gone = [
            c
            for c in before
            if any(c is k or (isinstance(k, type) and type(c) is k) for k in kinds)
        ]
        self._set_cbs([c for c in before if c not in gone])
        try:
            yield self
        finally:
            # To where they were, and beside those that were added or removed in between.
            now = self.cbs
            old = [c for c in before if c in now or c in gone]
            self._set_cbs([*old, *(c for c in now if c not in before)])

    def add_model(self, name: str, model: nn.Module) -> Self:
        """Keep another model beside the one in training: a teacher, a critic, an average.

        It becomes `aux_models[name]`, goes to the device with the learner's own, and is written and
        read by `save` and `load`. What trains it, if anything, is the optimizer's splitter.

        Args:
            name: an identifier, new to this learner.
            model: the module.
        """
        if not name.isidentifier() or name in self.aux_models:
            raise ValueError(
                f"add_model needs a new name that is an identifier, not {name!r}; there are: "
                f"{', '.join(self.aux_models) or 'none'}"
            )
        if not isinstance(model, nn.Module):
            raise TypeError(f"add_model keeps modules, and {name!r} is a {type(model).__name__}")
        self.aux_models[name] = model
        if self.device is not None:
            model.to(self.device)
        return self

    # -- the optimizer ---------------------------------------------------------------------

    @property
    def opt(self) -> BaseOptimizer:
        """The optimizer; made when it is first asked for."""
        return self.ready_opt()

    @opt.setter
    def opt(self, opt: BaseOptimizer | torch.optim.Optimizer | None) -> None:
        self._opt = OptimWrapper(opt=opt) if isinstance(opt, torch.optim.Optimizer) else opt

    def ready_opt(self, reset: bool = False) -> BaseOptimizer:
        """The optimizer, made when there is none yet, or when a new one is wanted."""
        if self._opt is None or reset:
            self.create_opt()
        if self._opt is None:
            raise ValueError(
                f"create_opt of {type(self).__name__} has made no optimizer; it has to set self.opt"
            )
        return self._opt

    def create_opt(self) -> None:
        """Make a new optimizer from the parameter groups, frozen as the last one was."""
        make: Any = self.opt_func
        if not callable(make):
            raise TypeError(
                f"opt_func={make!r} is no function that makes an optimizer; pass Adam, SGD or a "
                "class of torch.optim (partial(Adam, wd=0.1) for settings). An optimizer that is "
                "made already is set by learn.opt = ..."
            )
        kind = make.func if isinstance(make, partial) else make
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            make = partial(OptimWrapper, opt=make)
        # Optimizers of torch know no slices; the rates of the groups are set below.
        top = self.lr.stop if isinstance(self.lr, slice) else self.lr
        self.opt = make(self.splitter(self.model), lr=top)
        opt = self.opt = self.strategy.prepare_opt(self.opt)
        opt.set_hyper("lr", self.lr)
        if self.wd is not None:
            opt.set_hyper("wd", self.wd)
        owned = {id(p) for group in opt.param_lists for p in group}
        if not self.wd_bn_bias:
            exempt = [p for p in norm_bias_params(self.model, with_bias=True) if id(p) in owned]
            opt.set_flags(exempt, do_wd=False)
        if self.train_bn:
            norms = [p for p in norm_bias_params(self.model, with_bias=False) if id(p) in owned]
            opt.set_flags(norms, force_train=True)
        if self._frozen_to:
            opt.freeze_to(self._frozen_to)

    @noted
    def freeze_to(self, n: int) -> None:
        """Train only the parameter groups from `n` on; negative numbers count from the end."""
        self.opt.freeze_to(n)
        self._frozen_to = n

    def freeze(self) -> None:
        """Train the last parameter group alone."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all parameter groups."""
        self.freeze_to(0)

    # -- training --------------------------------------------------------------------------

    def batch_step(self) -> None:
        """What is done with one batch; override it to write a step by hand."""
        engine.batch_step(self)

    @noted
    @names_nearest
    def fit(
        self,
        n_epoch: int,
        lr: Any = None,
        wd: float | None = None,
        cbs: Any = None,
        reset_opt: bool = False,
        start_epoch: int = 0,
        resume: bool | str | Path = False,
    ) -> None:
        """Train.

        Args:
            n_epoch: epochs in all.
            lr: a number, a slice that is spread over the groups, or one per group; `self.lr`
                when None.
            wd: weight decay from this fit on; `self.wd` when None.
            cbs: callbacks for this fit alone.
            reset_opt: start with a new optimizer.
            start_epoch: the first epoch to do, of a training that was stopped.
            resume: True goes on from the newest checkpoint that the callback `Checkpoint` wrote,
                if there is one yet; a path from that file, or the newest in that folder.
        """
        _refuse_epochs(n_epoch, start_epoch)
        opt = self.ready_opt(reset_opt)
        if wd is not None or self.wd is not None:
            opt.set_hyper("wd", self.wd if wd is None else wd)
        opt.set_hyper("lr", self.lr if lr is None else lr)
        with self._only_now(cbs):
            self.fit_count += 1
            fit_or_resume(self, n_epoch, start_epoch, resume)

    @noted
    def fit_one_cycle(self, n_epoch: int, lr_max: Any = None, **kwargs: Any) -> None:
        """Train by the one-cycle policy; arguments as for the function `fit_one_cycle`."""
        fit_one_cycle(self, n_epoch, lr_max, **kwargs)

    @noted
    def fit_flat_cos(self, n_epoch: int, lr: Any = None, **kwargs: Any) -> None:
        """Train at one rate, then let it fall; arguments as for the function `fit_flat_cos`."""
        fit_flat_cos(self, n_epoch, lr, **kwargs)

    @noted
    def fit_sgdr(self, n_cycles: int, cycle_len: int, lr_max: Any = None, **kwargs: Any) -> None:
        """Train in cycles with restarts; arguments as for the function `fit_sgdr`."""
        fit_sgdr(self, n_cycles, cycle_len, lr_max, **kwargs)

    @noted
    def fine_tune(self, epochs: int, base_lr: float = 2e-3, **kwargs: Any) -> None:
        """Train the head, then the whole model; arguments as for the function `fine_tune`."""
        fine_tune(self, epochs, base_lr, **kwargs)

    @names_nearest
    def lr_find(
        self,
        start_lr: float = 1e-7,
        end_lr: float = 10.0,
        num_it: int = 100,
        stop_div: bool = True,
        show_plot: bool = True,
        suggest_funcs: Suggestion | Sequence[Suggestion] = valley,
    ) -> Any:
        """Suggested learning rates; see the function `lr_find`. Nothing is changed by it."""
        return lr_find(self, start_lr, end_lr, num_it, stop_div, show_plot, suggest_funcs)

    @names_nearest
    def validate(self, ds_idx: int = 1, dl: Any = None, cbs: Any = None) -> L:
        """The loss and the metrics over a loader.

        Args:
            ds_idx: which loader of `dls`.
            dl: the loader itself.
            cbs: callbacks for this alone.
        """
        loader = self._loader(ds_idx) if dl is None else dl
        with self.no_logging(), self._only_now(cbs), self._in_fit():
            engine.validate_epoch(self, loader)
            recorder = next((cb for cb in self.cbs if isinstance(cb, Recorder)), None)
            return L(recorder.final_record) if recorder is not None else L()

    def _loader(self, ds_idx: int) -> Any:
        found = None
        if hasattr(self.dls, "__getitem__"):
            found = self.dls[ds_idx] if 0 <= ds_idx < len(self.dls) else None
        elif ds_idx in (0, 1):
            found = self.dls.valid if ds_idx else self.dls.train
        if found is None:
            raise ValueError(
                f"there is no loader {ds_idx} in these {type(self.dls).__name__}; pass the loader "
                "itself as dl=, or ds_idx=0 for the training data"
            )
        if known_length(found) == 0:
            raise DataError(
                f"loader {ds_idx} has no items (an export holds none); pass "
                "dl=learn.dls.test_dl(items, with_labels=True), or without labels to predict"
            )
        return found

    @contextmanager
    def _in_fit(self) -> Iterator[None]:
        """The events around a fit, for what is no training."""
        n_epoch, epoch, seed, only = self.n_epoch, self.epoch, self.run_seed, self.only_valid
        self.n_epoch, self.epoch, self.run_seed, self.only_valid = 1, 0, draw_seed(), True
        kept = Kept(self)
        try:
            with engine.ended_fit(self):
                self(FIT.before)
                yield
                self(FIT.after)
        finally:
            engine.forget_batch(self)
            kept.put_back()
            self.n_epoch, self.epoch, self.run_seed = n_epoch, epoch, seed
            self.only_valid = only

    @contextmanager
    def validation_context(self, cbs: Any = None, inner: bool = False) -> Iterator[Self]:
        """Quiet, with these callbacks too, and inside the events of a fit unless `inner`."""
        with ExitStack() as stack:
            stack.enter_context(self.no_logging())
            stack.enter_context(self._only_now(cbs))
            if not inner:
                stack.enter_context(self._in_fit())
            yield self

    def _only_now(self, cbs: Any) -> AbstractContextManager[Any]:
        return self.added_cbs(cbs)

    def all_batches(self) -> None:
        """Run every batch of the current loader `dl`."""
        engine.all_batches(self, self.dl)

    def one_batch(self, i: int, b: Any) -> None:
        """Run one batch, number `i`."""
        engine.one_batch(self, i, b)

    # -- precision and layout --------------------------------------------------------------

    @names_nearest
    def to_fp16(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
    ) -> Self:
        """Train and predict in float16 where that is safe; see `MixedPrecision`."""
        return to_fp16(self, init_scale, growth_factor, backoff_factor, growth_interval)

    def to_bf16(self) -> Self:
        """Train and predict in bfloat16 where that is safe; see `MixedPrecision`."""
        return to_bf16(self)

    def to_fp32(self) -> Self:
        """Train and predict in full precision again."""
        return to_fp32(self)

    @names_nearest
    def to_channelslast(
        self, use_amp: bool = False, amp_mode: AMPMode | str = AMPMode.FP16
    ) -> Self:
        """Lay out model and batches with channels last; see the function `to_channelslast`."""
        return to_channelslast(self, use_amp, amp_mode)

    @names_nearest
    def to_contiguous(self, to_fp32: bool = False) -> Self:
        """Lay out the model as usual, and go back to full precision if wanted."""
        return to_contiguous(self, to_fp32)

    # -- several processes -----------------------------------------------------------------

    @names_nearest
    def distrib_ctx(
        self,
        sync_bn: bool = True,
        in_notebook: bool = False,
        strategy: str | Strategy = "ddp",
        timeout: float = TIMEOUT,
    ) -> AbstractContextManager[Self]:
        """Train with all processes of the launcher, inside; see the function `distrib_ctx`."""
        return distrib_ctx(self, sync_bn, in_notebook, strategy, timeout)

    @names_nearest
    def to_distributed(self, sync_bn: bool = True, strategy: str | Strategy = "ddp") -> Self:
        """Train with all processes of the group from now on; see the function."""
        to_distributed(self, sync_bn, strategy)
        return self

    def detach_distributed(self) -> Self:
        """Train in this process alone again."""
        detach_distributed(self)
        return self

    def to_parallel(self, device_ids: Sequence[int] | None = None) -> Self:
        """Train on several GPUs of this process from now on; all of them when None."""
        to_parallel(self, device_ids)
        return self

    def detach_parallel(self) -> Self:
        """Train on one device again."""
        detach_parallel(self)
        return self

    def parallel_ctx(self, device_ids: Sequence[int] | None = None) -> AbstractContextManager[Self]:
        """Train on several GPUs of this process, inside this context."""
        return parallel_ctx(self, device_ids)

    # -- predictions -----------------------------------------------------------------------

    @names_nearest
    def get_preds(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        with_input: bool = False,
        with_decoded: bool = False,
        with_loss: bool = False,
        act: Callable[[Any], Any] | None = None,
        inner: bool = False,
        reorder: bool = True,
        cbs: Any = None,
        save_preds: str | Path | None = None,
        save_targs: str | Path | None = None,
        with_preds: bool = True,
        with_targs: bool = True,
        concat_dim: int = 0,
    ) -> tuple[Any, ...]:
        """Predictions and targets over a loader, in the order of its items.

        Args:
            ds_idx: which loader of `dls`; training data are neither shuffled nor dropped.
            dl: the loader itself, or a list of batches.
            with_input: put the inputs first.
            with_decoded: add what the predictions mean (a class, say) after the targets.
            with_loss: add the loss of each item at the end.
            act: what turns outputs into predictions; the loss's own `activation` when None.
            inner: inside another fit: leave out the events around it.
            reorder: put items back in the order of the data, for loaders that sort.
            cbs: callbacks for this alone.
            save_preds: folder to write predictions to, batch by batch.
            save_targs: likewise for targets.
            with_preds: keep predictions in memory.
            with_targs: keep targets in memory.
            concat_dim: the axis along which batches are joined.

        Returns:
            (inputs,) predictions, targets (, decoded) (, losses); None in place of what was not
            kept.
        """
        loader, order = in_order(self._loader(ds_idx) if dl is None else dl)
        gather = GatherPredsCallback(
            with_input, with_loss, with_preds, with_targs, save_preds, save_targs, concat_dim
        )
        with ExitStack() as stack:
            if with_loss:
                stack.enter_context(self.loss_not_reduced())
            stack.enter_context(self.validation_context([gather, *_listed(cbs)], inner))
            engine.validate_epoch(self, loader)
        found = gather.all_tensors()
        at = 1 if with_input else 0
        there = found[at] is not None
        if there:
            found[at] = (act or activation_of(self.loss_func))(found[at])
        if with_decoded:
            found.insert(at + 2, decodes_of(self.loss_func)(found[at]) if there else None)
        if reorder and order is not None:
            found = [nested_reorder(f, order) if f is not None else None for f in found]
        return tuple(found)

    def predict(self, item: Any, rm_type_tfms: int | None = None, with_input: bool = False) -> Any:
        """What the model says of one item, or of each of a list of items, in batches.

        Args:
            item: what the data set starts from (a file name), or reads (a picture); or a list.
            rm_type_tfms: how many first transforms to leave out; found from the type when None.
            with_input: put the decoded input first.

        Returns:
            The decoded prediction, what the loss decodes it to, and the prediction itself; a list
            of these for a list.
        """
        return predicted_item(self, item, rm_type_tfms, with_input)

    def show_results(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        max_n: int = 9,
        shuffle: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Show samples beside what is predicted for them.

        Args:
            ds_idx: which loader of `dls`.
            dl: the loader itself.
            max_n: how many samples.
            shuffle: samples from anywhere in the data.
            kwargs: for the method that draws these types.
        """
        given = shown_by(self._loader(ds_idx) if dl is None else dl, "show_results")
        loader: TfmdDL = given.new(shuffle=shuffle)
        batch = loader.one_batch()
        with no_bar(self):
            _, _, decoded = self.get_preds(dl=[batch], with_decoded=True)
        return loader.show_results(batch, decoded, max_n=max_n, **kwargs)

    @names_nearest
    def tta(
        self,
        ds_idx: int = 1,
        dl: Any = None,
        n: int = 4,
        item_tfms: Any = None,
        batch_tfms: Any = None,
        beta: float | None = 0.25,
        use_max: bool = False,
    ) -> tuple[Any, Any]:
        """Predictions averaged over augmented versions of each item, and the targets.

        Args:
            ds_idx: which loader of `dls`.
            dl: the loader itself.
            n: augmented versions.
            item_tfms: augmentation of items; that of the training loader when None.
            batch_tfms: augmentation of batches, likewise.
            beta: share of the plain version in the result; None: give both, augmented first.
            use_max: the largest prediction per item in place of the mean.

        Returns:
            Predictions, or the pair of them, and targets.

        Raises:
            TypeError: if predictions are no numbers that have an average: labels of boxes found,
                for example, whose count differs from one version of a picture to the next.
        """
        loader = self._loader(ds_idx) if dl is None else dl
        return augmented_preds(self, loader, n, item_tfms, batch_tfms, beta, use_max)

    # -- files and looks -------------------------------------------------------------------

    def export(
        self,
        fname: str | Path = "export.lw",
        model: tuple[str, Mapping[str, Any]] | None = None,
    ) -> Path:
        """Write all that prediction needs to `path/fname`, for `load_learner`. Returns the path.

        That is the model, how an item becomes an input, and how an output is decoded: names and
        settings as JSON, numbers as tensors. No code, no item of the data and no path is in it.

        Args:
            fname: the file.
            model: the registered name of the function or class that makes the model, and keywords
                for it; not needed for models of ours, those of `@built` functions, and layers of
                torch in a row.

        Raises:
            ConfigError: if something has no name that a file could hold; says what, where it
                stands, and how to register it.
        """
        return export_learner(self, self.path / fname, model)

    def to_config(self) -> dict[str, Any]:
        """This training as a dictionary that JSON can hold: names, settings, and calls of `fit`.

        `Learner.from_config` and `repeat` train the same again, bit for bit where the random state
        is the same when the model is made: with `set_seed` right before.

        Raises:
            ConfigError: if something has no name; says what, where, and how to register it.
        """
        return run_to_config(self, _USUAL)

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], dls: Any, path: str | Path | None = None
    ) -> Self:
        """A new, untrained learner for `dls` as `to_config` described it.

        Args:
            config: what `to_config` returned, or what was read from a file of yours. Trained
                weights that it names are fetched.
            dls: loaders that do what those of the run did; `loader_settings` helps to make them.
            path: where files are written.

        Raises:
            ConfigError: if it is damaged, names what is not known here, or the loaders differ.
        """
        return cls(dls, path=path, **settings_from_config(config, dls))

    def repeat(self, config: Mapping[str, Any]) -> None:
        """Train by the calls of `fit` and its kin that `config` notes."""
        repeat_calls(self, config)

    @names_nearest
    def to_onnx(
        self,
        fname: str | Path = "model.onnx",
        inputs: Sequence[Any] | None = None,
        dynamic_dims: Sequence[int] = (0,),
        check: bool | None = None,
    ) -> Path:
        """Write the model as ONNX to `path/fname`; arguments as for `export_onnx`."""
        target = self.path / fname
        return export_onnx(self, target, inputs, dynamic_dims=dynamic_dims, check=check)

    @names_nearest
    def to_program(
        self,
        fname: str | Path = "model.pt2",
        inputs: Sequence[Any] | None = None,
        dynamic_dims: Sequence[int] = (0,),
    ) -> Path:
        """Write the model as a `torch.export` program; arguments as for `export_program`."""
        return export_program(self, self.path / fname, inputs, dynamic_dims=dynamic_dims)

    def save(self, file: str | Path, with_opt: bool = True) -> Path:
        """Write weights and the optimizer's state to `path/model_dir/file`. Returns the path."""
        path = self._model_path(file)
        if self.strategy.processes > 1:
            return save_shared(self, path, with_opt)
        return save_model(
            path, self.model, self._opt, with_opt, self.aux_models, facts_of(self.dls)
        )

    def load(
        self,
        file: str | Path,
        with_opt: bool = True,
        device: torch.device | str | None = None,
        strict: bool = True,
    ) -> Self:
        """Read what `save` wrote.

        Args:
            file: as given to `save`.
            with_opt: read the optimizer's state too, where the file has it.
            device: where tensors go first.
            strict: raise where something does not fit, naming it.
        """
        opt, path = (self.opt if with_opt else None), self._model_path(file)
        if self.strategy.processes > 1:
            load_shared(self, path, with_opt, device, strict)
        else:
            load_model(
                path, self.model, opt, with_opt, device, strict, self.aux_models, facts_of(self.dls)
            )
        return self

    def _model_path(self, file: str | Path) -> Path:
        given = Path(file)
        return given if given.is_absolute() else self.path / self.model_dir / given

    def summary(self) -> ModuleSummary:
        """The layers of the model with shapes and parameters, for one batch of the data."""
        batch = self.dls.one_batch()
        inputs, _ = engine.split_batch(self, batch)
        return module_summary(self.model, *inputs)

    def no_bar(self) -> AbstractContextManager[Self]:
        """No progress bars inside this context."""
        return no_bar(self)

    no_mbar = no_bar

    def no_logging(self) -> AbstractContextManager[Self]:
        """No rows of the table inside this context."""
        return no_logging(self)

    @contextmanager
    def loss_not_reduced(self) -> Iterator[Self]:
        """The loss keeps one number per item inside this context."""
        with (
            NoneReduce(self.loss_func) as per_item,
            replacing_yield(self, "loss_func", per_item),
        ):
            yield self

    def to_detach(self, b: Any, cpu: bool = True) -> Any:
        """The batch `b` without gradients, on the CPU if wanted."""
        from layerwise.core.nested import to_detach

        return to_detach(b, cpu=cpu)

    def gather_args(self) -> dict[str, Any]:
        """The settings of this training by name, as plain values: what loggers write down."""
        return gather_args(self)

    def show_training_loop(self) -> None:
        """Print the events of training with the callbacks that hear each."""
        print("\n".join(drawn_loop(self.cbs)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in TrainState.__annotations__ or hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__} has no {name!r} now; train/state.py says when there is one"
            )
        known = {n for n in (*dir(type(self)), *self.__dict__) if not n.startswith("_")}
        raise AttributeError(f"{type(self).__name__} has no {name!r}.{nearest(name, known)}")


def _loss_of(dls: Any, model: nn.Module) -> Callable[..., Any]:
    """The loss function that the targets of the data ask for, or the model has in it."""
    for owner in (getattr(dls, "train_ds", None), getattr(dls, "train", None)):
        try:
            found = getattr(owner, "loss_func", None)
        except (AttributeError, RuntimeError):
            found = None
        if isinstance(found, list | tuple):
            found = found[-1] if found else None
        if found is not None:
            loss: Callable[..., Any] = found
            return loss
    if computes_loss(model):
        return ModelLoss()
    raise ValueError(
        "the data do not say which loss function they need; pass loss_func=, for example "
        "CrossEntropyLossFlat() for classes or MSELossFlat() for numbers"
    )


def _refuse_wrong(dls: Any, model: Any, loss_func: Any) -> None:
    """Complain of what can be seen at once to be no data, no model or no loss function."""
    told = ""
    if isinstance(dls, nn.Module):
        told = "Learner takes the data first, then the model: Learner(dls, model)"
    elif isinstance(dls, DataLoader | torch_data.DataLoader):
        told = "dls is one loader; a learner needs those to train and to validate with: "
        told += "DataLoaders(train, valid), or DataLoaders(train)"
    elif not hasattr(dls, "train"):
        kind = "None" if dls is None else f"a {type(dls).__name__}"
        told = f"dls is {kind}, which has no train and valid; pass DataLoaders(train, valid)"
    elif not isinstance(model, nn.Module):
        told = f"model={model!r} is no nn.Module; pass a model that is made, such as Net()"
    elif loss_func is not None and (isinstance(loss_func, type) or not callable(loss_func)):
        told = f"loss_func={loss_func!r} is no loss function; pass an object that is made, such as "
        told += "CrossEntropyLossFlat(), or a function of (pred, target)"
    if told:
        raise TypeError(told)


def _is_kind(cb: Any, kind: type[Callback]) -> bool:
    return issubclass(cb if isinstance(cb, type) else type(cb), kind)


def _refuse_epochs(n_epoch: Any, start_epoch: int) -> None:
    if not isinstance(n_epoch, int | np.integer):
        raise TypeError(
            f"n_epoch={n_epoch!r}; give a whole number of epochs. For a part of one add the "
            "callback ShortEpochCallback"
        )
    if n_epoch < 0:
        raise ValueError(f"n_epoch={n_epoch!r}; give a whole number of epochs, 0 or more")
    if start_epoch < 0:
        raise ValueError(f"start_epoch={start_epoch!r}; give the first epoch to do, 0 or more")


def _options_of(compile: bool | Mapping[str, Any]) -> Mapping[str, Any] | None:  # noqa: A002
    if isinstance(compile, bool):
        return {} if compile else None
    if not isinstance(compile, Mapping):
        told = "give True, or options of torch.compile such as {'mode': 'max-autotune'}"
        raise TypeError(f"compile={compile!r}; {told}")
    return dict(compile)


def _listed(cbs: Any) -> list[Any]:
    if cbs is None:
        return []
    return list(cbs) if isinstance(cbs, list | tuple) else [cbs]
