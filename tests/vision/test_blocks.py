"""Each kind of target from files to a batch, a training, its pictures, and an export."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn
from torch.nn import functional

from layerwise.core.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from layerwise.core.data.split import IndexSplitter
from layerwise.core.display.axes import show_image
from layerwise.core.errors import DataError
from layerwise.core.interpret.interpretation import Interpretation
from layerwise.core.learner import Learner
from layerwise.core.metrics.segmentation import foreground_acc
from layerwise.core.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from layerwise.core.nn.sized import cnn_for
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorImage, TensorMask, TensorMultiCategory
from layerwise.core.transforms.category import MultiCategory, get_c
from layerwise.core.transforms.numeric import IntToFloatTensor
from layerwise.vision.augment.item import Resize, ResizeMethod
from layerwise.vision.blocks import (
    BBoxBlock,
    BBoxLblBlock,
    ImageBlock,
    MaskBlock,
    OpenMask,
    PointBlock,
)
from layerwise.vision.coords import LabeledBBox, TensorBBox, TensorPoint
from layerwise.vision.data import SegmentationDataLoaders
from layerwise.vision.point_loss import PointLossFlat
from layerwise.vision.types import PILImage, PILMask

COUNT, WIDTH, HEIGHT = 12, 48, 36
NAMES = ("sky", "cat", "dog")


class Scenes:
    """Pictures with one or two rectangles each, and what can be said of them."""

    boxes: list[list[list[int]]]
    labels: list[list[str]]

    def __init__(self, folder):
        draws = np.random.default_rng(0)
        self.files, self.mask_files, self.boxes, self.labels = [], [], [], []
        for i in range(COUNT):
            picture = Image.new("RGB", (WIDTH, HEIGHT), (20, 20, 60))
            mask = Image.new("L", (WIDTH, HEIGHT))
            self.boxes.append([])
            self.labels.append([])
            for kind in [1, 2][: 1 + i % 2]:
                left, upper = draws.integers(2, 18, 2)
                box = [
                    int(left) + 12 * (kind - 1),
                    int(upper),
                    int(left) + 12 * kind,
                    int(upper) + 9,
                ]
                inside = (box[0], box[1], box[2] - 1, box[3] - 1)
                ImageDraw.Draw(picture).rectangle(inside, [(250, 60, 60), (60, 250, 60)][kind - 1])
                ImageDraw.Draw(mask).rectangle(inside, kind)
                self.boxes[-1].append(box)
                self.labels[-1].append(NAMES[kind])
            self.files.append(folder / f"{i:02}.png")
            self.mask_files.append(folder / f"{i:02}_mask.png")
            picture.save(self.files[-1])
            mask.save(self.mask_files[-1])
        self.points = [[[b[0][0], b[0][1]], [b[0][2], b[0][3]]] for b in self.boxes]
        self.areas = [float((b[0][2] - b[0][0]) / WIDTH) for b in self.boxes]
        self.classes = [names[-1] for names in self.labels]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return Scenes(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def loaders(blocks, *columns, n_inp=1, item_tfms=None, **settings):
    block = DataBlock.from_columns(
        blocks, n_inp=n_inp, item_tfms=item_tfms or Resize((24, 32), ResizeMethod.Squish),
        splitter=IndexSplitter(range(COUNT - 4, COUNT)),
    )  # fmt: skip
    return block.dataloaders(columns, bs=4, num_workers=0, device="cpu", **settings)


def trained(dls, model, tmp_path, **settings):
    torch.manual_seed(0)
    learn = Learner(dls, model, path=tmp_path, **settings)
    with learn.no_logging():
        learn.fit(1, 1e-3)
    return learn


def check_shown_and_exported(learn, item, kind):
    """All three shows draw, one item is predicted as a `kind`, and a loaded learner agrees."""
    learn.dls.show_batch(max_n=2)
    learn.show_results(max_n=2)
    Interpretation.from_learner(learn).plot_top_losses(2)
    decoded, _, outputs = learn.predict(item)
    assert isinstance(decoded, kind)
    again = load_learner(learn.export())
    decoded_again, _, outputs_again = again.predict(item)
    assert torch.equal(outputs, outputs_again)
    assert isinstance(decoded_again, kind)
    return decoded, decoded_again


# -- masks ---------------------------------------------------------------------------------------


def test_masks_train_with_cross_entropy_over_the_classes_of_pixels(scenes, tmp_path):
    dls = loaders((ImageBlock, MaskBlock(NAMES)), scenes.files, scenes.mask_files)
    x, y = dls.one_batch()
    assert (x.shape, y.shape, y.dtype) == ((4, 3, 24, 32), (4, 24, 32), torch.long)
    assert get_c(dls) == 3
    learn = trained(dls, nn.Conv2d(3, 3, 1), tmp_path, metrics=foreground_acc)
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)
    scores = torch.randn(4, 3, 24, 32)
    expected = functional.cross_entropy(scores, y.as_plain())
    assert torch.allclose(learn.loss_func(scores, y.as_plain()), expected)
    mask, _ = check_shown_and_exported(learn, (scenes.files[0], None), TensorMask)
    assert mask.codes == list(NAMES)


def test_a_code_can_be_left_out_of_the_loss(scenes):
    dls = loaders((ImageBlock, MaskBlock(NAMES, ignore_index=0)), scenes.files, scenes.mask_files)
    y = dls.one_batch()[1].as_plain()
    loss = Learner(dls, nn.Conv2d(3, 3, 1)).loss_func
    scores = torch.randn(4, 3, 24, 32)
    expected = functional.cross_entropy(scores, y, reduction="none")[y != 0].mean()
    assert torch.allclose(loss(scores, y), expected)


@pytest.mark.parametrize("ignore_index", [3, -1, 256])
def test_a_code_that_there_is_not_cannot_be_left_out(ignore_index):
    with pytest.raises(ValueError, match=r"codes.index\('Void'\)"):
        MaskBlock(NAMES, ignore_index=ignore_index)


def test_codes_may_be_an_array_and_are_text_of_python():
    block = MaskBlock(np.array(NAMES))
    assert [type(code) for code in block.item_tfms[-1].codes] == [str] * 3


def test_masks_are_opened_from_files_pictures_and_arrays(scenes):
    for given in (scenes.mask_files[0], Image.open(scenes.mask_files[0]), np.zeros((4, 6))):
        assert type(OpenMask()(given)) is PILMask


def test_segmentation_loaders_come_from_a_function_of_the_file(scenes):
    def mask_of(file):
        return file.with_name(f"{file.stem}_mask.png")

    dls = SegmentationDataLoaders.from_label_func(
        scenes.files[0].parent, bs=4, fnames=scenes.files, label_func=mask_of, codes=NAMES, seed=1,
        valid_pct=0.25, ignore_index=2, item_tfms=Resize(24), num_workers=0, device="cpu",
    )  # fmt: skip
    assert (len(dls.train_ds), len(dls.valid_ds), get_c(dls)) == (9, 3, 3)
    assert dls.train_ds.loss_func.func.ignore_index == 2
    x, y = dls.one_batch()
    assert (x.shape, y.shape) == ((4, 3, 24, 24), (4, 24, 24))
    brightest = x.as_plain().argmax(1)  # red rectangles are cats, green ones dogs
    for channel, code in ((0, 1), (1, 2)):
        assert (brightest[y.as_plain() == code] == channel).float().mean() > 0.8


def test_segmentation_loaders_refuse_settings_that_nobody_knows(scenes):
    with pytest.raises(TypeError, match=r"SegmentationDataLoaders.from_label_func.*ignore_index"):
        SegmentationDataLoaders.from_label_func(".", scenes.files, str, ignore_idx=1)


# -- points --------------------------------------------------------------------------------------


def test_points_train_on_where_they_are(scenes, tmp_path):
    dls = loaders((ImageBlock, PointBlock), scenes.files, scenes.points)
    _, y = dls.one_batch()
    assert (type(y), y.shape) == (TensorPoint, (4, 2, 2))
    assert y.abs().max() <= 1
    assert get_c(dls) == 4
    learn = trained(dls, cnn_for(dls), tmp_path)
    assert isinstance(learn.loss_func, PointLossFlat)
    found, again = check_shown_and_exported(learn, (scenes.files[0], None), TensorPoint)
    assert found.shape == (2, 2)
    assert torch.equal(found.as_plain(), again.as_plain())


def test_decoded_points_are_where_they_were_in_pixels(scenes):
    dls = loaders((ImageBlock, PointBlock), scenes.files, scenes.points)
    shown = dls.valid.decode_batch(dls.valid.one_batch(), max_n=4)
    for (_, points), given in zip(shown, scenes.points[-4:], strict=True):
        scaled = torch.tensor(given) * torch.tensor([32 / WIDTH, 24 / HEIGHT])
        assert torch.allclose(points.as_plain(), scaled, atol=1e-3)


def test_missing_points_train_too(scenes, tmp_path):
    points = [[list(p) for p in rows] for rows in scenes.points]
    points[0][1] = points[3][0] = [float("nan")] * 2
    learn = trained(
        dls := loaders((ImageBlock, PointBlock), scenes.files, points), cnn_for(dls), tmp_path
    )
    assert all(p.isfinite().all() for p in learn.model.parameters())


def test_a_picture_with_too_few_points_is_named(scenes):
    points = [rows[: 1 + (i != 2)] for i, rows in enumerate(scenes.points)]
    dls = loaders((ImageBlock, PointBlock), scenes.files, points)
    with pytest.raises(DataError, match=r"stack TensorPoint.*\(1, 2\)"):
        for _ in dls.train:
            pass


# -- boxes ---------------------------------------------------------------------------------------


class TwoBoxes(nn.Module):
    """Two boxes with scores of their classes for each picture."""

    def __init__(self, c):
        super().__init__()
        self.c, self.body = c, nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(12, 2 * (4 + c))

    def forward(self, x):
        out = self.head(self.body(x)).view(len(x), 2, -1)
        return out[..., :4], out[..., 4:]


class BoxLoss(nn.Module):
    """Corners by squares, classes by cross entropy, padding among them."""

    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, pred, boxes, labels):
        count = boxes.shape[1]
        away = ((pred[0][:, :count] - boxes) ** 2).mean(-1)
        wrong = functional.cross_entropy(pred[1][:, :count].mT, labels, reduction="none")
        loss = (away + wrong).mean(1)
        return loss if self.reduction == "none" else loss.mean()

    def decodes(self, pred):
        first, second = pred[0].split(2, -1)
        boxes = torch.cat([torch.minimum(first, second), torch.maximum(first, second)], -1)
        return boxes, pred[1].argmax(-1)


def test_boxes_and_labels_are_two_targets_of_one_picture(scenes, tmp_path):
    dls = loaders((ImageBlock, BBoxBlock, BBoxLblBlock), scenes.files, scenes.boxes, scenes.labels)
    _, boxes, labels = dls.one_batch()
    assert (type(boxes), boxes.shape) == (TensorBBox, (4, 2, 4))
    assert (type(labels), labels.shape) == (TensorMultiCategory, (4, 2))
    assert list(dls.vocab) == ["#na#", "cat", "dog"]
    assert get_c(dls) == 3
    is_padding = (boxes.as_plain() == 0).all(-1)
    assert is_padding.any()
    assert torch.equal(is_padding, labels.as_plain() == 0)
    register("model", "test_blocks/TwoBoxes", TwoBoxes)
    register("loss", "test_blocks/BoxLoss", BoxLoss)
    learn = trained(dls, TwoBoxes(3), tmp_path, loss_func=BoxLoss())
    learn.show_results(max_n=2)
    Interpretation.from_learner(learn).plot_top_losses(2)
    item = (scenes.files[0], None, None)
    (boxes, labelled), _, outputs = learn.predict(item)
    assert isinstance(boxes, TensorBBox)
    assert isinstance(labelled, LabeledBBox)
    assert len(boxes) == len(labelled.lbl)
    (_, again), _, outputs_again = load_learner(learn.export()).predict(item)
    assert again.lbl == labelled.lbl
    assert torch.equal(outputs[1], outputs_again[1])


def test_decoded_boxes_are_those_of_the_file_with_their_names(scenes):
    dls = loaders((ImageBlock, BBoxBlock, BBoxLblBlock), scenes.files, scenes.boxes, scenes.labels)
    shown = dls.valid.decode_batch(dls.valid.one_batch(), max_n=4)
    scale = torch.tensor([32 / WIDTH, 24 / HEIGHT] * 2)
    given = zip(scenes.boxes[-4:], scenes.labels[-4:], strict=True)
    for (_, boxes, labelled), (rows, names) in zip(shown, given, strict=True):
        assert torch.allclose(boxes.as_plain(), torch.tensor(rows) * scale, atol=1e-3)
        assert labelled.lbl == names


def test_pictures_without_boxes_make_batches_and_are_shown(scenes):
    dls = loaders(
        (ImageBlock, BBoxBlock, BBoxLblBlock(["cat"])), scenes.files, [[]] * COUNT, [[]] * COUNT
    )
    _, boxes, labels = dls.one_batch()
    assert (boxes.shape, labels.shape) == ((4, 0, 4), (4, 0))
    axes = dls.show_batch(max_n=2)
    assert [len(ax.patches) for ax in axes] == [0, 0]


def test_boxes_beyond_the_picture_are_clipped_and_those_out_of_it_left_out(scenes):
    wide = [[[-10, -10, WIDTH + 10, HEIGHT + 10], [WIDTH + 1, 0, WIDTH + 9, 9]]] * COUNT
    dls = loaders(
        (ImageBlock, BBoxBlock, BBoxLblBlock), scenes.files, wide, [["cat", "dog"]] * COUNT
    )
    _, boxes, labels = dls.one_batch()
    assert boxes.tolist() == [[[-1, -1, 1, 1]]] * 4
    assert [dls.vocab[i] for i in labels.flatten()] == ["cat"] * 4


def test_labels_that_are_missing_name_their_item(scenes):
    labels = [names[:1] if i == 1 else names for i, names in enumerate(scenes.labels)]
    dls = loaders((ImageBlock, BBoxBlock, BBoxLblBlock), scenes.files, scenes.boxes, labels)
    with pytest.raises(DataError, match=r"item 1 .*01.png.*2 boxes and 1 labels"):
        for _ in dls.train:
            pass


def test_boxes_as_x_y_width_height_are_noticed_where_they_can_be(scenes):
    with pytest.raises(DataError, match=r"get_annotations"):
        loaders(
            (ImageBlock, BBoxBlock, BBoxLblBlock), scenes.files, [[[30, 20, 10, 10]]] * COUNT,
            [["cat"]] * COUNT,
        ).one_batch()  # fmt: skip


def test_one_box_a_picture_is_a_regression(scenes, tmp_path):
    boxes = [rows[:1] for rows in scenes.boxes]
    dls = loaders((ImageBlock, BBoxBlock), scenes.files, boxes)
    assert get_c(dls) == 4
    learn = trained(dls, cnn_for(dls), tmp_path, loss_func=MSELossFlat())
    found, _ = check_shown_and_exported(learn, (scenes.files[0], None), TensorBBox)
    assert found.shape == (1, 4)


# -- what else there is to say of a picture ------------------------------------------------------


def test_several_classes_of_a_picture(scenes, tmp_path):
    dls = loaders((ImageBlock, MultiCategoryBlock), scenes.files, scenes.labels)
    _, y = dls.one_batch()
    assert (y.shape, y.dtype) == ((4, 2), torch.float32)
    learn = trained(dls, cnn_for(dls), tmp_path)
    assert isinstance(learn.loss_func, BCEWithLogitsLossFlat)
    learn.loss_func.thresh = 0.0
    found, again = check_shown_and_exported(learn, (scenes.files[0], None), MultiCategory)
    assert list(found) == list(again) == ["cat", "dog"], "the threshold decodes"
    learn.loss_func.thresh = 1.0
    assert list(learn.predict((scenes.files[0], None))[0]) == []


def test_a_number_of_a_picture(scenes, tmp_path):
    dls = loaders((ImageBlock, RegressionBlock), scenes.files, scenes.areas)
    learn = trained(dls, cnn_for(dls), tmp_path)
    check_shown_and_exported(learn, (scenes.files[0], None), float)


def test_a_picture_of_a_picture(scenes, tmp_path):
    dls = loaders((ImageBlock, ImageBlock), scenes.files, scenes.files)
    learn = trained(dls, nn.Conv2d(3, 3, 1), tmp_path, loss_func=MSELossFlat())
    found, _ = check_shown_and_exported(learn, (scenes.files[0], None), TensorImage)
    assert found.shape == (3, 24, 32)


class Twins(nn.Module):
    """Whether two pictures are alike, from both together."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 8))
        self.head = nn.Linear(16, 2)

    def forward(self, first, second=None):
        first, second = (first, second) if second is not None else first
        return self.head(torch.cat([self.body(first), self.body(second)], 1))


def test_two_pictures_and_a_class(scenes, tmp_path):
    others = scenes.files[1:] + scenes.files[:1]
    alike = ["no"] * 6 + ["yes"] * 6
    dls = loaders(
        (ImageBlock, ImageBlock, CategoryBlock(["no", "yes"])), scenes.files, others, alike, n_inp=2
    )
    register("model", "test_blocks/Twins", Twins)
    learn = trained(dls, Twins(), tmp_path)
    check_shown_and_exported(learn, (scenes.files[0], scenes.files[1], None), str)
    axes = dls.show_batch(max_n=3)
    assert len(axes) == 6
    assert [bool(ax.get_title()) for ax in axes] == [True, False] * 3


class ImageTuple(tuple):
    """Pictures that show themselves as one: what a user writes, as in the siamese tutorial."""

    __slots__ = ()

    @classmethod
    def create(cls, files):
        return cls(PILImage.create(file) for file in files)

    def show(self, ctx=None, **kwargs):
        first, second = self
        return show_image(torch.cat([first.as_plain(), second.as_plain()], -1), ctx=ctx, **kwargs)


def test_a_tuple_of_the_users_own_keeps_its_type_from_item_to_show_and_export(scenes, tmp_path):
    pairs = [[a, b] for a, b in zip(scenes.files, scenes.files[1:] + scenes.files[:1], strict=True)]
    block = TransformBlock(type_tfms=ImageTuple.create, batch_tfms=IntToFloatTensor)
    dls = loaders((block, CategoryBlock(["no", "yes"])), pairs, ["no", "yes"] * 6)
    x, _ = dls.one_batch()
    assert type(x) is ImageTuple
    assert [type(member) for member in x] == [TensorImage, TensorImage]
    assert x[0].shape == (4, 3, 24, 32)
    learn = trained(dls, Twins(), tmp_path)
    sample = dls.valid.decode_batch(dls.valid.one_batch())[0]
    assert type(sample[0]) is ImageTuple
    ax = sample[0].show()
    assert ax.images[0].get_array().shape == (24, 64, 3)
    register("type", "test_blocks/ImageTuple", ImageTuple)
    register("function", "test_blocks/ImageTuple.create", ImageTuple.create)
    again = load_learner(learn.export())
    item = (pairs[0], None)
    assert torch.equal(again.predict(item)[2], learn.predict(item)[2])
