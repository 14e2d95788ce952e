"""The optimizer: statistics and steppers, one after another, over all parameters of a step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.optim.fused import FusedKernel
from layerwise.core.optim.groups import BaseOptimizer, group_params, new_state
from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.plan import Bucket, Tile, make_buckets
from layerwise.core.optim.recipe import RecipeCall, run_block
from layerwise.core.optim.saved import copy_for, misfits

__all__ = ["Optimizer"]

# Learners and schedules set these on any optimizer, so each has them even where no function asks.
_COMMON = ("lr", "mom", "wd")


class Optimizer(BaseOptimizer):
    """An optimizer made of statistics and steppers.

    In each step the functions in `cbs` run in order. Each gets the parameters first, as a
    `TensorList`, and by name whatever else its signature asks for: hyper-parameters of the group,
    states that statistics keep (`keeps`), and the flag `do_wd`. A hyper-parameter with a default in
    the signature may be left out.

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
        self._absent: list[bool] = []
        self._places: list[int] = []
        self._read_recipe(defaults)
        self._hypers: list[dict[str, Any]] = [{} for _ in self.param_lists]
        self.set_hypers(**defaults)
        self._regroup()

    def _read_recipe(self, given: Mapping[str, Any]) -> None:
        self._calls = [RecipeCall.of(function) for function in self.cbs]
        kernel = self._kernel
        self._whole_call = RecipeCall.of(kernel.whole) if kernel and kernel.whole else None
        self._tile_call = RecipeCall.of(kernel.tile) if kernel and kernel.tile else None
        self._initial = {name: first for c in self._calls for name, first in c.initial.items()}
        # An argument that is None by default is a state which only some recipes keep.
        hypers = {n for c in self._calls for n in c.names if c.defaults.get(n, 0) is not None}
        self._known = (hypers | set(_COMMON)) - set(self._initial) - {"do_wd"}
        for name in given:
            if name not in self._known:
                self._refuse_hyper(name, self._known)
        for call in self._calls:
            for name in call.names:
                if name not in (*given, *self._initial, *call.defaults):
                    raise ValueError(
                        f"{call.label} asks for {name!r}, which is neither given nor kept: pass "
                        f"{name}=... to the optimizer if it is a hyper-parameter, or add the "
                        f"statistic that keeps it, @keeps({name}=...), to the functions before"
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
        """The plan of the last step, or a new one where tensors came, left or moved."""
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
        values: dict[str, Any] = {**self._hypers[bucket.group], **bucket.flags, **numbers}
        calls: Sequence[RecipeCall] = self._calls
        if self._kernel is not None and bucket.can_fuse:
            calls = self._run_kernel(self._kernel, bucket.whole, aligned, values)
        if calls:
            pieces = bucket.pieces(aligned)
            for block in bucket.blocks:
                last = run_block(calls, block, pieces, values, self._initial)
            values = last
        if numbers:
            bucket.write_numbers({name: values[name] for name in numbers})

    def _run_kernel(
        self, kernel: FusedKernel, whole: Tile, grads: list[Tensor], values: dict[str, Any]
    ) -> Sequence[RecipeCall]:
        """Do what one pass over whole tensors can do; returns the functions still to run."""
        rest = self._calls[kernel.replaces :]
        if self._whole_call is not None:
            p = TensorList(whole.params, TensorList(grads))
            done = self._whole_call(p, {**values, **whole.states})
            if done is not NotImplemented:
                values.update(done)
                return rest
        return self._calls if self._tile_call is None else [self._tile_call, *rest]

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
        """Go on from `state`, as `state_dict` gave it; tensors are copied to where parameters are.

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
                    self._state[param][name] = copy_for(param, value)
        for hyper, values in zip(self._hypers, hypers, strict=False):
            hyper.update({n: v for n, v in values.items() if n in self._known})
        return wrong

    def _hyper_misfits(self, hypers: Sequence[Mapping[str, Any]]) -> list[str]:
        if len(hypers) != len(self._hypers):
            return [f"hypers: saved for {len(hypers)} groups, here are {len(self._hypers)}"]
        pairs = list(enumerate(zip(self._hypers, hypers, strict=True)))
        known = self._known
        return [
            *(f"hypers[{i}].{n}: not known" for i, (_, h) in pairs for n in h if n not in known),
            *(f"hypers[{i}].{n}: not saved" for i, (own, h) in pairs for n in own if n not in h),
            *(
                f"hypers[{i}].{n}: saved as {h[n]!r:.40}, here it is {own[n]!r:.40}"
                for i, (own, h) in pairs
                for n in own.keys() & h.keys()
                if isinstance(own[n], float | int) and not isinstance(h[n], float | int)
            ),
        ]

    def with_params(self, params: Sequence[Sequence[Tensor]]) -> Optimizer:
        """A new optimizer with the same functions and hyper-parameters, over other groups.

        Args:
            params: as many groups as here.
        """
        own = {name: [hyper[name] for hyper in self._hypers] for name in self._hypers[0]}
        return Optimizer(params, self.cbs, kernel=self._kernel, **own)

    @property
    def needs_whole_tensors(self) -> bool:
        """Whether a function of it asks for the norm of a whole parameter, as LAMB's does."""
        return any(call.asks_for_norms for call in self._calls)

    def with_steps(self, cbs: Sequence[Callable[..., Any]], **defaults: Any) -> Optimizer:
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
