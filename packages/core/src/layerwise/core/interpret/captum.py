"""`CaptumInterpretation`: which pixels a prediction comes from, by the methods of Captum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from layerwise.core.display.axes import subplots
from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.learner import Learner
from layerwise.core.random import isolated
from layerwise.core.train.engine import split_batch

__all__ = ["CaptumInterpretation"]

_METRICS = ("IG", "NT", "Occl")
_BASELINES = ("zeros", "uniform", "gauss")


class CaptumInterpretation:
    """Attributions of predictions on pictures, computed and drawn by Captum; extra `[captum]`.

    Args:
        learn: a learner whose inputs are pictures and whose outputs are scores of classes.
        methods: how each picture is drawn, by the names of Captum: `"original_image"`,
            `"heat_map"`, `"blended_heat_map"`, `"masked_image"`, `"alpha_scaling"`.
        signs: which attributions each shows: `"all"`, `"positive"`, `"negative"`,
            `"absolute_value"`.
        outlier_perc: percent of the largest attributions that are cut off for drawing.
    """

    def __init__(
        self,
        learn: Learner,
        methods: Sequence[str] = ("original_image", "heat_map"),
        signs: Sequence[str] = ("all", "positive"),
        outlier_perc: float = 1.0,
    ) -> None:
        if len(methods) != len(signs):
            raise ValueError(
                f"{len(methods)} methods and {len(signs)} signs; give one sign for each"
            )
        self.learn, self.methods, self.signs = learn, methods, signs
        self.outlier_perc = outlier_perc

    def attributions(
        self,
        item: Any,
        metric: str = "IG",
        target: int | None = None,
        n_steps: int = 50,
        baseline_type: str = "zeros",
        nt_type: str = "smoothgrad",
        nt_samples: int = 10,
        strides: tuple[int, ...] = (3, 4, 4),
        sliding_window_shapes: tuple[int, ...] = (3, 15, 15),
    ) -> Tensor:
        """How much each number of the input adds to the score of a class, (C, H, W).

        Args:
            item: what `learn.predict` takes.
            metric: `"IG"`, integrated gradients (Sundararajan et al., 2017); `"NT"`, these under
                noise (Smilkov et al., 2017); `"Occl"`, what covering a window changes (Zeiler and
                Fergus, 2014).
            target: the class; the predicted one when None.
            n_steps: points of the integral, from the baseline to the picture.
            baseline_type: a picture without content: `"zeros"`, `"uniform"` or `"gauss"` noise.
            nt_type: how noisy attributions are joined: `"smoothgrad"`, `"smoothgrad_sq"`,
                `"vargrad"`.
            nt_samples: how many of them.
            strides: how far the window moves, for each axis of the input.
            sliding_window_shapes: how large it is.
        """
        for name, given, known in (
            ("metric", metric, _METRICS), ("baseline_type", baseline_type, _BASELINES),
        ):  # fmt: skip
            if given not in known:
                raise ValueError(
                    f"no {name} {given!r}.{nearest(given, known)} There are: {', '.join(known)}"
                )
        attr, x = _captum(), self._input(item)[0]
        model = self.learn.model
        was_training = model.training
        model.eval()
        try:
            with isolated(0):
                if target is None:
                    with torch.no_grad():
                        target = int(self.learn.call_model(x).argmax(1))
                base = _baseline(x, baseline_type)
                if metric == "Occl":
                    found = attr.Occlusion(model).attribute(
                        x, sliding_window_shapes, strides=strides, target=target, baselines=base
                    )
                else:
                    tool = attr.IntegratedGradients(model)
                    settings: dict[str, Any] = {"n_steps": n_steps}
                    if metric == "NT":
                        tool = attr.NoiseTunnel(tool)
                        settings.update(nt_type=nt_type, nt_samples=nt_samples)
                    found = tool.attribute(x, baselines=base, target=target, **settings)
        finally:
            model.train(was_training)
        attributed: Tensor = found.detach()[0]
        return attributed

    def visualize(self, item: Any, metric: str = "IG", **settings: Any) -> Any:
        """Draw the picture and its attributions. Returns the axes.

        Args:
            item: what `learn.predict` takes.
            metric: see `attributions`.
            settings: for `attributions`.
        """
        found = self.attributions(item, metric, **settings)
        figure, axes = subplots(1, len(self.methods))
        original = self._input(item)[1]
        visualization = _captum().visualization
        for ax, method, sign in zip(axes, self.methods, self.signs, strict=True):
            visualization.visualize_image_attr(
                _last(found), original, method=method, sign=sign, plt_fig_axis=(figure, ax),
                outlier_perc=self.outlier_perc, use_pyplot=False, title=f"{metric}: {method}",
            )  # fmt: skip
        return axes

    def _input(self, item: Any) -> tuple[Tensor, Any]:
        """(1, C, H, W) of what the model gets, and (H, W, C) of what it shows."""
        dl = self.learn.dls.test_dl([item], num_workers=0, bs=1)
        with isolated(0):
            batch = dl.one_batch()
        inputs, _ = split_batch(self.learn, batch)
        shown = dl.decode(batch)
        shown = shown[0] if isinstance(shown, tuple) else shown
        return inputs[0], _last(torch.as_tensor(shown[0]))


def _last(x: Tensor) -> Any:
    """(C, H, W) as an array (H, W, C)."""
    return x.detach().cpu().permute(1, 2, 0).numpy()


def _baseline(x: Tensor, kind: str) -> Tensor:
    if kind == "zeros":
        return torch.zeros_like(x)
    return torch.rand_like(x) if kind == "uniform" else torch.randn_like(x)


def _captum() -> Any:
    try:
        from captum import attr
    except (ImportError, OSError) as error:
        raise MissingDependencyError.of(
            "captum", needed_for="attributions by Captum", install="layerwise-core[captum]"
        ) from error
    return attr
