"""`layerwise train vision`: pictures with labels, from a folder or a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.core.data.factories import loaders_from
from layerwise.core.data.source import get_image_files
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy, error_rate
from layerwise.core.metrics.multilabel import accuracy_multi
from layerwise.vision.augment.item import Resize
from layerwise.vision.augment.recipe import aug_transforms
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.learner import vision_learner
from layerwise.vision.types import PILImage, PILImageBW

__all__ = ["vision_training"]


def vision_training(
    data: Path,
    *,
    model: str = "resnet18",
    pretrained: bool = True,
    weights: Path | None = None,
    name_re: str | None = None,
    label_delim: str | None = None,
    size: int = 224,
    augment: bool = True,
    flip: bool = True,
    grey: bool = False,
    valid_pct: float = 0.2,
    bs: int = 64,
    workers: int | None = None,
    seed: int = 42,
) -> Learner:
    """Train a net that labels pictures.

    `data` is a folder with a folder for each label (below `train` and `valid`, where there are such
    folders), a folder of files whose names hold the label (`name_re`), or a table of separated
    values whose first two columns are files, beside the table, and labels.

    Args:
        data: the folder or the table.
        model: any name that `vision_learner` takes: resnet34, vision/xresnet50, one of timm.
        pretrained: start from weights of ImageNet, the body frozen at first.
        weights: a file of them; by default those that belong to the model.
        name_re: a regular expression whose first group is the label in a file's name.
        label_delim: what parts the labels of a picture that has several, in a table.
        size: height and width in pixels that the net sees.
        augment: turn, zoom and light training pictures differently in each epoch.
        flip: mirror them too; not for digits, letters or maps.
        grey: one channel.
        valid_pct: the share that validates, where no folders say which do.
        bs: pictures in a batch.
        workers: processes that read pictures.
        seed: of the share that validates.
    """
    settings: dict[str, Any] = {
        "bs": bs,
        "seed": seed,
        "img_cls": PILImageBW if grey else PILImage,
        "item_tfms": Resize(size * 8 // 7 if augment else size),
        "batch_tfms": aug_transforms(do_flip=flip, size=size, min_scale=0.75) if augment else None,
    }
    if workers is not None:
        settings["num_workers"] = workers
    dls = loaders_from(
        ImageDataLoaders,
        data,
        get_image_files,
        name_re=name_re,
        label_delim=label_delim,
        valid_pct=valid_pct,
        **settings,
    )
    metrics = accuracy_multi if label_delim else [accuracy, error_rate]
    return vision_learner(
        dls,
        model,
        pretrained=pretrained,
        weights=weights,
        metrics=metrics,
        n_in=1 if grey else 3,
    )
