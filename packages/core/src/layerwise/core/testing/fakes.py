"""Made-up data and models that train in milliseconds, for tests and examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.utils.data as torch_data
from torch import Tensor, nn

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.data.readers import ItemGetter
from layerwise.core.errors import MissingDependencyError
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.nn.module import Module
from layerwise.core.optim.algorithms import SGD
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import Event
from layerwise.core.transforms.category import Categorize
from layerwise.core.types import DeviceLike

__all__ = [
    "RegModel",
    "VerboseCallback",
    "make_shapes",
    "synth_classifier",
    "synth_dbunch",
    "synth_dls",
    "synth_learner",
]


class RegModel(Module):
    """A line `x * a + b`, whose slope and intercept are to be learnt.

    Args:
        a: the slope at the start; 0, not a random number, so that tests repeat.
        b: the intercept at the start.

    Example:
        >>> RegModel(a=2, b=1)(torch.tensor([3.0]))
        tensor([7.], grad_fn=<AddBackward0>)
    """

    def __init__(self, a: float = 0.0, b: float = 0.0) -> None:
        self.a = nn.Parameter(torch.tensor([float(a)]))
        self.b = nn.Parameter(torch.tensor([float(b)]))

    def forward(self, x: Tensor) -> Tensor:
        """The line at `x`, same shape."""
        return x * self.a + self.b


def synth_dls(
    a: float = 2,
    b: float = 3,
    bs: int = 16,
    n_train: int = 10,
    n_valid: int = 2,
    *,
    seed: int = 0,
    device: DeviceLike = "cpu",
) -> DataLoaders:
    """Loaders of points (bs, 1) along the line `a * x + b`, with noise of deviation 0.1.

    Args:
        a: slope.
        b: intercept.
        bs: points per batch.
        n_train: batches of training data.
        n_valid: batches of validation data.
        seed: other points for another seed.
        device: where batches go.

    Example:
        >>> x, y = synth_dls(bs=4).one_batch()
        >>> x.shape, y.shape
        (torch.Size([4, 1]), torch.Size([4, 1]))
    """
    draw = torch.Generator().manual_seed(seed)

    def points(batches: int) -> torch_data.TensorDataset:
        x = torch.randn(bs * batches, 1, generator=draw)
        noise = 0.1 * torch.randn(bs * batches, 1, generator=draw)
        return torch_data.TensorDataset(x, a * x + b + noise)

    train = TfmdDL(points(n_train), bs=bs, shuffle=True, num_workers=0)
    valid = TfmdDL(points(n_valid), bs=bs, num_workers=0)
    return DataLoaders(train, valid, device=torch.device(device))


synth_dbunch = synth_dls
"""The name that users of this family know."""


def synth_learner(
    n_train: int = 10,
    n_valid: int = 2,
    *,
    dls: Any = None,
    model: nn.Module | None = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] | None = None,
    lr: float | slice = 1e-3,
    cbs: Any = None,
    metrics: Any = None,
    path: str | Path = ".",
) -> Learner:
    """A learner that fits a line to points in a few milliseconds an epoch.

    Args:
        n_train: batches of training data.
        n_valid: batches of validation data.
        dls: other data.
        model: another model than `RegModel`.
        loss_func: another loss than the mean squared error.
        opt_func: another optimizer than SGD with momentum 0.9, which reaches the line in few steps.
        lr: learning rate.
        cbs: callbacks.
        metrics: metrics.
        path: where it writes files.

    Example:
        >>> learn = synth_learner(lr=0.02)
        >>> with learn.no_logging(): learn.fit(4)
        >>> bool(abs(learn.model.a - 2) < 0.2)
        True
    """
    data = synth_dls(n_train=n_train, n_valid=n_valid) if dls is None else dls
    return Learner(
        data,
        model or RegModel(),
        loss_func=loss_func or MSELossFlat(),
        opt_func=opt_func or partial(SGD, mom=0.9),
        lr=lr,
        cbs=cbs,
        metrics=metrics,
        path=path,
    )


def synth_classifier(
    n_train: int = 60,
    n_valid: int = 30,
    *,
    vocab: Sequence[str] = ("circle", "square", "triangle"),
    bs: int = 16,
    seed: int = 0,
    cbs: Any = None,
    metrics: Any = None,
    path: str | Path = ".",
) -> Learner:
    """A learner that tells noisy vectors of as many numbers as there are classes apart.

    The first number of an item of the first class tends to be large, and so on, so that the
    untrained model, which passes its input through, is right for most items.

    Args:
        n_train: training items.
        n_valid: validation items.
        vocab: the classes, each as frequent as the others.
        bs: items per batch.
        seed: other items for another seed.
        cbs: callbacks.
        metrics: metrics.
        path: where it writes files.

    Example:
        >>> learn = synth_classifier(n_valid=6)
        >>> learn.get_preds()[0].argmax(1), list(learn.dls.vocab)[:2]
        (tensor([...]), ['circle', 'square'])
    """
    draw = torch.Generator().manual_seed(seed)
    count, classes = n_train + n_valid, len(vocab)
    centres = torch.eye(classes)[torch.arange(count) % classes]
    items = [
        {"x": row, "y": vocab[i % classes]}
        for i, row in enumerate(2 * centres + torch.randn(count, classes, generator=draw))
    ]
    dsets = Datasets(
        items,
        [[ItemGetter("x")], [ItemGetter("y"), Categorize(vocab=list(vocab))]],
        splits=[list(range(n_train)), list(range(n_train, count))],
    )
    dls = dsets.dataloaders(bs=bs, device="cpu", num_workers=0)
    # Without torch's own first weights, which would draw from the global generator.
    model: nn.Module = nn.utils.skip_init(nn.Linear, classes, classes)  # type: ignore[no-untyped-call]
    model.load_state_dict({"weight": torch.eye(classes), "bias": torch.zeros(classes)})
    return Learner(dls, model, CrossEntropyLossFlat(), cbs=cbs, metrics=metrics, path=path)


class VerboseCallback(Callback):
    """Prints the name of each event. Reads and changes nothing.

    Example:
        >>> VerboseCallback().before_fit()
        before_fit
    """

    def __init__(self) -> None:
        super().__init__(**{event.value: partial(print, event.value) for event in Event})


def make_shapes(
    folder: str | Path,
    n: int = 12,
    *,
    classes: Sequence[str] = ("circle", "square", "triangle"),
    size: int | tuple[int, int] = 32,
    suffix: str = ".png",
    seed: int = 0,
) -> list[Path]:
    """The paths of `n` pictures of shapes, `folder/<class>/<class>_<number>.png`, classes in turn.

    Shapes have a random colour, place and size, on a random ground that differs from it.

    Args:
        folder: made where it is missing.
        n: pictures in all.
        classes: of "circle", "square" and "triangle".
        size: side in pixels, or (width, height).
        suffix: ".png", ".jpg" or another that Pillow writes.
        seed: other pictures for another seed.

    Raises:
        ValueError: for a class that is not one of the three.
        MissingDependencyError: without Pillow.

    Example:
        >>> import tempfile
        >>> [p.name for p in make_shapes(tempfile.mkdtemp(), 2)]
        ['circle_0.png', 'square_1.png']
    """
    try:
        from PIL import Image, ImageDraw
    except ImportError as error:
        raise MissingDependencyError.of(
            "pillow", needed_for="pictures", install="layerwise-vision"
        ) from error
    if unknown := set(classes) - {"circle", "square", "triangle"}:
        raise ValueError(f"no shapes {sorted(unknown)}; there are circle, square and triangle")
    draw = torch.Generator().manual_seed(seed)
    width, height = (size, size) if isinstance(size, int) else size
    paths = []
    for i in range(n):
        shape = classes[i % len(classes)]
        ground, colour = _two_colours(draw)
        image = Image.new("RGB", (width, height), ground)
        _paint(ImageDraw.Draw(image), shape, _square(width, height, draw), colour)
        path = Path(folder) / shape / f"{shape}_{i}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        paths.append(path)
    return paths


Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


def _two_colours(draw: torch.Generator) -> tuple[Colour, Colour]:
    """A dark ground and a light colour, or the other way round."""
    dark = torch.randint(0, 96, (3,), generator=draw).tolist()
    light = torch.randint(160, 256, (3,), generator=draw).tolist()
    is_light = bool(torch.randint(2, (), generator=draw))
    ground, colour = (light, dark) if is_light else (dark, light)
    return (ground[0], ground[1], ground[2]), (colour[0], colour[1], colour[2])


def _square(width: int, height: int, draw: torch.Generator) -> Box:
    """Left, top, right and bottom of a square inside the picture."""
    share, x, y = torch.rand(3, generator=draw).tolist()
    side = (0.4 + 0.5 * share) * min(width, height)
    left, top = x * (width - 1 - side), y * (height - 1 - side)
    return left, top, left + side, top + side


def _paint(drawing: Any, shape: str, box: Box, colour: Colour) -> None:
    left, top, right, bottom = box
    if shape == "circle":
        drawing.ellipse(box, fill=colour)
    elif shape == "square":
        drawing.rectangle(box, fill=colour)
    else:
        drawing.polygon([(left, bottom), ((left + right) / 2, top), (right, bottom)], fill=colour)
