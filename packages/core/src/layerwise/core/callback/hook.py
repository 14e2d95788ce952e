"""`HookCallback`: hooks on layers while training runs; `ActivationStats`: what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.nn.hooks import Hooks, has_params
from layerwise.core.nn.walk import flatten_model
from layerwise.core.train.callback import Callback, TrainEvalCallback

__all__ = ["ActivationStats", "HookCallback"]

_BINS, _LARGEST = 40, 10.0


class HookCallback(Callback):
    """Has a hook on each of some layers during a fit. Subclass it and write `hook`.

    What `hook` returns is in `hooks.stored`, one entry a layer, after each batch. Changes nothing
    but the hooks of `model`.

    Args:
        modules: the layers; all that have parameters when None.
        every: hook only one batch of so many, since hooks cost time; all when None.
        remove_end: take the hooks off when the fit ends.
        is_forward: hook the forward pass, or the backward pass.
        detach: hand over tensors without their graph.
        cpu: hand over tensors on the CPU. Off, since whole activations are slow to move.
        include_paramless: without `modules`, hook layers without parameters as well.

    Attributes:
        hooks: the hooks, while there are any.
        modules: the layers that are hooked, from the first fit on.

    Example:
        >>> class Shapes(HookCallback):
        ...     def hook(self, module, inputs, output): return output.shape
        >>> Shapes(every=10).every
        10
    """

    after: ClassVar = (TrainEvalCallback,)
    in_search: ClassVar[bool] = False

    def __init__(
        self,
        modules: nn.Module | Sequence[nn.Module] | None = None,
        every: int | None = None,
        remove_end: bool = True,
        is_forward: bool = True,
        detach: bool = True,
        cpu: bool = False,
        include_paramless: bool = False,
    ) -> None:
        super().__init__()
        if every is not None and every < 1:
            raise ValueError(f"every={every}; hook one of so many batches, 1 or more")
        given = [modules] if isinstance(modules, nn.Module) else modules
        self._given = None if given is None else list(given)
        self.every, self.remove_end, self.include_paramless = every, remove_end, include_paramless
        self._settings = {"is_forward": is_forward, "detach": detach, "cpu": cpu}
        self.modules: list[nn.Module] = []
        self.hooks: Hooks | None = None

    def hook(self, module: nn.Module, inputs: Any, output: Any) -> Any:
        """What to keep of what passes through `module`; for the backward pass, of gradients."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `hook`; write `def hook(self, module, inputs, output)`"
        )

    @property
    def is_due(self) -> bool:
        """Whether this batch is one of those that are hooked."""
        return self.every is None or self.learn.train_iter % self.every == 0

    def before_fit(self) -> None:
        """Find the layers, and hook them if every batch is hooked."""
        model = self.learn.model
        inside = set(model.modules())
        self.modules = self._given or [
            m
            for m in flatten_model(model)
            if m in inside and (self.include_paramless or has_params(m))
        ]
        if self.every is None:
            self._register()

    def before_batch(self) -> None:
        """Hook the layers for this batch alone."""
        if self.every is not None and self.learn.training and self.is_due:
            self._register()

    def after_batch(self) -> None:
        """Let the layers go again."""
        if self.every is not None:
            self.remove()

    def after_fit(self) -> None:
        """Let the layers go."""
        if self.remove_end and not self.learn.only_valid:
            self.remove()

    def _register(self) -> None:
        self.remove()
        self.hooks = Hooks(self.modules, self.hook, **self._settings)

    def remove(self) -> None:
        """Take the hooks off."""
        if self.hooks is not None:
            self.hooks.remove()
            self.hooks = None


class ActivationStats(HookCallback):
    """Keeps mean, standard deviation and share of dead outputs of layers, batch by batch.

    Layers whose standard deviation falls to zero or grows from batch to batch do not learn; so it
    is with layers most of whose outputs are near zero (fast.ai, "Deep Learning from the
    Foundations", lesson 10, 2019). Only training batches count.

    Reads `model`; publishes "activation_std/<layer>" for those who listen.

    Args:
        with_hist: keep a histogram of the outputs too, for `color_dim`.
        modules: the layers; all that have parameters when None.
        every: measure only one batch of so many.
        remove_end: take the hooks off when the fit ends.
        is_forward: measure outputs, or gradients of outputs.
        include_paramless: without `modules`, measure layers without parameters as well.

    Attributes:
        stats: for each batch, for each layer, for each of its output tensors: a dictionary of
            "mean", "std", "near_zero" and, if wanted, "hist".

    Example:
        >>> ActivationStats(with_hist=True, every=4).every
        4
    """

    run_valid = False
    keeps: ClassVar[tuple[str, ...]] = ("stats",)

    def __init__(
        self,
        with_hist: bool = False,
        modules: nn.Module | Sequence[nn.Module] | None = None,
        every: int | None = None,
        remove_end: bool = True,
        is_forward: bool = True,
        include_paramless: bool = False,
    ) -> None:
        super().__init__(
            modules, every, remove_end, is_forward, include_paramless=include_paramless
        )
        self.with_hist = with_hist
        self.stats: list[list[list[dict[str, Tensor]]]] = []

    def before_fit(self) -> None:
        """Forget the last fit."""
        if self.learn.only_valid:
            return
        super().before_fit()
        self.stats = []

    def hook(
        self,
        module: nn.Module,  # noqa: ARG002 - what a hook gets
        inputs: Any,  # noqa: ARG002
        output: Any,
    ) -> list[dict[str, Tensor]]:
        """The statistics of each floating tensor in `output`."""
        return [self._measured(t) for t in _tensors(output) if t.is_floating_point() and t.numel()]

    def _measured(self, values: Tensor) -> dict[str, Tensor]:
        values = values.detach().float()
        found = {
            "mean": values.mean(),
            "std": values.std(correction=0),
            "near_zero": (values <= 0.05).float().mean(),
        }
        if self.with_hist:
            # Larger ones are in the last bin, as those below 0 are in the first.
            inside = (
                values.nan_to_num()
                .clamp(0, _LARGEST)
                .mul(_BINS / _LARGEST)
                .long()
                .clamp(max=_BINS - 1)
            )
            found["hist"] = torch.bincount(inside.flatten(), minlength=_BINS)
        return found

    def after_batch(self) -> None:
        """Keep what the layers have told."""
        learn = self.learn
        if self.hooks is not None and self.is_due:
            row = [layer or [] for layer in self.hooks.stored]
            self.stats.append(row)
            if learn.log_bus:
                for place, outputs in enumerate(row):
                    for found in outputs[:1]:
                        learn.log(f"activation_std/{place}", found["std"])
        super().after_batch()

    # -- what was found --------------------------------------------------------------------

    def layer_stats(self, idx: int, output: int = 0) -> dict[str, list[float]]:
        """Means, standard deviations and shares near zero of one layer, one number a batch.

        Args:
            idx: which of `modules`; negative numbers count from the last.
            output: which of its output tensors.
        """
        rows = self._rows(idx, output)
        names = ("mean", "std", "near_zero")
        return {name: torch.stack([row[name] for row in rows]).tolist() for name in names}

    def hist(self, idx: int, output: int = 0) -> Tensor:
        """(40, batches): how many outputs lie between 0 and 10, as log(1 + n), one column a batch.

        The first row has all below 0.25, negative ones too, the last all above 9.75.
        """
        rows = self._rows(idx, output)
        if "hist" not in rows[0]:
            raise ValueError("no histograms were kept; train with ActivationStats(with_hist=True)")
        return torch.stack([row["hist"] for row in rows], 1).float().log1p().cpu()

    def _rows(self, idx: int, output: int) -> list[dict[str, Tensor]]:
        if not self.stats:
            raise ValueError("nothing has been measured yet; call fit first")
        count = len(self.stats[0])
        if not -count <= idx < count:
            raise IndexError(
                f"there is no layer {idx}; {count} are measured, so give 0 to {count - 1}"
            )
        rows = [layers[idx] for layers in self.stats]
        fewest = min(map(len, rows))
        if fewest <= output:
            raise IndexError(
                f"{self._title(idx)} has {fewest} output(s) in every batch, so there is no output "
                f"{output} to show"
            )
        return [row[output] for row in rows]

    def _title(self, idx: int) -> str:
        place = idx % len(self.modules)
        return f"layer {place}: {type(self.modules[place]).__name__}"

    def color_dim(
        self, idx: int, figsize: tuple[float, float] = (10, 5), ax: Any = None, output: int = 0
    ) -> Any:
        """Draw the histogram of one layer in colours, batch by batch. Returns the axes.

        A healthy layer has a smooth fan. Waves that rise and collapse are a training that breaks
        down again and again; a bright line at the bottom with nothing above it is a dead layer.

        Args:
            idx: which of `modules`.
            figsize: size of a new figure in inches.
            ax: axes to draw on; a new figure when None.
            output: which of its output tensors.
        """
        from layerwise.core.display.axes import subplots

        hist = self.hist(idx, output)
        ax = ax if ax is not None else subplots(figsize=figsize)[1][0]
        extent = (0, hist.shape[1], 0, _LARGEST)
        settings = {"origin": "lower", "aspect": "auto", "interpolation": "nearest"}
        ax.imshow(hist.numpy(), extent=extent, **settings)
        ax.set(xlabel="batch", ylabel="output of the layer", title=self._title(idx))
        return ax

    def plot_layer_stats(self, idx: int, output: int = 0) -> Any:
        """Draw mean, standard deviation and percentage near zero of one layer. Returns the axes.

        With histograms, they are drawn beside.

        Args:
            idx: which of `modules`.
            output: which of its output tensors.
        """
        from layerwise.core.display.axes import subplots

        found = self.layer_stats(idx, output)
        drawn = [
            ("mean", found["mean"]),
            ("standard deviation", found["std"]),
            ("% near zero", [100 * share for share in found["near_zero"]]),
        ]
        count = len(drawn) + self.with_hist
        _, axes = subplots(1, count, figsize=(4 * count, 3), layout="constrained")
        for ax, (what, values) in zip(axes, drawn, strict=False):
            ax.plot(values)
            ax.set(xlabel="batch", ylabel=what, title=self._title(idx))
        if self.with_hist:
            self.color_dim(idx, ax=axes[-1], output=output)
        return axes


def _tensors(x: Any) -> list[Tensor]:
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    return [t for member in x for t in _tensors(member)] if isinstance(x, tuple | list) else []
