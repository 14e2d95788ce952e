"""Heat maps are what gradients written by hand give, and leave the model as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.interpret import ClassificationInterpretation, Interpretation
from layerwise.core.interpret.attribution import grad_cam, input_gradients, integrated_gradients
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.tensors import TensorCategory, TensorImage
from layerwise.core.testing import raises_with, synth_classifier
from layerwise.core.transforms.transform import Transform


@pytest.fixture
def pictures():
    return torch.randn(5, 3, 12, 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.Conv2d(6, 8, 3), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 4),
    )  # fmt: skip


def cam_by_hand(model, x, classes, stop):
    """Body up to `stop`, head from there, no hooks: one item and one class at a time."""
    model = model.eval()
    maps = []
    for picture, index in zip(x, classes, strict=True):
        features = model[:stop](picture[None]).detach().requires_grad_()
        model[stop:](features)[0, index].backward()
        weights = features.grad[0].mean((1, 2))
        maps.append((weights[:, None, None] * features[0].detach()).sum(0).clamp(min=0))
    return torch.stack(maps)


@pytest.mark.parametrize("targets", [2, [0, 3, 1, 1, 2], torch.tensor([3, 3, 0, 1, 2]), None])
def test_grad_cam_is_the_weighted_feature_map_worked_out_by_hand(model, pictures, targets):
    classes = targets if targets is not None else model.eval()(pictures).argmax(1)
    classes = [targets] * 5 if isinstance(targets, int) else [int(c) for c in classes]
    expected = cam_by_hand(model, pictures, classes, stop=5)
    assert expected.max() > 0
    torch.testing.assert_close(grad_cam(model, pictures, targets), expected)


@pytest.mark.parametrize("layer", ["1", "3"])
def test_any_layer_can_be_looked_at(model, pictures, layer):
    # Not inplace: the map of a layer is then its output, not that of the activation behind it.
    model[2], model[4] = nn.ReLU(), nn.ReLU()
    expected = cam_by_hand(model, pictures, [1] * 5, stop=int(layer) + 1)
    torch.testing.assert_close(grad_cam(model, pictures, 1, layer=layer), expected)
    torch.testing.assert_close(grad_cam(model, pictures, 1, layer=model[int(layer)]), expected)


def test_the_model_is_left_as_it_was(model, pictures):
    model.train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for function in (grad_cam, input_gradients, integrated_gradients):
        with torch.no_grad():  # gradients are taken all the same
            found = function(model, pictures)
        assert not found.requires_grad
        assert torch.isfinite(found).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [m.training for m in model] == [True, False] + [True] * 7
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())
    assert pictures.grad is None
    assert not pictures.requires_grad


def test_frozen_models_and_inference_tensors_are_fine(model, pictures):
    expected = grad_cam(model, pictures, 1)
    model.requires_grad_(False)
    with torch.inference_mode():
        taken = pictures * 1
    torch.testing.assert_close(grad_cam(model, taken, 1), expected)


def test_input_gradients_are_finite_differences(model, pictures):
    model, x = model.double().eval(), pictures.double()
    gradients = input_gradients(model, x, 2)
    assert gradients.shape == x.shape
    for place in ((0, 1, 4, 5), (3, 0, 7, 2)):
        step = torch.zeros_like(x)
        step[place] = 1e-6
        change = (model(x + step) - model(x - step))[place[0], 2] / 2e-6
        assert gradients[place].item() == pytest.approx(change.item(), rel=1e-4, abs=1e-9)


def test_integrated_gradients_add_up_to_the_difference_of_scores(model, pictures):
    base = torch.full((3, 12, 10), 0.3)
    for baseline in (0.0, base):
        shares = integrated_gradients(model, pictures, 1, baseline=baseline, steps=400)
        start = torch.as_tensor(baseline).expand_as(pictures)
        with torch.no_grad():
            difference = (model.eval()(pictures) - model(start))[:, 1]
        torch.testing.assert_close(shares.flatten(1).sum(1), difference, rtol=0.01, atol=1e-3)
    linear = nn.Linear(3, 1)  # exact, with one step
    x = torch.randn(4, 3)
    exact = integrated_gradients(linear, x, steps=1)
    torch.testing.assert_close(exact, (x * linear.weight).detach())
    with pytest.raises(ValueError, match="steps=0"):
        integrated_gradients(linear, x, steps=0)


def test_sound_several_inputs_and_masks_work_too(pictures):
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(2, 3, 3), nn.Linear(4, 2)

        def forward(self, sound, level):
            return self.head(torch.cat([self.conv(sound).mean(2), level], 1))

    assert grad_cam(Both(), (torch.randn(4, 2, 9), torch.ones(4, 1)), 1).shape == (4, 7)
    masks = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    features = masks[:2](pictures).detach().requires_grad_()
    masks[2:](features)[:, 1].sum().backward()
    weights = features.grad.mean((2, 3), keepdim=True)
    expected = (weights * features).sum(1).relu().detach()
    torch.testing.assert_close(grad_cam(masks, pictures, 1), expected)


def test_grad_cam_finds_what_the_classes_differ_in():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(96, 1, 24, 24, generator=generator) * 0.3
    y = torch.arange(96) % 2
    corners = torch.randint(0, 19, (96, 2), generator=generator)
    for picture, (row, column), is_there in zip(x, corners.tolist(), y, strict=True):
        if is_there:
            picture[0, row : row + 5, column : column + 5] += 1.5  # a square, anywhere
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    opt = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        opt.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        opt.step()
    heat = grad_cam(model, x[1::2], 1)  # (48, 12, 12)
    peaks = heat.flatten(1).argmax(1)
    rows, columns = peaks // 12 * 2 + 0.5, peaks % 12 * 2 + 0.5
    centres = corners[1::2] + 2
    away = torch.maximum((rows - centres[:, 0]).abs(), (columns - centres[:, 1]).abs())
    assert (away <= 4).float().mean() > 0.9  # by chance: a tenth of them


def test_what_cannot_be_attributed_is_told(model, pictures):
    with raises_with(ValueError, "targets=4 for 5 items and 4 classes", "from 0 to 3"):
        grad_cam(model, pictures, 4)
    with raises_with(ValueError, "for 5 items"):
        input_gradients(model, pictures, [1, 2])
    with raises_with(LookupError, "no module '33'", "named_modules"):
        grad_cam(model, pictures, layer="33")
    with raises_with(ValueError, "Linear gives no (N, C, h, w) feature map"):
        grad_cam(model, pictures, layer="8")
    with raises_with(ValueError, "Conv2d was not used"):
        grad_cam(model, pictures, layer=nn.Conv2d(1, 1, 1))
    with raises_with(ValueError, "no module of Linear gives a feature map", "layer="):
        grad_cam(nn.Linear(3, 2), torch.randn(2, 3))
    with raises_with(TypeError, "floating point numbers, not torch.int64"):
        input_gradients(nn.Embedding(3, 2), torch.tensor([[1, 2]]))


@pytest.fixture
def learner(model, pictures):
    data = [(TensorImage(x), TensorCategory(i % 4)) for i, x in enumerate(pictures)]
    dls = DataLoaders(TfmdDL(data, bs=2, num_workers=0), TfmdDL(data, bs=2, num_workers=0))
    return Learner(dls, model, CrossEntropyLossFlat())


def test_heat_maps_lie_over_the_pictures_asked_for(learner, model, pictures, monkeypatch):
    from matplotlib.figure import Figure

    interp = Interpretation.from_learner(learner)
    drawn = []

    def draw(self, batch, decoded, max_n=9, title="none"):
        axes = Figure().subplots(1, max_n, squeeze=False)[0]
        drawn.append((batch[0], title))
        for ax, picture in zip(axes, batch[0], strict=True):
            ax.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy())
        return list(axes)

    monkeypatch.setattr(TfmdDL, "show_results", draw)
    axes = interp.show_attribution([4, 1], targets=[1, 2], layer="4", show={"title": "seen"})
    assert torch.equal(drawn[0][0].as_plain(), pictures[[4, 1]])
    assert drawn[0][1] == "seen"
    expected = grad_cam(model, pictures[[4, 1]], [1, 2])
    for ax, heat in zip(axes, expected, strict=True):
        picture, over = ax.images
        assert over.get_extent() == picture.get_extent()
        torch.testing.assert_close(torch.tensor(over.get_array().data), heat / heat.max())
    (ax,) = interp.show_attribution([0], method=input_gradients, cmap="magma", alpha=0.3)
    over = ax.images[1]
    assert (over.get_cmap().name, over.get_alpha(), over.get_array().shape) == (
        "magma", 0.3, (12, 10),
    )  # fmt: skip


def test_of_a_pair_of_axes_the_first_has_the_heat_map(learner, monkeypatch):
    from matplotlib.figure import Figure

    def draw(self, batch, decoded, max_n=9):
        axes = Figure().subplots(1, 2 * max_n)
        for ax in axes:
            ax.imshow(torch.zeros(12, 10).numpy())
        return list(axes)

    monkeypatch.setattr(TfmdDL, "show_results", draw)
    axes = Interpretation.from_learner(learner).show_attribution([0, 1])
    assert [len(ax.images) for ax in axes] == [2, 1, 2, 1]


def test_the_classes_of_a_mask_are_named_by_its_transform(learner):
    class Codes(Transform):
        vocab = np.array(["sky", "road", "car", "tree"])

    learner.dls.valid.after_item.add(Codes())
    interp = ClassificationInterpretation.from_learner(learner)
    assert interp._classes_of("road") == 1
    assert interp.vocab == ["sky", "road", "car", "tree"]
    assert {type(name) for name in interp.vocab} == {str}


def test_classes_are_given_by_name_and_pictures_are_needed():
    learn = synth_classifier(n_valid=9)
    interp = Interpretation.from_learner(learn)
    assert interp._classes_of(["square", 0]) == [1, 0]
    with raises_with(LookupError, "no class is called 'sqare'", "Did you mean 'square'"):
        interp._classes_of("sqare")
    with raises_with(ValueError, "give (N, h, w)"):
        interp.show_attribution([0, 1], targets="square", method=input_gradients)
