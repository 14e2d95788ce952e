"""`RetinaNet`: a body, a pyramid of its maps, and two subnets that look at each place of each map.

Shapes: B pictures, C classes without the background, A anchors, W channels of the pyramid, h and w
height and width of a map.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the name everyone reads
from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.nn.module import Module
from layerwise.vision.detect.anchors import Anchors
from layerwise.vision.models.stages import map_shapes, stage_groups, stages_of

__all__ = ["FeaturePyramid", "RetinaNet", "RetinaSplit", "RetinaSubnet"]

# Channels that are normalised together, as in 32 groups of 256 (Wu and He, 2018).
_GROUP = 8


class FeaturePyramid(Module):
    """Maps of one width that all know what is in the picture, from maps that grow smaller.

    What a small map knows is added to the next larger one, enlarged (Lin et al., "Feature Pyramid
    Networks", 2017); maps smaller than the last are made by convolutions with stride 2.

    Args:
        channels: of each map that comes in, the largest map first.
        width: channels of each map that goes out.
        extra: how many smaller maps to add.

    Example:
        >>> maps = [torch.ones(1, 8, 6, 6), torch.ones(1, 16, 3, 3)]
        >>> [tuple(each.shape) for each in FeaturePyramid([8, 16], 4, extra=1)(maps)]
        [(1, 4, 6, 6), (1, 4, 3, 3), (1, 4, 2, 2)]
    """

    def __init__(self, channels: Sequence[int], width: int, extra: int = 0) -> None:
        self.lateral = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.extra = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=2, padding=1) for _ in range(extra)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """(B, W, h, w) maps from (B, C, h, w) ones, the largest first in both."""
        flat = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for i in range(len(flat) - 1, 0, -1):
            flat[i - 1] = flat[i - 1] + F.interpolate(flat[i], size=flat[i - 1].shape[-2:])
        made = [smooth(x) for smooth, x in zip(self.smooth, flat, strict=True)]
        for shrink in self.extra:
            made.append(shrink(made[-1].relu()))
        return made


class RetinaSubnet(Module):
    """Convolutions that give some numbers for each anchor at each place of a map.

    Args:
        width: channels of the maps and of the layers in between.
        anchors: anchors at a place.
        numbers: numbers for each.
        depth: layers in between, each normalised in groups of channels, since maps of all sizes
            pass through the same subnet.
        bias: what the outputs start from.
    """

    def __init__(
        self, width: int, anchors: int, numbers: int, depth: int = 2, bias: float = 0.0
    ) -> None:
        layers: list[nn.Module] = []
        for _ in range(depth):
            groups = max(1, width // _GROUP)
            convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
            layers += [convolution, nn.GroupNorm(groups, width), nn.ReLU(inplace=True)]
        last = nn.Conv2d(width, anchors * numbers, 3, padding=1)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.constant_(_bias_of(last), bias)
        self.layers = nn.Sequential(*layers, last)
        self.numbers = numbers

    def forward(self, x: Tensor) -> Tensor:
        """(B, A, numbers) in the order of `Anchors.boxes`, from a map (B, W, h, w)."""
        # (B, anchors * numbers, h, w) -> (B, anchors, numbers, h, w) -> (B, h, w, anchors, numbers)
        made = self.layers(x).unflatten(1, (-1, self.numbers)).permute(0, 3, 4, 1, 2)
        flat: Tensor = made.flatten(1, 3)
        return flat


class RetinaNet(Module):
    """Classes and boxes at anchors all over a picture (Lin et al., "Focal Loss", 2017).

    Args:
        body: (B, 3, H, W) to (B, F, h, w); maps inside of it are read, see `stages_of`.
        n_classes: classes, without the background.
        anchors: sizes and shapes of the anchors.
        width: channels of pyramid and subnets. The paper has 256, and a depth of 4, for 80 classes
            and many GPUs; this learns fast on few pictures and takes a tenth of the time.
        depth: layers of the subnets before the last.
        finest: pixels of the picture from place to place of the largest map.
        levels: maps; those that the body lacks are added, smaller.
        img_size: height and width for the pass that looks at the body; only a body that takes one
            size alone needs it.
        prior: probability of each class at each anchor at the start. Nearly all anchors are
            background, whose loss would drown the rest if it started at one half.

    Raises:
        ValueError: if the body has no maps, or settings are out of their bounds.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 16, 3, 2, 1))
        >>> logits, deltas, anchors = RetinaNet(body, 2, width=16)(torch.zeros(1, 3, 64, 64))
        >>> logits.shape, deltas.shape == anchors.shape
        (torch.Size([1, 774, 2]), True)
    """

    @names_nearest
    def __init__(
        self,
        body: nn.Module,
        n_classes: int,
        anchors: Anchors | None = None,
        *,
        width: int = 128,
        depth: int = 2,
        finest: int = 8,
        levels: int = 5,
        img_size: tuple[int, int] | None = None,
        prior: float = 0.01,
    ) -> None:
        if n_classes < 1:
            raise ValueError(f"n_classes={n_classes}; there is one at least besides the background")
        if not 0 < prior < 1:
            raise ValueError(f"prior={prior}; a probability is above 0 and below 1")
        self.body = stages_of(body, img_size)
        self.anchors = Anchors() if anchors is None else anchors
        first, channels = _used(self.body, finest, img_size)
        channels = channels[:levels]
        self.used = slice(first, first + len(channels))
        self.pyramid = FeaturePyramid(channels, width, levels - len(channels))
        count = self.anchors.per_place
        start = -math.log((1 - prior) / prior)
        self.classes = RetinaSubnet(width, count, n_classes, depth, start)
        self.boxes = RetinaSubnet(width, count, 4, depth)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is said at each anchor.

        Args:
            x: (B, 3, H, W) pictures.

        Returns:
            (B, A, C) logits of the classes, (B, A, 4) deltas of the boxes, (B, A, 4) the anchors
            they differ from (see `decode_boxes`); the same for all pictures, and no copies.
        """
        maps = self.pyramid(self.body(x)[self.used])
        logits = torch.cat([self.classes(each) for each in maps], 1)
        deltas = torch.cat([self.boxes(each) for each in maps], 1)
        height, width = x.shape[-2:]
        sizes = [(each.shape[-2], each.shape[-1]) for each in maps]
        anchors = self.anchors.boxes((height, width), sizes, x.device)
        return logits, deltas, anchors.expand(len(x), -1, -1)


def _used(body: nn.Module, finest: int, img_size: tuple[int, int] | None) -> tuple[int, list[int]]:
    """The number of the first map of a body whose places are `finest` pixels apart; channels."""
    picture, *maps = map_shapes(body, img_size)
    # Bodies without padding give a little less: 15 places of 128 pixels where others give 16.
    steps = [round(math.log2(picture[2] / each[2])) for each in maps]
    wanted = math.log2(finest)
    first = next((i for i, step in enumerate(steps) if step >= wanted), len(maps) - 1)
    return first, [each[1] for each in maps[first:]]


@dataclass(frozen=True)
class RetinaSplit:
    """A splitter: the parameters of a `RetinaNet` in three groups for learning rates.

    Those of the first half of the body's stages, of the second half, and of all that is new.

    Example:
        >>> body = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.Conv2d(8, 16, 3, 2, 1))
        >>> [len(group) for group in RetinaSplit()(RetinaNet(body, 2, levels=1))]
        [2, 2, 20]
    """

    def __call__(self, m: nn.Module) -> list[list[nn.Parameter]]:
        """The groups, those near the picture first."""
        if not isinstance(m, RetinaNet):
            raise TypeError(f"RetinaSplit is for a RetinaNet, and the model is {type(m).__name__}")
        return stage_groups(m.body, m)


def _bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - for the type checker: made with one
    return layer.bias
