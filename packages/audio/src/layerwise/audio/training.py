"""`layerwise train audio`: sounds with labels, from a folder or a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from layerwise.audio.augment.recipe import audio_aug_transforms
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.files import get_audio_files
from layerwise.audio.learner import audio_learner
from layerwise.core.data.factories import loaders_from
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.multilabel import accuracy_multi

__all__ = ["audio_training"]


def audio_training(
    data: Path,
    *,
    model: str = "audio_resnet",
    waves: bool = False,
    name_re: str | None = None,
    label_delim: str | None = None,
    sample_rate: int = 16000,
    crop: float | None = None,
    augment: bool = False,
    cache: Path | None = None,
    valid_pct: float = 0.2,
    bs: int = 64,
    workers: int | None = None,
    seed: int = 42,
) -> Learner:
    """Train a net that labels sounds.

    `data` is a folder with a folder for each label (below `train` and `valid`, where there are such
    folders), a folder of files whose names hold the label (`name_re`), or a table of separated
    values whose first two columns are files, beside the table, and labels.

    Args:
        data: the folder or the table.
        model: audio_resnet, CRNN, M5, or another of the registry, such as vision/xresnet34.
        waves: the model reads waveforms, as M5 does, and no spectrograms.
        name_re: a regular expression whose first group is the label in a file's name.
        label_delim: what parts the labels of a sound that has several, in a table.
        sample_rate: Hz; sounds of other rates are brought to it.
        crop: milliseconds that training hears of each sound; all of it when None.
        augment: shift, mask and add noise differently in each epoch.
        cache: a folder where sounds are kept as they are after resampling.
        valid_pct: the share that validates, where no folders say which do.
        bs: sounds in a batch.
        workers: processes that read sounds.
        seed: of the share that validates.
    """
    settings: dict[str, Any] = {
        "bs": bs,
        "seed": seed,
        "sample_rate": sample_rate,
        "crop_signal_to": crop,
        "cache_folder": cache,
        "batch_tfms": audio_aug_transforms(spectrograms=not waves) if augment else None,
    }
    if waves:
        settings["spectrogram"] = None
    if workers is not None:
        settings["num_workers"] = workers
    dls = loaders_from(
        AudioDataLoaders,
        data,
        get_audio_files,
        name_re=name_re,
        label_delim=label_delim,
        valid_pct=valid_pct,
        **settings,
    )
    return audio_learner(dls, model, metrics=accuracy_multi if label_delim else accuracy)
