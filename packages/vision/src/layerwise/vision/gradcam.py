"""Where in a picture a model sees a class: Grad-CAM over new pictures.

Items of a data set are looked at with `Interpretation.show_attribution`, which takes the same
functions of core and any other way to attribute.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.display.axes import get_grid
from layerwise.core.display.generic import show
from layerwise.core.display.heat import show_heat
from layerwise.core.errors import nearest
from layerwise.core.interpret.attribution import grad_cam
from layerwise.core.items import L
from layerwise.core.learner import Learner
from layerwise.core.nn.hooks import Hook
from layerwise.core.train.engine import split_batch
from layerwise.vision.models.unet import DynamicUnet

__all__ = ["gradcam", "plot_gradcam"]

Layer = nn.Module | str | None
Items = Any  # whatever the first step of the data reads, or several of it
Classes = int | str | Iterable[int | str] | None

# N pictures of H by W pixels, as the model sees them.


def gradcam(learn: Learner, items: Items, layer: Layer = None, cls: Classes = None) -> Tensor:
    """(H, W) how much each place of a picture speaks for a class; (N, H, W) for several pictures.

    Grad-CAM (Selvaraju et al. 2017): the channels of a feature map, each weighted by the mean
    gradient of the class score there, summed; what speaks against the class is 0. The map is
    stretched to the size at which the model sees the picture.

    Args:
        learn: a learner of pictures.
        items: a picture that `learn.predict` takes (a path, a `PILImage`), or a list of them.
        layer: the module whose output is the feature map, or its name. When None: the body of
            `vision_learner`, the middle of a `DynamicUnet`, of another model its last feature map.
        cls: the class, by its name or number, or one for each item; what is predicted when None.
            For segmentation the score of a class is its sum over all pixels.

    Raises:
        ValueError: if the model has no feature map there, as transformers have none; or there are
            no items.
        LookupError: for a class or a module that there is not.

    Example:
        >>> from PIL import Image
        >>> from layerwise.core.nn.sized import cnn_for
        >>> from layerwise.vision.data import ImageDataLoaders
        >>> pictures = [Image.new("RGB", (20, 20), c) for c in ("red", "blue") * 8]
        >>> dls = ImageDataLoaders.from_lists(".", pictures, list("rb") * 8, bs=4)
        >>> gradcam(Learner(dls, cnn_for(dls)), pictures[0]).shape
        torch.Size([20, 20])
    """
    given, is_one = _listed(items)
    heat = torch.cat([maps for *_, maps in _heated(learn, given, layer, cls)])
    return heat[0] if is_one else heat


def plot_gradcam(
    learn: Learner,
    items: Items,
    layer: Layer = None,
    cls: Classes = None,
    *,
    alpha: float = 0.5,
    cmap: str = "inferno",
    nrows: int | None = None,
    ncols: int | None = None,
    figsize: tuple[float, float] | None = None,
) -> list[Any]:
    """The axes with each picture, `gradcam` of it above it, and what is predicted as its title.

    Args:
        learn: see `gradcam`, as are the next three.
        items: pictures.
        layer: of the feature map.
        cls: the class or classes looked for.
        alpha: how much of the picture the heat map hides.
        cmap: colours of the heat map.
        nrows: rows of the grid.
        ncols: columns of the grid.
        figsize: width and height of the figure in inches.
    """
    given, _ = _listed(items)
    axes: list[Any] = get_grid(len(given), nrows, ncols, figsize=figsize)
    free = iter(axes)
    for loader, batch, maps in _heated(learn, given, layer, cls):
        count = len(maps)
        with learn.no_bar():
            preds, _, decided = learn.get_preds(dl=[batch], with_decoded=True)
        pictures = loader.decode_batch(batch, max_n=count)
        for picture, heat, pred, out in zip(pictures, maps, preds, decided, strict=True):
            ax = next(free)
            show(picture[:1], ctx=ax)
            ax.set_title(_title(learn, pred, out))
            show_heat(heat[None], [ax], alpha=alpha, cmap=cmap)
    return axes


def _listed(items: Items) -> tuple[list[Any], bool]:
    """The items as a list, and whether it was a single one."""
    several = isinstance(items, list | tuple | L)
    if isinstance(items, Iterator):
        items, several = list(items), True
    if several and not len(items):
        raise ValueError("there are no pictures to look at; give a path, or a list of them")
    if not several and isinstance(items, str | os.PathLike) and os.path.isdir(items):  # noqa: PTH112 - a str too
        raise ValueError(f"{items} is a folder; give get_image_files(...) of it, or some of them")
    return (list(items), False) if several else ([items], True)


def _heated(
    learn: Learner, items: list[Any], layer: Layer, cls: Classes
) -> Iterator[tuple[Any, Any, Tensor]]:
    """A loader of `items`, each of its batches and the maps for it, (N, H, W)."""
    classes = _class_numbers(learn, cls, len(items))
    loader = learn.dls.test_dl(items, num_workers=0)
    done = 0
    for batch in loader:
        inputs, _ = split_batch(learn, batch)
        count = len(inputs[0])
        wanted = None if classes is None else classes[done : done + count]
        chosen = _feature_layer(learn.model, inputs) if layer is None else layer
        maps = grad_cam(learn.model, inputs, wanted, layer=chosen)
        yield loader, batch, _stretched(maps, inputs[0])
        done += count


def _stretched(maps: Tensor, x: Tensor) -> Tensor:
    """(N, h, w) maps at the size of the input x (N, C, H, W)."""
    if x.ndim != 4:
        raise ValueError(f"Grad-CAM draws over pictures (N, C, H, W), not {tuple(x.shape)}")
    size = (x.shape[2], x.shape[3])
    wide = F.interpolate(maps[:, None].float(), size, mode="bilinear", align_corners=False)
    return wide[:, 0].cpu()


def _feature_layer(model: nn.Module, inputs: tuple[Any, ...]) -> nn.Module | None:
    """The body of a model that has one; None where the last feature map has to be looked for."""
    if isinstance(model, DynamicUnet):
        return model.middle
    if not isinstance(model, nn.Sequential) or len(model) != 2:
        return None
    body = model[0]
    with torch.no_grad(), Hook(body, lambda _module, _before, after: after) as hook:
        was_training = [m for m in model.modules() if m.training]
        try:
            model.eval()
            model(*inputs)
        finally:
            for module in was_training:
                module.training = True
    features = hook.stored
    if not isinstance(features, Tensor) or features.ndim != 4 or features[0, 0].numel() < 2:
        shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
        raise ValueError(
            f"the body of this model gives {shape} and no feature map (N, C, h, w) with places in "
            "it, as Grad-CAM needs; name a module that does with layer=, or look with "
            "input_gradients or integrated_gradients through Interpretation.show_attribution"
        )
    return body


def _class_numbers(learn: Learner, cls: Classes, count: int) -> list[int] | None:
    """The number of the class for each of `count` items; None if the predicted ones are meant."""
    if cls is None:
        return None
    if isinstance(cls, int | str):
        return [_class_number(learn, cls)] * count
    numbers = [_class_number(learn, one) for one in cls]
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} classes for {count} pictures; give one, or one for each")
    return numbers


def _class_number(learn: Learner, cls: int | str) -> int:
    if not isinstance(cls, str):
        return cls
    names = [str(name) for name in _vocab(learn)]
    if cls not in names:
        raise LookupError(
            f"no class is called {cls!r}.{nearest(cls, names)} Give its number, or one of the "
            f"{len(names)} names: {', '.join(names[:10])}"
        )
    return names.index(cls)


def _vocab(learn: Learner) -> list[Any]:
    """Names of the classes; those of masks are called codes."""
    found = getattr(learn.dls, "vocab", None)
    if found is None or not len(found):
        found = getattr(getattr(learn.dls, "after_item", None), "vocab", None) or []
    is_several = (
        bool(len(found)) and not isinstance(found[-1], str) and hasattr(found[-1], "__len__")
    )
    return list(found[-1] if is_several else found)


def _title(learn: Learner, pred: Tensor, out: Tensor) -> str:
    """The predicted class and its probability, where there is one class for the picture."""
    names = _vocab(learn)
    if out.ndim or not 0 <= int(out) < len(names) or pred.ndim != 1:
        return ""
    return f"{names[int(out)]}  {float(pred[int(out)]):.2f}"
