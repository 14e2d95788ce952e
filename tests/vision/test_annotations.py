"""Annotation files of COCO, made here and real."""

import json

import pytest

from layerwise.core.data.download import untar_data
from layerwise.core.data.urls import URLs
from layerwise.core.errors import DataError
from layerwise.vision.annotations import get_annotations


def told(**changes):
    return {
        "images": [{"id": 2, "file_name": "b.jpg"}, {"id": 1, "file_name": "a.jpg"},
                   {"id": 3, "file_name": "none.jpg"}],
        "categories": [{"id": 9, "name": "cat"}, {"id": 4, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]},
                        {"image_id": 2, "category_id": 4, "bbox": [0, 0, 5, 5]},
                        {"image_id": 1, "category_id": 4, "bbox": [2.5, 0, 1, 1]}],
        **changes,
    }  # fmt: skip


def written(tmp_path, content):
    file = tmp_path / "train.json"
    file.write_text(json.dumps(content))
    return file


def test_names_boxes_and_labels_are_read_in_the_order_of_the_images(tmp_path):
    names, targets = get_annotations(written(tmp_path, told()))
    assert list(names) == ["b.jpg", "a.jpg"], "pictures without boxes are left out"
    assert targets[0] == ([[0, 0, 5, 5]], ["dog"])
    assert targets[1] == ([[1, 2, 4, 6], [2.5, 0, 3.5, 1]], ["cat", "dog"])


def test_a_prefix_goes_before_each_name(tmp_path):
    names, _ = get_annotations(written(tmp_path, told()), prefix="train/")
    assert list(names) == ["train/b.jpg", "train/a.jpg"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": []}, "no annotations, categories"),
        (told(annotations=[{"image_id": 1, "category_id": 9}]), "bbox"),
        (told(annotations=[{"image_id": 1, "category_id": 5, "bbox": [0, 0, 1, 1]}]), "Error: 5"),
        (told(annotations=[{"image_id": 7, "category_id": 9, "bbox": [0, 0, 1, 1]}]), "id 7"),
        (told(annotations=[{"image_id": 1, "category_id": 9, "bbox": [0, 1]}]), "unpack"),
        ([1, 2], "is a JSON object"),
    ],
    ids=["keys", "no box", "category", "image", "short", "list"],
)  # fmt: skip
def test_another_file_is_refused_in_words(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        get_annotations(written(tmp_path, content))


def test_coco_tiny_has_boxes_within_its_pictures(mirror, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    path = untar_data(URLs.COCO_TINY)
    names, targets = get_annotations(path / "train.json")
    assert len(names) == len(targets) == 254
    assert sum(len(boxes) for boxes, _ in targets) == 1827
    for name, (boxes, labels) in zip(names, targets, strict=True):
        with Image.open(path / "train" / name) as picture:
            width, height = picture.size
        assert len(boxes) == len(labels)
        for left, upper, right, lower in boxes:
            assert -1 <= left < right <= width + 1
            assert -1 <= upper < lower <= height + 1
