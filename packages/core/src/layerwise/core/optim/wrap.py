"""Any optimizer of torch, made here or ready-made, behind the interface of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from layerwise.core.optim.groups import BaseOptimizer, group_params
from layerwise.core.optim.saved import misfits

__all__ = ["OptimWrapper", "detuplify_pg", "pytorch_hp_map", "set_item_pg"]

pytorch_hp_map = {
    "momentum": "mom",
    "weight_decay": "wd",
    "alpha": "sqr_mom",
    "betas__0": "mom",
    "betas__1": "sqr_mom",
}
"""Names of torch's hyper-parameters to ours; `betas__0` is the first of the tuple `betas`."""


def detuplify_pg(group: Mapping[str, Any]) -> dict[str, Any]:
    """The hyper-parameters of a torch parameter group, an entry for each item of a tuple.

    Example:
        >>> detuplify_pg({"params": [], "lr": 0.1, "betas": (0.9, 0.99)})
        {'lr': 0.1, 'betas__0': 0.9, 'betas__1': 0.99}
    """
    flat: dict[str, Any] = {}
    for name, value in group.items():
        if name in ("params", "param_names"):
            continue
        if isinstance(value, (tuple, list)):
            flat |= {f"{name}__{i}": item for i, item in enumerate(value)}
        else:
            flat[name] = value
    return flat


def set_item_pg(group: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """`group` with a hyper-parameter set, named as `detuplify_pg` names it.

    Example:
        >>> set_item_pg({"betas": (0.9, 0.99)}, "betas__0", 0.5)
        {'betas': (0.5, 0.99)}
    """
    name, _, index = name.partition("__")
    if index:
        items = list(group[name])
        items[int(index)] = value
        group[name] = tuple(items)
    elif isinstance(group.get(name), Tensor):
        # Captured graphs and compiled steps read the tensor, so it has to stay the same one.
        group[name].fill_(value)
    else:
        group[name] = value
    return group


class OptimWrapper(BaseOptimizer):
    """A torch optimizer with `hypers`, `set_hyper`, freezing and flags.

    Args:
        params: parameters, or a list of groups of them; None with a ready-made optimizer, whose
            groups are used.
        opt: a class such as `torch.optim.AdamW`, a `partial` of one, or a ready-made optimizer.
        hp_map: names of its hyper-parameters to ours; None for `pytorch_hp_map`.
        convert_groups: turn a list of groups into torch's dicts; off for an optimizer that takes
            lists of its own kind.
        **kwargs: passed on to `opt`, under torch's names.

    Raises:
        TypeError: if `opt` is missing, or a ready-made one comes with `params` or keywords.

    A ready-made optimizer keeps its groups as they are, and so its own weight decay: the flag
    `do_wd` changes only optimizers that are made here.

    Example:
        >>> import torch
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> opt = OptimWrapper([weight], torch.optim.Adam, lr=0.1)
        >>> opt.set_hypers(lr=0.2, mom=0.8)
        >>> opt.opt.param_groups[0]["lr"], opt.opt.param_groups[0]["betas"]
        (0.2, (0.8, 0.999))
    """

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        opt: Any = None,
        hp_map: Mapping[str, str] | None = None,
        convert_groups: bool = True,
        **kwargs: Any,
    ):
        if opt is None:
            raise TypeError(
                "OptimWrapper needs opt: a class such as torch.optim.AdamW together with params, "
                "or an optimizer made already"
            )
        self._made_here = callable(opt)
        if self._made_here:
            if params is None:
                raise TypeError(f"OptimWrapper needs params together with the class {opt}")
            self.opt = opt(*_converted(params, convert_groups), **kwargs)
        else:
            if params is not None or kwargs:
                raise TypeError(
                    f"this {type(opt).__name__} is made already and has its parameters; pass it "
                    "alone, OptimWrapper(opt=...), or pass its class with params and keywords"
                )
            self.opt = opt
        super().__init__([list(group["params"]) for group in self.opt.param_groups])
        names = pytorch_hp_map if hp_map is None else hp_map
        torch_names = detuplify_pg(self.opt.param_groups[0])
        self.fwd_map = {name: names.get(name, name) for name in torch_names}
        self.bwd_map = {ours: name for name, ours in self.fwd_map.items()}
        # Of torch's groups, those that hold each of ours; the second, if any, is without decay.
        self._torch_groups = [[index] for index in range(len(self.param_lists))]

    @property
    def made_here(self) -> bool:
        """Whether the torch optimizer was made from its class, for parameters given here."""
        return self._made_here

    @property
    def state(self) -> Any:
        """What the torch optimizer keeps, by parameter."""
        return self.opt.state

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of the torch optimizer."""
        groups: list[dict[str, Any]] = self.opt.param_groups
        return groups

    @property
    def hypers(self) -> list[dict[str, Any]]:
        """A copy of the hyper-parameters of each group, under our names; `set_hyper` sets them."""
        return [
            {
                self.fwd_map.get(name, name): value
                for name, value in detuplify_pg(self.opt.param_groups[first]).items()
            }
            for first, *_ in self._torch_groups
        ]

    def read_hyper(self, name: str) -> Any:
        """The hyper-parameter `name` of the last group; read in every batch, so without a copy."""
        group = self.opt.param_groups[self._torch_groups[-1][0]]
        torch_name = self.bwd_map.get(name)
        return group[torch_name] if torch_name in group else super().read_hyper(name)

    def _write_hyper(self, name: str, values: Sequence[Any]) -> None:
        if name not in self.bwd_map:
            self._refuse_hyper(name, self.bwd_map)
        torch_name = self.bwd_map[name]
        for indices, value in zip(self._torch_groups, values, strict=True):
            for position, index in enumerate(indices):
                if position == 0 or torch_name != "weight_decay":
                    set_item_pg(self.opt.param_groups[index], torch_name, value)

    def _regroup(self) -> None:
        if not self._made_here or "weight_decay" not in self.opt.param_groups[0]:
            return
        for group, indices in zip(self.param_lists, self._torch_groups, strict=True):
            decayed = [p for p in group if self.flags_of(p)["do_wd"]]
            if len(indices) == 1 and len(decayed) < len(group):
                indices.append(len(self.opt.param_groups))
                first = {**self.opt.param_groups[indices[0]], "params": [], "weight_decay": 0.0}
                self.opt.param_groups.append(first)
            if len(indices) == 2:
                free = set(group) - set(decayed)
                self.opt.param_groups[indices[0]]["params"] = decayed
                self.opt.param_groups[indices[1]]["params"] = [p for p in group if p in free]

    def clear_state(self) -> None:
        """Forget all averages and counts of the torch optimizer."""
        self.opt.state.clear()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of the torch optimizer; returns what `closure` does."""
        return self.opt.step() if closure is None else self.opt.step(closure)

    def state_dict(self) -> dict[str, Any]:
        """The state of the torch optimizer, as torch gives it."""
        state: dict[str, Any] = self.opt.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        """Go on from `state`, as `state_dict` gave it.

        Args:
            state: the saved state.
            strict: raise where something does not fit; otherwise leave all as it is, since torch
                takes a state whole or not at all.

        Returns:
            What did not fit, a line each; empty when all did.

        Raises:
            ValueError: if something does not fit and `strict` is set; names all of it.
        """
        wrong = self._misfits(state)
        if wrong and strict:
            raise ValueError(
                f"the state does not fit this {type(self.opt).__name__}:\n  "
                + "\n  ".join(wrong)
                + "\nMake the optimizer and its groups as they were saved, or pass strict=False "
                "to go on without the state"
            )
        if not wrong:
            self.opt.load_state_dict(state)
        return wrong

    def _misfits(self, state: Mapping[str, Any]) -> list[str]:
        saved = [len(group["params"]) for group in state.get("param_groups", [])]
        own = [len(group["params"]) for group in self.opt.param_groups]
        if saved != own:
            return [f"param_groups: saved with sizes {saved}, here they are {own}"]
        lines = [
            f"param_groups[{i}].{name}: {'not known here' if name in theirs else 'not saved'}"
            for i, (theirs, mine) in enumerate(
                zip(state["param_groups"], self.opt.param_groups, strict=True)
            )
            for name in sorted((theirs.keys() ^ mine.keys()) - {"param_names"})
        ]
        params = [param for group in self.opt.param_groups for param in group["params"]]
        order = [at for group in state["param_groups"] for at in group["params"]]
        return lines + misfits([state["state"].get(at, {}) for at in order], params)

    def __repr__(self) -> str:
        return f"OptimWrapper({self.opt!r})"


def _converted(params: Iterable[Any] | None, convert_groups: bool) -> tuple[Any, ...]:
    """The positional arguments for a torch optimizer class."""
    if params is None:
        return ()
    if not convert_groups:
        return (params,)
    items = list(params)
    if any(isinstance(item, Mapping) for item in items):
        return (items,)  # torch's own form of groups
    groups = group_params(items)
    return ([{"params": group} for group in groups],)
