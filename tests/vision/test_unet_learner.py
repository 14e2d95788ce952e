"""`unet_learner`: body, decoder, frozen layers, that it learns, and where it goes afterwards."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from layerwise.core.data.source import get_image_files
from layerwise.core.learner import Learner
from layerwise.core.metrics.segmentation import DiceMulti, foreground_acc
from layerwise.core.nn.norm import NormType
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorMask
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.data import SegmentationDataLoaders
from layerwise.vision.learner import vision_learner
from layerwise.vision.models.torchvision_models import squeezenet1_1
from layerwise.vision.models.unet import DynamicUnet
from layerwise.vision.types import PILImageBW, PILMask
from layerwise.vision.unet_learner import create_unet_model, unet_learner


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Twelve pictures of 40 x 48 with one red square each, and their masks."""
    root = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for i in range(12):
        pixels = rng.integers(0, 120, (48, 40, 3), dtype=np.uint8)
        mask = np.zeros((48, 40), np.uint8)
        top, left = rng.integers(0, 28), rng.integers(0, 20)
        pixels[top : top + 20, left : left + 20, 0] = 255
        mask[top : top + 20, left : left + 20] = 1
        Image.fromarray(pixels).save(root / "images" / f"{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    return root


def mask_of(path):
    """The mask of a picture."""
    return path.parent.parent / "masks" / path.name


register("reader", "unet-tests/mask_of", mask_of)  # so that an export can name it


def loaders(scenes, **settings):
    files = sorted(get_image_files(scenes / "images"))
    return SegmentationDataLoaders.from_label_func(
        scenes, files, mask_of, valid_pct=0.25, seed=0, codes=["ground", "square"],
        bs=3, num_workers=0, device="cpu", **settings,
    )  # fmt: skip


@pytest.fixture
def dls(scenes):
    return loaders(scenes)


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1),
        nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained():
    return squeezenet1_1().state_dict()


def test_a_pretrained_body_is_frozen_and_its_statistics_added(dls, trained):
    learn = unet_learner(dls, squeezenet1_1, weights=trained)
    assert isinstance(learn, Learner)
    assert isinstance(learn.model, DynamicUnet)
    assert not any(p.requires_grad for p in learn.model.encoder.parameters())
    decoder = [p for n, p in learn.model.named_parameters() if not n.startswith("encoder")]
    assert all(p.requires_grad for p in decoder)
    assert sum(isinstance(step, Normalize) for step in dls.after_batch) == 1
    first = learn.model.encoder.stages[0][0]
    assert torch.equal(first.weight, trained["features.0.weight"])
    assert [len(group) for group in learn.opt.param_lists] == [14, 36, len(decoder)]
    assert learn.model(dls.one_batch()[0].as_plain()).shape == (3, 2, 48, 40)


def test_freezing_goes_by_the_three_groups(dls, trained):
    learn = unet_learner(dls, squeezenet1_1, weights=trained)
    stages = learn.model.encoder.stages

    def free():
        return [any(p.requires_grad for p in stage.parameters()) for stage in stages]

    learn.freeze_to(-2)
    assert free() == [False, False, True, True]
    learn.unfreeze()
    assert free() == [True] * 4
    kept = {name: p.clone() for name, p in learn.model.named_parameters()}
    with learn.no_logging():
        learn.freeze()
        learn.fit(1)
    moved = [n for n, p in learn.model.named_parameters() if not torch.equal(p, kept[n])]
    assert moved
    assert not any(name.startswith("encoder") for name in moved)


def test_it_learns_where_the_square_is(dls):
    torch.manual_seed(0)
    learn = unet_learner(
        dls, small, pretrained=False, lr=1e-2, metrics=[DiceMulti(), foreground_acc]
    )
    before = learn.validate()
    with learn.no_logging():
        learn.fit(8)
    loss, dice, foreground = learn.validate()
    assert loss < before[0] / 2
    assert dice > 0.9
    assert foreground > 0.9


def test_settings_reach_the_decoder(dls):
    learn = unet_learner(
        dls, small, pretrained=False, n_out=5, self_attention=True, blur=True, last_cross=False,
        act_cls=nn.Mish, norm_type=NormType.Batch, y_range=(0, 1), init=None,
    )  # fmt: skip
    out = learn.model(torch.randn(2, 3, 30, 30))
    assert out.shape == (2, 5, 30, 30)
    assert 0 <= out.min() <= out.max() <= 1
    assert any(isinstance(m, nn.Mish) for m in learn.model.blocks.modules())
    with pytest.raises(TypeError, match=r"'self_atention'\. Did you mean 'self_attention'"):
        unet_learner(dls, small, self_atention=True)  # type: ignore[call-arg]  # that is the test
    with pytest.raises(TypeError, match="blurr"):
        create_unet_model(small, 2, pretrained=False, blurr=True)


def test_every_argument_is_spelt_out():
    parameters = inspect.signature(unet_learner).parameters.values()
    assert all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    own = {p.name for p in parameters}
    assert set(inspect.signature(Learner).parameters) - {"default_cbs", "model"} <= own
    assert set(inspect.signature(DynamicUnet).parameters) - {"encoder"} <= own


def test_what_has_no_maps_or_outputs_says_what_to_do(dls, scenes):
    with pytest.raises(ValueError, match=r"no map .*such as resnet34"):
        unet_learner(dls, "vit_b_32", pretrained=False)
    files = get_image_files(scenes / "images")
    without = SegmentationDataLoaders.from_label_func(
        scenes, files, mask_of, bs=3, num_workers=0, device="cpu"
    )
    with pytest.raises(ValueError, match="MaskBlock its codes"):
        unet_learner(without, small, pretrained=False)


# -- channels ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [unet_learner, vision_learner], ids=["unet", "vision"])
def test_pictures_of_other_channels_are_refused_before_training(make, scenes):
    grey, colour = loaders(scenes, img_cls=PILImageBW), loaders(scenes)
    with pytest.raises(ValueError, match=r"have 1 channel and .* 3; pass n_in=1 \(or .* PILImage"):
        make(grey, "resnet18", pretrained=False)
    with pytest.raises(
        ValueError, match=r"have 3 channels and .* 1; pass n_in=3 \(or .* PILImageBW"
    ):
        make(colour, "resnet18", pretrained=False, n_in=1)
    learn = make(grey, "resnet18", pretrained=False, n_in=1)
    assert len(learn.model(grey.one_batch()[0].as_plain())) == 3


def test_looking_at_the_pictures_draws_no_number(dls):
    from layerwise.vision.fit_to_data import check_channels

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_channels(dls, 3)
    with pytest.raises(ValueError, match="n_in=3"):
        check_channels(dls, 4)
    assert torch.equal(torch.rand(1), expected)


def test_a_batch_decides_where_a_transform_changes_the_channels(scenes):
    grey = loaders(scenes, img_cls=PILImageBW, batch_tfms=_in_three)
    learn = unet_learner(grey, small, pretrained=False)
    assert learn.model(grey.one_batch()[0].as_plain()).shape[1] == 2


def _in_three(x):
    return x if isinstance(x, TensorMask) else x.repeat(1, 3, 1, 1)


def test_a_broken_first_file_is_left_to_the_loader(scenes, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "images" / "0.png").write_bytes(b"no picture")
    Image.new("L", (40, 48)).save(tmp_path / "masks" / "0.png")
    files = [tmp_path / "images" / "0.png", *sorted((scenes / "images").glob("*.png"))]

    def build(**settings):
        return SegmentationDataLoaders.from_label_func(
            scenes, files, mask_of, valid_pct=0.3, seed=3, codes=["a", "b"], bs=3,
            num_workers=0, device="cpu", **settings,
        )  # fmt: skip

    learn = unet_learner(build(on_bad_item="skip"), small, pretrained=False)
    assert learn.model(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)


# -- afterwards ----------------------------------------------------------------------------

ARCHITECTURES = {
    "of torchvision": partial(unet_learner, arch="squeezenet1_1", blur=True),
    "ours": partial(unet_learner, arch="vision/xresnet18", self_attention=True, y_range=(-9, 9)),
}


@pytest.mark.parametrize("make", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_a_loaded_learner_predicts_the_same_masks(make, dls, scenes, tmp_path):
    torch.manual_seed(0)
    learn = make(dls=dls, pretrained=False, path=tmp_path)
    again = load_learner(learn.export())
    picture = scenes / "images" / "0.png"
    found, _, scores = again.predict(picture)
    expected = learn.predict(picture)
    assert torch.equal(scores, expected[2])
    assert isinstance(found, TensorMask)
    assert found.codes == ["ground", "square"]
    assert found.shape == (48, 40)


def test_a_pretrained_learner_is_exported_without_fetching_anything(dls, trained, tmp_path):
    learn = unet_learner(dls, squeezenet1_1, weights=trained, path=tmp_path)
    again = load_learner(learn.export())
    x = dls.one_batch()[0].as_plain()
    with torch.no_grad():
        torch.testing.assert_close(again.model.eval()(x), learn.model.eval()(x))


@pytest.mark.slow
def test_onnx_takes_any_batch_and_size(dls, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    learn = unet_learner(dls, small, pretrained=False, path=tmp_path)
    path = learn.to_onnx(dynamic_dims=(0, 2, 3))
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    model = learn.model.eval()
    for shape in ((1, 3, 48, 40), (3, 3, 33, 50), (2, 3, 64, 64)):
        x = torch.rand(shape)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, model(x).numpy(), atol=1e-4)


def test_results_are_shown(dls, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    learn = unet_learner(dls, small, pretrained=False)
    learn.show_results(max_n=2)
    assert len(plt.gcf().axes) == 4
    plt.close("all")


def test_another_picture_may_be_the_target(scenes):
    from layerwise.core.data.block import DataBlock
    from layerwise.core.nn.losses import MSELossFlat
    from layerwise.vision.blocks import ImageBlock

    files = sorted(get_image_files(scenes / "images"))
    block = DataBlock((ImageBlock, ImageBlock), get_y=mask_of)
    dls = block.dataloaders(files, bs=3, num_workers=0, device="cpu")
    learn = unet_learner(dls, small, pretrained=False, n_out=3, loss_func=MSELossFlat())
    with learn.no_logging():
        learn.fit(1)
    assert learn.predict(files[0])[2].shape == (3, 48, 40)


def test_masks_are_what_the_fixture_says(scenes):
    assert set(np.unique(np.asarray(PILMask.create(scenes / "masks" / "0.png")))) == {0, 1}
