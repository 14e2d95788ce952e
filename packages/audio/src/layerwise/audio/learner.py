"""`audio_learner`: a model for clips or their spectrograms, and what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from layerwise.audio.models.build import (
    Arch,
    audio_split,
    create_audio_model,
    is_for_pictures,
    qualified,
)
from layerwise.audio.models.resnet import audio_resnet
from layerwise.audio.padding import LengthsBeside
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.errors import names_nearest
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.category import get_c

__all__ = ["audio_learner"]


@names_nearest
def audio_learner(
    dls: Any,
    arch: Arch = audio_resnet,
    n_out: int | None = None,
    pretrained: bool = False,
    n_in: int | None = None,
    config: Mapping[str, Any] | None = None,
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice = 3e-3,
    splitter: Callable[[nn.Module], Any] = audio_split,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> Learner:
    """A learner with a model for the clips of `dls`.

    Args:
        dls: loaders of sound and targets, see `AudioDataLoaders` and `AudioBlock`. They stay as
            they are: where the model takes lengths, the learner has loaders of its own that give
            them.
        arch: a model of ours (`audio_resnet`, `CRNN`, `M5`), any function that builds one, or the
            name of one in the registry; architectures for pictures too ("vision/xresnet34"), see
            `create_audio_model`.
        n_out: outputs; as many as the targets need when None.
        pretrained: start from trained weights, where an architecture for pictures has some, and
            freeze all but the head.
        n_in: channels; counted on a batch when None.
        config: other settings of the architecture, by name.
        loss_func: that of the targets when None; see `Learner`, as is all from here on.
        opt_func: makes the optimizer.
        lr: default learning rate; 3e-3 suits models that start from random numbers.
        splitter: parameter groups; all but the last layer, and that, when not given.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        ValueError: if the number of outputs is not known, clips have not `n_in` channels, the
            model takes waveforms and batches are spectrograms, or the other way round.
    """
    n_out = get_c(dls) if n_out is None else n_out
    if not n_out:
        raise ValueError("the data do not say how many outputs their targets need; pass n_out=")
    first, arch = _first_input(dls), qualified(arch)
    model = create_audio_model(arch, n_out, _channels(first, n_in), pretrained, config)
    _check_kind(model, arch, first)
    learn = Learner(
        dls=_with_lengths(dls) if getattr(model, "takes_lengths", False) else dls, model=model,
        loss_func=loss_func, opt_func=opt_func, lr=lr, splitter=splitter, cbs=cbs, metrics=metrics,
        path=path, model_dir=model_dir, wd=wd, wd_bn_bias=wd_bn_bias, train_bn=train_bn, moms=moms,
        compile=compile,
    )  # fmt: skip
    if pretrained:
        learn.freeze()
    return learn


def _with_lengths(dls: Any) -> Any:
    """Loaders like `dls` whose batches have their lengths beside them, see `LengthsBeside`."""
    steps = getattr(dls, "after_batch", None)
    if steps is None or any(isinstance(step, LengthsBeside) for step in steps):
        return dls
    loaders = [dl.new(after_batch=[*dl.after_batch, LengthsBeside()]) for dl in dls.loaders]
    return type(dls)(*loaders, path=dls.path, device=dls.device, n_inp=dls.n_inp)


def _first_input(dls: Any) -> Any:
    """The first member of a training batch; no random number is drawn for it."""
    batch = dls.train.peek() if hasattr(dls.train, "peek") else dls.one_batch()
    while isinstance(batch, tuple | list) and len(batch):
        batch = batch[0]
    return batch


def _channels(first: Any, n_in: int | None) -> int:
    found = int(first.shape[1]) if isinstance(first, Tensor) and first.ndim >= 3 else None
    if n_in is None and found is None:
        raise ValueError("the data do not say how many channels clips have; pass n_in=")
    if n_in is not None and found is not None and n_in != found:
        raise ValueError(
            f"clips have {found} channel{'s' if found > 1 else ''} and the model takes {n_in}; "
            f"pass n_in={found}, or none, or mix them down, AudioBlock(force_mono=True)"
        )
    return int(n_in or found or 1)


def _check_kind(model: nn.Module, arch: Arch, first: Any) -> None:
    """An error where `model` was made for the other kind of input."""
    takes = getattr(model, "takes", "spectrograms" if is_for_pictures(arch) else None)
    name = getattr(arch, "__name__", arch)
    if takes == "signals" and isinstance(first, AudioSpectrogram):
        raise ValueError(
            f"{name} takes waveforms, and these batches are spectrograms; make the loaders with "
            "spectrogram=None, or leave the transform to spectrograms out of batch_tfms"
        )
    if takes == "spectrograms" and isinstance(first, AudioTensor):
        raise ValueError(
            f"{name} takes spectrograms, and these batches are waveforms; put a transform to "
            "spectrograms into batch_tfms, such as AudioToSpec.from_cfg("
            "AudioConfig.BasicMelSpectrogram()), or take M5, which reads waveforms"
        )
