"""Residual nets with gates, with groups, and with both: members of the family of `xresnet`.

Gates are those of Hu et al. ("Squeeze-and-Excitation", 2018), groups those of Xie et al.
("ResNeXt", 2017).
"""

from collections.abc import Sequence
from typing import Any, Unpack

from layerwise.core.nn.residual import SEBlock, SEResNeXtBlock
from layerwise.core.settings import built
from layerwise.vision.models.xresnet import XResNet, XResNetOptions, xresnet_of

__all__ = [
    "xresnext18",
    "xresnext34",
    "xresnext50",
    "xresnext101",
    "xse_resnet18",
    "xse_resnet34",
    "xse_resnet50",
    "xse_resnet101",
    "xse_resnet152",
    "xse_resnext18",
    "xse_resnext18_deep",
    "xse_resnext18_deeper",
    "xse_resnext34",
    "xse_resnext34_deep",
    "xse_resnext34_deeper",
    "xse_resnext50",
    "xse_resnext50_deep",
    "xse_resnext50_deeper",
    "xse_resnext101",
    "xsenet154",
]


def _gated(expansion: int, layers: Sequence[int], n_out: int, options: Any) -> XResNet:
    settings = {"groups": 1, "reduction": 16, **options}
    return xresnet_of(SEBlock, expansion, layers, n_out, settings)


def _grouped(expansion: int, layers: Sequence[int], n_out: int, options: Any) -> XResNet:
    # A reduction of 0 is no gate; without it the block would take its own.
    settings = {"groups": 32, "reduction": 0, **options}
    return xresnet_of(SEResNeXtBlock, expansion, layers, n_out, settings)


def _both(expansion: int, layers: Sequence[int], n_out: int, options: Any) -> XResNet:
    settings = {"groups": 32, "reduction": 16, **options}
    return xresnet_of(SEResNeXtBlock, expansion, layers, n_out, settings)


@built
def xse_resnet18(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet18` of `SEBlock`s; `kwargs` are settings of `XResNet`."""
    return _gated(1, [2, 2, 2, 2], n_out, kwargs)


@built
def xse_resnet34(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet34` of `SEBlock`s; `kwargs` are settings of `XResNet`."""
    return _gated(1, [3, 4, 6, 3], n_out, kwargs)


@built
def xse_resnet50(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet50` of `SEBlock`s; `kwargs` are settings of `XResNet`."""
    return _gated(4, [3, 4, 6, 3], n_out, kwargs)


@built
def xse_resnet101(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet101` of `SEBlock`s; `kwargs` are settings of `XResNet`."""
    return _gated(4, [3, 4, 23, 3], n_out, kwargs)


@built
def xse_resnet152(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet152` of `SEBlock`s; `kwargs` are settings of `XResNet`."""
    return _gated(4, [3, 8, 36, 3], n_out, kwargs)


@built
def xresnext18(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet18` whose blocks have 32 groups; `kwargs` are settings of `XResNet`."""
    return _grouped(1, [2, 2, 2, 2], n_out, kwargs)


@built
def xresnext34(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet34` whose blocks have 32 groups; `kwargs` are settings of `XResNet`."""
    return _grouped(1, [3, 4, 6, 3], n_out, kwargs)


@built
def xresnext50(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet50` whose blocks have 32 groups; `kwargs` are settings of `XResNet`."""
    return _grouped(4, [3, 4, 6, 3], n_out, kwargs)


@built
def xresnext101(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet101` whose blocks have 32 groups; `kwargs` are settings of `XResNet`."""
    return _grouped(4, [3, 4, 23, 3], n_out, kwargs)


@built
def xse_resnext18(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet18` of `SEResNeXtBlock`s; `kwargs` are settings of `XResNet`."""
    return _both(1, [2, 2, 2, 2], n_out, kwargs)


@built
def xse_resnext34(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet34` of `SEResNeXtBlock`s; `kwargs` are settings of `XResNet`."""
    return _both(1, [3, 4, 6, 3], n_out, kwargs)


@built
def xse_resnext50(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet50` of `SEResNeXtBlock`s; `kwargs` are settings of `XResNet`."""
    return _both(4, [3, 4, 6, 3], n_out, kwargs)


@built
def xse_resnext101(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xresnet101` of `SEResNeXtBlock`s; `kwargs` are settings of `XResNet`."""
    return _both(4, [3, 4, 23, 3], n_out, kwargs)


@built
def xse_resnext18_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext18` with two more groups of one block, for larger pictures."""
    return _both(1, [2, 2, 2, 2, 1, 1], n_out, kwargs)


@built
def xse_resnext18_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext18` of eight groups, for pictures of 512 pixels and more."""
    return _both(1, [2, 2, 1, 1, 1, 1, 1, 1], n_out, kwargs)


@built
def xse_resnext34_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext34` with two more groups of one block, for larger pictures."""
    return _both(1, [3, 4, 6, 3, 1, 1], n_out, kwargs)


@built
def xse_resnext34_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext34` of eight groups, for pictures of 512 pixels and more."""
    return _both(1, [3, 4, 4, 2, 2, 1, 1, 1], n_out, kwargs)


@built
def xse_resnext50_deep(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext50` with two more groups of one block, for larger pictures."""
    return _both(4, [3, 4, 6, 3, 1, 1], n_out, kwargs)


@built
def xse_resnext50_deeper(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """An `xse_resnext50` of eight groups, for pictures of 512 pixels and more."""
    return _both(4, [3, 4, 4, 2, 2, 1, 1, 1], n_out, kwargs)


@built
def xsenet154(n_out: int = 1000, **kwargs: Unpack[XResNetOptions]) -> XResNet:
    """The net that won ImageNet's last contest, with our stem: 152 layers of 64 groups, gated."""
    settings = {"groups": 64, "reduction": 16, "p": 0.2, **kwargs}
    return xresnet_of(SEBlock, 4, [3, 8, 36, 3], n_out, settings)
