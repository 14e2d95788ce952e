"""What every transform, block, model, loss, metric, optimizer and callback has to hold."""

from __future__ import annotations

import copy
import inspect
import itertools
import pickle
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from layerwise.core.data.block import DataBlock, TransformBlock
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import LayerwiseError, nearest
from layerwise.core.learner import Learner
from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.state import MetricState
from layerwise.core.nested import find_bs, to_device
from layerwise.core.nn.base_loss import NoneReduce
from layerwise.core.random import get_random_states, isolated, keyed
from layerwise.core.tensors import TensorBase
from layerwise.core.testing.compare import assert_close
from layerwise.core.testing.fakes import synth_learner
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint import load_model, save_model
from layerwise.core.train.events import Event
from layerwise.core.transforms.transform import InplaceTransform, Transform

__all__ = [
    "ContractError",
    "check_block",
    "check_callback",
    "check_command",
    "check_loss",
    "check_metric",
    "check_model",
    "check_optimizer",
    "check_training",
    "check_transform",
    "require",
]


class ContractError(LayerwiseError, AssertionError):
    """Something that an extension has to hold and does not; says which, and what to do."""


def require(holds: bool, told: str) -> None:
    """Nothing, or a `ContractError` with the text `told` unless `holds`."""
    if not holds:
        raise ContractError(told)


def check_transform(
    transform: Transform, x: Any, *, split_idx: int | None = 0, decoded: Any = None
) -> None:
    """Nothing, where a transform repeats, keeps types, is undone by `decode`, and can be pickled.

    Args:
        transform: set up, ready to encode.
        x: an item, tuple or batch that it takes.
        split_idx: the split it is tried on.
        decoded: what comes back from the encoded `x`; by default `x` itself, or the encoded value
            where the transform does not decode.

    Raises:
        ContractError: says what does not hold.
    """
    name = transform.name
    given = copy.deepcopy(x)
    encoded = _encode(transform, given, split_idx)
    if not isinstance(transform, InplaceTransform):
        _same(given, x, f"{name} changes its argument; clone it, or make it an InplaceTransform")
    again = _encode(transform, copy.deepcopy(x), split_idx, seed=1)
    _same(again, encoded, f"{name} does not repeat; draw with generator() of layerwise.core.random")
    lost = isinstance(x, TensorBase) and type(encoded) is Tensor
    require(not lost, f"{name} loses the type of {type(x).__name__}; return it dressed")
    back = transform.decode(encoded, split_idx=split_idx)
    if decoded is not None or not _agree(back, encoded):
        wanted = x if decoded is None else decoded
        _same(back, wanted, f"{name}.decode does not undo encode; if it is not meant to, decoded=")
    # What starts a process by spawn does: local functions and open files fail here as there.
    _same(
        _encode(_pickled(transform, name), copy.deepcopy(x), split_idx),
        encoded,
        f"{name} encodes differently after pickling",
    )


def _encode(transform: Transform, x: Any, split_idx: int | None, seed: int = 0) -> Any:
    """`x` encoded under one key, whatever the global generators hold."""
    with keyed(7), isolated(seed):
        return transform(x, split_idx=split_idx)


def _pickled(thing: Any, name: str) -> Any:
    try:
        return pickle.loads(pickle.dumps(thing))  # noqa: S301 - what was dumped a moment ago
    except Exception as error:
        raise ContractError(
            f"{name} cannot be sent to a worker ({error}); use module-level functions and classes "
            "in place of lambdas, and open files where they are read"
        ) from error


def _agree(actual: Any, expected: Any) -> bool:
    try:
        assert_close(actual, expected, check_type=False)
    except AssertionError:
        return False
    return True


def _same(actual: Any, expected: Any, told: str) -> None:
    try:
        assert_close(actual, expected, check_type=False)
    except AssertionError as error:
        raise ContractError(f"{told}: {error}") from error


def check_block(block: Any, items: Sequence[Any]) -> None:
    """Nothing, where a block makes batches of `items` that decode again.

    Args:
        block: a `TransformBlock`, or what makes one.
        items: four at least; what the block starts from.

    Raises:
        ContractError: says what does not hold.
    """
    made = block if isinstance(block, TransformBlock) else block()
    told = f"a block is a TransformBlock, not {type(made).__name__}"
    require(isinstance(made, TransformBlock), told)
    require(len(items) >= 4, f"{len(items)} items are too few to split and batch; give four")
    data = DataBlock(blocks=[made], splitter=IndexSplitter([len(items) - 1]))
    dls = data.dataloaders(list(items), bs=2, num_workers=0, device="cpu")
    for loader in dls:
        batch = loader.one_batch()
        require(find_bs(batch) in (1, 2), f"a batch of 2 items has {find_bs(batch)}")
        samples = loader.decode_batch(batch)
        require(len(samples) == find_bs(batch), f"a batch decodes to {len(samples)} samples")
    for step in [*made.type_tfms, *made.item_tfms, *made.batch_tfms]:
        _pickled(step, getattr(step, "__name__", type(step).__name__))


def check_model(
    model: nn.Module, xb: Any, yb: Any = None, *, loss_func: Callable[..., Tensor] | None = None
) -> None:
    """Nothing, where a model trains a step, moves, and is the same after saving and loading.

    Args:
        model: is trained one step.
        xb: an input, or a tuple of them.
        yb: the target, for `loss_func`.
        loss_func: the loss; by default the mean square of the output, which needs no target.

    Raises:
        ContractError: says what does not hold.
    """
    inputs = xb if isinstance(xb, tuple) else (xb,)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    model.train()
    output = model(*inputs)
    loss = _mean_square(output) if loss_func is None else loss_func(output, yb)
    require(bool(loss.isfinite()), f"the loss of the first batch is {loss.item()}")
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    named = dict(model.named_parameters())
    unused = [name for name in before if named[name].grad is None]
    require(not unused, f"parameters without gradient, which distributed training needs: {unused}")
    moved = any(not torch.equal(named[name], old) for name, old in before.items())
    require(moved or not before, "no parameter changed in a step")
    _check_moves(model, inputs)
    _check_saves(model.eval(), inputs)


def _mean_square(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output.float().square().mean()
    return torch.stack([_mean_square(o) for o in output if isinstance(o, Tensor | tuple)]).sum()


def _check_moves(model: nn.Module, inputs: tuple[Any, ...]) -> None:
    for path, module in model.named_modules():
        loose = [name for name, value in vars(module).items() if isinstance(value, Tensor)]
        require(
            not loose,
            f"{path or 'the model'} keeps {loose} as plain attributes, which .to(device) leaves "
            "behind; use register_buffer",
        )
    if torch.cuda.is_available():
        copy.deepcopy(model).cuda()(*to_device(inputs, "cuda"))


def _check_saves(model: nn.Module, inputs: tuple[Any, ...]) -> None:
    with torch.no_grad():
        expected = _afresh(model, inputs)
        _same(_afresh(model, inputs), expected, "the model does not repeat itself in evaluation")
        other = copy.deepcopy(model)
        for weight in [*other.parameters(), *other.buffers()]:
            weight.zero_()
        with tempfile.TemporaryDirectory() as folder:
            load_model(save_model(Path(folder) / "model", model), other)
        predicted = _afresh(other, inputs)
        _same(predicted, expected, "the model predicts differently after saving and loading")


def _afresh(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """What the model says when it has read nothing before: recurrent models have a `reset`."""
    reset = getattr(model, "reset", None)
    if callable(reset):
        reset()
    return model(*inputs)


def check_loss(loss: Callable[..., Tensor], pred: Tensor, targ: Tensor) -> None:
    """Nothing, where a loss is one finite number with a gradient for batches of any size.

    Args:
        loss: called as `loss(pred, targ)`.
        pred: (B, ...) outputs, B of 2 at least.
        targ: (B, ...) targets.

    Raises:
        ContractError: says what does not hold.
    """
    for size in (1, 2, len(pred)):
        out = pred[:size].detach().clone().requires_grad_()
        value = loss(out, targ[:size])
        require(value.shape == (), f"{size} items have a loss of shape {tuple(value.shape)}")
        require(bool(value.isfinite()), f"the loss of {size} items is {value.item()}")
        value.backward()  # type: ignore[no-untyped-call]  # torch does not say
        has_gradient = out.grad is not None and bool(out.grad.isfinite().all())
        require(has_gradient, f"the loss of {size} items gives no finite gradient")
    if hasattr(loss, "reduction"):
        with NoneReduce(loss) as each:
            count = each(pred, targ).numel()
        whole = count % len(pred) == 0
        require(whole, f"reduction='none' gives {count} losses for {len(pred)} items")
    for part in ("activation", "decodes"):
        rows = len(getattr(loss, part)(pred)) if hasattr(loss, part) else len(pred)
        require(rows == len(pred), f"`{part}` makes {rows} of {len(pred)} items")


def check_metric(metric: Any, pred: Tensor, targ: Tensor) -> None:
    """Nothing, where a metric is the same for any batch size and any number of processes.

    It also starts afresh, and goes on from its state as if nothing had happened.

    Args:
        metric: what `mk_metric` takes.
        pred: (B, ...) predictions, B of 4 at least.
        targ: (B, ...) targets.

    Raises:
        ContractError: says what does not hold.
    """
    made = mk_metric(metric)
    require(bool(made.name), f"{metric!r} has no name")
    values = {}
    for size in (len(pred), 3, 1):
        one, untouched = made.fresh(), made.fresh()
        empty = untouched.value
        for start in range(0, len(pred), size):
            one.update(pred[start : start + size], targ[start : start + size])
        values[size] = one.value
        _same(untouched.value, empty, f"{made.name}: fresh() metrics share what they have seen")
        one.reset()
        _same(one.value, empty, f"{made.name}: reset() does not forget")
    for size in (3, 1):
        told = f"{made.name} depends on the batch size: in batches of {size}"
        _same(values[size], values[len(pred)], told)
    _check_metric_state(made, pred, targ, values[len(pred)])


def _check_metric_state(made: Any, pred: Tensor, targ: Tensor, whole: Any) -> None:
    """Parts of a set, seen by one metric after another or by several at once, make the whole."""
    cuts = [0, 1, len(pred) // 2, len(pred) // 2, len(pred)]  # uneven parts, and an empty one
    one, seen = made.fresh(), []
    for start, stop in itertools.pairwise(cuts):
        alone = made.fresh()
        again = made.fresh()
        again.load_state_dict(one.state_dict())
        for metric in (alone, again) if start < stop else ():
            metric.update(pred[start:stop], targ[start:stop])
        one = again
        seen.append(alone)
    _same(one.value, whole, f"{made.name}: load_state_dict(state_dict()) loses what was seen")
    if type(made).sync is not MetricState.sync:  # torchmetrics merges by itself
        return
    reason = next(filter(None, (metric.unmergeable() for metric in seen)), None)
    require(reason is None, f"{reason}")
    together = made.fresh()
    together.load_state_dict(made.merged([metric.state_dict() for metric in seen]))
    _same(together.value, whole, f"{made.name}: parts of several processes do not make the whole")


def check_optimizer(opt_func: Callable[..., Any], *, lr: float = 0.01, steps: int = 40) -> None:
    """Nothing, where an optimizer descends, leaves frozen groups, and goes on after loading.

    Args:
        opt_func: called as `opt_func(groups, lr=lr)`.
        lr: a rate at which it descends from a distance of one.
        steps: after which the loss has to be smaller.

    Raises:
        ContractError: says what does not hold.
    """
    groups = [[nn.Parameter(torch.ones(3, 2))], [nn.Parameter(torch.ones(2))]]
    opt = opt_func(groups, lr=lr)
    opt.freeze_to(1)
    _descend(opt, groups, 1)
    require(torch.equal(groups[0][0], torch.ones(3, 2)), "a frozen group has moved")
    opt.unfreeze() if hasattr(opt, "unfreeze") else opt.freeze_to(0)
    first, last = _descend(opt, groups, steps)
    require(last < first, f"the loss went from {first:g} to {last:g} in {steps} steps")
    twins = [[nn.Parameter(p.detach().clone()) for p in group] for group in groups]
    twin = opt_func(twins, lr=lr)
    twin.load_state_dict(copy.deepcopy(opt.state_dict()))
    _descend(opt, groups, 3)
    _descend(twin, twins, 3)
    _same(twins, groups, "it goes on differently after load_state_dict(state_dict())")
    opt.set_hyper("lr", 0.0)
    require(all(h["lr"] == 0 for h in opt.hypers), "set_hyper('lr', 0) does not set all groups")


def _descend(opt: Any, groups: list[list[nn.Parameter]], steps: int) -> tuple[float, float]:
    losses = []
    for _ in range(steps):
        loss = torch.stack([p.square().sum() for group in groups for p in group]).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not say
        opt.step()
        opt.zero_grad()
        losses.append(loss.item())
    return losses[0], losses[-1]


def check_callback(
    callback: Callback, *, make_learner: Callable[..., Learner] = synth_learner, epochs: int = 1
) -> None:
    """Nothing, where a callback knows its events, and a learner is itself again without it.

    Args:
        callback: fresh, on no learner yet.
        make_learner: makes the learner to try it on; gets `path=`, an empty folder.
        epochs: how long it is tried; 0 leaves it out, for callbacks that need special data.

    Raises:
        ContractError: says what does not hold.
    """
    kind = type(callback).__name__
    for name in dir(type(callback)):
        if name.startswith(("before_", "after_")) and callable(getattr(type(callback), name)):
            close = nearest(name, Event)
            require(name in set(Event), f"{kind}.{name} is no event and is never called.{close}")
    with tempfile.TemporaryDirectory() as folder:
        learn = make_learner(path=folder)
        before, weights, states = _look(learn), _weights(learn), get_random_states()
        learn.add_cb(callback)
        learn.remove_cb(callback)
        _same_look(before, _look(learn), f"{kind}, added and removed without training, changes")
        _same(_weights(learn), weights, f"{kind}, added and removed, changes the model")
        drawn = get_random_states()["torch_state"]
        require(torch.equal(drawn, states["torch_state"]), f"{kind}, added, draws random numbers")
        if epochs:
            with learn.no_logging(), learn.added_cbs(callback):
                learn.fit(epochs)
        _same_look(before, _look(learn), f"{kind} does not put back, after training,")


# What callbacks may replace during a fit and have to put back.
_PARTS = ("model", "dls", "loss_func", "opt_func", "lr", "splitter", "path", "model_dir", "logger")


def _look(learn: Learner) -> dict[str, Any]:
    return {name: getattr(learn, name) for name in _PARTS} | {"cbs": list(learn.cbs)}


def _same_look(before: Mapping[str, Any], after: Mapping[str, Any], told: str) -> None:
    changed = [n for n, old in before.items() if after[n] is not old and n not in ("cbs", "lr")]
    changed += [n for n in ("cbs", "lr") if before[n] != after[n]]
    require(not changed, f"{told} the learner's {', '.join(changed)}")


def _weights(learn: Learner) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in learn.model.state_dict().items()}


def check_command(command: Callable[..., Any]) -> None:
    """Nothing, where a command of `layerwise` says what it does and types all its parameters.

    Args:
        command: the function; arguments of the command line are made of its parameters.

    Raises:
        ContractError: says what does not hold.
    """
    name = getattr(command, "__name__", type(command).__name__)
    require(bool(inspect.getdoc(command)), f"{name} has no docstring, which --help would show")
    for parameter in inspect.signature(command).parameters.values():
        told = f"{name}: annotate {parameter.name}, so that a word can be turned into its value"
        require(parameter.annotation is not parameter.empty, told)
        starred = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        told = f"{name}: *{parameter.name} has no place in --help; name each parameter"
        require(not starred, told)


def check_training(training: Callable[..., Any]) -> None:
    """Nothing, where what stands behind `layerwise train` is a command that gives a learner.

    Args:
        training: the function; arguments of the command line are made of its parameters.

    Raises:
        ContractError: says what does not hold.
    """
    check_command(training)
    made = get_type_hints(training).get("return")
    told = (
        f"{training.__name__}: annotate that it returns a Learner, which `layerwise train` trains"
    )
    require(isinstance(made, type) and issubclass(made, Learner), told)
