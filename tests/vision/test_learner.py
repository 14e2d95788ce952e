"""`vision_learner`: body, head, frozen layers, statistics, and that it learns."""

import inspect

import pytest
import torch
from torch import nn

from layerwise.core.data.block import DataBlock, RegressionBlock
from layerwise.core.data.source import get_image_files
from layerwise.core.learner import Learner
from layerwise.core.registry import find, names
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision import learner as module
from layerwise.vision.augment.item import Resize
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.learner import cnn_learner, create_vision_model, vision_learner
from layerwise.vision.models.torchvision_models import mobilenet_v2, resnet18, squeezenet1_1
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.types import PILImageBW


@pytest.fixture
def dls(pets):
    return ImageDataLoaders.from_folder(
        pets, item_tfms=Resize(64), bs=8, num_workers=0, device="cpu"
    )


@pytest.fixture(scope="module")
def trained():
    return squeezenet1_1().state_dict()


def small(n_in=3):
    return nn.Sequential(
        nn.Conv2d(n_in, 8, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


def test_a_pretrained_body_is_frozen_and_its_statistics_added(dls, trained):
    learn = vision_learner(dls, squeezenet1_1, weights=trained)
    assert isinstance(learn, Learner)
    assert len(learn.opt.param_lists) == 3
    free = [p for p in learn.model[1].parameters() if p.requires_grad]
    assert free
    assert not any(p.requires_grad for p in learn.model[0].parameters())
    added = [step for step in dls.after_batch if isinstance(step, Normalize)]
    assert len(added) == 1
    torch.testing.assert_close(added[0].mean.flatten(), torch.tensor([0.485, 0.456, 0.406]))
    assert torch.equal(learn.model[0][0][0].weight, trained["features.0.weight"])
    assert learn.model[1][-1][-1].out_features == 2


def test_statistics_are_added_once_and_only_if_wanted(dls, trained):
    vision_learner(dls, squeezenet1_1, weights=trained)
    vision_learner(dls, squeezenet1_1, weights=trained)
    assert sum(isinstance(step, Normalize) for step in dls.after_batch) == 1


def test_without_weights_nothing_is_frozen_or_normalised(dls):
    learn = vision_learner(dls, xresnet18, pretrained=False)
    assert all(p.requires_grad for p in learn.model.parameters())
    assert not any(isinstance(step, Normalize) for step in dls.after_batch)


@pytest.mark.parametrize(
    "arch",
    [small, "resnet18", "vision/xresnet18", mobilenet_v2, resnet18],
    ids=["own", "by name", "by qualified name", "mobilenet_v2", "resnet18"],
)
def test_architectures_by_function_and_by_name(arch):
    model = create_vision_model(arch, 3, pretrained=False).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


def test_functions_of_torchvision_itself_are_taken(trained):
    from layerwise.vision.models.zoo import torchvision_models_module

    theirs = torchvision_models_module().squeezenet1_1
    model = create_vision_model(theirs, 3, weights=trained)
    assert torch.equal(model[0][0][0].weight, trained["features.0.weight"])


def test_a_function_of_ones_own_may_load_its_weights():
    def mine(pretrained=False):
        model = small()
        nn.init.constant_(model[0].weight, 1.0 if pretrained else 0.0)
        return model

    assert (create_vision_model(mine, 3)[0][0].weight == 1).all()
    assert (create_vision_model(mine, 3, pretrained=False)[0][0].weight == 0).all()


def test_what_has_no_weights_says_what_to_do():
    with pytest.raises(ValueError, match=r"xresnet18 has no pretrained weights.*pretrained=False"):
        create_vision_model(xresnet18, 3)
    with pytest.raises(ValueError, match="weights= with pretrained=False"):
        create_vision_model(xresnet18, 3, pretrained=False, weights="x.pth")


def test_a_misspelt_name_is_told_the_nearest():
    with pytest.raises((ImportError, ValueError)) as caught:
        create_vision_model("resnt18", 3)
    assert caught.value.__notes__ == [
        "Of torchvision's: Did you mean 'resnet18' or 'resnet152' or 'resnet101'?"
    ]


def test_a_name_of_ours_without_its_prefix_is_told_with_it():
    with pytest.raises((ImportError, ValueError)) as caught:
        create_vision_model("xresnet18", 3, pretrained=False)
    assert caught.value.__notes__[0] == ("layerwise has a model of that name: 'vision/xresnet18'.")


def test_other_names_are_those_of_timm():
    pytest.importorskip("torch")
    try:
        import timm  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match=r"layerwise-vision\[timm\]"):
            create_vision_model("vit_small", 3)
    else:
        with pytest.raises(ValueError, match="timm has no model 'vit_smoll'"):
            create_vision_model("vit_smoll", 3)


def test_grey_pictures_take_a_body_of_one_channel(pets, trained):
    dls = ImageDataLoaders.from_folder(
        pets, img_cls=PILImageBW, item_tfms=Resize(64), bs=8, num_workers=0, device="cpu"
    )
    learn = vision_learner(dls, squeezenet1_1, weights=trained, n_in=1)
    assert learn.model(dls.one_batch()[0].as_plain()).shape == (8, 2)
    expected = trained["features.0.weight"].sum(1, keepdim=True)
    assert torch.equal(learn.model[0][0][0].weight, expected)


def test_settings_of_the_head_arrive(dls):
    learn = vision_learner(
        dls, small, pretrained=False, n_out=5, lin_ftrs=[7], ps=0.1, concat_pool=False,
        y_range=(0, 1), bn_final=True, custom_head=None,
    )  # fmt: skip
    linear = [m for m in learn.model[1].modules() if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linear] == [(8, 7), (7, 5)]
    head = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(TypeError, match="n_outt"):
        vision_learner(dls, small, n_outt=3)  # type: ignore[call-arg]  # that is the test
    assert (
        vision_learner(dls, small, pretrained=False, custom_head=head, init=None).model[1] is head
    )


def test_the_number_of_outputs_has_to_be_known(pets):
    files = get_image_files(pets)
    block = DataBlock((ImageBlock, RegressionBlock(n_out=2)), get_y=_two_numbers)
    dls = block.dataloaders(files, bs=4, num_workers=0, device="cpu")
    assert vision_learner(dls, small, pretrained=False).model[1][-1][-1].out_features == 2


def _two_numbers(_path):
    return [0.5, 0.25]


def test_it_learns_red_from_blue(dls, trained):
    learn = vision_learner(dls, small, pretrained=False, lr=1e-2)
    with learn.no_logging():
        learn.fit(6)
    predictions, targets = learn.get_preds()
    assert (predictions.argmax(1) == targets).float().mean() == 1


def test_fine_tuning_moves_the_body_only_in_its_second_part(dls, trained):
    learn = vision_learner(dls, squeezenet1_1, weights=trained)
    first = learn.model[0][0][0].weight
    with learn.no_logging():
        learn.fit(1)
        assert torch.equal(first, trained["features.0.weight"])
        learn.unfreeze()
        learn.fit(1, 1e-3)
    assert not torch.equal(first, trained["features.0.weight"])


def test_old_names_warn_and_work(dls):
    with pytest.warns(DeprecationWarning, match="cnn_learner is called vision_learner now"):
        assert isinstance(cnn_learner(dls, small, pretrained=False), Learner)


def test_every_argument_is_spelt_out():
    parameters = inspect.signature(vision_learner).parameters.values()
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    assert set(inspect.signature(Learner).parameters) - {"default_cbs", "model"} <= {
        p.name for p in parameters
    }
    assert module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize("kind", ["block", "function", "learner", "model", "transform", "type"])
def test_every_entry_of_the_record_is_found(kind):
    own = [name for name in names(kind) if name.startswith("vision/")]
    assert own
    for name in own:
        assert find(kind, name).__name__ == name.partition("/")[2].rpartition(".")[2]
