"""Hooks that store what passes through layers, and what they tell of a model: sizes and widths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from layerwise.core.nn.walk import in_channels, one_param

__all__ = [
    "Hook",
    "Hooks",
    "dummy_eval",
    "has_params",
    "hook_output",
    "hook_outputs",
    "model_sizes",
    "num_features_model",
    "total_params",
]

HookFunction = Callable[[nn.Module, Any, Any], Any]


def _map_tensors(x: Any, func: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(x, Tensor):
        return func(x)
    if isinstance(x, Mapping):
        return {key: _map_tensors(value, func) for key, value in x.items()}
    if isinstance(x, tuple | list):
        mapped = [_map_tensors(value, func) for value in x]
        # A named tuple takes its members one by one.
        return type(x)(*mapped) if hasattr(x, "_fields") else type(x)(mapped)
    return x


class Hook:
    """Calls a function when data passes through a module, and keeps its result as `stored`.

    As a context manager it removes itself at the end.

    Args:
        m: the module.
        hook_func: called as `hook_func(module, input, output)`; for the backward pass with the
            gradients of input and output.
        is_forward: whether to hook the forward pass, or the backward pass.
        detach: hand over tensors without their graph, which would keep its memory.
        cpu: hand over tensors on the CPU.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> with Hook(layer, lambda module, inputs, output: output.shape) as hook:
        ...     _ = layer(torch.zeros(4, 3))
        >>> hook.stored
        torch.Size([4, 2])
    """

    def __init__(
        self,
        m: nn.Module,
        hook_func: HookFunction,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
    ) -> None:
        self.hook_func, self.detach, self.cpu = hook_func, detach, cpu
        self.stored: Any = None
        self.removed = False
        register = m.register_forward_hook if is_forward else m.register_full_backward_hook
        self._handle = register(self._call)

    def _call(self, m: nn.Module, before: Any, after: Any) -> None:
        self.stored = self.hook_func(m, self._prepared(before), self._prepared(after))

    def _prepared(self, x: Any) -> Any:
        if self.detach:
            x = _map_tensors(x, torch.Tensor.detach)
        return _map_tensors(x, torch.Tensor.cpu) if self.cpu else x

    def remove(self) -> None:
        """Take the hook off the module; `stored` stays."""
        self._handle.remove()
        self.removed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


class Hooks:
    """One `Hook` for each of several modules; a sequence of them.

    As a context manager it removes them all at the end.

    Args:
        ms: the modules.
        hook_func: as for `Hook`, like what follows.
        is_forward: forward or backward pass.
        detach: without graph.
        cpu: on the CPU.
    """

    def __init__(
        self,
        ms: Iterable[nn.Module],
        hook_func: HookFunction,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
    ) -> None:
        self.hooks = [Hook(m, hook_func, is_forward, detach, cpu) for m in ms]

    def __getitem__(self, i: int) -> Hook:
        return self.hooks[i]

    def __len__(self) -> int:
        return len(self.hooks)

    def __iter__(self) -> Iterator[Hook]:
        return iter(self.hooks)

    @property
    def stored(self) -> list[Any]:
        """What each hook stored last, None where nothing passed."""
        return [hook.stored for hook in self.hooks]

    def remove(self) -> None:
        """Take all hooks off their modules."""
        for hook in self.hooks:
            hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


def _output(_m: nn.Module, _before: Any, after: Any) -> Any:
    return after


def hook_output(
    module: nn.Module, detach: bool = True, cpu: bool = False, grad: bool = False
) -> Hook:
    """A `Hook` that stores the output of `module`.

    Args:
        module: the module.
        detach: store it without its graph.
        cpu: store it on the CPU.
        grad: store the gradients of its outputs instead, a tuple.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> with hook_output(layer, grad=True) as hook:
        ...     layer(torch.zeros(1, 3, requires_grad=True)).sum().backward()
        >>> hook.stored  # the gradient of a sum is one
        (tensor([[1., 1.]]),)
    """
    return Hook(module, _output, is_forward=not grad, detach=detach, cpu=cpu)


def hook_outputs(
    modules: Iterable[nn.Module], detach: bool = True, cpu: bool = False, grad: bool = False
) -> Hooks:
    """`Hooks` that store the output of each of `modules`; settings as for `hook_output`."""
    return Hooks(modules, _output, is_forward=not grad, detach=detach, cpu=cpu)


def dummy_eval(m: nn.Module, size: Sequence[int] = (64, 64)) -> Any:
    """What `m` returns for one item of noise, in evaluation mode and without gradients.

    The noise is the same at each call and takes nothing from torch's global generator. Modes are
    put back afterwards.

    Args:
        m: a model with a convolution, which shows the number of channels.
        size: shape of the item in space.

    Raises:
        ValueError: if there is no convolution in `m`.
    """
    like = one_param(m)
    noise = torch.rand(1, in_channels(m), *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    modes = {one: one.training for one in m.modules()}
    try:
        m.eval()
        with torch.no_grad():
            return m(noise.to(like))
    finally:
        for one, mode in modes.items():
            one.training = mode


def model_sizes(m: nn.Module, size: Sequence[int] = (64, 64)) -> list[torch.Size]:
    """The shape of the output of each child of `m`, for one item of `size`.

    Example:
        >>> model_sizes(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()), (9, 9))
        [torch.Size([1, 8, 4, 4]), torch.Size([1, 8, 4, 4])]
    """
    with hook_outputs(m.children()) as hooks:
        dummy_eval(m, size)
        return [out.shape for out in hooks.stored]


def num_features_model(m: nn.Module) -> int:
    """The number of channels that the last child of `m` returns.

    Tries pictures of 64 pixels a side, then larger ones: deep models leave nothing of small ones.

    Raises:
        ValueError: if `m` fails for pictures up to 2048 pixels a side; the last error is the cause.
    """
    side = 64
    while True:
        try:
            return model_sizes(m, (side, side))[-1][1]
        except (RuntimeError, ValueError) as error:
            if side >= 2048:
                raise ValueError(
                    f"{type(m).__name__} fails for pictures up to {side} pixels a side, so its "
                    "features could not be counted; give a body that takes "
                    "(batch, channels, height, width)"
                ) from error
            side *= 2


def has_params(m: nn.Module) -> bool:
    """Whether `m` has a parameter."""
    return next(m.parameters(), None) is not None


def total_params(m: nn.Module) -> tuple[int, bool]:
    """The number of numbers in the parameters of `m`, and whether its first parameter is trained.

    Example:
        >>> total_params(nn.Linear(3, 2))
        (8, True)
    """
    parameters = list(m.parameters())
    return sum(p.numel() for p in parameters), bool(parameters) and parameters[0].requires_grad
