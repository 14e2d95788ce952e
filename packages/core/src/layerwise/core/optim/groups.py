"""Parameter groups: learning rates spread over them, freezing, and flags on parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from layerwise.core.errors import nearest

__all__ = ["BaseOptimizer", "even_mults", "group_params", "spread"]

Row: TypeAlias = tuple[Tensor, list[Tensor], dict[str, Any], Mapping[str, Any]]

_FLAGS = frozenset({"do_wd", "force_train"})


def even_mults(start: float, stop: float, count: int) -> list[float]:
    """`count` values from `start` to `stop`, each the same multiple of the one before.

    Example:
        >>> [round(value, 6) for value in even_mults(1e-4, 1e-2, 3)]
        [0.0001, 0.001, 0.01]
    """
    if count == 1:
        return [stop]
    factor = (stop / start) ** (1 / (count - 1))
    return [*(start * factor**i for i in range(count - 1)), stop]


def spread(value: Any, count: int, *, name: str = "lr") -> list[Any]:
    """One value for each of `count` groups.

    Args:
        value: a number for all; `slice(low, high)` for a geometric spread; `slice(high)` for
            high / 10 in all groups but the last; or a sequence with one for each group.
        count: number of groups.
        name: hyper-parameter to name in errors.

    Raises:
        ValueError: if a sequence has neither one entry nor `count`, or a slice cannot be spread.

    Example:
        >>> spread(slice(1e-2), 3)
        [0.001, 0.001, 0.01]
        >>> spread([1, 2], 3, name="lr")
        Traceback (most recent call last):
        ...
        ValueError: 2 values of 'lr' for 3 parameter groups; give one, ...
    """
    if isinstance(value, slice):
        return _spread_slice(value, count, name)
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Iterable):
        return [value] * count
    values = [v.item() if isinstance(v, (Tensor, np.generic)) else v for v in value]
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ValueError(
            f"{len(values)} values of {name!r} for {count} parameter groups; "
            "give one, a slice(low, high), or one for each group"
        )
    return values


def _spread_slice(value: slice, count: int, name: str) -> list[float]:
    low, high = value.start, value.stop
    if high is None or value.step is not None:
        raise ValueError(
            f"{value} is no range of {name!r}; write slice(low, high), or slice(high) for "
            "high / 10 in all groups but the last"
        )
    if low is None:
        return [high / 10] * (count - 1) + [high]
    if low <= 0 or high <= 0:
        raise ValueError(
            f"slice({low}, {high}) of {name!r} cannot be spread by equal factors; both ends "
            "must be above 0"
        )
    return even_mults(low, high, count)


def _refuse_rates(rates: Iterable[Any]) -> None:
    """Complain of a learning rate with which a model would get worse, or be broken."""
    for rate in rates:
        if not isinstance(rate, float | int) or not 0 <= rate < math.inf:
            raise ValueError(f"lr={rate!r}; give a number of 0 or more, such as 1e-3")


def group_params(params: Iterable[Any]) -> list[list[Tensor]]:
    """The groups in `params`: a flat series of tensors is one group, a series of series is many.

    Raises:
        TypeError: if something else than tensors and series of tensors is in there.
        ValueError: if a tensor is there twice.

    Example:
        >>> import torch
        >>> w, b = torch.zeros(2), torch.zeros(1)
        >>> len(group_params([w, b])), len(group_params([[w], [b]]))
        (1, 2)
    """
    items = [params] if isinstance(params, Tensor) else list(params)
    if all(isinstance(item, Tensor) for item in items):
        groups = [items]
    else:
        groups = [_tensors(item) for item in items]
    seen: set[Tensor] = set()
    for param in (p for group in groups for p in group):
        if param in seen:
            raise ValueError(
                f"a parameter of shape {tuple(param.shape)} is listed twice; give each "
                "parameter once, in one group"
            )
        seen.add(param)
    return groups


def _tensors(group: Any) -> list[Tensor]:
    found = [group] if isinstance(group, Tensor) else None
    if found is None and isinstance(group, Iterable) and not isinstance(group, (Mapping, str)):
        found = list(group)
    if found is None or not all(isinstance(item, Tensor) for item in found):
        raise TypeError(
            f"a parameter group must be a list of tensors, not {type(group).__name__}; pass "
            "model.parameters(), or a list with one list of parameters for each group"
        )
    return found


class BaseOptimizer(ABC):
    """What our optimizers and wrapped ones share: groups, hyper-parameters, freezing, flags.

    Args:
        groups: lists of parameters, from the input side of the model to its output.
    """

    state: Any

    def __init__(self, groups: list[list[Tensor]]):
        self.param_lists = groups
        self.frozen_idx = 0
        self._flags: dict[Tensor, dict[str, bool]] = {}

    @property
    @abstractmethod
    def hypers(self) -> Sequence[Mapping[str, Any]]:
        """The hyper-parameters of each group."""

    def read_hyper(self, name: str) -> Any:
        """The hyper-parameter `name` of the last group, which is that of the head."""
        return self.hypers[-1][name]

    @property
    @abstractmethod
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups as torch's optimizers show them, for tools that read those (gradient scalers)."""

    @abstractmethod
    def _write_hyper(self, name: str, values: Sequence[Any]) -> None:
        """Set the hyper-parameter `name` of each group."""

    @abstractmethod
    def _regroup(self) -> None:
        """React to a change of freezing or flags."""

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move the parameters along their gradients."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on from here."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        """Go on from a saved state; returns what did not fit."""

    @abstractmethod
    def clear_state(self) -> None:
        """Forget all averages and counts."""

    def set_hyper(self, name: str, value: Any) -> None:
        """Set the hyper-parameter `name` of all groups, in microseconds.

        Args:
            name: one of those in `hypers`.
            value: what `spread` takes: a number, a slice, or one for each group.

        Raises:
            ValueError: for an unknown name, values that are not one for each group, or a learning
                rate that is no number of 0 or more.
        """
        count = len(self.param_lists)
        numbers = [value] * count if type(value) is float else spread(value, count, name=name)
        if name == "lr":
            _refuse_rates(numbers)
        self._write_hyper(name, numbers)

    def set_hypers(self, **hypers: Any) -> None:
        """Set several hyper-parameters, each as `set_hyper` does."""
        for name, value in hypers.items():
            self.set_hyper(name, value)

    def _refuse_hyper(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        raise ValueError(
            f"{type(self).__name__} has no hyper-parameter {name!r}.{nearest(name, names)} "
            f"It has: {', '.join(names)}"
        )

    def set_flags(self, params: Iterable[Tensor], **flags: bool) -> None:
        """Set flags of single parameters; they stay when states are cleared or loaded.

        `do_wd=False` keeps weight decay off, as for norm layers and biases; `force_train=True`
        keeps parameters in training while their group is frozen, as for batch norm.

        Args:
            params: some of the optimizer's parameters.
            **flags: `do_wd` and `force_train`.

        Raises:
            ValueError: for a parameter that the optimizer does not have, or an unknown flag.
        """
        for name in flags:
            if name not in _FLAGS:
                raise ValueError(
                    f"unknown flag {name!r}.{nearest(name, _FLAGS)} It is one of: "
                    f"{', '.join(sorted(_FLAGS))}"
                )
        own = {p for group in self.param_lists for p in group}
        for param in params:
            if param not in own:
                raise ValueError(
                    f"a parameter of shape {tuple(param.shape)} is not in this optimizer; "
                    "set flags on parameters it was made with"
                )
            self._flags.setdefault(param, {}).update(flags)
        self._regroup()

    def flags_of(self, param: Tensor) -> dict[str, bool]:
        """The flags of one parameter: `do_wd` and `force_train`."""
        return {"do_wd": True, "force_train": False} | self._flags.get(param, {})

    def all_params(self, n: slice = slice(None), with_grad: bool = False) -> list[Row]:
        """Each parameter with its group, its state and its hyper-parameters.

        Args:
            n: which groups.
            with_grad: leave out parameters that have no gradient.
        """
        groups = zip(self.param_lists[n], self.hypers[n], strict=True)
        state = self.state
        return [
            (p, group, state[p], hyper)
            for group, hyper in groups
            for p in group
            if not with_grad or p.grad is not None
        ]

    def freeze_to(self, n: int) -> None:
        """Train the groups from the n-th on, and no others; negative n counts from the end.

        Frozen parameters need no gradient, lose the one they have, and do not step, except
        those with the flag `force_train`.

        Raises:
            ValueError: if there is no such group.
        """
        count = len(self.param_lists)
        if not -count <= n < max(count, 1):
            raise ValueError(
                f"cannot freeze to group {n}: there are {count} parameter groups, so give "
                f"{-count} to {count - 1}. More groups come from the learner's splitter"
            )
        self.frozen_idx = n % count if count else 0
        for index, group in enumerate(self.param_lists):
            for param in group:
                train = index >= self.frozen_idx or self.flags_of(param)["force_train"]
                if param.is_floating_point() or param.is_complex():
                    param.requires_grad_(train)
                if not train:
                    param.grad = None
        self._regroup()

    def freeze(self) -> None:
        """Train the last group alone."""
        self.freeze_to(-1)

    def unfreeze(self) -> None:
        """Train all groups."""
        self.freeze_to(0)

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for group in self.param_lists:
            for param in group:
                param.grad = None

    def _trained(self) -> list[tuple[int, Tensor]]:
        return [
            (index, param)
            for index, group in enumerate(self.param_lists)
            for param in group
            if index >= self.frozen_idx or self.flags_of(param)["force_train"]
        ]


def new_state() -> defaultdict[Tensor, dict[str, Any]]:
    """An empty state: a dict for each parameter that is asked for."""
    return defaultdict(dict)
