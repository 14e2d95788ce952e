import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from layerwise.core.data.dataset import Datasets
from layerwise.core.errors import MissingDependencyError
from layerwise.core.interpret.captum import CaptumInterpretation
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.tensors import TensorImage
from layerwise.core.transforms.category import Categorize

pytest.importorskip("captum")


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def picture(number):
    generator = torch.Generator().manual_seed(number)
    return TensorImage(torch.rand(3, 8, 8, generator=generator))


@pytest.fixture
def interp():
    torch.manual_seed(0)
    data = Datasets(
        list(range(8)),
        [[picture], [lambda n: "ab"[n % 2], Categorize()]],
        splits=[range(6), [6, 7]],
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    learn = Learner(data.dataloaders(bs=2), model, CrossEntropyLossFlat())
    return CaptumInterpretation(learn)


def test_of_a_linear_model_each_pixel_adds_its_weight_times_its_value(interp):
    weight = interp.learn.model[1].weight.detach()
    for target in (0, 1):
        expected = (weight[target] * picture(3).as_subclass(torch.Tensor).flatten()).view(3, 8, 8)
        torch.testing.assert_close(interp.attributions(3, target=target), expected)


def test_the_class_is_the_predicted_one(interp):
    predicted = int(interp.learn.predict(3)[1])
    assert torch.equal(interp.attributions(3), interp.attributions(3, target=predicted))
    assert not torch.equal(interp.attributions(3), interp.attributions(3, target=1 - predicted))


def test_covering_a_window_takes_away_what_is_in_it(interp):
    weight = interp.learn.model[1].weight.detach()[0].view(3, 8, 8)
    found = interp.attributions(
        3, "Occl", target=0, strides=(3, 4, 4), sliding_window_shapes=(3, 4, 4)
    )
    inside = (
        (weight * picture(3).as_subclass(torch.Tensor)).unflatten(1, (2, 4)).unflatten(3, (2, 4))
    )
    expected = inside.sum((0, 2, 4)).repeat_interleave(4, 0).repeat_interleave(4, 1)
    torch.testing.assert_close(found, expected.expand(3, 8, 8), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", ["zeros", "uniform", "gauss"])
def test_noise_is_the_same_each_time_and_leaves_no_trace(interp, baseline):
    interp.learn.model.train()
    state = torch.get_rng_state()
    first = interp.attributions(3, "NT", baseline_type=baseline, n_steps=5)
    assert torch.equal(first, interp.attributions(3, "NT", baseline_type=baseline, n_steps=5))
    assert torch.equal(torch.get_rng_state(), state)
    assert interp.learn.model.training
    assert all(p.grad is None for p in interp.learn.model.parameters())


def test_the_picture_stands_beside_its_attributions(interp):
    axes = interp.visualize(3, n_steps=5)
    assert [ax.get_title() for ax in axes] == ["IG: original_image", "IG: heat_map"]
    shown = torch.from_numpy(axes[0].get_images()[0].get_array().data)
    torch.testing.assert_close(
        shown.float() / (255 if shown.dtype == torch.uint8 else 1),
        picture(3).as_subclass(torch.Tensor).permute(1, 2, 0), rtol=0, atol=1 / 255,
    )  # fmt: skip


def test_wrong_names_are_refused_with_the_nearest(interp):
    with pytest.raises(ValueError, match=r"no metric 'Ocl'\. Did you mean 'Occl'"):
        interp.attributions(3, "Ocl")
    with pytest.raises(ValueError, match=r"no baseline_type 'zero'\. Did you mean 'zeros'"):
        interp.attributions(3, baseline_type="zero")
    with pytest.raises(ValueError, match="2 methods and 1 signs"):
        CaptumInterpretation(interp.learn, signs=("all",))


def test_without_the_library_the_extra_is_named(interp, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "captum", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[captum\]'"):
        interp.attributions(3)
