"""Bodies cut from networks, and heads put on them.

Shapes: B batch, C channels of the input, F channels of the body's output, H and W height and width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.nn.activations import SigmoidRange
from layerwise.core.nn.init import apply_init
from layerwise.core.nn.linear import LinBnDrop
from layerwise.core.nn.plumbing import Flatten
from layerwise.core.nn.pool import AdaptiveConcatPool2d
from layerwise.core.nn.walk import params

__all__ = [
    "BodySplit",
    "adapt_first_layer",
    "add_head",
    "create_body",
    "create_head",
    "cut_model",
    "default_split",
    "has_pool_type",
]

Cut = int | Callable[[nn.Module], nn.Module]
Init = Callable[[Tensor], object]

_POOLS = (
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip


def has_pool_type(m: nn.Module) -> bool:
    """Whether `m` is a pooling layer or has one in it.

    Example:
        >>> has_pool_type(nn.Sequential(nn.Sequential(nn.MaxPool2d(2)))), has_pool_type(nn.ReLU())
        (True, False)
    """
    return any(isinstance(layer, _POOLS) for layer in m.modules())


def cut_model(model: nn.Module, cut: Cut) -> nn.Module:
    """The part of `model` in front of `cut`.

    Args:
        model: any module.
        cut: how many of its children to keep (negative: how many to leave out at the end), or a
            function from the model to its body.

    Raises:
        ValueError: if it has fewer children than that.

    Example:
        >>> len(cut_model(nn.Sequential(nn.ReLU(), nn.ReLU(), nn.Flatten()), -1))
        2
    """
    if isinstance(cut, int):
        children = list(model.children())
        kept = children[:cut]
        if not kept or cut > len(children):
            raise ValueError(
                f"cut={cut}, and {type(model).__name__} has {len(children)} children; say how many "
                "to keep, or with a minus how many to leave out at the end"
            )
        return nn.Sequential(*kept)
    if callable(cut):
        return cut(model)
    raise TypeError(f"cut={cut!r}; give a number of children to keep, or a function of the model")


def create_body(
    model: nn.Module, n_in: int = 3, pretrained: bool = True, cut: Cut | None = None
) -> nn.Module:
    """`model` without its head: (B, n_in, H, W) to (B, F, h, w).

    Args:
        model: a network for pictures.
        n_in: channels of the input; the first convolution is adapted to it.
        pretrained: whether the weights of that convolution are worth keeping.
        cut: see `cut_model`; in front of the last child that pools if None.

    Raises:
        TypeError: if `model` is no network.
        ValueError: if `cut` is None and no child pools, or there are not as many.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"create_body takes a network, not the {type(model).__name__} {model!r}; "
            "vision_learner and create_vision_model take names"
        )
    adapt_first_layer(model, n_in, pretrained)
    if cut is None:
        children = list(model.children())
        pools = [i for i, child in enumerate(children) if has_pool_type(child)]
        if not pools:
            names = ", ".join(name for name, _ in model.named_children())
            raise ValueError(
                f"no child of {type(model).__name__} ({names}) pools, so where its body ends is "
                "not known; give cut=, a number of children to keep or a function of the model"
            )
        cut = pools[-1]
    return cut_model(model, cut)


def adapt_first_layer(model: nn.Module, n_in: int, pretrained: bool = True) -> None:
    """Nothing; the first 2d convolution of `model` then takes `n_in` channels.

    Trained weights are kept so that the layer answers as before: one channel gets the sum of the
    weights (a grey picture is answered as its copy in three channels would be), two get theirs
    times 3/2, and channels beyond those that there were start at zero.

    Args:
        model: changed in place.
        n_in: channels of the input.
        pretrained: whether there are weights to keep.
    """
    if n_in < 1:
        raise ValueError(f"n_in={n_in}; a picture has one channel at least")
    name, old = next(
        ((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)), ("", None)
    )
    if old is None or old.in_channels == n_in:
        return
    if old.groups != 1:
        raise ValueError(
            f"the first convolution {name!r} is grouped; it cannot take {n_in} channels"
        )
    new = nn.Conv2d(
        n_in, old.out_channels, old.kernel_size, old.stride, old.padding, old.dilation,  # type: ignore[arg-type]  # tuples of two
        bias=old.bias is not None, padding_mode=old.padding_mode,
        device=old.weight.device, dtype=old.weight.dtype,
    )  # fmt: skip
    if pretrained:
        with torch.no_grad():
            new.weight.copy_(_weights_for(old.weight, n_in))
            if old.bias is not None and new.bias is not None:
                new.bias.copy_(old.bias)
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, new)


def _weights_for(weight: Tensor, n_in: int) -> Tensor:
    """(O, n_in, K, K) weights that answer as `weight` (O, C, K, K) does."""
    channels = weight.shape[1]
    if n_in == 1:
        return weight.sum(1, keepdim=True)
    if n_in < channels:
        return weight[:, :n_in] * (channels / n_in)
    wide = weight.new_zeros(len(weight), n_in, *weight.shape[2:])
    wide[:, :channels] = weight
    return wide


def create_head(
    nf: int,
    n_out: int,
    lin_ftrs: Sequence[int] | None = None,
    ps: float | Sequence[float] = 0.5,
    pool: bool = True,
    concat_pool: bool = True,
    first_bn: bool = True,
    bn_final: bool = False,
    lin_first: bool = False,
    y_range: tuple[float, float] | None = None,
) -> nn.Sequential:
    """Layers from (B, nf, H, W), or (B, nf) without `pool`, to (B, n_out).

    Args:
        nf: channels of the body's output.
        n_out: outputs.
        lin_ftrs: features between the linear layers; one layer of 512 if None.
        ps: dropout before each linear layer; of one number, the layers before the last take half.
        pool: pool and flatten first.
        concat_pool: pool by maximum and by average, side by side, instead of average alone.
        first_bn: normalise what comes in.
        bn_final: normalise what goes out.
        lin_first: linear layer and activation before normalisation and dropout.
        y_range: bounds of the output, for targets that have some.

    Raises:
        ValueError: if `ps` has neither one number nor one for each linear layer, or without
            outputs.

    Example:
        >>> create_head(8, 3)(torch.zeros(2, 8, 4, 4)).shape
        torch.Size([2, 3])
    """
    if n_out < 1:
        raise ValueError(f"n_out={n_out}; a model has one output at least")
    if pool and concat_pool:
        nf *= 2
    widths = [nf, *([512] if lin_ftrs is None else lin_ftrs), n_out]
    drops = _dropouts(ps, len(widths) - 1)
    layers: list[nn.Module] = []
    if pool:
        layers += [AdaptiveConcatPool2d() if concat_pool else nn.AdaptiveAvgPool2d(1), Flatten()]
    if lin_first:
        layers += _linear_first(widths, drops)
    else:
        for i, drop in enumerate(drops):
            last = i == len(drops) - 1
            act = None if last else nn.ReLU(inplace=True)
            norm = first_bn if i == 0 else True
            layers.append(LinBnDrop(widths[i], widths[i + 1], bn=norm, p=drop, act=act))
    if bn_final:
        layers.append(nn.BatchNorm1d(n_out, momentum=0.01))
    if y_range is not None:
        layers.append(SigmoidRange(*y_range))
    return nn.Sequential(*layers)


def _linear_first(widths: Sequence[int], drops: Sequence[float]) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Dropout(drops[0])]
    for i in range(len(widths) - 2):
        act = nn.ReLU(inplace=True)
        layers.append(LinBnDrop(widths[i], widths[i + 1], p=drops[i + 1], act=act, lin_first=True))
    return [*layers, nn.Linear(widths[-2], widths[-1])]


def _dropouts(ps: float | Sequence[float], count: int) -> list[float]:
    given = [ps] if isinstance(ps, int | float) else list(ps)
    if len(given) == 1:
        return [given[0] / 2] * (count - 1) + given
    if len(given) != count:
        raise ValueError(
            f"{len(given)} dropouts for {count} linear layers; give one, or one for each"
        )
    return given


def add_head(
    body: nn.Module,
    nf: int,
    n_out: int,
    init: Init | None = nn.init.kaiming_normal_,
    head: nn.Module | None = None,
    **kwargs: Any,
) -> nn.Sequential:
    """`body` and a head in a row; weights of the head are set by `init`.

    Args:
        body: (B, C, H, W) to (B, nf, h, w).
        nf: channels of the body's output.
        n_out: outputs.
        init: sets a weight in place; None leaves torch's.
        head: a ready head instead of `create_head`.
        kwargs: settings of `create_head`.
    """
    if head is None:
        head = create_head(nf, n_out, **kwargs)
    if init is not None:
        apply_init(head, init)
    return nn.Sequential(body, head)


def default_split(m: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of a model in two groups: body, head.

    Args:
        m: as `add_head` makes it.
    """
    return BodySplit()(m)


@dataclass(frozen=True)
class BodySplit:
    """A splitter: parameters of a model in groups for learning rates, those near the input first.

    Args:
        at: where the body is parted in two, as a number of its children; not at all if None.
        nested: whether the children meant are those of the first child of the body.

    Example:
        >>> model = nn.Sequential(nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)), nn.Linear(1, 1))
        >>> [len(group) for group in BodySplit(1)(model)]
        [2, 2, 2]
    """

    at: int | None = None
    nested: bool = False

    def __call__(self, m: nn.Module) -> list[list[nn.Parameter]]:
        """The groups; the last is all that follows the body."""
        body, *rest = m.children()
        head = [p for module in rest for p in params(module)]
        if self.at is None:
            return [params(body), head]
        parts = list((next(body.children()) if self.nested else body).children())
        early = [p for part in parts[: self.at] for p in params(part)]
        seen = {id(p) for p in early}
        return [early, [p for p in params(body) if id(p) not in seen], head]
