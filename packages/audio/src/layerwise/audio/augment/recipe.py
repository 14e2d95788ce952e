"""`audio_aug_transforms`: a good set of augmentations for sound, of batches."""

from __future__ import annotations

from typing import Any

from layerwise.audio.augment.masking import MaskFreq, MaskTime
from layerwise.audio.augment.noise import AddNoise
from layerwise.audio.augment.shift import SignalShifter
from layerwise.audio.augment.stretch import PitchShiftOrTimeStretch
from layerwise.audio.augment.volume import Volume
from layerwise.core.errors import names_nearest
from layerwise.core.items import listify
from layerwise.core.transforms.transform import Transform

__all__ = ["audio_aug_transforms"]


@names_nearest
def audio_aug_transforms(
    mult: float = 1.0,
    max_shift: float = 0.1,
    max_gain: float = 6.0,
    max_noise: float = 0.02,
    max_semitones: float = 0.0,
    max_stretch: float = 0.0,
    num_masks: int = 1,
    max_freq_mask: float = 0.15,
    max_time_mask: float = 0.15,
    p: float = 0.5,
    spectrograms: bool = True,
    xtra_tfms: Any = None,
) -> list[Transform]:
    """Augmentations for sound: moved, louder or quieter, noisy; then rows and frames covered.

    What is cheap and changes no label of speech or of everyday sounds. Masks are those of
    SpecAugment (Park et al., 2019), about half as wide as in the paper and one of each, since clips
    here are shorter than its sentences. Pitch and speed cost more than all others together, and
    may be what a label is about; so they are asked for.

    Args:
        mult: factor of all that is named `max_`.
        max_shift: greatest shift, as a share of a clip; 0 for none.
        max_gain: greatest change of loudness in decibels; twice the amplitude is 6; 0 for none.
        max_noise: greatest level of noise, see `AddNoise`; 0.02 is 34 dB below; 0 for none.
        max_semitones: greatest change of pitch; 0 for none.
        max_stretch: greatest change of speed, as a share; 0 for none.
        num_masks: masks of rows, and as many of frames.
        max_freq_mask: greatest share of the rows in one mask; 0 for none.
        max_time_mask: greatest share of the frames in one mask; 0 for none.
        p: probability of each change of the signal, for each item; masks always are.
        spectrograms: False for models that hear the waveform: no masks.
        xtra_tfms: more transforms.

    Returns:
        For `batch_tfms`, beside the transform that makes spectrograms: they find their places
        before and after it by themselves.

    Example:
        >>> [each.name for each in audio_aug_transforms()]
        ['SignalShifter', 'Volume', 'AddNoise', 'MaskFreq', 'MaskTime']
    """
    made: list[Transform] = []
    if max_shift:
        made.append(SignalShifter(p=p, max_pct=min(1.0, mult * max_shift)))
    if max_semitones or max_stretch:
        made.append(_pitch_or_speed(mult * max_semitones, mult * max_stretch, p))
    if max_gain:
        made.append(Volume(p=p, gain=(-mult * max_gain, mult * max_gain)))
    if max_noise:
        made.append(AddNoise((0.0, mult * max_noise), p=p))
    if spectrograms and max_freq_mask:
        made.append(MaskFreq(num_masks, (0.0, min(1.0, mult * max_freq_mask))))
    if spectrograms and max_time_mask:
        made.append(MaskTime(num_masks, (0.0, min(1.0, mult * max_time_mask))))
    return [*made, *listify(xtra_tfms)]


def _pitch_or_speed(semitones: float, stretch: float, p: float) -> Transform:
    rates = 1 / (1 + stretch), 1 + stretch
    share = 1.0 if not stretch else 0.0 if not semitones else 0.5
    return PitchShiftOrTimeStretch(p, (-semitones, semitones), rates, pitch_share=share)
