"""Normalisation layers by kind and number of dimensions, and how to tell them from other layers."""

from __future__ import annotations

from enum import Enum

from torch import Tensor, nn

from layerwise.core.nn.by_ndim import layer_class
from layerwise.core.nn.running_norm import RunningBatchNorm

__all__ = [
    "BatchNorm",
    "BatchNorm1dFlat",
    "InstanceNorm",
    "NormType",
    "norm_bias_params",
    "norm_types",
]


class NormType(Enum):
    """How a layer is normalised; the kinds with Zero start with a weight of zero."""

    Batch = 1
    BatchZero = 2
    Weight = 3
    Spectral = 4
    Instance = 5
    InstanceZero = 6


norm_types: tuple[type[nn.Module], ...] = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    RunningBatchNorm,
)

# A bias just above zero keeps a ReLU behind it alive at the start.
_START_BIAS = 1e-3


def BatchNorm(  # noqa: N802 - the name users know
    nf: int,
    ndim: int = 2,
    norm_type: NormType = NormType.Batch,
    *,
    eps: float = 1e-5,
    momentum: float | None = 0.1,
    affine: bool = True,
    track_running_stats: bool = True,
) -> nn.Module:
    """Torch's batch normalisation for `nf` channels and `ndim` dimensions in space.

    Args:
        nf: number of channels.
        ndim: 1, 2 or 3.
        norm_type: `NormType.BatchZero` starts the weight at 0, `NormType.Batch` at 1.
        eps: as in torch, as are the settings after it.
        momentum: weight of a new batch in the running statistics.
        affine: whether there is a weight and a bias.
        track_running_stats: whether evaluation uses running statistics.

    Raises:
        ValueError: if `ndim` or `norm_type` does not fit.

    Example:
        >>> BatchNorm(3, norm_type=NormType.BatchZero).weight.tolist()
        [0.0, 0.0, 0.0]
    """
    _check_norm_type("BatchNorm", norm_type, (NormType.Batch, NormType.BatchZero))
    layer = layer_class("BatchNorm", ndim)(
        nf, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats
    )
    return _started(layer, zero=norm_type is NormType.BatchZero)


def InstanceNorm(  # noqa: N802 - the name users know
    nf: int,
    ndim: int = 2,
    norm_type: NormType = NormType.Instance,
    affine: bool = True,
    *,
    eps: float = 1e-5,
    momentum: float = 0.1,
    track_running_stats: bool = False,
) -> nn.Module:
    """Torch's instance normalisation for `nf` channels and `ndim` dimensions in space.

    Args:
        nf: number of channels.
        ndim: 1, 2 or 3.
        norm_type: `NormType.InstanceZero` starts the weight at 0, `NormType.Instance` at 1.
        affine: whether there is a weight and a bias; True here, unlike torch.
        eps: as in torch, as are the settings after it.
        momentum: weight of a new batch in the running statistics.
        track_running_stats: whether evaluation uses running statistics.

    Raises:
        ValueError: if `ndim` or `norm_type` does not fit.
    """
    _check_norm_type("InstanceNorm", norm_type, (NormType.Instance, NormType.InstanceZero))
    layer = layer_class("InstanceNorm", ndim)(
        nf, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats
    )
    return _started(layer, zero=norm_type is NormType.InstanceZero)


def _check_norm_type(caller: str, given: NormType, allowed: tuple[NormType, ...]) -> None:
    if given not in allowed:
        raise ValueError(
            f"{caller} got norm_type={given}; it takes " + " or ".join(map(str, allowed))
        )


def _started(layer: nn.Module, *, zero: bool) -> nn.Module:
    if isinstance(layer.weight, Tensor) and isinstance(layer.bias, Tensor):
        nn.init.constant_(layer.bias, _START_BIAS)
        nn.init.constant_(layer.weight, 0.0 if zero else 1.0)
    return layer


class BatchNorm1dFlat(nn.BatchNorm1d):
    """`nn.BatchNorm1d` over the last axis, with all axes before it taken as one batch."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., nf) normalised over the last axis, same shape."""
        return super().forward(x.reshape(-1, x.shape[-1])).view(x.shape)


def norm_bias_params(m: nn.Module, with_bias: bool = True) -> list[nn.Parameter]:
    """The parameters that weight decay usually spares: all of normalisation layers, and biases.

    Args:
        m: the module to look through.
        with_bias: whether the `bias` of other layers is in the list.

    Example:
        >>> len(norm_bias_params(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))))
        3
    """
    if isinstance(m, norm_types):
        return list(m.parameters())
    found = [p for child in m.children() for p in norm_bias_params(child, with_bias)]
    bias = getattr(m, "bias", None)
    if with_bias and isinstance(bias, nn.Parameter):
        found.append(bias)
    return found
