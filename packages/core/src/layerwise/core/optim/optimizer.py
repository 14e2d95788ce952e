"""The optimizer: statistics and steppers, one after another, over all parameters of a step."""

import functools
import inspect
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from layerwise.core.optim.fused import FusedKernel
from layerwise.core.optim.groups import BaseOptimizer, group_params, new_state
from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.plan import Bucket, Tile, make_buckets
from layerwise.core.optim.stats import Initial, Stat

__all__ = ["Optimizer", "misfits"]

Requests: TypeAlias = Generator[tuple[TensorList, ...], tuple[Tensor, ...], None]

# Learners and schedules set these on any optimizer, so each has them even where no function asks.
_COMMON = ("lr", "mom", "wd")


@dataclass(frozen=True)
class _Call:
    """A function of the recipe and the names it asks for."""

    function: Callable[..., Any]
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    initial: Mapping[str, Initial]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "_Call":
        parameters = list(inspect.signature(function).parameters.values())[1:]
        bound = set(function.keywords) if isinstance(function, functools.partial) else set()
        named = [
            p
            for p in parameters
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in bound
        ]
        defaults = {p.name: p.default for p in named if p.default is not p.empty}
        inner = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        initial = inner.initial if isinstance(inner, Stat) else {}
        return cls(function, tuple(p.name for p in named), defaults, initial)

    @property
    def label(self) -> str:
        inner = self.function
        while isinstance(inner, functools.partial):
            inner = inner.func
        return getattr(inner, "__name__", repr(inner))


class Optimizer(BaseOptimizer):
    """An optimizer made of statistics and steppers.

    In each step the functions in `cbs` run in order. Each gets the parameters as a `TensorList` first, and by
    name whatever else its signature asks for: hyper-parameters of the group, states that statistics
    (`stat`) keep, and the flag `do_wd`. A hyper-parameter with a default in the signature may be left out.

    Args:
        params: parameters (one group), or a list of lists (a group each, from the input side of
            the model to its output).
        cbs: statistics and steppers, in order.
        kernel: a fused kernel that does the work of the first of `cbs`, where it applies.
        **defaults: first values of the hyper-parameters, each as `set_hyper` takes it.

    Raises:
        ValueError: if a hyper-parameter is missing or unknown, or a learning rate does not fit the
            groups.

    Example:
        >>> def sign_step(p, lr):
        ...     p -= lr * p.grad.sign()
        >>> weight = torch.tensor([1.0, -1.0], requires_grad=True)
        >>> opt = Optimizer([weight], [sign_step], lr=0.25)
        >>> (weight**2).sum().backward()
        >>> opt.step()
        >>> weight.detach()
        tensor([ 0.7500, -0.7500])
    """

    def __init__(
        self,
        params: Iterable[Any],
        cbs: Callable[..., Any] | Sequence[Callable[..., Any]],
        *,
        kernel: FusedKernel | None = None,
        **defaults: Any,
    ):
        super().__init__(group_params(params))
        self.cbs = tuple([cbs] if callable(cbs) else cbs)
        self._kernel = kernel
        self._state = new_state()
        self._plan: list[Bucket] | None = None
        self._read_recipe(defaults)
        self._hypers: list[dict[str, Any]] = [{} for _ in self.param_lists]
        self.set_hypers(**{n: v for n, v in self._defaults.items() if n not in defaults})
        self.set_hypers(**defaults)
        self._regroup()

    def _read_recipe(self, given: Mapping[str, Any]) -> None:
        self._calls = [_Call.of(function) for function in self.cbs]
        self._kernel_call = _Call.of(self._kernel.function) if self._kernel else None
        self._initial = {n: v for call in self._calls for n, v in call.initial.items()}
        self._defaults: dict[str, Any] = {}
        for call in self._calls:
            self._defaults |= {
                name: value
                for name, value in call.defaults.items()
                if name not in self._initial and name != "do_wd" and value is not None
            }
        asked = {name for call in self._calls for name in call.names}
        self._known = (asked | set(_COMMON)) - set(self._initial) - {"do_wd"}
        for name in given:
            if name not in self._known:
                self._refuse_hyper(name, self._known)
        for call in self._calls:
            for name in call.names:
                known = (*given, *self._initial, *call.defaults, *self._defaults, "do_wd")
                if name not in known:
                    raise ValueError(
                        f"{call.label} asks for {name!r}, which is neither given nor kept: pass "
                        f"{name}=... to the optimizer if it is a hyper-parameter, or add the "
                        f"statistic that keeps it, @stat({name}=...), to the functions before"
                    )

    @property
    def hypers(self) -> list[dict[str, Any]]:
        """The hyper-parameters of each group, as dicts that may be changed."""
        return self._hypers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups as torch's optimizers show them, for tools that read those (gradient scalers)."""
        return [
            {"params": group, **hyper}
            for group, hyper in zip(self.param_lists, self._hypers, strict=True)
        ]

    @property
    def state(self) -> defaultdict[Tensor, dict[str, Any]]:
        """What the statistics keep, by parameter. Ask again in each step to put in new tensors."""
        # Whoever holds the dict may put new tensors in, so views of the old ones are dropped.
        self._plan = None
        return self._state

    def _write_hyper(self, name: str, values: Sequence[Any]) -> None:
        if name not in self._known:
            self._refuse_hyper(name, self._known)
        for hyper, value in zip(self._hypers, values, strict=True):
            hyper[name] = value

    def _regroup(self) -> None:
        self._plan = None
        self._rows = self._trained()
        self._params = [param for _, param in self._rows]

    def clear_state(self) -> None:
        """Forget all averages and counts; flags and hyper-parameters stay."""
        self._state = new_state()
        self._plan = None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move all parameters that are trained and have a gradient; returns what `closure` does.

        Args:
            closure: computes the loss again and its gradients, as torch's optimizers take it.

        Raises:
            TypeError: if a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            grads = [param.grad for param in self._params]
            for bucket in self._buckets(grads):
                self._update(bucket, grads)
        return loss

    def _buckets(self, grads: Sequence[Tensor | None]) -> list[Bucket]:
        """The plan of the last step, or a new one where gradients come and go or tensors have moved."""
        absent = [grad is None for grad in grads]
        places = [param.data_ptr() for param in self._params]
        if self._plan is None or absent != self._absent or places != self._places:
            rows = [
                (group, param, place)
                for place, (group, param) in enumerate(self._rows)
                if not absent[place]
            ]
            self._plan = make_buckets(rows, self._state, self._initial, self._flags)
            self._absent, self._places = absent, places
        return self._plan

    def _update(self, bucket: Bucket, grads: Sequence[Tensor | None]) -> None:
        aligned = bucket.align(grads)
        numbers = bucket.numbers()
        values = {**self._hypers[bucket.group], **bucket.flags, **numbers}
        calls = self._calls
        if self._kernel is not None and bucket.can_fuse:
            done = self._run_kernel(bucket.whole, aligned, values)
            if done is not NotImplemented:
                values.update(done)
                calls = calls[self._kernel.replaces :]
        if calls:
            pieces = bucket.pieces(aligned)
            for block in bucket.blocks:
                last = [dict(values) for _ in block]
                self._run_block(calls, block, pieces, last)
            values = last[-1]
        if numbers:
            bucket.write_numbers({name: values[name] for name in numbers})

    def _run_kernel(self, tile: Tile, grads: list[Tensor], values: Mapping[str, Any]) -> Any:
        call = self._kernel_call
        assert call is not None  # noqa: S101 - made together with the kernel
        known = {**values, **tile.states}
        p = TensorList(tile.params, TensorList(grads))
        return call.function(p, **{name: known[name] for name in call.names if name in known})

    def _run_block(
        self,
        calls: Sequence[_Call],
        block: Sequence[Tile],
        pieces: Sequence[Tensor],
        values: Sequence[dict[str, Any]],
    ) -> None:
        """Run `calls` on each tile; where one asks for norms, on all tiles of the block up to there."""
        runs = []
        for tile, own in zip(block, values, strict=True):
            own.update(tile.states)
            p = TensorList(tile.params, TensorList(pieces[tile.first : tile.stop]))
            run = _run_tile(calls, p, own, self._initial)
            asked = next(run, None)
            if asked is not None:
                runs.append((run, tile, asked))
        while runs:
            answers = _norms([tile.owners for _, tile, _ in runs], [asked for *_, asked in runs])
            going = []
            for (run, tile, _), answer in zip(runs, answers, strict=True):
                try:
                    going.append((run, tile, run.send(answer)))
                except StopIteration:
                    continue
            runs = going

    def state_dict(self) -> dict[str, Any]:
        """The state of each parameter, in order, and the hyper-parameters of each group.

        Only tensors, numbers, lists and dicts. Flags and freezing belong to the model's setup and
        are not part of it.
        """
        params = [param for group in self.param_lists for param in group]
        return {
            "state": [dict(self._state.get(param, {})) for param in params],
            "hypers": [dict(hyper) for hyper in self._hypers],
        }

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        """Go on from `state`, as `state_dict` gave it; tensors are copied to their parameter's device.

        Args:
            state: the saved state.
            strict: raise where something does not fit; otherwise leave that out.

        Returns:
            What did not fit, a line each; empty when all did.

        Raises:
            ValueError: if something does not fit and `strict` is set; names all of it, and
                nothing is changed.
        """
        params = [param for group in self.param_lists for param in group]
        saved = list(state.get("state", []))
        hypers = list(state.get("hypers", []))
        wrong = misfits(saved, params, self._initial) + self._hyper_misfits(hypers)
        if wrong and strict:
            raise ValueError(
                "the optimizer state does not fit this optimizer:\n  " + "\n  ".join(wrong)
                + "\nMake the optimizer and its groups as they were saved, or pass "
                "strict=False to load what fits"
            )  # fmt: skip
        self._plan = None
        self._state = new_state()
        for param, entries in zip(params, saved, strict=False):
            for name, value in entries.items():
                if not misfits([{name: value}], [param], self._initial):
                    self._state[param][name] = _copy_for(param, value)
        for hyper, values in zip(self._hypers, hypers, strict=False):
            hyper.update({n: v for n, v in values.items() if n in self._known})
        return wrong

    def _hyper_misfits(self, hypers: Sequence[Mapping[str, Any]]) -> list[str]:
        if len(hypers) != len(self._hypers):
            return [f"hypers: saved for {len(hypers)} groups, here are {len(self._hypers)}"]
        return [
            f"hypers[{i}].{name}: {'not known here' if name in saved else 'not saved'}"
            for i, (own, saved) in enumerate(zip(self._hypers, hypers, strict=True))
            for name in sorted(own.keys() ^ saved.keys())
        ]

    def with_steps(self, cbs: Sequence[Callable[..., Any]], **defaults: Any) -> "Optimizer":
        """A new optimizer that goes on from this one and runs `cbs` after its functions.

        Groups, state, flags and hyper-parameters are taken over; this one should not step any more.
        """
        own = {name: [hyper[name] for hyper in self._hypers] for name in self._hypers[0]}
        new = Optimizer(self.param_lists, (*self.cbs, *cbs), kernel=self._kernel, **own, **defaults)
        new._state, new._flags, new.frozen_idx = self._state, self._flags, self.frozen_idx
        new._regroup()
        return new

    def __getstate__(self) -> dict[str, Any]:
        # The plan holds views of parameters, which a copy would cut from them.
        return {**self.__dict__, "_plan": None}

    def __repr__(self) -> str:
        recipe = ", ".join(call.label for call in self._calls)
        sizes = [len(group) for group in self.param_lists]
        return f"{type(self).__name__}([{recipe}], parameters by group: {sizes})"


def _run_tile(
    calls: Sequence[_Call], p: TensorList, values: dict[str, Any], initial: Mapping[str, Initial]
) -> Requests:
    """Run `calls` on one tile, stopping at each request for norms; `values` ends as the new states."""
    for call in calls:
        out = call.function(p, **{name: values[name] for name in call.names if name in values})
        if isinstance(out, Generator):
            out = yield from out
        if out:
            _take(out, values, call, initial)


def _take(
    out: Mapping[str, Any], values: dict[str, Any], call: _Call, initial: Mapping[str, Initial]
) -> None:
    for name, value in out.items():
        if name not in initial:
            raise ValueError(
                f"{call.label} returned {name!r}, which no statistic keeps; declare it with "
                f"@stat({name}=...): torch.zeros_like, a number, or None for one step only"
            )
        if callable(initial[name]):
            if value is not values[name]:
                values[name].copy_(value)
        else:
            values[name] = value


def _norms(
    owners: Sequence[Sequence[int]], asked: Sequence[tuple[TensorList, ...] | TensorList]
) -> list[Any]:
    """L2 norms of whole tensors for each tile, from the norms of the pieces in all tiles of a block."""
    if isinstance(asked[0], TensorList):
        return [norms[0] for norms in _norms(owners, [(lists,) for lists in asked])]  # type: ignore[list-item]  # all tiles run the same functions, so all ask alike
    parts = [[torch.stack(list(torch._foreach_norm(x.tensors))) for x in lists] for lists in asked]
    if len(asked) == 1:
        return [tuple(parts[0])]
    # Several tiles are pieces of one tensor: a block has no other kind.
    totals = [
        torch.stack([n.square().sum() for n in each]).sum().sqrt()
        for each in zip(*parts, strict=True)
    ]
    return [tuple(total.expand(len(own)) for total in totals) for own in owners]


def misfits(
    saved: Sequence[Mapping[str, Any]], params: Sequence[Tensor], known: Iterable[str] | None = None
) -> list[str]:
    """What in saved states does not fit the parameters, a line each.

    Args:
        saved: the saved state of each parameter.
        params: the parameters, in the same order.
        known: names of states that may be there; None for any.

    Example:
        >>> misfits([{"grad_avg": torch.zeros(3)}], [torch.zeros(2)])
        ['state[0].grad_avg: saved as (3,), the parameter is (2,)']
    """
    names = None if known is None else set(known)
    lines = []
    if len(saved) != len(params):
        lines.append(f"state: saved for {len(saved)} parameters, here are {len(params)}")
    for index, (entries, param) in enumerate(zip(saved, params, strict=False)):
        for name, value in entries.items():
            at = f"state[{index}].{name}"
            if names is not None and name not in names:
                lines.append(f"{at}: not kept here; kept are {', '.join(sorted(names)) or 'none'}")
            elif isinstance(value, Tensor) and value.ndim and value.shape != param.shape:
                lines.append(
                    f"{at}: saved as {tuple(value.shape)}, the parameter is {tuple(param.shape)}"
                )
    return lines


def _copy_for(param: Tensor, value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    if value.shape == param.shape:
        return torch.empty_like(param, requires_grad=False).copy_(value)
    return value.to(param.device, copy=True)
