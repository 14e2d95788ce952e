"""Whatever the record of vision names keeps the contract of its kind."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.nn.residual import ResBlock
from layerwise.core.optim.algorithms import SGD
from layerwise.core.registry import facts_of, find, names
from layerwise.core.tensors import TensorImage, TensorMask, TensorMultiCategory
from layerwise.core.testing.checks import Example, plugin_checks
from layerwise.core.testing.kinds import check_model
from layerwise.vision.augment.affine import AffineCoordTfm
from layerwise.vision.augment.color import HSVTfm, LightingTfm, SpaceTfm
from layerwise.vision.augment.crop import CropPad, OldRandomCrop, RandomCrop
from layerwise.vision.augment.crop_batch import RandomResizedCropGPU
from layerwise.vision.augment.geometry import Rotate, Zoom
from layerwise.vision.augment.item import RandomResizedCrop, RatioResize, Resize
from layerwise.vision.augment.matrix import affine_mat
from layerwise.vision.augment.one_pass import OnePass
from layerwise.vision.blocks import AddMaskCodes
from layerwise.vision.boxes import BBoxLabeler
from layerwise.vision.coords import LabeledBBox, TensorBBox, TensorPoint
from layerwise.vision.detect.learner import create_detection_model
from layerwise.vision.detect.loss import RetinaLoss
from layerwise.vision.detect.metric import MeanAP
from layerwise.vision.detect.model import RetinaNet
from layerwise.vision.feature_loss import FeatureLoss
from layerwise.vision.gan.losses import (
    AdaptiveLoss,
    GANLoss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from layerwise.vision.gan.module import GANModule
from layerwise.vision.gan.nets import (
    AddChannels,
    DenseResBlock,
    basic_critic,
    basic_generator,
    gan_critic,
)
from layerwise.vision.gan.trainer import GANTrainer
from layerwise.vision.learner import create_vision_model
from layerwise.vision.medical.blocks import DicomBlock, DicomChannels, VolumeBlock, VolumeChannels
from layerwise.vision.medical.tensors import TensorDicom
from layerwise.vision.medical.volumes import TensorVolume
from layerwise.vision.models.unet import DynamicUnet
from layerwise.vision.models.xresnet import XResNet, xresnet18
from layerwise.vision.models.zoo import torchvision_model
from layerwise.vision.types import PILImage
from layerwise.vision.unet_learner import create_unet_model

_numbers = torch.Generator().manual_seed(0)
PIXELS = np.random.default_rng(0).integers(0, 255, (5, 24, 32, 3), dtype=np.uint8)
PICTURE = PILImage.create(PIXELS[0])
BATCH = TensorImage(torch.rand(4, 3, 16, 16, generator=_numbers))
MASKS = TensorMask(torch.randint(3, (4, 16, 16), generator=_numbers))
POINTS = TensorPoint(torch.rand(4, 2, 2, generator=_numbers) - 0.5)
ALL = (BATCH, MASKS, POINTS)
SMALL = torch.rand(4, 3, 32, 32, generator=_numbers)
BOXES = [[2.0, 3, 12, 10], [8.0, 8, 30, 20]]
IN_PIXELS = TensorBBox.create(BOXES)
HEAD = sorted((Path(__file__).parents[2] / "examples" / "data" / "ct_head").glob("*.dcm"))


# -- what examples are made with -----------------------------------------------------------


def _sheared(x: Tensor) -> Tensor:
    return affine_mat(torch.ones(len(x)), 0.2, 0, 0, 1, 0)[:, :2]


def _doubled(x: Tensor) -> Tensor:
    return x * 2


def _squared(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    return change(x.sqrt()) ** 2


def _dicom(make: Callable[[], Any]) -> Any:
    pytest.importorskip("pydicom")
    return make()


def _small_body(*widths: int) -> nn.Sequential:
    ins = (3, *widths)
    convs = [nn.Conv2d(ins[i], width, 3, 2, 1) for i, width in enumerate(widths)]
    return nn.Sequential(*(layer for conv in convs for layer in (conv, nn.ReLU())))


def _gan(path: str, *, has_trainer: bool) -> Learner:
    """Generator and critic of one weight each."""
    data = [(torch.randn(1, generator=_numbers), torch.ones(1)) for _ in range(8)]
    model = GANModule(nn.Linear(1, 1), nn.Linear(1, 1), gen_mode=True)
    return Learner(
        DataLoaders(DataLoader(data, bs=2), DataLoader(data[:4], bs=2)),
        model,
        loss_func=GANLoss(wasserstein_generator_loss, wasserstein_critic_loss, model),
        opt_func=SGD,
        cbs=[GANTrainer(show_img=False)] if has_trainer else [],
        path=path,
    )


class _LossOfOneTensor:
    """`RetinaLoss` of (B, 3, 6) logits of two classes and deltas, and (B, N, 5) boxes and class."""

    anchors = torch.tensor([[-1.0, -1, 0, 0], [0.0, 0, 1, 1], [0.5, 0.5, 0.75, 0.75]])

    def __call__(self, pred: Tensor, targ: Tensor) -> Tensor:
        outputs = pred[..., :2], pred[..., 2:], self.anchors.expand(len(pred), -1, -1)
        return RetinaLoss()(outputs, targ[..., :4], targ[..., 4].long())


class _MetricOfOneTensor(MeanAP):
    """`MeanAP` of (B, K, 6) boxes, score and class found, and (B, N, 5) boxes and class."""

    def update(self, pred: Any, *targets: Any) -> None:
        found = pred[..., :4], pred[..., 4], pred[..., 5].long()
        super().update(found, targets[0][..., :4], targets[0][..., 4].long())


FOUND = torch.rand(6, 3, 6, generator=_numbers).sort(-1).values
FOUND[..., 5] = 1
WANTED = torch.cat([FOUND[:, :2, :4] * 0.95, torch.ones(6, 2, 1)], -1)
GAN = {"make_learner": partial(_gan, has_trainer=True)}

# -- architectures -------------------------------------------------------------------------

IN_TURN = "does the next thing with each batch, whatever is drawn; test_geometry.py tries it"
FAMILY = "another of its family is tried; each takes too long, and tests/vision/models has them"
# Families whose smallest member takes more than a second or two.
SLOW = {
    f"model vision/{name}"
    for name in (
        "alexnet", "convnext_tiny", "efficientnet_v2_s", "inception_v3", "maxvit_t", "vgg11",
        "vit_b_16", "wide_resnet50_2",
    )
}  # fmt: skip
# What can do with pictures of no other size, or no smaller ones.
# A head that begins with zeros makes outputs whose mean square has no gradient.
OPTIONS = {"vit_b_16": {"yb": torch.tensor([0, 2]), "loss_func": F.cross_entropy}}
SIDES = {"inception": 299, "maxvit": 224, "vit": 224}


def _architectures() -> dict[str, Example]:
    """The smallest of each family is tried, the others are only found."""
    made: dict[str, Example] = {}
    of_family: dict[Any, list[tuple[int, str]]] = {}
    for name in names("model", "vision/*"):
        facts = facts_of("model", name)
        if "family" in facts:
            of_family.setdefault(facts["family"], []).append((int(str(facts["params"])), name))
    for family, members in of_family.items():
        smallest, *others = (name.partition("/")[2] for _, name in sorted(members))
        side = SIDES.get(str(family), 64)
        x = torch.rand(2, 3, side, side, generator=_numbers)
        make = partial(_architecture, f"vision/{smallest}")
        made |= {
            smallest: Example((x,), make, OPTIONS.get(smallest)),
            **dict.fromkeys(others, Example(skip=FAMILY)),
        }
    return made


def _architecture(name: str) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = find("model", name)(n_out=3)
    return model


EXAMPLES = {
    "block": {
        "BBoxBlock": Example(([TensorBBox.create(BOXES, img_size=(32, 24))] * 4,)),
        "BBoxLblBlock": Example(([["cat", "dog"]] * 4,)),
        "DicomBlock": Example((HEAD[:4],), lambda: _dicom(lambda: DicomBlock([(80, 40)], True))),
        "ImageBlock": Example((list(PIXELS),)),
        "MaskBlock": Example((list(PIXELS[..., 0] % 3),)),
        "PointBlock": Example(([TensorPoint.create([[3, 4]], img_size=(32, 24))] * 4,)),
        "VolumeBlock": Example(
            (["head"] * 4,), lambda: _dicom(lambda: VolumeBlock((80, 40), (4, 8, 8)))
        ),
    },
    "callback": {
        **{
            name: Example(options=GAN)
            for name in (
                "AdaptiveGANSwitcher", "FixedGANSwitcher", "GANDiscriminativeLR", "GradientPenalty",
            )
        },
        "GANTrainer": Example(options={"make_learner": partial(_gan, has_trainer=False)}),
    },
    "loss": {
        "AdaptiveLoss": Example((SMALL[:, 0], SMALL[:, 1, 0, 0]), lambda: AdaptiveLoss(F.mse_loss)),
        "FeatureLoss": Example(
            (SMALL, SMALL.flip(0)), lambda: FeatureLoss(_small_body(4, 4), [1, 3], [1.0, 2.0])
        ),
        "PointLossFlat": Example((POINTS.as_plain(), POINTS.as_plain().flip(0))),
        "RetinaLoss": Example((FOUND, WANTED), _LossOfOneTensor),
    },
    "metric": {"MeanAP": Example((FOUND, WANTED), _MetricOfOneTensor)},
    "model": {
        **_architectures(),
        "DynamicUnet": Example((SMALL,), lambda: DynamicUnet(_small_body(4, 6, 8), 3)),
        "RetinaNet": Example(
            (SMALL,), lambda: RetinaNet(_small_body(4, 6, 8), 2, width=8, levels=2, depth=1)
        ),
        "XResNet": Example(
            (SMALL,), lambda: XResNet(ResBlock, 1, [1, 1], n_out=3, block_szs=[8, 16])
        ),
        "basic_critic": Example((SMALL,), lambda: basic_critic(32, 3, n_features=4)),
        "basic_generator": Example(
            (torch.randn(4, 10, generator=_numbers),),
            lambda: basic_generator(16, 3, in_sz=10, n_features=4),
        ),
        "create_detection_model": Example(
            (SMALL,), lambda: create_detection_model(xresnet18, 2, pretrained=False, width=8)
        ),
        "create_unet_model": Example(
            (SMALL,), lambda: create_unet_model("vision/squeezenet1_1", 3, pretrained=False)
        ),
        "create_vision_model": Example(
            (SMALL,), lambda: create_vision_model("vision/squeezenet1_1", 3, pretrained=False)
        ),
        "gan_critic": Example((SMALL,), lambda: gan_critic(nf=4, n_blocks=1)),
        "torchvision_model": Example(
            (SMALL,), lambda: torchvision_model("squeezenet1_1", n_out=3)
        ),
    },
    "transform": {
        **{
            name: Example((ALL,))
            for name in (
                "Brightness", "Contrast", "Dihedral", "Flip", "Hue", "RandomErasing",
                "Saturation", "Warp",
            )
        },
        **dict.fromkeys(("DeterministicDihedral", "DeterministicFlip"), Example(skip=IN_TURN)),
        **{name: Example((PICTURE,)) for name in ("DihedralItem", "FlipItem")},
        "AddMaskCodes": Example((MASKS,), lambda: AddMaskCodes(["sky", "road", "car"])),
        "AffineCoordTfm": Example((ALL,), lambda: AffineCoordTfm(_sheared)),
        "BBoxLabeler": Example(
            ((BATCH[0], IN_PIXELS, TensorMultiCategory([1, 2])),),
            lambda: BBoxLabeler(["#na#", "cat", "dog"]),
            {"decoded": (BATCH[0], IN_PIXELS, LabeledBBox(IN_PIXELS, ["cat", "dog"]))},
        ),
        "BatchAugment": Example(skip="an interface"),
        "CropPad": Example((PICTURE,), lambda: CropPad(28)),
        "DicomChannels": Example(
            (TensorDicom(BATCH.as_plain()[:, :1] * 100),), lambda: DicomChannels([(80, 40)])
        ),
        "HSVTfm": Example((ALL,), lambda: HSVTfm(_doubled)),
        "LightingTfm": Example((ALL,), lambda: LightingTfm(_doubled)),
        "OldRandomCrop": Example((PICTURE,), lambda: OldRandomCrop(20)),
        "OnePass": Example((ALL,), lambda: OnePass([Rotate(), Zoom()])),
        "OpenMask": Example((PIXELS[0, ..., 0],)),
        "PointScaler": Example(((BATCH[0], TensorPoint.create([[3, 4]])),)),
        "RandomCrop": Example((PICTURE,), lambda: RandomCrop(20)),
        "RandomResizedCrop": Example((PICTURE,), lambda: RandomResizedCrop(16)),
        "RandomResizedCropGPU": Example((ALL,), lambda: RandomResizedCropGPU(8)),
        "RatioResize": Example((PICTURE,), lambda: RatioResize(16)),
        "Resize": Example((PICTURE,), lambda: Resize(16)),
        "Rotate": Example((ALL,), lambda: Rotate(p=1.0)),
        "SpaceTfm": Example((ALL,), lambda: SpaceTfm(_doubled, _squared)),
        "TensorPointCreate": Example(([3.0, 4, 5, 6],)),
        "VolumeChannels": Example(
            (TensorVolume(BATCH.as_plain()[:, :1, None] * 100),), lambda: VolumeChannels((80, 40))
        ),
        "Zoom": Example((ALL,), lambda: Zoom(p=1.0)),
    },
}  # fmt: skip
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "AddChannels": lambda: AddChannels(2),
    "DenseResBlock": lambda: DenseResBlock(3),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to be in, with a series of slices in it."""
    (tmp_path / "head").mkdir()
    for file in HEAD[:4]:
        shutil.copy(file, tmp_path / "head")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if name.split(":")[0] in SLOW else [])
        for name, case in plugin_checks("vision", EXAMPLES)
    ],
)
def test_the_record(case):
    case()


def test_every_layer_is_tried():
    assert {name for name in names("layer") if name.startswith("vision/")} == {
        f"vision/{name}" for name in LAYERS
    }


@pytest.mark.parametrize("name", LAYERS)
def test_layers_train_move_and_save(name):
    made = LAYERS[name]()
    assert type(made) is find("layer", f"vision/{name}")
    check_model(nn.Sequential(nn.Conv2d(3, 3, 1), made), SMALL)
