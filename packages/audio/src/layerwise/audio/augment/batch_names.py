"""Names that batch transforms have in fastaudio and fastxtend, for transforms that do both.

Every random transform here works on items and on batches, so there is one class of each. These
functions make it from the arguments that go with the other name.
"""

from __future__ import annotations

from layerwise.audio.augment.cut import SignalCutout, SignalLoss
from layerwise.audio.augment.masking import MaskFreq, MaskTime
from layerwise.audio.augment.noise import AddNoise, NoiseColor
from layerwise.audio.augment.volume import ChangeVolume, Volume
from layerwise.audio.features import Delta, TfmResize
from layerwise.core.errors import names_nearest

__all__ = [
    "AddNoiseGPU",
    "ChangeVolumeGPU",
    "DeltaGPU",
    "FrequencyMasking",
    "MaskFreqGPU",
    "MaskTimeGPU",
    "Noise",
    "SignalCutoutGPU",
    "SignalLossGPU",
    "TfmResizeGPU",
    "TimeMasking",
    "VolumeBatch",
]

ChangeVolumeGPU = ChangeVolume
DeltaGPU = Delta
Noise = AddNoise
TfmResizeGPU = TfmResize
VolumeBatch = Volume


@names_nearest
def AddNoiseGPU(  # noqa: N802 - the name that users of this family know
    p: float = 0.5,
    min_level: float = 0.0,
    max_level: float = 0.05,
    color: float = NoiseColor.White,
) -> AddNoise:
    """`AddNoise` with a level drawn for each item.

    Args:
        p: probability for each item.
        min_level: least level.
        max_level: greatest.
        color: of `NoiseColor`.

    Example:
        >>> AddNoiseGPU(max_level=0.1).noise_level
        (0.0, 0.1)
    """
    return AddNoise((min_level, max_level), color, p)


@names_nearest
def SignalCutoutGPU(  # noqa: N802 - as above
    p: float = 0.5, min_cut_pct: float = 0.0, max_cut_pct: float = 0.15
) -> SignalCutout:
    """`SignalCutout`, its shares in their order.

    Args:
        p: probability for each item.
        min_cut_pct: least share of a signal.
        max_cut_pct: greatest.

    Example:
        >>> SignalCutoutGPU(1.0, 0.1, 0.2).max_cut_pct
        0.2
    """
    return SignalCutout(p, max_cut_pct, min_cut_pct)


@names_nearest
def SignalLossGPU(  # noqa: N802 - as above
    p: float = 0.5, min_loss_pct: float = 0.0, max_loss_pct: float = 0.15
) -> SignalLoss:
    """`SignalLoss`, its shares in their order.

    Args:
        p: probability for each item.
        min_loss_pct: least share of samples that are lost.
        max_loss_pct: greatest.

    Example:
        >>> SignalLossGPU(1.0, 0.1, 0.2).max_loss_pct
        0.2
    """
    return SignalLoss(p, max_loss_pct, min_loss_pct)


@names_nearest
def MaskFreqGPU(  # noqa: N802 - as above
    num_masks: int = 1,
    min_size: int = 0,
    max_size: int = 10,
    val: float | None = None,
    p: float = 1.0,
) -> MaskFreq:
    """`MaskFreq` with a size drawn for each mask.

    Args:
        num_masks: how many masks.
        min_size: least rows of a mask.
        max_size: greatest.
        val: what covers; the mean of each channel when None.
        p: probability for each item.

    Example:
        >>> MaskFreqGPU(2, 1, 5).size
        (1, 5)
    """
    return MaskFreq(num_masks, (min_size, max_size), None, val, p)


@names_nearest
def MaskTimeGPU(  # noqa: N802 - as above
    num_masks: int = 1,
    min_size: int = 0,
    max_size: int = 10,
    val: float | None = None,
    p: float = 1.0,
) -> MaskTime:
    """`MaskTime` with a size drawn for each mask.

    Args:
        num_masks: how many masks.
        min_size: least frames of a mask.
        max_size: greatest.
        val: what covers; the mean of each channel when None.
        p: probability for each item.

    Example:
        >>> MaskTimeGPU(2, 1, 5).size
        (1, 5)
    """
    return MaskTime(num_masks, (min_size, max_size), None, val, p)


@names_nearest
def FrequencyMasking(  # noqa: N802 - as above
    freq_mask_param: int = 30, p: float = 0.5, val: float | None = None
) -> MaskFreq:
    """`MaskFreq` with one mask of up to `freq_mask_param` rows.

    Args:
        freq_mask_param: greatest rows of the mask.
        p: probability for each item.
        val: what covers; the mean of each channel when None.

    Example:
        >>> FrequencyMasking(8).size
        (0, 8)
    """
    return MaskFreq(1, (0, freq_mask_param), None, val, p)


@names_nearest
def TimeMasking(  # noqa: N802 - as above
    time_mask_param: int = 30, p: float = 0.5, val: float | None = None
) -> MaskTime:
    """`MaskTime` with one mask of up to `time_mask_param` frames.

    Args:
        time_mask_param: greatest frames of the mask.
        p: probability for each item.
        val: what covers; the mean of each channel when None.

    Example:
        >>> TimeMasking(8).size
        (0, 8)
    """
    return MaskTime(1, (0, time_mask_param), None, val, p)
