"""Further architectures of torchvision, in the manner of `torchvision_models`.

Transformers (Dosovitskiy et al., 2020), and the convolutional nets that are asked for less often.
"""

from torch import nn

from layerwise.vision.models.zoo import Weights, torchvision_model

__all__ = [
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_128gf",
    "resnext101_64x4d",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "swin_b",
    "swin_s",
    "swin_t",
    "swin_v2_b",
    "swin_v2_s",
    "swin_v2_t",
    "vgg11",
    "vgg13",
    "vgg16",
    "vgg19",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
]


def googlenet(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """GoogLeNet (Szegedy et al., 2014); see `torchvision_model`."""
    return torchvision_model("googlenet", weights, n_out=n_out)


def inception_v3(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """Inception v3 (Szegedy et al., 2015); see `torchvision_model`."""
    return torchvision_model("inception_v3", weights, n_out=n_out)


def maxvit_t(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MaxViT (Tu et al., 2022), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("maxvit_t", weights, n_out=n_out)


def mnasnet0_5(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MNASNet (Tan et al., 2018); see `torchvision_model`."""
    return torchvision_model("mnasnet0_5", weights, n_out=n_out)


def mnasnet0_75(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MNASNet (Tan et al., 2018); see `torchvision_model`."""
    return torchvision_model("mnasnet0_75", weights, n_out=n_out)


def mnasnet1_0(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MNASNet (Tan et al., 2018); see `torchvision_model`."""
    return torchvision_model("mnasnet1_0", weights, n_out=n_out)


def mnasnet1_3(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MNASNet (Tan et al., 2018); see `torchvision_model`."""
    return torchvision_model("mnasnet1_3", weights, n_out=n_out)


def regnet_x_1_6gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_1_6gf", weights, n_out=n_out)


def regnet_x_3_2gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_3_2gf", weights, n_out=n_out)


def regnet_x_8gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_8gf", weights, n_out=n_out)


def regnet_x_16gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_16gf", weights, n_out=n_out)


def regnet_x_32gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_32gf", weights, n_out=n_out)


def regnet_x_400mf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_400mf", weights, n_out=n_out)


def regnet_x_800mf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetX (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_x_800mf", weights, n_out=n_out)


def regnet_y_1_6gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_1_6gf", weights, n_out=n_out)


def regnet_y_3_2gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_3_2gf", weights, n_out=n_out)


def regnet_y_8gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_8gf", weights, n_out=n_out)


def regnet_y_16gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_16gf", weights, n_out=n_out)


def regnet_y_32gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_32gf", weights, n_out=n_out)


def regnet_y_128gf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_128gf", weights, n_out=n_out)


def resnext101_64x4d(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNeXt (Xie et al., 2017); see `torchvision_model`."""
    return torchvision_model("resnext101_64x4d", weights, n_out=n_out)


def shufflenet_v2_x1_5(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ShuffleNetV2 (Ma et al., 2018); see `torchvision_model`."""
    return torchvision_model("shufflenet_v2_x1_5", weights, n_out=n_out)


def shufflenet_v2_x2_0(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ShuffleNetV2 (Ma et al., 2018); see `torchvision_model`."""
    return torchvision_model("shufflenet_v2_x2_0", weights, n_out=n_out)


def swin_b(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_b", weights, n_out=n_out)


def swin_s(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_s", weights, n_out=n_out)


def swin_t(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_t", weights, n_out=n_out)


def swin_v2_b(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer v2 (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_v2_b", weights, n_out=n_out)


def swin_v2_s(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer v2 (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_v2_s", weights, n_out=n_out)


def swin_v2_t(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A Swin transformer v2 (Liu et al., 2021); see `torchvision_model`."""
    return torchvision_model("swin_v2_t", weights, n_out=n_out)


def vgg11(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015); see `torchvision_model`."""
    return torchvision_model("vgg11", weights, n_out=n_out)


def vgg13(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015); see `torchvision_model`."""
    return torchvision_model("vgg13", weights, n_out=n_out)


def vgg16(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015); see `torchvision_model`."""
    return torchvision_model("vgg16", weights, n_out=n_out)


def vgg19(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015); see `torchvision_model`."""
    return torchvision_model("vgg19", weights, n_out=n_out)


def vit_b_16(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A vision transformer (2020), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("vit_b_16", weights, n_out=n_out)


def vit_b_32(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A vision transformer (2020), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("vit_b_32", weights, n_out=n_out)


def vit_h_14(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A vision transformer (2020), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("vit_h_14", weights, n_out=n_out)


def vit_l_16(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A vision transformer (2020), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("vit_l_16", weights, n_out=n_out)


def vit_l_32(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A vision transformer (2020), for pictures of 224 pixels; see `torchvision_model`."""
    return torchvision_model("vit_l_32", weights, n_out=n_out)
