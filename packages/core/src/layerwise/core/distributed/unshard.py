"""A module as it was before `fully_shard` changed it in place, with the weights of now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

__all__: list[str] = []


class Unsharded:
    """Remembers a model, and makes it that again.

    Torch has no way back from `fully_shard`. What it does is undone here: the classes of modules,
    their attributes, the hooks that belong to `torch.distributed`, and the parameters, which are
    the very objects of before. Their memory can be free in between.

    Args:
        model: not sharded yet.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._modules = [(m, type(m), set(vars(m))) for m in model.modules()]
        self._params = [
            (f"{prefix}.{name}" if prefix else name, module, name, param)
            for prefix, module in model.named_modules()
            for name, param in module.named_parameters(recurse=False)
        ]

    def free(self) -> None:
        """Let go of the whole weights, once each process has its part."""
        for *_, param in self._params:
            param.data = param.data.new_empty(0)
            param.grad = None

    def put_back(self, state: Mapping[str, Tensor]) -> None:
        """Undo what was done, and put `state` in.

        Args:
            state: whole weights and buffers by name.
        """
        trained = [getattr(module, name).requires_grad for _, module, name, _ in self._params]
        for module, kind, names in self._modules:
            module.__class__ = kind
            for added in set(vars(module)) - names:
                delattr(module, added)
            for hooks in vars(module).values():
                if isinstance(hooks, dict):
                    _drop_hooks(hooks)
        for (path, module, name, param), flag in zip(self._params, trained, strict=True):
            if not param.numel():  # one that is used twice is here twice
                param.data = state[path].detach().clone()
            module._parameters[name] = param
            param.requires_grad_(flag)
        self.model.load_state_dict(dict(state))


def _drop_hooks(hooks: dict[Any, Any]) -> None:
    """Remove what belongs to `torch.distributed` from a table of hooks."""
    for key, hook in list(hooks.items()):
        if isinstance(key, int) and _home(hook).startswith("torch.distributed"):
            del hooks[key]


def _home(hook: Callable[..., Any] | Any) -> str:
    """The module that a hook was defined in, through partials and wrappers."""
    inner = getattr(hook, "func", hook)
    inner = getattr(inner, "hook", inner)
    return str(getattr(inner, "__module__", ""))
