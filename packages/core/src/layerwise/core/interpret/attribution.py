"""What in an input made a model say what it says: heat maps from gradients.

Functions of a model and a batch. The model is seen in evaluation mode; neither its mode, nor its
weights, nor their gradients are changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import nearest
from layerwise.core.nested import to_plain
from layerwise.core.nn.hooks import Hook, Hooks

__all__ = ["grad_cam", "input_gradients", "integrated_gradients"]

# N items, K classes, C channels, h by w cells of a feature map, ... the axes of an input.
Inputs = Tensor | Sequence[Any]
Targets = int | Sequence[int] | Tensor | None


def grad_cam(
    model: nn.Module,
    inputs: Inputs,
    targets: Targets = None,
    *,
    layer: nn.Module | str | None = None,
) -> Tensor:
    """(N, h, w) where in a feature map there is evidence for a class (Selvaraju et al. 2017).

    The channels are added up, each weighted by the mean gradient of the class score there; what
    speaks against the class is 0. Feature maps with one axis in space (sound), or three, work too.

    Args:
        model: gives (N, K) scores; (N, K, ...) scores are summed over their places.
        inputs: (N, C, H, W), or several inputs of which this is the first.
        targets: the class, or one for each item; the one with the largest score when None.
        layer: the module whose output is the feature map, or its name; when None, the last one
            whose output has as many axes as the input and more than one place.

    Raises:
        LookupError: if there is no module of that name.
        ValueError: if the layer is not used or gives no feature map, or a target is no class.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> grad_cam(model, torch.zeros(2, 3, 8, 8), targets=1).shape
        torch.Size([2, 6, 6])
    """
    xb = _prepared(inputs)
    with _watched(model), torch.enable_grad():
        features, pred = _features(model, xb, layer)
        (gradient,) = torch.autograd.grad(_scores(pred, targets, len(xb[0])).sum(), features)
    weights = gradient.flatten(2).mean(2)  # (N, C, h, w) -> (N, C)
    return torch.einsum("nc...,nc->n...", features.detach(), weights).relu()


def input_gradients(model: nn.Module, inputs: Inputs, targets: Targets = None) -> Tensor:
    """(N, ...) how fast the score of a class grows with each number of the (first) input.

    Arguments are those of `grad_cam` (Simonyan et al. 2013).

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> bool((input_gradients(model, torch.zeros(1, 2)) == model.weight).all())
        True
    """
    xb = _prepared(inputs)
    with _watched(model), torch.enable_grad():
        score = _scores(model(*xb), targets, len(xb[0])).sum()
        (gradient,) = torch.autograd.grad(score, xb[0])
    found: Tensor = gradient
    return found


def integrated_gradients(
    model: nn.Module,
    inputs: Inputs,
    targets: Targets = None,
    *,
    baseline: Tensor | float = 0.0,
    steps: int = 50,
) -> Tensor:
    """(N, ...) the share of each number of the (first) input in the score of a class.

    Shares sum to how much higher the score is than that of `baseline` (Sundararajan et al. 2017).

    Args:
        model: as for `grad_cam`.
        inputs: likewise.
        targets: likewise; the class with the largest score for the input itself when None.
        baseline: an input without content, such as a black picture.
        steps: points between baseline and input where gradients are taken.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> x = torch.tensor([[1., 2.]])
        >>> torch.allclose(integrated_gradients(model, x).sum(), model(x))
        True
    """
    if steps < 1:
        raise ValueError(f"steps={steps}; give how many points to take gradients at, 1 or more")
    first, *others = _prepared(inputs)
    start = torch.as_tensor(baseline, dtype=first.dtype, device=first.device).expand_as(first)
    if targets is None:
        with _watched(model), torch.no_grad():
            targets = _best(_output(model(first, *others)))
    total = torch.zeros_like(first)
    for step in range(steps):
        # The middle of each of `steps` equal stretches of the way.
        point = start.lerp(first, (step + 0.5) / steps)
        total = total + input_gradients(model, (point, *others), targets)
    shares: Tensor = total / steps * (first - start)
    return shares.detach()


def _prepared(inputs: Inputs) -> tuple[Any, ...]:
    """The inputs, the first of them as the leaf of a new graph."""
    first, *others = to_plain(inputs if isinstance(inputs, list | tuple) else (inputs,))
    if not isinstance(first, Tensor) or not first.is_floating_point():
        what = first.dtype if isinstance(first, Tensor) else type(first).__name__
        raise TypeError(
            f"gradients need an input of floating point numbers, not {what}; for tokens, give the "
            "part of the model behind its embedding, and the embedded tokens"
        )
    with torch.inference_mode(False):
        return (first.detach().clone().requires_grad_(), *others)


@contextmanager
def _watched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; the mode of each module as it was afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _features(
    model: nn.Module, xb: tuple[Any, ...], layer: nn.Module | str | None
) -> tuple[Tensor, Tensor]:
    """The feature map and the prediction, in one graph."""
    if layer is None:
        return _last_map(model, xb)
    chosen = _module(model, layer) if isinstance(layer, str) else layer
    with Hook(chosen, _whole, detach=False) as hook:
        pred = model(*xb)
    found = hook.stored
    if not isinstance(found, Tensor) or found.ndim < 3:
        what = "was not used" if found is None else "gives no (N, C, h, w) feature map"
        raise ValueError(f"the layer {type(chosen).__name__} {what}; choose one before the pooling")
    return found, pred


def _last_map(model: nn.Module, xb: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
    """The last feature map that any module gives, other than the prediction itself."""
    maps: list[Tensor] = []

    def keep(_module: nn.Module, _before: Any, after: Any) -> None:
        if isinstance(after, Tensor) and after.ndim == xb[0].ndim and after[0, 0].numel() > 1:
            maps.append(after)

    with Hooks(model.modules(), keep, detach=False):
        pred = model(*xb)
    found = [features for features in maps if features is not pred]
    if xb[0].ndim < 3 or not found:
        raise ValueError(
            f"no module of {type(model).__name__} gives a feature map with the "
            f"{xb[0].ndim} axes of the input {tuple(xb[0].shape)}; say which with layer=, or use "
            "input_gradients"
        )
    return found[-1], pred


def _whole(_module: nn.Module, _before: Any, after: Any) -> Any:
    return after


def _module(model: nn.Module, name: str) -> nn.Module:
    named: dict[str, nn.Module] = dict(model.named_modules())
    if name not in named:
        raise LookupError(
            f"{type(model).__name__} has no module {name!r}.{nearest(name, named)} "
            "model.named_modules() lists them"
        )
    return named[name]


def _output(pred: Any) -> Tensor:
    """(N, K, ...) the scores in what a model returned."""
    pred = to_plain(getattr(pred, "logits", pred))
    if not isinstance(pred, Tensor):
        raise TypeError(
            f"attribution needs the scores of a model as one tensor, not {type(pred).__name__}; "
            "give a module that returns them alone"
        )
    return pred[:, None] if pred.ndim == 1 else pred


def _best(scores: Tensor) -> Tensor:
    """(N,) the class with the largest score, over all places."""
    best: Tensor = scores.flatten(2).sum(2).argmax(1) if scores.ndim > 2 else scores.argmax(1)
    return best


def _scores(pred: Any, targets: Targets, count: int) -> Tensor:
    """(N,) the score of the target class of each item."""
    scores = _output(pred)
    scores = scores.flatten(2).sum(2) if scores.ndim > 2 else scores  # (N, K)
    if targets is None:
        chosen = _best(scores)
    else:
        chosen = torch.as_tensor(targets, device=scores.device).long()
        chosen = chosen.expand(count) if chosen.ndim == 0 else chosen
    if (
        chosen.shape != (count,)
        or not 0 <= int(chosen.min()) <= int(chosen.max()) < scores.shape[1]
    ):
        raise ValueError(
            f"targets={targets!r} for {count} items and {scores.shape[1]} classes; give one class "
            f"from 0 to {scores.shape[1] - 1}, or one for each item"
        )
    return scores.gather(1, chosen[:, None])[:, 0]
