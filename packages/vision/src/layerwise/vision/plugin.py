"""The record of `layerwise-vision`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]

# Architectures by family, and how many parameters each has with its own head.
_TORCHVISION = {
    "alexnet": {
        "alexnet": 61_100_840,
    },
    "convnext": {
        "convnext_base": 88_591_464, "convnext_large": 197_767_336, "convnext_small": 50_223_688,
        "convnext_tiny": 28_589_128,
    },
    "densenet": {
        "densenet121": 7_978_856, "densenet161": 28_681_000, "densenet169": 14_149_480,
        "densenet201": 20_013_928,
    },
    "efficientnet": {
        "efficientnet_b0": 5_288_548, "efficientnet_b1": 7_794_184, "efficientnet_b2": 9_109_994,
        "efficientnet_b3": 12_233_232, "efficientnet_b4": 19_341_616,
        "efficientnet_b5": 30_389_784, "efficientnet_b6": 43_040_704,
        "efficientnet_b7": 66_347_960,
    },
    "efficientnet_v2": {
        "efficientnet_v2_l": 118_515_272, "efficientnet_v2_m": 54_139_356,
        "efficientnet_v2_s": 21_458_488,
    },
    "googlenet": {
        "googlenet": 6_624_904,
    },
    "inception": {
        "inception_v3": 27_161_264,
    },
    "maxvit": {
        "maxvit_t": 30_919_624,
    },
    "mnasnet": {
        "mnasnet0_5": 2_218_512, "mnasnet0_75": 3_170_208, "mnasnet1_0": 4_383_312,
        "mnasnet1_3": 6_282_256,
    },
    "mobilenet_v2": {
        "mobilenet_v2": 3_504_872,
    },
    "mobilenet_v3": {
        "mobilenet_v3_large": 5_483_032, "mobilenet_v3_small": 2_542_856,
    },
    "regnet_x": {
        "regnet_x_1_6gf": 9_190_136, "regnet_x_3_2gf": 15_296_552, "regnet_x_8gf": 39_572_648,
        "regnet_x_16gf": 54_278_536, "regnet_x_32gf": 107_811_560, "regnet_x_400mf": 5_495_976,
        "regnet_x_800mf": 7_259_656,
    },
    "regnet_y": {
        "regnet_y_1_6gf": 11_202_430, "regnet_y_3_2gf": 19_436_338, "regnet_y_8gf": 39_381_472,
        "regnet_y_16gf": 83_590_140, "regnet_y_32gf": 145_046_770, "regnet_y_128gf": 644_812_894,
        "regnet_y_400mf": 4_344_144, "regnet_y_800mf": 6_432_512,
    },
    "resnet": {
        "resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032,
        "resnet101": 44_549_160, "resnet152": 60_192_808,
    },
    "resnext": {
        "resnext50_32x4d": 25_028_904, "resnext101_32x8d": 88_791_336,
        "resnext101_64x4d": 83_455_272,
    },
    "shufflenet_v2": {
        "shufflenet_v2_x0_5": 1_366_792, "shufflenet_v2_x1_0": 2_278_604,
        "shufflenet_v2_x1_5": 3_503_624, "shufflenet_v2_x2_0": 7_393_996,
    },
    "squeezenet": {
        "squeezenet1_0": 1_248_424, "squeezenet1_1": 1_235_496,
    },
    "swin": {
        "swin_b": 87_768_224, "swin_s": 49_606_258, "swin_t": 28_288_354,
    },
    "swin_v2": {
        "swin_v2_b": 87_930_848, "swin_v2_s": 49_737_442, "swin_v2_t": 28_351_570,
    },
    "vgg": {
        "vgg11": 132_863_336, "vgg11_bn": 132_868_840, "vgg13": 133_047_848,
        "vgg13_bn": 133_053_736, "vgg16": 138_357_544, "vgg16_bn": 138_365_992,
        "vgg19": 143_667_240, "vgg19_bn": 143_678_248,
    },
    "vit": {
        "vit_b_16": 86_567_656, "vit_b_32": 88_224_232, "vit_h_14": 632_045_800,
        "vit_l_16": 304_326_632, "vit_l_32": 306_535_400,
    },
    "wide_resnet": {
        "wide_resnet50_2": 68_883_240, "wide_resnet101_2": 126_886_696,
    },
}  # fmt: skip

_MORE = frozenset(
    {
        "googlenet", "inception", "maxvit", "mnasnet", "regnet_x", "swin", "swin_v2", "vit",
        "regnet_y_1_6gf", "regnet_y_3_2gf", "regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf",
        "regnet_y_128gf", "resnext101_64x4d", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "vgg11",
        "vgg13", "vgg16", "vgg19",
    }
)  # fmt: skip
"""Families and names that stand in the second module of torchvision's."""

# Each is how many times smaller than the picture its maps are, where it is not like a ResNet.
_STRIDES = {
    "alexnet": (4, 8, 16, 32), "convnext": (4, 8, 16, 32), "squeezenet": (2, 4, 8, 16),
    "swin": (4, 8, 16, 32), "swin_v2": (4, 8, 16, 32), "vgg": (1, 2, 4, 8, 16, 32), "vit": (),
}  # fmt: skip
_OF_RESNETS = (2, 4, 8, 16, 32)

# Side of the pictures that the weights were trained on, where it is not 224.
_SIZES = {
    "efficientnet_b1": 240, "efficientnet_b2": 288, "efficientnet_b3": 300, "efficientnet_b4": 380,
    "efficientnet_b5": 456, "efficientnet_b6": 528, "efficientnet_b7": 600, "inception_v3": 299,
    "efficientnet_v2_l": 480, "efficientnet_v2_m": 480, "efficientnet_v2_s": 384,
    "swin_v2_b": 256, "swin_v2_s": 256, "swin_v2_t": 256,
}  # fmt: skip

_ONE_SIZE = ("maxvit", "vit")
_NOT_COMMERCIAL = ("regnet_y_128gf", "vit_h_14")

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_AROUND_ZERO = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

# Ours, by the module that they stand in.
_OWN = {
    "xresnet": {
        "xresnet18": 11_708_744, "xresnet18_deep": 14_535_496, "xresnet18_deeper": 10_995_528,
        "xresnet34": 21_816_904, "xresnet34_deep": 24_643_656, "xresnet34_deeper": 27_005_000,
        "xresnet50": 25_576_264, "xresnet50_deep": 29_147_976, "xresnet50_deeper": 31_382_344,
        "xresnet101": 44_568_392, "xresnet152": 60_212_040,
    },
    "xse_resnet": {
        "xresnext18": 13_555_784, "xresnext34": 23_983_304, "xresnext50": 25_048_136,
        "xresnext101": 44_196_936, "xse_resnet18": 11_798_856, "xse_resnet34": 21_979_648,
        "xse_resnet50": 126_777_336, "xse_resnet101": 236_065_848, "xse_resnet152": 326_074_360,
        "xse_resnext18": 13_645_896, "xse_resnext18_deep": 16_011_368,
        "xse_resnext18_deeper": 12_335_448, "xse_resnext34": 24_146_048,
        "xse_resnext34_deep": 26_511_520, "xse_resnext34_deeper": 22_835_600,
        "xse_resnext50": 27_579_128, "xse_resnext50_deep": 31_695_736,
        "xse_resnext50_deeper": 27_930_424, "xse_resnext101": 48_974_648, "xsenet154": 92_960_248,
    },
}  # fmt: skip

_ITEM_TRANSFORMS = (
    "crop:CropPad", "crop:OldRandomCrop", "crop:RandomCrop", "item:DihedralItem", "item:FlipItem",
    "item:RandomResizedCrop", "item:RatioResize", "item:Resize",
)  # fmt: skip

# Transforms of batches, by the module that they stand in.
_BATCH = {
    "affine": ("AffineCoordTfm",),
    "color": (
        "Brightness", "Contrast", "HSVTfm", "Hue", "LightingTfm", "Saturation", "SpaceTfm",
    ),
    "crop_batch": ("RandomResizedCropGPU",),
    "erase": ("RandomErasing",),
    "geometry": (
        "DeterministicDihedral", "DeterministicFlip", "Dihedral", "Flip", "Rotate", "Warp", "Zoom",
    ),
    "one_pass": ("BatchAugment", "OnePass"),
}  # fmt: skip

_GAN_CALLBACKS = (
    "switchers:AdaptiveGANSwitcher", "switchers:FixedGANSwitcher",
    "switchers:GANDiscriminativeLR", "trainer:GANTrainer", "penalty:GradientPenalty",
)  # fmt: skip


_Facts = dict[str, str | int | float | bool | tuple[int, ...] | tuple[float, ...]]


def _torchvision(family: str, name: str, params: int) -> Entry:
    module = "torchvision_more" if {family, name} & _MORE else "torchvision_models"
    strides = _STRIDES.get(family, _OF_RESNETS)
    is_around_zero = family in ("googlenet", "inception") or name == "efficientnet_v2_l"
    facts: _Facts = {
        "takes": "pictures", "source": "torchvision", "family": family, "params": params,
        "pretrained": True, "size": _SIZES.get(name, 224), "fixed_size": family in _ONE_SIZE,
        "has_maps": bool(strides), "strides": strides,
        "licence": "CC-BY-NC-4.0" if name in _NOT_COMMERCIAL else "BSD-3-Clause",
        **(_AROUND_ZERO if is_around_zero else _IMAGENET),
    }  # fmt: skip
    return Entry(f"layerwise.vision.models.{module}:{name}", "of torchvision", facts)


def _own(module: str, name: str, params: int) -> Entry:
    facts: _Facts = {
        "takes": "pictures", "source": "layerwise", "family": module, "params": params,
        "pretrained": False, "size": 224, "fixed_size": False, "has_maps": True,
        "strides": _own_strides(name), "licence": "Apache-2.0", **_IMAGENET,
    }  # fmt: skip
    target = f"layerwise.vision.models.{module}:{name}"
    return Entry(target, "residual net, three-layer stem", facts)


def _own_strides(name: str) -> tuple[int, ...]:
    """Two more groups of blocks halve the map twice more, four more four times."""
    further = 4 if name.endswith("_deeper") else 2 if name.endswith("_deep") else 0
    return tuple(2**i for i in range(1, 6 + further))


def _item(place: str) -> Entry:
    return Entry(f"layerwise.vision.augment.{place}", "on one picture at a time")


def _gan(place: str, summary: str) -> Entry:
    return Entry(f"layerwise.vision.gan.{place}", summary)


def _detect(place: str, summary: str) -> Entry:
    return Entry(f"layerwise.vision.detect.{place}", summary)


def _medical(place: str, summary: str) -> Entry:
    return Entry(f"layerwise.vision.medical.{place}", summary)


def _batch(name: str, module: str) -> Entry:
    return Entry(f"layerwise.vision.augment.{module}:{name}", "on each picture of a batch")


plugin = Plugin(
    name="vision",
    api=1,
    entries={
        "block": {
            "BBoxBlock": Entry("layerwise.vision.blocks:BBoxBlock", "boxes on a picture"),
            "BBoxLblBlock": Entry("layerwise.vision.blocks:BBoxLblBlock", "labels of boxes"),
            "DicomBlock": _medical("blocks:DicomBlock", "DICOM files, windows in channels"),
            "ImageBlock": Entry("layerwise.vision.blocks:ImageBlock", "pictures"),
            "MaskBlock": Entry("layerwise.vision.blocks:MaskBlock", "a class for each pixel"),
            "PointBlock": Entry("layerwise.vision.blocks:PointBlock", "points on a picture"),
            "VolumeBlock": _medical("blocks:VolumeBlock", "series of slices as volumes"),
        },
        "callback": {
            place.split(":")[1]: _gan(place, "for two models in turns") for place in _GAN_CALLBACKS
        },
        "layer": {
            "AddChannels": _gan("nets:AddChannels", "axes of length 1"),
            "DenseResBlock": _gan("nets:DenseResBlock", "output beside input"),
        },
        "learner": {
            "vision_learner": Entry(
                "layerwise.vision.learner:vision_learner", "a trained body and a new head"
            ),
            "unet_learner": Entry(
                "layerwise.vision.unet_learner:unet_learner", "a trained body and a decoder"
            ),
            "cnn_learner": Entry(
                "layerwise.vision.learner:cnn_learner", "vision_learner under its old name"
            ),
            "detection_learner": _detect("learner:detection_learner", "boxes and their classes"),
        },
        "loss": {
            "AdaptiveLoss": _gan("losses:AdaptiveLoss", "of several numbers an item"),
            "FeatureLoss": Entry(
                "layerwise.vision.feature_loss:FeatureLoss", "by what a trained network sees"
            ),
            "PointLossFlat": Entry("layerwise.vision.point_loss:PointLossFlat", "for points"),
            "RetinaLoss": _detect("loss:RetinaLoss", "focal loss and loss of boxes"),
        },
        "metric": {"MeanAP": _detect("metric:MeanAP", "mean average precision of boxes")},
        "model": {
            **{
                name: _own(module, name, params)
                for module, known in _OWN.items()
                for name, params in known.items()
            },
            "XResNet": Entry("layerwise.vision.models.xresnet:XResNet", "residual net"),
            **{
                name: _torchvision(family, name, params)
                for family, known in _TORCHVISION.items()
                for name, params in known.items()
            },
            "basic_critic": _gan("nets:basic_critic", "how real a picture is"),
            "basic_generator": _gan("nets:basic_generator", "a picture of noise"),
            "gan_critic": _gan("nets:gan_critic", "how real each part of a picture is"),
            "RetinaNet": _detect("model:RetinaNet", "boxes and their classes, on a body"),
            "create_detection_model": _detect(
                "learner:create_detection_model", "a body and a RetinaNet on it"
            ),
            "torchvision_model": Entry(
                "layerwise.vision.models.zoo:torchvision_model", "of torchvision, by name"
            ),
            "create_vision_model": Entry(
                "layerwise.vision.learner:create_vision_model", "a body and a new head"
            ),
            "DynamicUnet": Entry(
                "layerwise.vision.models.unet:DynamicUnet", "a decoder on the maps of a body"
            ),
            "create_unet_model": Entry(
                "layerwise.vision.unet_learner:create_unet_model", "a U-Net over any architecture"
            ),
        },
        "training": {
            "vision": Entry("layerwise.vision.training:vision_training", "labels of pictures"),
        },
        "transform": {
            **{place.split(":")[1]: _item(place) for place in _ITEM_TRANSFORMS},
            "BBoxLabeler": Entry("layerwise.vision.boxes:BBoxLabeler", "boxes and their labels"),
            "PointScaler": Entry("layerwise.vision.point_scaler:PointScaler", "pixels to -1 to 1"),
            "TensorPointCreate": Entry(
                "layerwise.vision.point_scaler:TensorPointCreate", "numbers to points"
            ),
            "OpenMask": Entry("layerwise.vision.blocks:OpenMask", "a class for each pixel"),
            "AddMaskCodes": Entry("layerwise.vision.blocks:AddMaskCodes", "names for codes"),
            **{name: _batch(name, where) for where in _BATCH for name in _BATCH[where]},
            "DicomChannels": _medical("blocks:DicomChannels", "a channel for each window"),
            "VolumeChannels": _medical("blocks:VolumeChannels", "a channel for each window"),
        },
        "function": {
            "hsv": Entry("layerwise.vision.augment.hsv:hsv", "colours by hue and saturation"),
            "lighting": Entry("layerwise.vision.augment.color:lighting", "colours by logits"),
            "BodySplit": Entry("layerwise.vision.models.head:BodySplit", "parameter groups"),
            "UnetSplit": Entry("layerwise.vision.models.unet:UnetSplit", "groups of a U-Net"),
            "RetinaSplit": _detect("model:RetinaSplit", "parameter groups of a RetinaNet"),
            "PILImage.create": Entry("layerwise.vision.types:PILImage.create", "in colours"),
            "PILImageBW.create": Entry("layerwise.vision.types:PILImageBW.create", "in greys"),
            "PILMask.create": Entry(
                "layerwise.vision.types:PILMask.create", "a class for each pixel"
            ),
            "PILCTScan.create": _medical("pictures:PILCTScan.create", "a slice with channels"),
            "PILDicom.create": _medical("pictures:PILDicom.create", "as the tags say"),
            "PILDicom.scaled": _medical("pictures:PILDicom.scaled", "values of the modality"),
            "TensorVolume.create": _medical("volumes:TensorVolume.create", "a folder of slices"),
            "generate_noise": _gan("noise:generate_noise", "noise for any item"),
            "bb_pad": Entry("layerwise.vision.boxes:bb_pad", "equally many boxes each"),
            "TensorBBox.create": Entry("layerwise.vision.coords:TensorBBox.create", "boxes"),
            "TensorPoint.create": Entry("layerwise.vision.coords:TensorPoint.create", "points"),
        },
        "reader": {},
        "type": {
            "Image": Entry("PIL.Image:Image", "any picture of Pillow"),
            "Resampling": Entry("PIL.Image:Resampling", "filters of Pillow"),
            "PILImage": Entry("layerwise.vision.types:PILImage", "colour picture"),
            "PILImageBW": Entry("layerwise.vision.types:PILImageBW", "grey picture"),
            "PILMask": Entry("layerwise.vision.types:PILMask", "class codes"),
            "PILCTScan": _medical("pictures:PILCTScan", "slice with a window in each channel"),
            "PILDicom": _medical("pictures:PILDicom", "picture of a DICOM file"),
            "TensorCTScan": _medical("tensors:TensorCTScan", "slice with windows in channels"),
            "TensorDicom": _medical("tensors:TensorDicom", "pixels of a DICOM file"),
            "TensorVolume": _medical("volumes:TensorVolume", "slices on top of each other"),
            "InvisibleTensor": _gan("noise:InvisibleTensor", "shows nothing"),
            "Anchors": _detect("anchors:Anchors", "sizes and shapes of boxes to start from"),
            "FoundBoxes": _detect("found:FoundBoxes", "boxes with scores"),
            "TensorBBox": Entry("layerwise.vision.coords:TensorBBox", "boxes on a picture"),
            "TensorPoint": Entry("layerwise.vision.coords:TensorPoint", "points on a picture"),
        },
    },
)
"""What vision offers by name."""
