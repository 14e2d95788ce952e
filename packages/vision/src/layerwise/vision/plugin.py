"""The record of `layerwise-vision`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]

_TORCHVISION = (
    "alexnet", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny",
    "densenet121", "densenet161", "densenet169", "densenet201", "efficientnet_b0",
    "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4",
    "efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "efficientnet_v2_l",
    "efficientnet_v2_m", "efficientnet_v2_s", "mobilenet_v2", "mobilenet_v3_large",
    "mobilenet_v3_small", "regnet_y_400mf", "regnet_y_800mf", "resnet18", "resnet34", "resnet50",
    "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "squeezenet1_0", "squeezenet1_1", "vgg11_bn", "vgg13_bn", "vgg16_bn",
    "vgg19_bn", "wide_resnet50_2", "wide_resnet101_2",
)  # fmt: skip

_XRESNETS = ("xresnet18", "xresnet34", "xresnet50", "xresnet101", "xresnet152")

_ITEM_TRANSFORMS = (
    "CropPad", "DihedralItem", "FlipItem", "RandomCrop", "RandomResizedCrop", "Resize",
)  # fmt: skip


def _torchvision(name: str) -> Entry:
    return Entry(f"layerwise.vision.models.torchvision_models:{name}", "of torchvision")


def _own(name: str) -> Entry:
    return Entry(f"layerwise.vision.models.xresnet:{name}", "residual net, three-layer stem")


def _item(name: str) -> Entry:
    return Entry(f"layerwise.vision.augment.item:{name}", "on one picture at a time")


plugin = Plugin(
    name="vision",
    api=1,
    entries={
        "block": {
            "ImageBlock": Entry("layerwise.vision.blocks:ImageBlock", "pictures"),
            "MaskBlock": Entry("layerwise.vision.blocks:MaskBlock", "a class for each pixel"),
        },
        "learner": {
            "vision_learner": Entry(
                "layerwise.vision.learner:vision_learner", "a trained body and a new head"
            ),
            "cnn_learner": Entry(
                "layerwise.vision.learner:cnn_learner", "vision_learner under its old name"
            ),
        },
        "model": {
            **{name: _own(name) for name in (*_XRESNETS, "XResNet")},
            **{name: _torchvision(name) for name in _TORCHVISION},
            "torchvision_model": Entry(
                "layerwise.vision.models.zoo:torchvision_model", "of torchvision, by name"
            ),
            "create_vision_model": Entry(
                "layerwise.vision.learner:create_vision_model", "a body and a new head"
            ),
        },
        "transform": {
            **{name: _item(name) for name in _ITEM_TRANSFORMS},
            "AddMaskCodes": Entry("layerwise.vision.blocks:AddMaskCodes", "names for codes"),
            "Flip": Entry("layerwise.vision.augment.flip:Flip", "mirrors pictures of a batch"),
        },
        "function": {
            "BodySplit": Entry("layerwise.vision.models.head:BodySplit", "parameter groups"),
            "PILImage.create": Entry("layerwise.vision.types:PILImage.create", "in colours"),
            "PILImageBW.create": Entry("layerwise.vision.types:PILImageBW.create", "in greys"),
            "PILMask.create": Entry(
                "layerwise.vision.types:PILMask.create", "a class for each pixel"
            ),
        },
        "reader": {
            "OfName": Entry("layerwise.vision.data:_OfName", "a reader, on the name of a file"),
        },
        "type": {
            "Image": Entry("PIL.Image:Image", "any picture of Pillow"),
            "Resampling": Entry("PIL.Image:Resampling", "filters of Pillow"),
            "PILImage": Entry("layerwise.vision.types:PILImage", "colour picture"),
            "PILImageBW": Entry("layerwise.vision.types:PILImageBW", "grey picture"),
            "PILMask": Entry("layerwise.vision.types:PILMask", "class codes"),
        },
    },
)
"""What vision offers by name."""
