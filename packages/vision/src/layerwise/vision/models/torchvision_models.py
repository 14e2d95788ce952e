"""The names of torchvision's architectures, to be given to `vision_learner` or called.

Each builds the model when it is called; torchvision is imported only then. `torchvision_model`
builds those that are not listed here.
"""

from torch import nn

from layerwise.vision.models.zoo import Weights, torchvision_model

__all__ = [
    "alexnet",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11_bn",
    "vgg13_bn",
    "vgg16_bn",
    "vgg19_bn",
    "wide_resnet50_2",
    "wide_resnet101_2",
]


def alexnet(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """AlexNet (Krizhevsky, 2014); see `torchvision_model`."""
    return torchvision_model("alexnet", weights, n_out=n_out)


def convnext_tiny(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ConvNeXt (Liu et al., 2022); see `torchvision_model`."""
    return torchvision_model("convnext_tiny", weights, n_out=n_out)


def convnext_small(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ConvNeXt (Liu et al., 2022); see `torchvision_model`."""
    return torchvision_model("convnext_small", weights, n_out=n_out)


def convnext_base(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ConvNeXt (Liu et al., 2022); see `torchvision_model`."""
    return torchvision_model("convnext_base", weights, n_out=n_out)


def convnext_large(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ConvNeXt (Liu et al., 2022); see `torchvision_model`."""
    return torchvision_model("convnext_large", weights, n_out=n_out)


def densenet121(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A DenseNet (Huang et al., 2017); see `torchvision_model`."""
    return torchvision_model("densenet121", weights, n_out=n_out)


def densenet161(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A DenseNet (Huang et al., 2017); see `torchvision_model`."""
    return torchvision_model("densenet161", weights, n_out=n_out)


def densenet169(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A DenseNet (Huang et al., 2017); see `torchvision_model`."""
    return torchvision_model("densenet169", weights, n_out=n_out)


def densenet201(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A DenseNet (Huang et al., 2017); see `torchvision_model`."""
    return torchvision_model("densenet201", weights, n_out=n_out)


def efficientnet_b0(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b0", weights, n_out=n_out)


def efficientnet_b1(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b1", weights, n_out=n_out)


def efficientnet_b2(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b2", weights, n_out=n_out)


def efficientnet_b3(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b3", weights, n_out=n_out)


def efficientnet_b4(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b4", weights, n_out=n_out)


def efficientnet_b5(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b5", weights, n_out=n_out)


def efficientnet_b6(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b6", weights, n_out=n_out)


def efficientnet_b7(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNet (Tan and Le, 2019); see `torchvision_model`."""
    return torchvision_model("efficientnet_b7", weights, n_out=n_out)


def efficientnet_v2_s(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNetV2 (Tan and Le, 2021); see `torchvision_model`."""
    return torchvision_model("efficientnet_v2_s", weights, n_out=n_out)


def efficientnet_v2_m(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNetV2 (Tan and Le, 2021); see `torchvision_model`."""
    return torchvision_model("efficientnet_v2_m", weights, n_out=n_out)


def efficientnet_v2_l(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """An EfficientNetV2 (Tan and Le, 2021); see `torchvision_model`."""
    return torchvision_model("efficientnet_v2_l", weights, n_out=n_out)


def mobilenet_v2(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """MobileNetV2 (Sandler et al., 2018); see `torchvision_model`."""
    return torchvision_model("mobilenet_v2", weights, n_out=n_out)


def mobilenet_v3_large(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MobileNetV3 (Howard et al., 2019); see `torchvision_model`."""
    return torchvision_model("mobilenet_v3_large", weights, n_out=n_out)


def mobilenet_v3_small(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A MobileNetV3 (Howard et al., 2019); see `torchvision_model`."""
    return torchvision_model("mobilenet_v3_small", weights, n_out=n_out)


def regnet_y_400mf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_400mf", weights, n_out=n_out)


def regnet_y_800mf(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A RegNetY (Radosavovic et al., 2020); see `torchvision_model`."""
    return torchvision_model("regnet_y_800mf", weights, n_out=n_out)


def resnet18(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNet (He et al., 2016); see `torchvision_model`."""
    return torchvision_model("resnet18", weights, n_out=n_out)


def resnet34(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNet (He et al., 2016); see `torchvision_model`."""
    return torchvision_model("resnet34", weights, n_out=n_out)


def resnet50(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNet (He et al., 2016); see `torchvision_model`."""
    return torchvision_model("resnet50", weights, n_out=n_out)


def resnet101(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNet (He et al., 2016); see `torchvision_model`."""
    return torchvision_model("resnet101", weights, n_out=n_out)


def resnet152(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNet (He et al., 2016); see `torchvision_model`."""
    return torchvision_model("resnet152", weights, n_out=n_out)


def resnext50_32x4d(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNeXt (Xie et al., 2017); see `torchvision_model`."""
    return torchvision_model("resnext50_32x4d", weights, n_out=n_out)


def resnext101_32x8d(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ResNeXt (Xie et al., 2017); see `torchvision_model`."""
    return torchvision_model("resnext101_32x8d", weights, n_out=n_out)


def shufflenet_v2_x0_5(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ShuffleNetV2 (Ma et al., 2018); see `torchvision_model`."""
    return torchvision_model("shufflenet_v2_x0_5", weights, n_out=n_out)


def shufflenet_v2_x1_0(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A ShuffleNetV2 (Ma et al., 2018); see `torchvision_model`."""
    return torchvision_model("shufflenet_v2_x1_0", weights, n_out=n_out)


def squeezenet1_0(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A SqueezeNet (Iandola et al., 2016); see `torchvision_model`."""
    return torchvision_model("squeezenet1_0", weights, n_out=n_out)


def squeezenet1_1(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A SqueezeNet (Iandola et al., 2016); see `torchvision_model`."""
    return torchvision_model("squeezenet1_1", weights, n_out=n_out)


def vgg11_bn(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015) with batch norm; see `torchvision_model`."""
    return torchvision_model("vgg11_bn", weights, n_out=n_out)


def vgg13_bn(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015) with batch norm; see `torchvision_model`."""
    return torchvision_model("vgg13_bn", weights, n_out=n_out)


def vgg16_bn(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015) with batch norm; see `torchvision_model`."""
    return torchvision_model("vgg16_bn", weights, n_out=n_out)


def vgg19_bn(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A VGG net (Simonyan and Zisserman, 2015) with batch norm; see `torchvision_model`."""
    return torchvision_model("vgg19_bn", weights, n_out=n_out)


def wide_resnet50_2(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A wide ResNet (Zagoruyko and Komodakis, 2016); see `torchvision_model`."""
    return torchvision_model("wide_resnet50_2", weights, n_out=n_out)


def wide_resnet101_2(weights: Weights = None, *, n_out: int = 1000) -> nn.Module:
    """A wide ResNet (Zagoruyko and Komodakis, 2016); see `torchvision_model`."""
    return torchvision_model("wide_resnet101_2", weights, n_out=n_out)
