"""`detection_learner`: it learns, shows, predicts and travels as every learner does."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.nn.conv import ConvLayer
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.augment.item import FlipItem, Resize
from layerwise.vision.blocks import BBoxBlock, BBoxLblBlock, ImageBlock
from layerwise.vision.coords import LabeledBBox, TensorBBox
from layerwise.vision.detect.boxes import box_iou
from layerwise.vision.detect.found import FoundBoxes
from layerwise.vision.detect.learner import detection_learner
from layerwise.vision.detect.loss import RetinaLoss
from layerwise.vision.detect.metric import MeanAP
from layerwise.vision.types import PILImage


def tiny():
    """A body that learns fast."""
    widths = (3, 16, 32, 64, 64)
    return nn.Sequential(
        *(ConvLayer(a, b, stride=2) for a, b in pairwise(widths)),
        nn.AdaptiveAvgPool2d(1),
    )


def learner(dls, arch=tiny, **settings):
    options = {"pretrained": False, "width": 16, "levels": 3, **settings}
    return detection_learner(dls, arch, **options)


@pytest.fixture(scope="module")
def trained(scenes, tmp_path_factory):
    set_seed(3)
    dls = scenes(96, bs=8, item_tfms=FlipItem())
    learn = learner(
        dls, width=32, metrics=[MeanAP(), MeanAP(iou=0.5)], path=tmp_path_factory.mktemp("found")
    )
    with learn.no_logging():
        learn.fit_one_cycle(10, 1e-2)
    return learn


def test_it_learns_to_find_things(trained):
    _, mean_ap, at_half = trained.validate()
    assert at_half > 0.7
    assert 0.2 < mean_ap < at_half


def test_predicted_boxes_lie_on_things_and_have_labels_and_scores(trained):
    pictures, boxes, labels = zip(*trained.dls.valid_ds.items, strict=True)
    hits = 0
    for picture, expected, names in zip(pictures, boxes, labels, strict=True):
        (found, labelled), (scaled, _), (every, scores, kinds) = trained.predict(picture)
        assert isinstance(found, FoundBoxes)
        assert isinstance(labelled, LabeledBBox)
        assert len(found) == len(labelled.lbl) == len(found.scores)
        assert (found.scores >= trained.loss_func.threshold).all()
        assert every.shape == (100, 4)
        assert (scores.diff() <= 0).all()
        assert kinds.max() <= 2
        torch.testing.assert_close((scaled[: len(found)] + 1) * 24, found.as_plain())
        overlap = box_iou(torch.tensor(expected).float(), found.as_plain())
        for row, name in zip(overlap, names, strict=True):
            hits += bool(len(row) and row.max() > 0.5 and labelled.lbl[int(row.argmax())] == name)
    assert hits >= 0.7 * sum(map(len, labels))


def test_an_opened_picture_and_a_list_of_them_are_predicted(trained):
    picture = trained.dls.valid_ds.items[0][0]
    alone = trained.predict(PILImage.create(picture))
    several = trained.predict([PILImage.create(picture), PILImage.create(picture)])
    assert len(several) == 2
    torch.testing.assert_close(several[1][2][1], alone[2][1], atol=1e-4, rtol=1e-3)
    assert several[0][0][1].lbl == alone[0][1].lbl
    decoded, *_ = trained.predict(PILImage.create(picture), with_input=True)
    assert decoded.shape == (3, 48, 48)


def test_predictions_of_a_loader_are_boxes_scores_and_labels(trained):
    found, targets, decoded, losses = trained.get_preds(with_decoded=True, with_loss=True)
    boxes, scores, labels = found
    count = len(trained.dls.valid_ds)
    assert boxes.shape == (count, 100, 4)
    assert scores.shape == labels.shape == (count, 100)
    assert len(targets[0]) == len(losses) == count
    assert isinstance(decoded[0], FoundBoxes)
    assert losses.mean().item() == pytest.approx(trained.validate()[0], rel=1e-4)
    metric = MeanAP(iou=0.5)
    for row in zip(*found, *targets, strict=True):
        metric.update(tuple(x[None] for x in row[:3]), *(x[None] for x in row[3:]))
    assert metric.value == pytest.approx(trained.validate()[2])


def test_targets_and_boxes_found_are_shown_side_by_side(trained):
    plt = pytest.importorskip("matplotlib.pyplot")
    trained.show_results(max_n=2, shuffle=False)
    axes = plt.gcf().axes[:4]
    written = [[text.get_text().split() for text in ax.texts] for ax in axes]
    plt.close("all")
    names = trained.dls.valid_ds.items[0][2]
    assert [words[0] for words in written[0]] == names
    assert all(len(words) == 1 for words in written[0])
    assert all(len(words) == 2 and 0.4 <= float(words[1]) <= 1 for words in written[1])


def test_a_higher_threshold_predicts_fewer_boxes(trained):
    picture = trained.dls.valid_ds.items[0][0]
    trained.loss_func.threshold = 1.0
    none = trained.predict(picture)[0][1].lbl
    trained.loss_func.threshold = 0.4
    assert none == []
    assert trained.predict(picture)[0][1].lbl


def test_a_batch_may_have_no_box_at_all(scenes):
    dls = scenes(12)
    learn = learner(dls, metrics=MeanAP())
    x = dls.one_batch()[0]
    nothing = (x, torch.zeros(4, 0, 4), torch.zeros(4, 0, dtype=torch.long))
    padded = (x, torch.zeros(4, 2, 4), torch.zeros(4, 2, dtype=torch.long))
    for batch in (nothing, padded):
        loss, value = learn.validate(dl=[batch])
        assert loss > 0
        assert value is None


# -- what belongs to a body ----------------------------------------------------------------------


def test_a_pretrained_body_is_frozen_and_fed_as_it_was_trained(scenes, tmp_path):
    from safetensors.torch import save_file

    from layerwise.vision.models.zoo import torchvision_model

    body = torchvision_model("squeezenet1_1", None)
    save_file(body.state_dict(), tmp_path / "weights.safetensors")
    dls = scenes(12)
    learn = learner(dls, "squeezenet1_1", pretrained=True, weights=tmp_path / "weights.safetensors")
    assert any(isinstance(step, Normalize) for step in learn.dls.after_batch)
    trains = {name for name, p in learn.model.named_parameters() if p.requires_grad}
    assert trains
    assert all(not name.startswith("body.") for name in trains)
    first = next(learn.model.body.parameters())
    assert torch.equal(first, next(body.parameters()))
    learn.unfreeze()
    assert all(p.requires_grad for p in learn.model.parameters())


def test_frozen_groups_stay_and_the_rest_moves(scenes):
    learn = learner(scenes(12))
    learn.freeze()
    before = {name: p.detach().clone() for name, p in learn.model.named_parameters()}
    with learn.no_logging():
        learn.fit(1, 1e-3)
    moved = {n for n, p in learn.model.named_parameters() if not torch.equal(p, before[n])}
    convolutions = {n for n in before if n.startswith("body.") and before[n].ndim == 4}
    assert convolutions
    assert not moved & convolutions
    assert any(name.startswith("classes.") for name in moved)


@pytest.mark.parametrize("arch", ["vision/xresnet18", "mobilenet_v2"])
def test_an_exported_learner_finds_the_same(arch, scenes, tmp_path):
    set_seed(0)
    learn = learner(
        scenes(12, item_tfms=Resize((40, 56), method="squish")), arch, path=tmp_path,
        loss_func=RetinaLoss(min_score=0.001, max_boxes=7),
    )  # fmt: skip
    learn.loss_func.threshold = 0.005
    again = load_learner(learn.export())
    picture = learn.dls.valid_ds.items[0][0]
    ours, theirs = learn.predict(picture), again.predict(picture)
    for found, expected in zip(theirs[2], ours[2], strict=True):
        assert torch.equal(found, expected)
    assert theirs[0][1].lbl == ours[0][1].lbl
    assert len(ours[0][1].lbl) == 7
    assert isinstance(theirs[0][0], TensorBBox)


def test_weights_saved_are_weights_loaded(scenes, tmp_path):
    learn = learner(scenes(12), path=tmp_path)
    file = learn.save("detector")
    other = learner(scenes(12), path=tmp_path).load("detector")
    assert file.exists()
    picture = learn.dls.valid_ds.items[0][0]
    torch.testing.assert_close(other.predict(picture)[2][1], learn.predict(picture)[2][1])


# -- what is refused -----------------------------------------------------------------------------


def test_data_without_classes_of_boxes_are_refused(scenes):
    pictures = scenes(12).train_ds.items
    block = DataBlock.from_columns(
        blocks=(ImageBlock, CategoryBlock), splitter=lambda items: ([0, 1, 2], [3])
    )
    columns = [item[0] for item in pictures[:4]], ["a", "b", "a", "b"]
    dls = block.dataloaders(columns, bs=2, num_workers=0, device="cpu")
    with pytest.raises(ValueError, match=r"BBoxLblBlock\) and n_inp=1"):
        learner(dls)


def test_labels_that_begin_at_nothing_are_refused(scenes):
    items = scenes(12).train_ds.items
    block = DataBlock.from_columns(
        blocks=(ImageBlock, BBoxBlock, BBoxLblBlock(add_na=False)), n_inp=1
    )
    columns = [list(column) for column in zip(*items, strict=True)]
    dls = block.dataloaders(columns, bs=2, num_workers=0, device="cpu")
    with pytest.raises(ValueError, match="'#na#'"):
        learner(dls)


def test_an_unknown_keyword_is_named(scenes):
    with pytest.raises(TypeError, match="Did you mean 'anchors'"):
        detection_learner(scenes(12), tiny, ancors=None)  # type: ignore[call-arg]  # misspelt
