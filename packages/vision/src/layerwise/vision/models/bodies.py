"""Bodies of architectures that are no row of layers, and what a body gives.

Shapes: B batch, C channels of the input, F features, H and W height and width.
"""

from typing import Any

from torch import Tensor, nn

from layerwise.core.nn.hooks import dummy_eval

__all__: list[str] = []

_LARGEST = 2048


def without_heads(model: nn.Module) -> nn.Module:
    """A vision transformer of torchvision without its `heads`: (B, C, H, W) to (B, F)."""
    model.heads = nn.Identity()
    return model


def without_branches(model: nn.Module) -> nn.Module:
    """The layers of an Inception net in front of its pooling: (B, C, H, W) to (B, F, h, w).

    The classifiers on the way, which help it to train from scratch only, are left out; and so is
    the change of colours that it makes when it is loaded with weights, see `model_meta`.
    """
    children = list(model.named_children())
    end = [name for name, _ in children].index("avgpool")
    row = [child for name, child in children[:end] if not name.lower().startswith("aux")]
    return nn.Sequential(*row)


def without_classifier(model: nn.Module) -> nn.Module:
    """The stem and the blocks of a MaxViT: (B, C, 224, 224) to (B, F, 7, 7)."""
    network: Any = model
    return nn.Sequential(network.stem, *network.blocks)


def run_noise(module: nn.Module, size: tuple[int, int] | None = None, start: int = 64) -> Any:
    """What `module` returns for one item of noise, see `dummy_eval`, of a size that it takes.

    Args:
        module: with a convolution, which shows the number of channels.
        size: height and width; by default squares, larger each time, up to 2048 pixels.
        start: side of the first square.

    Raises:
        ValueError: if it fails for all of them; the last error is the cause.

    Example:
        >>> run_noise(nn.Conv2d(3, 4, 3, stride=2)).shape
        torch.Size([1, 4, 31, 31])
    """
    if size is not None:
        return dummy_eval(module, size)
    side = start
    while True:
        try:
            return dummy_eval(module, (side, side))
        except (RuntimeError, ValueError, AssertionError) as error:
            if side >= _LARGEST:
                raise ValueError(
                    f"{type(module).__name__} fails for pictures up to {side} pixels a side, so "
                    "what it returns is not known; give a body that takes (batch, channels, "
                    "height, width), and img_size= if it takes one size only"
                ) from error
            side *= 2


def features_of(body: nn.Module, size: int | None = None) -> tuple[int, bool]:
    """How many features a body gives, and whether they are a map that a head can pool.

    Args:
        body: (B, C, H, W) to (B, F, h, w) or (B, F).
        size: side of a square that it takes; any if None.

    Raises:
        ValueError: if it gives anything else.
    """
    out = run_noise(body, None if size is None else (size, size))
    if not isinstance(out, Tensor) or out.ndim not in (2, 4):
        got = f"a tensor {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise ValueError(
            f"the body {type(body).__name__} gives {got}, and a head takes (batch, features, "
            "height, width) or (batch, features); give cut=, a number of children to keep or a "
            "function of the model"
        )
    return out.shape[1], out.ndim == 4
