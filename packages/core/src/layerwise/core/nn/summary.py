"""A table of the layers of a model: what each returns, and what of it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from layerwise.core.nn.hooks import Hooks
from layerwise.core.nn.walk import has_children

__all__ = ["LayerInfo", "ModuleSummary", "layer_info", "module_summary"]


class LayerInfo(NamedTuple):
    """One layer: a row of a `ModuleSummary`."""

    name: str
    """Where it is in the model, as in its state dict."""
    kind: str
    """The name of its class."""
    output_shape: Any
    """Shape of its output, a list of shapes where there are several, None if it was not called."""
    param_count: int
    """Numbers in its parameters; 0 for parameters that an earlier row has."""
    trainable_count: int
    """How many of them are trained."""

    @property
    def trainable(self) -> bool:
        """Whether any of its parameters is trained."""
        return self.trainable_count > 0


@dataclass(frozen=True)
class ModuleSummary:
    """The layers of a model, printed as a table.

    Args:
        model_name: the class of the model.
        input_shape: shape of what it was given.
        layers: one row a layer, in the order in which they are defined.
    """

    model_name: str
    input_shape: Any
    layers: list[LayerInfo]

    @property
    def total_params(self) -> int:
        """Numbers in all parameters, shared ones counted once."""
        return sum(layer.param_count for layer in self.layers)

    @property
    def trainable_params(self) -> int:
        """Numbers in the parameters that are trained."""
        return sum(layer.trainable_count for layer in self.layers)

    def __str__(self) -> str:
        head = ("Layer", "Type", "Output shape", "Params", "Trainable")
        rows = [head, *(_cells(layer) for layer in self.layers)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
        rule = "-" * max(map(len, lines))
        frozen = self.total_params - self.trainable_params
        return "\n".join(
            [
                f"{self.model_name} (input: {_shape_text(self.input_shape)})",
                rule,
                lines[0],
                rule,
                *lines[1:],
                rule,
                f"Total params: {self.total_params:,}",
                f"Trainable params: {self.trainable_params:,}",
                f"Frozen params: {frozen:,}",
            ]
        )

    __repr__ = __str__


def _cells(layer: LayerInfo) -> tuple[str, ...]:
    trainable = "" if layer.param_count == 0 else str(layer.trainable)
    shape = "not called" if layer.output_shape is None else _shape_text(layer.output_shape)
    return layer.name or "-", layer.kind, shape, f"{layer.param_count:,}", trainable


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    numbers = 3
    return [
        cell.rjust(width) if i == numbers else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _shape_text(shape: Any) -> str:
    if isinstance(shape, torch.Size):
        return " x ".join(map(str, shape)) or "scalar"
    return ", ".join(_shape_text(one) for one in shape)


def _shapes(x: Any) -> Any:
    """The shape of a tensor, or the list of shapes of the tensors in `x`."""
    if isinstance(x, Tensor):
        return x.shape
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, list | tuple):
        return [shape for shape in map(_shapes, x) if shape != []]
    return []


def _leaves(m: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module, list[nn.Parameter]]]:
    """Each layer with its path and parameters, and each module with parameters of its own."""
    if not has_children(m):
        yield name, m, list(m.parameters())
        return
    for child_name, child in m.named_children():
        yield from _leaves(child, f"{name}.{child_name}" if name else child_name)
    own = list(m.parameters(recurse=False))
    if own:
        yield name, m, own


def layer_info(model: nn.Module, *xb: Any) -> list[LayerInfo]:
    """One `LayerInfo` for each layer of `model`, from a run on `xb` without gradients.

    The model runs in evaluation mode, so no running statistics change; modes are put back after.

    Args:
        model: the model, on the device of `xb`.
        xb: the inputs of one batch.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2))
        >>> [info.output_shape for info in layer_info(model, torch.zeros(4, 3))]
        [torch.Size([4, 2])]
    """
    leaves = list(_leaves(model))
    modes = {one: one.training for one in model.modules()}
    try:
        model.eval()
        with (
            torch.no_grad(),
            Hooks([m for _, m, _ in leaves], lambda _m, _i, out: _shapes(out)) as hooks,
        ):
            model(*xb)
    finally:
        for one, mode in modes.items():
            one.training = mode
    counted: set[int] = set()
    infos = []
    for (name, m, parameters), shape in zip(leaves, hooks.stored, strict=True):
        fresh = {id(p): p for p in parameters if id(p) not in counted}
        counted |= fresh.keys()
        trained = sum(p.numel() for p in fresh.values() if p.requires_grad)
        kind = type(m).__name__.removeprefix("Parametrized")
        infos.append(LayerInfo(name, kind, shape, sum(p.numel() for p in fresh.values()), trained))
    return infos


def module_summary(model: nn.Module, *xb: Any) -> ModuleSummary:
    """The table of `layer_info`, with totals, ready to print.

    Args:
        model: the model, on the device of `xb`.
        xb: the inputs of one batch.

    Example:
        >>> print(module_summary(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.zeros(4, 3)))
        Sequential (input: 4 x 3)
        ----------------------------------------------
        Layer  Type    Output shape  Params  Trainable
        ----------------------------------------------
        0      Linear  4 x 2              8  True
        1      ReLU    4 x 2              0
        ----------------------------------------------
        Total params: 8
        Trainable params: 8
        Frozen params: 0
    """
    shapes = _shapes(list(xb))
    return ModuleSummary(
        type(model).__name__, shapes[0] if len(shapes) == 1 else shapes, layer_info(model, *xb)
    )
