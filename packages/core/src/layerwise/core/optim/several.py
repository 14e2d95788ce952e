"""Several optimizers as one: each with its parameters, all with the same interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from layerwise.core.errors import nearest
from layerwise.core.optim.groups import BaseOptimizer, spread
from layerwise.core.optim.wrap import OptimWrapper

__all__ = ["Optimizers"]


class Optimizers(BaseOptimizer):
    """Optimizers by name, each over its own part of the model, that step together.

    Where the loss function gives several losses by name, the loss with the name of an optimizer
    trains the parameters of that one alone: generator and critic in one step.

    A learner makes it from a splitter that returns a mapping and `Optimizers.of`. Parameter groups
    are those of all optimizers, one after another. A hyper-parameter that only some of them have
    is set there.

    Args:
        opts: the optimizers by name.

    Raises:
        ValueError: if there is none, or a parameter belongs to two.

    Example:
        >>> from layerwise.core.optim.algorithms import SGD
        >>> a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
        >>> opt = Optimizers({"body": SGD([a], lr=0.1), "head": SGD([b], lr=0.2)})
        >>> [hyper["lr"] for hyper in opt.hypers]
        [0.1, 0.2]
    """

    def __init__(self, opts: Mapping[str, BaseOptimizer]) -> None:
        if not opts:
            raise ValueError("Optimizers needs at least one optimizer, by name")
        self.opts = dict(opts)
        groups = [group for opt in self.opts.values() for group in opt.param_lists]
        owned = [id(param) for group in groups for param in group]
        if len(set(owned)) < len(owned):
            raise ValueError(
                "a parameter belongs to two of these optimizers: "
                f"{', '.join(self.opts)}; give each its own part of the model"
            )
        super().__init__(groups)

    @staticmethod
    def of(**opt_funcs: Callable[..., Any]) -> Callable[..., Optimizers]:
        """For `opt_func`: makes each optimizer from the part of the model with its name.

        The learner's splitter returns the parts as a mapping.

        Args:
            opt_funcs: by name, our optimizers or classes of torch.

        Example:
            >>> from layerwise.core.optim.algorithms import SGD, Adam
            >>> make = Optimizers.of(generator=Adam, critic=torch.optim.RMSprop)
            >>> parts = {n: [torch.zeros(1, requires_grad=True)] for n in ("generator", "critic")}
            >>> list(make(parts, lr=0.1).opts)
            ['generator', 'critic']
        """
        return partial(_made, opt_funcs)

    def __getitem__(self, name: str) -> BaseOptimizer:
        return self.opts[name]

    def trained_by(self, name: str) -> list[Tensor]:
        """The parameters that the loss `name` gives gradients to; all for another name."""
        opts = [self.opts[name]] if name in self.opts else list(self.opts.values())
        return [p for opt in opts for group in opt.param_lists for p in group if p.requires_grad]

    @property
    def hypers(self) -> Sequence[Mapping[str, Any]]:
        """The hyper-parameters of each group of each optimizer."""
        return [hyper for opt in self.opts.values() for hyper in opt.hypers]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Groups as torch's optimizers show them, for tools that read those."""
        return [group for opt in self.opts.values() for group in opt.param_groups]

    @property
    def state(self) -> Mapping[Tensor, dict[str, Any]]:
        """What the optimizers keep, by parameter."""
        return {p: s for opt in self.opts.values() for p, s in opt.state.items()}

    def _write_hyper(self, name: str, values: Sequence[Any]) -> None:
        at, written = 0, False
        for opt in self.opts.values():
            count = len(opt.param_lists)
            if name in opt.hypers[-1]:
                opt.set_hyper(name, list(spread(list(values[at : at + count]), count, name=name)))
                written = True
            at += count
        if not written:
            self._refuse_hyper(name, {n for hyper in self.hypers for n in hyper})

    def _regroup(self) -> None:
        """Pass freezing and flags on to the optimizer that has the parameter."""
        at = 0
        for opt in self.opts.values():
            for group in opt.param_lists:
                for param in group:
                    if param in self._flags:
                        opt.set_flags([param], **self._flags[param])
            count = len(opt.param_lists)
            opt.frozen_idx = min(max(self.frozen_idx - at, 0), count)
            opt._regroup()
            at += count

    def clear_state(self) -> None:
        """Forget all averages and counts."""
        for opt in self.opts.values():
            opt.clear_state()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """A step of each optimizer; parameters without a gradient stay.

        Args:
            closure: computes the losses again and their gradients; called once. What it returns
                is returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for opt in self.opts.values():
            opt.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The state of each optimizer, by name."""
        return {name: opt.state_dict() for name, opt in self.opts.items()}

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        """Go on from `state`, as `state_dict` gave it.

        Args:
            state: the saved state.
            strict: raise where something does not fit; otherwise leave that out.

        Returns:
            What did not fit, a line each.

        Raises:
            ValueError: if something does not fit and `strict` is set.
        """
        wrong = [f"{name}: not saved" for name in self.opts.keys() - state.keys()]
        unknown = sorted(state.keys() - self.opts.keys())
        wrong += [f"{name}: not known.{nearest(name, self.opts)}" for name in unknown]
        if wrong and strict:
            raise ValueError("the states of these optimizers do not fit:\n  " + "\n  ".join(wrong))
        for name, opt in self.opts.items():
            if name in state:
                found = opt.load_state_dict(state[name], strict=strict)
                wrong += [f"{name}: {line}" for line in found]
        return wrong

    def __repr__(self) -> str:
        return f"Optimizers({self.opts!r})"


def _made(
    opt_funcs: Mapping[str, Callable[..., Any]], parts: Mapping[str, Any], lr: Any
) -> Optimizers:
    if not isinstance(parts, Mapping):
        raise TypeError(
            f"several optimizers need a splitter that returns the parts of the model by name "
            f"({', '.join(opt_funcs)}), and this one returned {type(parts).__name__}"
        )
    if parts.keys() != opt_funcs.keys():
        raise ValueError(
            f"the splitter returned parts named {', '.join(map(str, parts))}; there are optimizers "
            f"for {', '.join(opt_funcs)}"
        )
    return Optimizers({name: _one(make, parts[name], lr) for name, make in opt_funcs.items()})


def _one(make: Callable[..., Any], params: Any, lr: Any) -> BaseOptimizer:
    kind = make.func if isinstance(make, partial) else make
    # Parameters may come from a generator, which can be read once.
    given = params if isinstance(params, list | tuple) else list(params)
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
        return OptimWrapper(given, make, lr=lr)
    opt: BaseOptimizer = make(given, lr=lr)
    return opt
