"""What a metric has seen: put away, taken back, and merged with what other processes saw.

State is every attribute that differs from that of the metric with nothing seen, so that a metric
need not list it twice. How parts of several processes become one, only the metric can say.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, ClassVar, Self

import torch
import torch.distributed as dist
from torch import Tensor

from layerwise.core.devices import num_distrib
from layerwise.core.errors import nearest

__all__ = ["MetricState"]


class MetricState:
    """Base of `Metric`: what it has seen as a value of its own.

    Attributes:
        merges: how each attribute of the state becomes one from those of several processes:
            "sum", "max", "min" (numbers, tensors, lists of numbers) or "concat" (lists, tensors).
            An attribute that is None in a process saw nothing there.
    """

    merges: ClassVar[Mapping[str, str]] = {}

    def reset(self) -> None:
        """Forget everything seen."""

    def fresh(self) -> Self:
        """The same metric with nothing seen, so that two learners share no state."""
        twin = copy.copy(self)
        twin.reset()
        return twin

    def state_dict(self) -> dict[str, Any]:
        """What was seen, as numbers, strings, tensors, and lists and dictionaries of them.

        Raises:
            TypeError: if there is something else in the state.
        """
        blank = vars(self.fresh())
        state = {k: v for k, v in vars(self).items() if k not in blank or not _same(v, blank[k])}
        for name, value in state.items():
            if not _is_plain(value):
                raise TypeError(
                    f"{type(self).__name__} keeps a {type(value).__name__} in {name!r}, which a "
                    "checkpoint cannot hold; keep numbers, tensors, lists or dictionaries, or "
                    "override state_dict and load_state_dict"
                )
        return {name: _copied(value) for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; what was seen since is forgotten.

        Example:
            >>> from layerwise.core.metrics.metric import AvgLoss
            >>> loss, again = AvgLoss(), AvgLoss()
            >>> loss.update(torch.tensor(3.), torch.zeros(2))
            >>> again.load_state_dict(loss.state_dict())
            >>> again.value
            3.0
        """
        self.reset()
        for name, value in state.items():
            setattr(self, name, _copied(value))

    def merged(self, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """One state from those of several processes, in their order; by `merges` here.

        Example:
            >>> from layerwise.core.metrics.metric import AvgLoss
            >>> AvgLoss().merged([{"_total": 6.0, "_weight": 2}, {}, {"_total": 1.0, "_weight": 1}])
            {'_total': 7.0, '_weight': 3}
        """
        names = dict.fromkeys(name for state in states for name in state)
        found = {name: [s[name] for s in states if s.get(name) is not None] for name in names}
        return {name: _joined(self.merges[name], parts) for name, parts in found.items() if parts}

    def sync(self) -> None:
        """Make the state that of all processes together; nothing happens outside of such a run.

        Every process has to make this call, once, after the last batch and before `value` is
        read; a `reset` begins anew.

        Raises:
            TypeError: if the metric cannot be shared out, or `merges` does not say how.
        """
        sync_all([self])

    def unmergeable(self) -> str | None:
        """Why this metric cannot be shared out between processes, None when it can."""
        if type(self).merged is not MetricState.merged:
            return None
        kinds = list(_WAYS)
        for name in self.state_dict():
            how = self.merges.get(name)
            if how not in kinds:
                close = nearest(str(how), kinds)
                said = "" if how is None else f" ({how!r} is not known.{close})"
                return (
                    f"{type(self).__name__} does not say how {name!r} of several processes becomes "
                    f"one{said}; set merges = {{{name!r}: 'sum'}} in the class, or one of "
                    f"{', '.join(kinds)}, or override `merged`"
                )
        return None


def sync_all(metrics: Sequence[MetricState]) -> None:
    """Sync several metrics: one message for all but those that have a way of their own."""
    if num_distrib() < 2 or not dist.is_initialized():
        return
    for metric in metrics:
        if type(metric).sync is not MetricState.sync:
            metric.sync()
    metrics = [metric for metric in metrics if type(metric).sync is MetricState.sync]
    refusals = [told for metric in metrics if (told := metric.unmergeable())]
    mine = {"refusals": refusals, "states": [] if refusals else [m.state_dict() for m in metrics]}
    said = [_unpacked(message) for message in _gathered(_packed(mine))]
    refused = [told for each in said for told in each["refusals"]]
    if refused:  # raised by all: one process alone would leave the others waiting
        raise TypeError(refused[0])
    for number, metric in enumerate(metrics):
        metric.load_state_dict(metric.merged([each["states"][number] for each in said]))


# -- one from several ----------------------------------------------------------------------


def _elementwise(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        if isinstance(a, list):
            return [apply(x, y) for x, y in zip(a, b, strict=True)]
        return function(a, b)

    return apply


def _concat(a: Any, b: Any) -> Any:
    return torch.cat([a, b]) if isinstance(a, Tensor) else [*a, *b]


def _maximum(a: Any, b: Any) -> Any:
    return torch.maximum(a, b) if isinstance(a, Tensor) else max(a, b)


def _minimum(a: Any, b: Any) -> Any:
    return torch.minimum(a, b) if isinstance(a, Tensor) else min(a, b)


_WAYS: dict[str, Callable[[Any, Any], Any]] = {
    "sum": _elementwise(lambda a, b: a + b),
    "max": _elementwise(_maximum),
    "min": _elementwise(_minimum),
    "concat": _concat,
}


def _joined(how: str, parts: list[Any]) -> Any:
    return reduce(_WAYS[how], parts)


def _same(a: Any, b: Any) -> bool:
    """Whether nothing happened to an attribute: the same object, or the same plain value."""
    if a is b:
        return True
    if type(a) is not type(b) or isinstance(a, Tensor):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return isinstance(a, bool | int | float | str) and a == b


def _copied(value: Any) -> Any:
    """`value` with lists and dictionaries of its own: a metric may go on in place."""
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return list(map(_copied, value)) if isinstance(value, list | tuple) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(k, str) for k in value) and all(map(_is_plain, value.values()))
    return value is None or isinstance(value, bool | int | float | str | Tensor)


# -- on the wire: bytes of safetensors, never a pickle --------------------------------------

_TREE = "tree"  # the structure, as JSON; tensors stand in it as {"": their number}


def _packed(value: Any) -> Tensor:
    """(B,) bytes of a plain value."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}

    def put(x: Any) -> Any:
        if isinstance(x, Tensor):
            # A copy: the format refuses two names for one memory.
            whole = torch.empty(x.shape, dtype=x.dtype)
            tensors[str(len(tensors))] = whole.copy_(x.detach())
            return {"": len(tensors) - 1}
        if isinstance(x, dict):
            return {k: put(v) for k, v in x.items()}
        return [put(v) for v in x] if isinstance(x, list | tuple) else x

    tree = json.dumps(put(value)).encode()
    tensors[_TREE] = torch.frombuffer(bytearray(tree), dtype=torch.uint8)
    return torch.frombuffer(bytearray(save(tensors)), dtype=torch.uint8)


def _unpacked(message: Tensor) -> Any:
    """The value of `_packed`; tuples come back as lists."""
    from safetensors.torch import load

    tensors = load(message.numpy().tobytes())

    def take(x: Any) -> Any:
        if isinstance(x, dict):
            return tensors[str(x[""])] if "" in x else {k: take(v) for k, v in x.items()}
        return [take(v) for v in x] if isinstance(x, list) else x

    return take(json.loads(tensors[_TREE].numpy().tobytes()))


def _gathered(message: Tensor) -> list[Tensor]:
    """The bytes of all processes, on the CPU."""
    own = torch.tensor(len(message), device=exchange_device())
    lengths = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(lengths, own)
    # Messages of one length only: short ones are filled up, and cut again.
    filled = message.new_zeros(int(max(lengths)), device=own.device)
    filled[: len(message)] = message
    parts = [torch.empty_like(filled) for _ in lengths]
    dist.all_gather(parts, filled)
    return [part[: int(n)].cpu() for part, n in zip(parts, lengths, strict=True)]


def exchange_device() -> torch.device:
    """Where processes can exchange tensors: the CPU if their backend knows it (gloo does)."""
    if not dist.is_initialized() or "cpu:" in dist.get_backend_config():
        return torch.device("cpu")
    kind = torch.accelerator.current_accelerator()
    if kind is None:
        return torch.device("cpu")
    return torch.device(kind.type, torch.accelerator.current_device_index())
