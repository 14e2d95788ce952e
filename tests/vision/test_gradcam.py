"""Heat lies where the score of a class comes from, for whatever a learner of pictures takes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from layerwise.core.data.download import untar_data
from layerwise.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    ImageDataLoaders,
    Learner,
    MaskBlock,
    RandomSplitter,
    Resize,
    get_image_files,
    parent_label,
    set_seed,
    vision_learner,
)
from layerwise.vision.gradcam import gradcam, plot_gradcam
from layerwise.vision.models.unet import DynamicUnet

SIDE = 32


def square(colour, left, upper):
    image = Image.new("RGB", (SIDE, SIDE))
    image.paste(colour, (left, upper, left + 8, upper + 8))
    return image


@pytest.fixture
def pictures():
    places = [(0, 0), (24, 0), (8, 16), (24, 24)]
    return [square(colour, *place) for place in places for colour in ("red", "blue")]


def learner(pictures, body, head):
    dls = ImageDataLoaders.from_lists(
        ".", pictures, ["red", "blue"] * (len(pictures) // 2), valid_pct=0.25, seed=0, bs=3
    )  # fmt: skip
    return Learner(dls, nn.Sequential(body, head))


@pytest.fixture
def learn(pictures):
    """A model without secrets: the mean of blue is the score of blue, that of red the other."""
    body = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(3, 2, 1, bias=False))
    body[1].weight.data = torch.tensor([[0.0, 0, 1], [1, 0, 0]])[:, :, None, None]
    return learner(pictures, body, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))


def test_heat_lies_on_what_makes_the_class(learn, pictures):
    assert list(learn.dls.vocab) == ["blue", "red"]
    for picture, (left, upper) in zip(
        pictures[::2], [(0, 0), (24, 0), (8, 16), (24, 24)], strict=True
    ):
        heat = gradcam(learn, picture, cls="red")
        assert heat.shape == (SIDE, SIDE)
        inside = heat[upper : upper + 8, left : left + 8].sum()
        assert inside / heat.sum() > 0.7  # the rest is the soft edge of cells of 4 pixels
        assert gradcam(learn, picture, cls="blue").max() == 0


def test_heat_is_the_formula_worked_out_by_hand(pictures):
    torch.manual_seed(0)
    body, linear = nn.Conv2d(3, 5, 4, stride=4), nn.Linear(5, 2)
    learn = learner(pictures, body, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear))
    x = torch.from_numpy(np.array(pictures[0])).permute(2, 0, 1)[None] / 255
    features = body(x).detach()
    # The score of class k is the mean over places of weight[k] times the features.
    weights = linear.weight[1].detach() / 64
    by_hand = (features * weights[:, None, None]).sum(1, keepdim=True).relu()
    wide = F.interpolate(by_hand, (SIDE, SIDE), mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(gradcam(learn, pictures[0], cls=1), wide, atol=1e-6, rtol=1e-5)


def test_several_pictures_give_the_maps_that_each_gives_alone(learn, pictures):
    heat = gradcam(learn, pictures)  # more than a batch
    assert heat.shape == (8, SIDE, SIDE)
    for picture, one in zip(pictures, heat, strict=True):
        torch.testing.assert_close(gradcam(learn, picture), one)
    swapped = gradcam(learn, pictures[:2], cls=["blue", 1])
    assert swapped.max() == 0  # red shown and blue asked for, and the other way round


def test_without_a_class_the_predicted_one_is_meant(learn, pictures):
    torch.testing.assert_close(gradcam(learn, pictures[0]), gradcam(learn, pictures[0], cls="red"))


def test_neither_modes_nor_gradients_of_the_model_are_changed(learn, pictures):
    learn.model.train()
    learn.model[0][0].eval()
    gradcam(learn, pictures)
    assert [m.training for m in learn.model.modules()] == [
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    assert all(p.grad is None for p in learn.model.parameters())


def test_a_layer_is_chosen_by_name_or_as_itself(learn, pictures):
    by_name = gradcam(learn, pictures[0], layer="0.1")
    torch.testing.assert_close(gradcam(learn, pictures[0], layer=learn.model[0]), by_name)
    with pytest.raises(LookupError, match=r"no module '0\.7'"):
        gradcam(learn, pictures[0], layer="0.7")


def test_pictures_are_drawn_with_heat_and_prediction(learn, pictures):
    axes = plot_gradcam(learn, pictures[:5], cls="red", ncols=3, alpha=0.4)
    assert [len(ax.images) for ax in axes] == [2] * 5
    assert axes[0].get_title() == "red  0.52"  # softmax of 0 and 1/16
    assert axes[1].get_title() == "blue  0.52"
    assert axes[0].images[1].get_alpha() == 0.4
    picture, heat = (image.get_array() for image in axes[0].images)
    assert picture.shape[:2] == heat.shape == (SIDE, SIDE)
    assert len(plot_gradcam(learn, pictures[0])) == 1
    plt.close("all")


def test_paths_are_read_as_in_training(learn, pictures, tmp_path):
    for i, picture in enumerate(pictures):
        picture.save(tmp_path / f"{i}.png")
    files = get_image_files(tmp_path)
    torch.testing.assert_close(gradcam(learn, files), gradcam(learn, pictures))
    assert gradcam(learn, str(files[0])).shape == (SIDE, SIDE)


def test_what_cannot_be_looked_at_is_said(learn, pictures, tmp_path):
    with pytest.raises(ValueError, match="is a folder; give get_image_files"):
        gradcam(learn, tmp_path)
    with pytest.raises(ValueError, match="there are no pictures to look at"):
        plot_gradcam(learn, [])
    with pytest.raises(LookupError, match=r"no class is called 'bleu'\. Did you mean 'blue'"):
        gradcam(learn, pictures[0], cls="bleu")
    with pytest.raises(ValueError, match="one class from 0 to 1"):
        gradcam(learn, pictures[0], cls=2)
    with pytest.raises(ValueError, match="1 classes for 2 pictures"):
        gradcam(learn, pictures[:2], cls=["red"])


def test_a_body_without_places_is_refused_in_words(pictures):
    tokens = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.Flatten(2))  # as transformers do
    learn = learner(pictures, tokens, nn.Sequential(nn.Flatten(), nn.Linear(64, 2)))
    with pytest.raises(ValueError, match=r"gives \(1, 4, 16\) and no feature map"):
        gradcam(learn, pictures[0])
    assert gradcam(learn, pictures[0], layer="0.0").shape == (SIDE, SIDE)


def test_a_model_of_vision_learner_is_looked_at_behind_its_body(pets):
    dls = ImageDataLoaders.from_folder(pets, item_tfms=Resize(64), bs=4)
    learn = vision_learner(dls, "vision/xresnet18", pretrained=False)
    picture = get_image_files(pets)[0]
    torch.testing.assert_close(gradcam(learn, picture), gradcam(learn, picture, layer="0"))


def test_a_unet_is_looked_at_in_its_middle(pictures):
    masks = [np.array(picture.convert("L")) > 0 for picture in pictures]
    block = DataBlock.from_columns(
        (ImageBlock, MaskBlock(["ground", "square"])), splitter=RandomSplitter(0.25, seed=0)
    )
    dls = block.dataloaders((pictures, [mask.astype(np.uint8) for mask in masks]), bs=2)
    body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))
    learn = Learner(dls, DynamicUnet(body, 2, (SIDE, SIDE)))
    heat = gradcam(learn, pictures[0], cls="square")
    torch.testing.assert_close(heat, gradcam(learn, pictures[0], cls=1, layer="middle"))
    assert heat.shape == (SIDE, SIDE)
    axes = plot_gradcam(learn, pictures[:2])
    assert [ax.get_title() for ax in axes] == ["", ""]
    plt.close("all")


@pytest.mark.slow
def test_of_cats_and_dogs_the_hot_part_carries_the_prediction(mirror, shared_weights, monkeypatch):
    """Blurring the hottest third of a picture costs far more than blurring the coldest."""
    weights = shared_weights / "squeezenet1_1-imagenet.safetensors"
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    path = untar_data("https://example.com/dogscats.tgz")
    set_seed(1)
    files = get_image_files(path / "train")[::2]
    dls = DataBlock(
        (ImageBlock, CategoryBlock), get_y=parent_label, splitter=RandomSplitter(0.2, seed=0),
        item_tfms=Resize(160),
    ).dataloaders(files, bs=32, num_workers=0)  # fmt: skip
    learn = vision_learner(dls, "squeezenet1_1", weights=weights)
    learn.fine_tune(1, 2e-3)
    items = get_image_files(path / "valid")[::3]
    heat = gradcam(learn, items).flatten(1)
    (x,) = next(iter(learn.dls.test_dl(items, bs=len(items))))
    x = x.as_subclass(torch.Tensor)
    blurred = F.avg_pool2d(x, 41, 1, 20, count_include_pad=False)
    model = learn.model.eval()
    with torch.no_grad():
        before, chosen = model(x).softmax(1).max(1)
        lost = {}
        for part, order in (("hot", heat), ("cold", -heat)):
            places = order.topk(heat.shape[1] * 3 // 10, 1).indices
            hidden = torch.zeros_like(heat).scatter(1, places, 1.0).view(-1, 1, 160, 160)
            after = model(torch.where(hidden > 0, blurred, x)).softmax(1)
            lost[part] = float((before - after.gather(1, chosen[:, None])[:, 0]).mean())
    assert lost["hot"] > 3 * max(0.0, lost["cold"])
    assert lost["hot"] > 0.03
