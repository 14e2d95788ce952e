"""Segmentation of DICOM files, from one call to a trained net."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from layerwise.core.learner import Learner
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorMask
from layerwise.vision.augment.item import Resize
from layerwise.vision.medical.data import DicomSegmentationDataLoaders
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.tensors import TensorDicom


def bone(path):
    """1 where there is bone."""
    return (dcmread(path).scaled_px.numpy() > 300).astype(np.uint8)


register("function", "example/bone", bone)


def net():
    return nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))


def test_a_net_learns_where_the_bone_is(head, tmp_path):
    dls = DicomSegmentationDataLoaders.from_label_func(
        tmp_path, head, bone, seed=0, codes=["rest", "bone"], windows=[(80, 40), (2800, 600)],
        item_tfms=Resize(64), bs=4, num_workers=0, device="cpu",
    )  # fmt: skip
    x, y = dls.one_batch()
    assert (type(x), x.shape) == (TensorDicom, (4, 2, 64, 64))
    assert (type(y), y.shape, y.unique().tolist()) == (TensorMask, (4, 64, 64), [0, 1])
    assert len(dls.valid_ds) == 5
    torch.manual_seed(0)
    learn = Learner(dls, net(), path=tmp_path)
    with learn.no_logging():
        before, *_ = learn.validate()
        learn.fit(3, 2e-2)
    assert learn.validate()[0] < before / 2
    predicted, target = learn.get_preds()
    share = (predicted.argmax(1) == target).float().mean()
    assert share > 0.9


def test_an_export_predicts_the_same(head, tmp_path):
    dls = DicomSegmentationDataLoaders.from_label_func(
        tmp_path, head, bone, codes=["rest", "bone"], windows=(80, 40), hist=True, bs=4,
        num_workers=0, device="cpu",
    )  # fmt: skip
    learn = Learner(dls, net(), path=tmp_path)
    again = load_learner(learn.export())
    assert torch.equal(again.predict(head[0])[2], learn.predict(head[0])[2])


def test_masks_in_files_are_drawn_over_their_pictures(head, tmp_path):
    import matplotlib.pyplot as plt

    for path in head:
        Image.fromarray(bone(path)).save(tmp_path / f"{path.stem}.png")
    dls = DicomSegmentationDataLoaders.from_label_func(
        tmp_path, head, lambda path: tmp_path / f"{path.stem}.png", codes=["rest", "bone"],
        windows=(80, 40), hist=True, bs=4, num_workers=0, device="cpu",
    )  # fmt: skip
    dls.show_batch(max_n=2)
    assert [len(axes.images) for axes in plt.gcf().axes if axes.images] == [2, 2]
    plt.close("all")
    x, y = dls.valid.one_batch()
    np.testing.assert_array_equal(y[0].numpy(), bone(dls.valid_ds.items[0]))
    assert x.shape[1] == 2


def test_keywords_are_checked(head):
    with pytest.raises(TypeError, match="Did you mean 'windows'"):
        DicomSegmentationDataLoaders.from_label_func(".", head, bone, window=(80, 40))
