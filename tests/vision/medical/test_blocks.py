"""DICOM files in data blocks: windows in channels, training, exports, bad files."""

import numpy as np
import pytest
import torch

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import parent_label
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.sized import cnn_for
from layerwise.core.restore import load_learner
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.augment.item import FlipItem, Resize
from layerwise.vision.augment.recipe import aug_transforms
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.medical.blocks import DicomBlock, DicomChannels, VolumeBlock, VolumeChannels
from layerwise.vision.medical.channels import to_nchan
from layerwise.vision.medical.dataset import dcmread
from layerwise.vision.medical.pictures import PILDicom
from layerwise.vision.medical.tensors import TensorDicom
from layerwise.vision.medical.volumes import TensorVolume
from layerwise.vision.medical.windows import dicom_windows
from layerwise.vision.models.xresnet import xresnet18

BRAIN, SUBDURAL, BONE = dicom_windows.brain, dicom_windows.subdural, dicom_windows.brain_bone


def part(path):
    """The lower or the upper half of the head."""
    return "low" if int(path.stem) <= 14 else "high"


def loaders(block, files, **settings):
    blocks = DataBlock((block, CategoryBlock), get_y=part, splitter=IndexSplitter([0, 13, 27]))
    settings = {"bs": 4, "num_workers": 0, "device": "cpu", "shuffle": False, **settings}
    return blocks.dataloaders(list(files), **settings)


def test_without_windows_a_picture_is_shown_as_its_tags_say(head):
    x, _ = loaders(DicomBlock(), head).valid.one_batch()
    assert (type(x), x.shape) == (TensorDicom, (3, 1, 128, 128))
    assert torch.equal(x[1, 0].as_plain(), dcmread(head[13]).by_tags().as_plain())


def test_an_image_block_of_dicom_files_is_the_same(head):
    x, _ = loaders(ImageBlock(PILDicom), head).valid.one_batch()
    y, _ = loaders(DicomBlock, head).valid.one_batch()
    assert torch.equal(x.as_plain(), y.as_plain())


@pytest.mark.parametrize("hist", [False, True])
@pytest.mark.parametrize("windows", [[BRAIN], [BRAIN, SUBDURAL], [BRAIN, SUBDURAL, BONE]])
def test_each_window_is_a_channel_and_the_even_scale_the_last(head, windows, hist):
    breaks = torch.tensor([-1000.0, 0, 20, 40, 60, 1000])
    block = DicomBlock(windows, hist, brks=breaks if hist else None)
    x, _ = loaders(block, head).valid.one_batch()
    px = dcmread(head[27]).scaled_px.as_plain()
    expected = to_nchan(px, windows, breaks if hist else 0)
    assert torch.equal(x[2].as_plain(), expected.as_plain())


def test_breaks_are_measured_on_a_batch_of_the_training_split(head):
    dls = loaders(DicomBlock(hist=True), head)
    step = next(t for t in dls.after_batch if isinstance(t, DicomChannels))
    assert step.brks is not None
    assert (step.brks.diff() > 0).all()
    x, _ = dls.train.one_batch()
    counts = x.as_plain().histc(10, 0, 1) / x.numel()
    assert counts[1:].max() < 0.2  # a fifth of the pixels is outside the circle, all the same


def test_one_window_may_be_given_alone():
    assert DicomChannels(BRAIN).windows == [(80, 40)]
    assert DicomChannels([BRAIN]).windows == [(80, 40)]
    with pytest.raises(ValueError, match="is no window"):
        DicomChannels([(80, 40), (0, 5)])
    with pytest.raises(ValueError, match="without hist=True"):
        DicomBlock(brks=torch.zeros(3))
    with pytest.raises(TypeError, match="Did you mean 'windows'"):
        DicomChannels(window=BRAIN)  # type: ignore[call-arg]  # on purpose


def test_windows_for_colours_are_refused_in_words(carried):
    files = [carried("examples_rgb_color.dcm")] * 5
    blocks = DataBlock((DicomBlock(BRAIN), CategoryBlock), get_y=lambda _path: "a")
    dls = blocks.dataloaders(files, bs=2, num_workers=0, device="cpu")
    with pytest.raises(DataError, match="windows for pictures of 3 channels"):
        dls.one_batch()


def test_a_frame_is_chosen_for_all(carried):
    files = [carried("rtdose.dcm"), carried("rtdose_rle.dcm")] * 3
    blocks = DataBlock((DicomBlock((2e6, 1e6), frame=7), CategoryBlock), get_y=lambda _path: "a")
    x, _ = blocks.dataloaders(files, bs=2, num_workers=0, device="cpu").one_batch()
    expected = to_nchan(dcmread(files[0]).scaled_px[7], [(2e6, 1e6)], 0)
    assert torch.equal(x[0].as_plain(), expected.as_plain())


def test_an_export_predicts_the_same_and_opens_the_file_itself(head, tmp_path):
    block = DataBlock(
        (DicomBlock([BRAIN, SUBDURAL], hist=True), CategoryBlock(vocab=["ct_head", "other"])),
        get_y=parent_label,
        item_tfms=[Resize(64), FlipItem()],
        splitter=IndexSplitter([0, 1]),
    )
    dls = block.dataloaders(list(head), bs=4, num_workers=0, device="cpu")
    learn = Learner(dls, cnn_for(dls), path=tmp_path, metrics=accuracy)
    with learn.no_logging():
        learn.fit(1)
    again = load_learner(learn.export())
    for path in head[:3]:
        assert torch.equal(again.predict(path)[2], learn.predict(path)[2])


@pytest.mark.parametrize("block", [DicomBlock(), DicomBlock(BONE, frame=0)], ids=["tags", "frame"])
def test_other_openings_are_exported_too(head, tmp_path, block):
    whole = DataBlock((block, CategoryBlock(vocab=["ct_head", "other"])), get_y=parent_label)
    dls = whole.dataloaders(list(head), bs=4, num_workers=0, device="cpu")
    learn = Learner(dls, cnn_for(dls), path=tmp_path)
    again = load_learner(learn.export())
    assert torch.equal(again.predict(head[4])[2], learn.predict(head[4])[2])


def test_bad_files_are_left_out_and_counted_and_the_rest_trains(head, tmp_path):
    bad = [tmp_path / "cut.dcm", tmp_path / "text.dcm"]
    bad[0].write_bytes(head[2].read_bytes()[:5000])
    bad[1].write_text("no picture")
    files = [*head[:6], *bad, *head[6:]]
    blocks = DataBlock(
        (DicomBlock(BRAIN), CategoryBlock(vocab=["a"])),
        get_y=lambda _path: "a",
        splitter=IndexSplitter([0, 1]),
    )
    settings = {"bs": 4, "num_workers": 0, "device": "cpu", "drop_last": False}
    with pytest.raises(DataError, match=r"(cut|text)\.dcm"):
        list(blocks.dataloaders(files, **settings).train)
    dls = blocks.dataloaders(files, on_bad_item="skip", **settings)
    with pytest.warns(UserWarning, match=r"left out: .*\.dcm"):
        learn = Learner(dls, cnn_for(dls), path=tmp_path)
    with learn.no_logging(), pytest.warns(UserWarning, match=r"left out: .*\.dcm"):
        learn.fit(1)
    with pytest.warns(UserWarning, match="left out"):
        counted = [len(y) for _, y in dls.train]
    assert sum(counted) == 26


def test_augmentation_moves_and_colours_any_number_of_channels(head):
    block = DataBlock(
        (DicomBlock([BRAIN, SUBDURAL, BONE], hist=True), CategoryBlock),
        get_y=part,
        item_tfms=Resize(96),
        batch_tfms=[*aug_transforms(size=64), Normalize()],
    )
    dls = block.dataloaders(list(head), bs=8, num_workers=0, device="cpu")
    x, _ = dls.one_batch()
    assert (type(x), x.shape) == (TensorDicom, (8, 4, 64, 64))
    assert x.as_plain().isfinite().all()
    assert x.as_plain().mean((0, 2, 3)).abs().max() < 0.5


def test_batches_are_drawn(head):
    import matplotlib.pyplot as plt

    dls = loaders(DicomBlock([BRAIN, SUBDURAL]), head)
    dls.show_batch(max_n=2)
    drawn = [axes.images[0].get_array().shape for axes in plt.gcf().axes if axes.images]
    assert drawn == [(128, 256)] * 2
    plt.close("all")


@pytest.fixture
def patients(series, tmp_path):
    """Two folders of series, one with values of water and one of bone."""
    folders = []
    for label, value in (("water", 1000), ("bone", 2000)):
        paths = series([0, 2, 4, 6], value=lambda _i, value=value: value, uid=f"1.2.{len(label)}")
        folders.append(tmp_path / label)
        folders[-1].mkdir()
        for path in paths:
            path.rename(folders[-1] / path.name)
    return folders


def test_volumes_of_folders_train_a_net_of_three_dimensions(patients, tmp_path):
    block = DataBlock(
        (VolumeBlock([(2000, 500)], (32, 32, 32)), CategoryBlock(vocab=["bone", "water"])),
        get_y=_name,
        splitter=IndexSplitter([0, 1]),
    )
    dls = block.dataloaders(patients * 3, bs=2, num_workers=0, device="cpu", shuffle=False)
    x, _ = dls.valid.one_batch()
    assert (type(x), x.shape) == (TensorVolume, (2, 1, 32, 32, 32))
    assert x[:, 0, 0, 0, 0].tolist() == [0.25, 0.75]  # 0 and 1000 Hounsfield units
    net = xresnet18(n_out=2, ndim=3, c_in=1)
    learn = Learner(dls, net, path=tmp_path)
    with learn.no_logging():
        learn.fit(1)
    assert np.isfinite(learn.recorder.values[0]).all()


def _name(folder):
    return folder.name


def test_channels_of_volumes_are_windows():
    x = TensorVolume(torch.tensor([0.0, 40, 80]).view(1, 1, 1, 1, 3))
    found = VolumeChannels([BRAIN, (160, 80)])(x)
    assert found.shape == (1, 2, 1, 1, 3)
    assert found.flatten().tolist() == [0, 0.5, 1, 0, 0.25, 0.5]
