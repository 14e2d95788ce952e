"""Mixtures of signals as training items, mixed before the spectrogram is made.

A sum of two waves is what a microphone hears of two sources; a sum of their spectrograms in
decibels is nothing that is heard. But batch transforms make the spectrogram in the loader, before
callbacks see a batch. So the work has two halves, and neither moves what is not its own:

- `MixWaves` is a batch transform of the training split. Its `order` puts it behind the changes of
  signals and before the spectrogram. It mixes the inputs and hangs a `Mixture` on them, which
  travels on with the metadata, through the spectrogram.
- The callbacks put it into the training loader for the time of a fit, find the `Mixture` on the
  batch, and have the loss of the mixture computed, as `MixUp` of core does. Targets stay whole.

Draws are keyed, as those of all batch transforms, so a resumed run mixes the same items.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from layerwise.audio.augment.per_item import valid_lengths
from layerwise.audio.augment.place import windows
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.callback.mixup import MixHandler
from layerwise.core.errors import names_nearest
from layerwise.core.random import generator
from layerwise.core.tensors import TensorBase, dress
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import ItemTransform

__all__ = [
    "AudioCutMix",
    "AudioCutMixUp",
    "AudioCutMixUpAugment",
    "AudioMixUp",
    "MixWaves",
    "Mixture",
]

# B: items of a batch. C: channels. N: samples.


class Mixture(NamedTuple):
    """Of what the items of a batch are mixtures."""

    share: Tensor
    """(B,) how much of each is the item itself: from 1/2 to 1."""
    other: Tensor
    """(B,) which item the rest is from."""


class MixWaves(ItemTransform):
    """Mixes each signal of a training batch with another one, and says how in `mixture`.

    Part of `AudioMixUp` and its kin, which see to the loss as well. The first member of a batch is
    mixed. Each item is done in one of three ways, by ratio: a weighted mean of both waves (Zhang et
    al., 2018, mixup); a part replaced by that of the other (Yun et al., 2019, CutMix), which is
    repeated where it is too short; or nothing. The item itself always is the larger part.

    Args:
        mixup_ratio: how often means are made, beside the other ratios.
        cutmix_ratio: how often parts are replaced.
        plain_ratio: how often nothing is done.
        mix_alpha: both parameters of the Beta distribution that shares of means are drawn from.
        cut_alpha: likewise of replaced parts.

    Raises:
        ValueError: for a ratio below 0, none above, or an `alpha` that is not above 0.
        TypeError: when called, for spectrograms, which are mixed too late.

    Example:
        >>> waves = AudioTensor(torch.stack([torch.zeros(1, 4), torch.ones(1, 4)]), sr=8000)
        >>> mixed, _ = MixWaves()((waves, torch.tensor([0, 1])), split_idx=0)
        >>> share, other = mixed.mixture
        >>> bool((share >= 0.5).all()), sorted(other.tolist())
        (True, [0, 1])
    """

    order: float = 30
    split_idx: int | None = 0

    @names_nearest
    def __init__(
        self,
        mixup_ratio: float = 1.0,
        cutmix_ratio: float = 0.0,
        plain_ratio: float = 0.0,
        mix_alpha: float = 0.4,
        cut_alpha: float = 1.0,
    ) -> None:
        super().__init__()
        ratios = mixup_ratio, cutmix_ratio, plain_ratio
        if min(ratios) < 0 or not sum(ratios) > 0:
            raise ValueError(f"ratios {ratios} of means, parts and nothing; none is below 0")
        if not (mix_alpha > 0 and cut_alpha > 0):
            raise ValueError(
                f"mix_alpha={mix_alpha}, cut_alpha={cut_alpha}; give parameters of Beta "
                "distributions, above 0"
            )
        self.mixup_ratio, self.cutmix_ratio, self.plain_ratio = ratios
        self.mix_alpha, self.cut_alpha = mix_alpha, cut_alpha
        self.is_on = True

    def encodes(self, b: tuple) -> tuple:  # type: ignore[type-arg]  # dispatch takes the class
        """The batch, its first member mixed."""
        return (self.mixed(b[0]), *b[1:]) if self.is_on and b else b

    def mixed(self, x: AudioTensor) -> AudioTensor:
        """(B, C, N) the mixtures, with `mixture`."""
        if isinstance(x, AudioSpectrogram):
            raise TypeError(
                "these are spectrograms, and waves are mixed before they are made; make them in "
                "the batch_tfms, with AudioToSpec, or mix spectrograms by MixUp of core"
            )
        if not isinstance(x, AudioTensor) or x.ndim != 3:
            raise TypeError(
                f"mixed are batches of signals, an AudioTensor (B, C, N), and this is a "
                f"{type(x).__name__}{f' {tuple(x.shape)}' if isinstance(x, Tensor) else ''}"
            )
        if not len(x):
            return x
        plain, lengths = x.as_plain(), valid_lengths(x)
        other = torch.randperm(len(plain), generator=generator())
        which = self._which(len(plain))
        # Made of every item, and kept where `which` says so.
        made, share = plain, torch.ones(len(plain), dtype=torch.float64)
        if self.mixup_ratio:
            own = _shares(len(plain), self.mix_alpha)
            weights = own.to(plain).view(-1, 1, 1)
            made = _where(which == 0, plain[other.to(plain.device)].lerp(plain, weights), made)
            share = torch.where(which == 0, own, share)
        if self.cutmix_ratio:
            own = _shares(len(plain), self.cut_alpha)
            pasted, own = _pasted(plain, other, own, lengths)
            made, share = _where(which == 1, pasted, made), torch.where(which == 1, own, share)
        result = dress(made, x)
        if "lengths" in vars(x):
            longer = torch.where(which == 0, lengths.maximum(lengths[other]), lengths)
            result.lengths = longer.to(x.lengths)
        return _told(result, Mixture(share.to(plain), other.to(plain.device)))

    def _which(self, count: int) -> Tensor:
        """(B,) 0 for a mean, 1 for a replaced part, 2 for nothing."""
        ratios = torch.tensor([self.mixup_ratio, self.cutmix_ratio, self.plain_ratio]).double()
        return torch.multinomial(ratios, count, replacement=True, generator=generator())


def _shares(count: int, alpha: float) -> Tensor:
    """(B,) numbers from 1/2 to 1, the larger parts of what a Beta distribution divides."""
    # torch's distributions take no generator.
    seed = int(torch.randint(1 << 62, (), generator=generator()))
    drawn = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count))
    return drawn.maximum(1 - drawn)


def _where(chosen: Tensor, made: Tensor, otherwise: Tensor) -> Tensor:
    """(B, C, N) `made` for the items that are chosen (B,)."""
    return torch.where(chosen.to(made.device).view(-1, 1, 1), made, otherwise)


def _pasted(x: Tensor, other: Tensor, share: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, N) signals with a part of the others in them, and (B,) the share that is left."""
    sizes = ((1 - share) * lengths).round().long()
    places = torch.rand(len(x), generator=generator(), dtype=torch.float64)
    starts = (places * (lengths - sizes + 1)).floor().long()
    at = torch.arange(x.shape[-1])
    inside = (at >= starts[:, None]) & (at < (starts + sizes)[:, None])
    ends = lengths[other].clamp_min(1)
    others = x[other.to(x.device)]
    repeated = windows(others, torch.zeros_like(starts), x.shape[-1], ends, repeat=True)
    made = torch.where(inside[:, None].to(x.device), repeated, x)
    return made, 1 - sizes / lengths.clamp_min(1)


def _told(x: AudioTensor, mixture: Mixture) -> AudioTensor:
    x.__dict__["mixture"] = mixture
    return x


def _mixture_of(batch: Any) -> Mixture | None:
    """What a member of the batch knows about its mixture; the first that knows something."""
    found = (vars(x).get("mixture") for x in _typed(batch))
    return next((mixture for mixture in found if mixture is not None), None)


def _typed(batch: Any) -> Iterator[TensorBase]:
    if isinstance(batch, TensorBase):
        yield batch
    elif isinstance(batch, tuple | list):
        for member in batch:
            yield from _typed(member)


class _WaveHandler(MixHandler):
    """What the callbacks share: the transform in the loader while they train, and the loss."""

    def __init__(self, alpha: float, waves: MixWaves) -> None:
        super().__init__(alpha)
        self._waves = waves
        # It stands in the training loader alone, which need not know that it is one.
        waves.split_idx = None

    def before_fit(self) -> None:
        """Be the only one, and put the transform into the training loader."""
        super().before_fit()
        pipeline = getattr(self.learn.dls.train, "after_batch", None)
        if not isinstance(pipeline, Pipeline):
            raise TypeError(
                f"{type(self).__name__} mixes in the batch transforms of the training loader, and "
                f"{type(self.learn.dls.train).__name__} has none; take loaders of layerwise"
            )
        self._take_out(pipeline)
        pipeline.add(self._waves, do_setup=False)

    def before_batch(self) -> None:
        """Put in the loss of the mixture, where the batch is one."""
        mixture = _mixture_of(self.learn.batch)
        if mixture is not None:
            self.mix_loss(mixture.share, mixture.other)

    def after_fit(self) -> None:
        """Leave loss and loader as they were."""
        self.after_batch()
        pipeline = getattr(self.learn.dls.train, "after_batch", None)
        if isinstance(pipeline, Pipeline):
            self._take_out(pipeline)

    def _take_out(self, pipeline: Pipeline) -> None:
        pipeline.fs = [step for step in pipeline.fs if step is not self._waves]


class AudioMixUp(_WaveHandler):
    """Trains on means of two waves (Zhang et al., 2018), with the mean of their losses.

    Reads `batch`; puts `MixWaves` into the training loader from `before_fit` to `after_fit`;
    replaces `loss_func` from `before_batch` to `after_batch` in training. `yb` stays the target of
    the larger part.

    Args:
        alpha: both parameters of the Beta distribution that shares are drawn from, one an item.

    Raises:
        ValueError: if `alpha` is not above 0; when training begins, beside another of its kind.
        TypeError: when training begins, with loaders that have no batch transforms.
    """

    @names_nearest
    def __init__(self, alpha: float = 0.4) -> None:
        super().__init__(alpha, MixWaves(mix_alpha=alpha))


class AudioCutMix(_WaveHandler):
    """Trains on waves of which a part is another's (Yun et al., 2019), losses mixed by its length.

    Reads and sets what `AudioMixUp` does.

    Args:
        alpha: both parameters of the Beta distribution that shares are drawn from, one an item.

    Raises:
        ValueError: if `alpha` is not above 0; when training begins, beside another of its kind.
        TypeError: when training begins, with loaders that have no batch transforms.
    """

    @names_nearest
    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha, MixWaves(0.0, 1.0, cut_alpha=alpha))


class AudioCutMixUp(_WaveHandler):
    """Trains on mixtures of both kinds, drawn for each item: `AudioMixUp` or `AudioCutMix`.

    Reads and sets what `AudioMixUp` does.

    Args:
        mix_alpha: see `AudioMixUp`.
        cut_alpha: see `AudioCutMix`.
        mixup_ratio: how often means are made, beside the other.
        cutmix_ratio: how often parts are replaced.

    Raises:
        ValueError: for a parameter not above 0, or ratios that are none.
        TypeError: when training begins, with loaders that have no batch transforms.
    """

    @names_nearest
    def __init__(
        self,
        mix_alpha: float = 0.4,
        cut_alpha: float = 1.0,
        mixup_ratio: float = 1.0,
        cutmix_ratio: float = 1.0,
    ) -> None:
        waves = MixWaves(mixup_ratio, cutmix_ratio, 0.0, mix_alpha, cut_alpha)
        super().__init__(mix_alpha, waves)


class AudioCutMixUpAugment(_WaveHandler):
    """Trains on mixtures of both kinds and on whole items, drawn for each item.

    Whole items are augmented by the batch transforms, as mixtures are. Towards the end of a
    training mixtures may stay away altogether, so that the model ends on what it will be asked.

    Reads `batch`, `epoch`, `n_epoch`; sets what `AudioMixUp` does.

    Args:
        mix_alpha: see `AudioMixUp`.
        cut_alpha: see `AudioCutMix`.
        mixup_ratio: how often means are made, beside the other ratios.
        cutmix_ratio: how often parts are replaced.
        augment_ratio: how often an item stays whole.
        augment_finetune: epochs at the end without mixtures; below 1, their share of all.

    Raises:
        ValueError: for a parameter not above 0, ratios that are none, or epochs below 0.
        TypeError: when training begins, with loaders that have no batch transforms.
    """

    @names_nearest
    def __init__(
        self,
        mix_alpha: float = 0.4,
        cut_alpha: float = 1.0,
        mixup_ratio: float = 1.0,
        cutmix_ratio: float = 1.0,
        augment_ratio: float = 1.0,
        augment_finetune: float = 0.0,
    ) -> None:
        if augment_finetune < 0:
            raise ValueError(f"augment_finetune={augment_finetune}; epochs, or a share, from 0 up")
        waves = MixWaves(mixup_ratio, cutmix_ratio, augment_ratio, mix_alpha, cut_alpha)
        super().__init__(mix_alpha, waves)
        self.augment_finetune = augment_finetune

    def before_epoch(self) -> None:
        """Stop mixing where the end of the training begins."""
        epochs = self.augment_finetune
        left = epochs * self.learn.n_epoch if epochs < 1 else epochs
        self._waves.is_on = self.learn.n_epoch - self.learn.epoch > left
