"""A U-Net over any body: its maps are enlarged again, step by step (Ronneberger et al., 2015).

Shapes: B batch, C channels of the picture, F channels of a map, H and W height and width.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.nn.activations import SigmoidRange
from layerwise.core.nn.attention import SelfAttention
from layerwise.core.nn.conv import ConvLayer, PixelShuffle_ICNR
from layerwise.core.nn.init import apply_init
from layerwise.core.nn.module import Module
from layerwise.core.nn.norm import BatchNorm, NormType
from layerwise.core.nn.plumbing import MergeLayer
from layerwise.core.nn.residual import ResBlock
from layerwise.vision.models.stages import map_shapes, stage_groups, stages_of

__all__ = ["DynamicUnet", "ResizeToOrig", "UnetBlock", "UnetSplit"]

Activation = Callable[[], nn.Module]
Init = Callable[[Tensor], object]


def _resized(x: Tensor, size: Sequence[int], mode: str = "nearest") -> Tensor:
    # A program for any size may not depend on whether two happen to be equal.
    if not torch.compiler.is_exporting() and tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, list(size), mode=mode)


class ResizeToOrig(Module):
    """Gives a map the height and width of the picture, where they differ.

    Args:
        mode: how to interpolate, as `torch.nn.functional.interpolate` names it.

    Example:
        >>> ResizeToOrig()(torch.zeros(1, 8, 6, 6), torch.zeros(1, 3, 5, 7)).shape
        torch.Size([1, 8, 5, 7])
    """

    takes_original = True

    def __init__(self, mode: str = "nearest") -> None:
        self.mode = mode

    def forward(self, x: Tensor, original: Tensor) -> Tensor:
        """(B, F, h, w) as (B, F, H, W), for a picture (B, C, H, W)."""
        return _resized(x, original.shape[-2:], self.mode)


class UnetBlock(Module):
    """Enlarges a map twice, joins one of the body to it, and convolves both.

    Args:
        up_in_c: channels of the map to enlarge.
        x_in_c: channels of the map of the body.
        final_div: keep all channels; False for half of them.
        blur: average neighbouring pixels of what was enlarged.
        act_cls: makes the activations.
        self_attention: attention over all positions at the end.
        init: sets the weights of the convolutions; None leaves what suits the activation.
        norm_type: how to normalise after the convolutions, or None.

    Example:
        >>> UnetBlock(16, 8)(torch.zeros(1, 16, 4, 4), torch.zeros(1, 8, 7, 8)).shape
        torch.Size([1, 16, 7, 8])
    """

    @names_nearest
    def __init__(
        self,
        up_in_c: int,
        x_in_c: int,
        final_div: bool = True,
        blur: bool = False,
        act_cls: Activation = nn.ReLU,
        self_attention: bool = False,
        init: Init | None = nn.init.kaiming_normal_,
        norm_type: NormType | None = NormType.Batch,
    ) -> None:
        up = up_in_c // 2
        width = up + x_in_c
        self.out_channels = width if final_div else width // 2
        self.shuf = PixelShuffle_ICNR(up_in_c, up, blur=blur, act_cls=act_cls, norm_type=norm_type)
        self.bn = BatchNorm(x_in_c)
        self.relu = act_cls()
        extra = SelfAttention(self.out_channels) if self_attention else None
        self.conv1 = ConvLayer(width, self.out_channels, act_cls=act_cls, norm_type=norm_type)
        self.conv2 = ConvLayer(
            self.out_channels, self.out_channels, act_cls=act_cls, norm_type=norm_type, xtra=extra
        )
        if init is not None:
            apply_init(nn.Sequential(self.conv1, self.conv2), init)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(B, up_in_c, h, w) and (B, x_in_c, H, W) to (B, out_channels, H, W)."""
        larger = _resized(self.shuf(x), skip.shape[-2:])
        joined = self.relu(torch.cat([larger, self.bn(skip)], dim=1))
        out: Tensor = self.conv2(self.conv1(joined))
        return out


class DynamicUnet(Module):
    """A U-Net over `encoder`: (B, C, H, W) to (B, n_out, H, W), for pictures of any size.

    The maps of the body are found by one pass of noise; see `stages_of` for what a body can be.
    Enlarging is by pixel shuffle that starts without checkerboards (Aitken et al., 2017).

    Args:
        encoder: a body, (B, C, H, W) to (B, F, h, w).
        n_out: channels of the output, for example classes.
        img_size: height and width for the pass that looks at the body; only a body that takes one
            size alone needs it.
        blur: average neighbouring pixels of what was enlarged (Sugawara et al., 2018).
        blur_final: in the last block, too, if `blur`, and where the last map becomes as large as
            the picture. Without it a loss that sees pictures through a convolution with stride 2,
            as `FeatureLoss` may, leaves a grid of two pixels in them.
        self_attention: attention in the third block from the end, where maps are not yet large.
        y_range: bounds of the output, for targets that have some.
        last_cross: join the picture itself to the last map, and convolve both.
        bottle: make the residual block that does so narrow inside.
        act_cls: makes the activations.
        init: sets the weights of convolutions; None leaves what suits the activation.
        norm_type: how to normalise in the decoder, or None, with which only the maps of the body
            are. So deep a decoder without it learns less than half as fast with Adam. What the
            net gives out is not normalised; only weight and spectral norm reach its last layer.

    Raises:
        ValueError: if `n_out` is below 1, or the body makes its maps no smaller than the picture.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))
        >>> DynamicUnet(body, 5)(torch.zeros(2, 3, 31, 45)).shape
        torch.Size([2, 5, 31, 45])
    """

    @names_nearest
    def __init__(
        self,
        encoder: nn.Module,
        n_out: int,
        img_size: tuple[int, int] | None = None,
        blur: bool = False,
        blur_final: bool = True,
        self_attention: bool = False,
        y_range: tuple[float, float] | None = None,
        last_cross: bool = True,
        bottle: bool = False,
        act_cls: Activation = nn.ReLU,
        init: Init | None = nn.init.kaiming_normal_,
        norm_type: NormType | None = NormType.Batch,
    ) -> None:
        if n_out < 1:
            raise ValueError(f"n_out={n_out}; a picture has one channel at least")
        self.encoder = stages_of(encoder, img_size)
        picture, *maps = map_shapes(self.encoder, img_size)
        if len(maps) == 1 and maps[0][2] == picture[2]:
            raise ValueError(
                f"the body {type(encoder).__name__} makes its maps no smaller than the picture; a "
                "decoder has nothing to enlarge"
            )
        width = maps[-1][1]
        settings: dict[str, Any] = {"act_cls": act_cls, "norm_type": norm_type}
        self.middle = nn.Sequential(
            BatchNorm(width),
            act_cls(),
            ConvLayer(width, width * 2, **settings),
            ConvLayer(width * 2, width, **settings),
        )
        if init is not None:
            apply_init(self.middle, init)
        self.blocks = nn.ModuleList()
        skips = maps[-2::-1]
        for i, skip in enumerate(skips):
            is_last = i == len(skips) - 1
            block = UnetBlock(
                width, skip[1], final_div=not is_last, blur=blur and (blur_final or not is_last),
                self_attention=self_attention and i == len(skips) - 3, init=init, **settings,
            )  # fmt: skip
            self.blocks.append(block)
            width = block.out_channels
        times = round(math.log2(picture[2] / maps[0][2]))
        enlarging, width = _enlarging(width, times, {**settings, "blur": blur and blur_final})
        self.tail = nn.ModuleList([*enlarging, ResizeToOrig()])
        if last_cross:
            width += picture[1]
            narrow = width // 2 if bottle else width
            self.tail += [MergeLayer(dense=True), ResBlock(1, width, width, nh2=narrow, **settings)]
        outer = norm_type if norm_type in (NormType.Spectral, NormType.Weight) else None
        self.tail.append(ConvLayer(width, n_out, ks=1, act_cls=None, norm_type=outer))
        if init is not None:
            apply_init(self.tail[-1], init)
        if y_range is not None:
            self.tail.append(SigmoidRange(*y_range))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, n_out, H, W)."""
        *skips, last = self.encoder(x)
        out: Tensor = self.middle(last)
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            out = block(out, skip)
        for layer in self.tail:
            out = layer(out, x) if getattr(layer, "takes_original", False) else layer(out)
        return out


def _enlarging(
    width: int, times: int, settings: dict[str, Any]
) -> tuple[list[PixelShuffle_ICNR], int]:
    """Layers that double the size of the last map so many times, and how many channels are left.

    Beyond the first time, half of them: few bodies need it, and the map is the largest of all.
    """
    layers = []
    for i in range(times):
        narrow = width if i == times - 1 else width // 2
        layers.append(PixelShuffle_ICNR(width, narrow, **settings))
        width = narrow
    return layers, width


@dataclass(frozen=True)
class UnetSplit:
    """A splitter: the parameters of a `DynamicUnet` in three groups for learning rates.

    Those of the first half of the body's stages, of the second half, and of the decoder.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))
        >>> [len(group) for group in UnetSplit()(DynamicUnet(body, 2, last_cross=False))]
        [2, 2, 24]
    """

    def __call__(self, m: nn.Module) -> list[list[nn.Parameter]]:
        """The groups, those near the picture first."""
        if not isinstance(m, DynamicUnet):
            raise TypeError(f"UnetSplit is for a DynamicUnet, and the model is {type(m).__name__}")
        return stage_groups(m.encoder, m)
