"""LSUV: weights scaled so that each layer's output has a variance of one, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from layerwise.core.callback.single import refuse_parts
from layerwise.core.devices import sum_processes
from layerwise.core.nn.hooks import Hook, Hooks
from layerwise.core.random import generator, keyed
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["LSUV", "lsuv_init"]

_LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip


class LSUV(Callback):
    """Initialises the weights on the first batch of the first training, before it is trained on.

    Reads `xb`; changes the weights of `model`, in `before_batch`. See `lsuv_init`.

    Args:
        orthonormal: draw orthonormal weights first; otherwise scale the weights that are there.
        tolerance: how far from 1 a variance may stay.
        max_tries: scalings of one layer.

    Attributes:
        done: whether it has happened.

    Example:
        >>> LSUV(tolerance=0.05).done
        False
    """

    order: ClassVar[float] = 80
    after: ClassVar = (TrainEvalCallback,)
    run_valid = False
    keeps: ClassVar[tuple[str, ...]] = ("done",)

    def __init__(
        self, orthonormal: bool = True, tolerance: float = 0.1, max_tries: int = 10
    ) -> None:
        super().__init__()
        self.orthonormal, self.tolerance, self.max_tries = orthonormal, tolerance, max_tries
        self.done = False

    def before_batch(self) -> None:
        """Initialise, once."""
        if self.done:
            return
        refuse_parts(self, "whole weights (lsuv_init before distrib_ctx has them)")
        self.done = True
        learn = self.learn
        with keyed(learn.run_seed):  # the same draw in every process
            lsuv_init(
                learn.model,
                *learn.xb,
                orthonormal=self.orthonormal,
                tolerance=self.tolerance,
                max_tries=self.max_tries,
                call=learn.call_model,
            )


@torch.no_grad()
def lsuv_init(
    model: nn.Module,
    *xb: Any,
    orthonormal: bool = True,
    tolerance: float = 0.1,
    max_tries: int = 10,
    call: Callable[..., Any] | None = None,
) -> dict[str, float]:
    """Scale the weights of each linear and convolution layer to outputs of variance one.

    Layer-sequential unit-variance initialisation (Mishkin and Matas, "All you need is a good
    init", 2016): orthonormal weights, then, layer by layer in the order in which data pass,
    `weight /= std(output)` until the variance is 1. Biases become zero. The model runs in
    evaluation mode, so nothing is dropped and no statistics change. Processes that train together
    measure their batches together.

    Args:
        model: the model, new, on the device of `xb`.
        xb: the inputs of one batch; some dozens of items.
        orthonormal: draw orthonormal weights first; otherwise scale the weights that are there.
        tolerance: how far from 1 a variance may stay; 0.1 as in the paper.
        max_tries: scalings of one layer; more than one are needed where a layer is used twice.
        call: calls the model; `model` itself when None.

    Returns:
        The variance of the output of each layer in the end, by name, in the order of the data.

    Raises:
        ValueError: if a layer gives the same for all items, or nothing that is finite.

    Example:
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        >>> found = lsuv_init(model, torch.randn(64, 8))
        >>> all(abs(variance - 1) < 0.1 for variance in found.values())
        True
    """
    names = {module: name for name, module in model.named_modules()}
    modes = {module: module.training for module in names}
    run = call or model
    try:
        model.eval()
        found = {}
        layers = _in_order(model, lambda: run(*xb))
        if orthonormal:
            for layer in layers:
                nn.init.orthogonal_(layer.weight, generator=generator())  # type: ignore[arg-type]
        for layer in layers:
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            found[names[layer]] = _scale(
                layer, names[layer], lambda: run(*xb), tolerance, max_tries
            )
        return found
    finally:
        for module, mode in modes.items():
            module.training = mode


def _in_order(model: nn.Module, run: Callable[[], Any]) -> list[nn.Module]:
    """The layers with weights to scale, in the order in which data reach them first."""
    order: dict[nn.Module, None] = {}
    layers = [m for m in model.modules() if isinstance(m, _LAYERS) and not is_parametrized(m)]
    with Hooks(layers, lambda m, _i, _o: order.setdefault(m)):
        run()
    return list(order)


def _scale(
    layer: nn.Module, name: str, run: Callable[[], Any], tolerance: float, max_tries: int
) -> float:
    """Scale the weights of one layer; the variance of its output in the end."""
    weight: Any = layer.weight
    variance = 0.0
    for tries in range(max_tries + 1):
        with Hook(layer, lambda _m, _i, out: _moments(out)) as hook:
            run()
        variance = _variance(hook.stored)
        if not 0 < variance < float("inf"):
            raise ValueError(
                f"the output of layer {name!r} has a variance of {variance} over this batch, so "
                "its weights cannot be scaled; give a batch of different, finite items, scale the "
                "inputs (Normalize), or look for dead layers before it"
            )
        if abs(variance - 1) < tolerance or tries == max_tries:
            break
        weight.div_(variance**0.5)
    return variance


def _moments(out: Tensor) -> Tensor:
    """Count, sum and sum of squares, which can be added over processes."""
    values = out.double()
    count = values.new_tensor(values.numel())
    return torch.stack([count, values.sum(), values.square().sum()])


def _variance(moments: Tensor) -> float:
    count, total, squares = (float(x) for x in sum_processes(moments))
    return squares / count - (total / count) ** 2
