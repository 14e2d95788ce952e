"""Boxes and their labels from an annotation file of COCO."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from layerwise.core.errors import DataError
from layerwise.core.items import L
from layerwise.core.types import PathLike

__all__ = ["get_annotations"]

Boxes = list[list[float]]


def get_annotations(
    fname: PathLike, prefix: str | None = None
) -> tuple[L, list[tuple[Boxes, list[str]]]]:
    """Names of pictures, and for each its boxes and their labels, from a JSON file of COCO.

    Pictures without an annotation are left out.

    Args:
        fname: the file.
        prefix: put in front of each name, as text.

    Returns:
        Names, and for each a pair: boxes [left, upper, right, lower] in pixels (in the file they
        are x, y, width, height), and the name of the category of each.

    Raises:
        DataError: if the file is not of that kind; says what is missing.

    Example:
        >>> import tempfile
        >>> coco = {"categories": [{"id": 7, "name": "cat"}],
        ...         "images": [{"id": 1, "file_name": "a.jpg"}],
        ...         "annotations": [{"image_id": 1, "category_id": 7, "bbox": [2, 3, 10, 20]}]}
        >>> file = Path(tempfile.mkdtemp()) / "train.json"
        >>> _ = file.write_text(json.dumps(coco))
        >>> get_annotations(file)
        ((#1) ['a.jpg'], [([[2, 3, 12, 23]], ['cat'])])
    """
    with Path(fname).open(encoding="utf-8") as file:
        told = json.load(file)
    keys = told if isinstance(told, dict) else ()
    missing = [key for key in ("images", "annotations", "categories") if key not in keys]
    if missing:
        raise DataError(
            f"{fname} has no {', '.join(missing)}; an annotation file of COCO is a JSON object "
            "with images, annotations and categories"
        )
    try:
        return _read(told, prefix or "")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{fname}: {type(error).__name__}: {error}; each image has id and file_name, each "
            "category id and name, each annotation image_id, category_id and bbox (x, y, width, "
            "height)"
        ) from error


def _read(told: dict[str, Any], prefix: str) -> tuple[L, list[tuple[Boxes, list[str]]]]:
    categories = {c["id"]: c["name"] for c in told["categories"]}
    names = {image["id"]: image["file_name"] for image in told["images"]}
    found: dict[Any, tuple[Boxes, list[str]]] = {}
    for annotation in told["annotations"]:
        left, upper, width, height = annotation["bbox"]
        boxes, labels = found.setdefault(annotation["image_id"], ([], []))
        boxes.append([left, upper, left + width, upper + height])
        labels.append(categories[annotation["category_id"]])
    # In the order of the images, so that the names follow the file.
    kept = [i for i in names if i in found]
    unknown = found.keys() - names.keys()
    if unknown:
        raise KeyError(f"no image has the id {min(unknown, key=str)!r}, which an annotation names")
    return L([prefix + names[i] for i in kept]), [found[i] for i in kept]
