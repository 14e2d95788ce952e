"""Model files: safetensors with weights, optimizer state and settings; written whole or not at all.

No pickle is written. Of files that other programs saved with `torch.save`, the weights are read and
nothing is run.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import BundleError
from layerwise.core.files.atomic import write_whole
from layerwise.core.files.plain import from_json, join, split, to_json
from layerwise.core.files.tensor_file import METADATA, check_header, header_bytes, tensors_to_parts
from layerwise.core.files.torch_file import read_torch_file
from layerwise.core.nn.module import get_model, with_versions
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.data_facts import Facts, differences

__all__ = ["ModelFileError", "load_model", "load_weights", "save_model"]

SUFFIX = ".safetensors"
_FORMAT = "layerwise-model-1"
_MODEL, _OPT, _AUX = "model.", "opt.", "aux."
_WRAPPERS = re.compile(r"^((module|model|_orig_mod)\.)+|(?<=\.)_orig_mod\.")


class ModelFileError(BundleError):
    """A model file that cannot be used; says which file and what is wrong with it."""


def save_model(
    file: str | Path,
    model: nn.Module,
    opt: BaseOptimizer | None = None,
    with_opt: bool = True,
    aux_models: Mapping[str, nn.Module] | None = None,
    data: Facts | None = None,
) -> Path:
    """Write weights, and the optimizer's state if it is given and asked for. Returns the path.

    The file is written under another name, flushed to the disk and then renamed, so that there is
    always either the old file or the new one.

    Args:
        file: the suffix `.safetensors` is added when there is none.
        model: `DataParallel` and `DistributedDataParallel` are unwrapped.
        opt: the optimizer.
        with_opt: whether to write its state.
        aux_models: other models that belong to the training, by name.
        data: what the weights take for granted about data, see `data_facts`.
    """
    path = with_suffix(Path(file))
    tensors = {_MODEL + k: v for k, v in get_model(model).state_dict().items()}
    for name, other in (aux_models or {}).items():
        tensors.update({f"{_AUX}{name}.{k}": v for k, v in other.state_dict().items()})
    settings: dict[str, Any] = {"format": _FORMAT, "data": data or {}}
    if with_opt and opt is not None:
        settings["opt"], arrays = split(opt.state_dict())
        tensors.update({_OPT + k: v for k, v in arrays.items()})
    write_whole(path, tensors_to_parts(tensors, {"layerwise": to_json(settings).decode()}))
    return path


def load_model(
    file: str | Path,
    model: nn.Module,
    opt: BaseOptimizer | None = None,
    with_opt: bool = True,
    device: torch.device | str | None = None,
    strict: bool = True,
    aux_models: Mapping[str, nn.Module] | None = None,
    data: Facts | None = None,
) -> None:
    """Read what `save_model` wrote into `model` and `opt`.

    Either all of it fits and is loaded, or nothing is touched.

    Args:
        file: also a `.pth` or `.pt` of plain weights from another program.
        model: gets the weights.
        opt: gets the optimizer's state, where the file has it.
        with_opt: whether to read that.
        device: where tensors go first; the CPU when None.
        strict: raise where names or shapes differ; otherwise load what fits.
        aux_models: other models by name; those that the file does not have stay as they are.
        data: what the data here are like; where the file says otherwise, there is a warning.

    Raises:
        ModelFileError: when the file is missing or of another kind, or does not fit; names what
            differs.
    """
    path = _existing(Path(file))
    found = _read(path, device)
    wants_opt = with_opt and opt is not None
    if wants_opt and found.foreign_opt:
        raise ModelFileError(
            f"{path} has an optimizer state in the format of another program, which cannot be used "
            "here; pass with_opt=False to load the weights alone"
        )
    others = _differences(path, found.data, data)
    fitting = [_fitting(path, model, found.weights, strict)]
    for name, other in (aux_models or {}).items():
        if weights := found.aux(name):
            fitting.append(_fitting(path, other, weights, strict, f"the model {name!r} beside it"))
    if wants_opt and found.opt is not None:
        _into_opt(path, opt, found, strict)
    for target, weights in fitting:
        target.load_state_dict(with_versions(weights, target), strict=False)
    if others:
        warnings.warn(
            f"the weights in {path} belong to other data, so predictions may mean something else; "
            + "; ".join(others),
            stacklevel=3,
        )


def _into_opt(path: Path, opt: Any, found: _Found, strict: bool) -> None:
    try:
        opt.load_state_dict(join(found.opt, found.opt_arrays), strict=strict)
    # Of a state that no optimizer has written, anything may be missing.
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelFileError(
            f"the optimizer state in {path} cannot be used: {error}\n"
            "Pass with_opt=False to load the weights alone"
        ) from error


def _differences(path: Path, saved: Any, own: Facts | None) -> list[str]:
    try:
        return differences(saved, own) if saved and own else []
    # Of facts that were not written by `save_model`, anything may be missing.
    except (ValueError, TypeError, LookupError, AttributeError, RuntimeError) as error:
        raise ModelFileError(f"what {path} says of its data is damaged: {error!r}") from error


def load_weights(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors, `.pth` or `.pt` file, by name; nothing in it is executed.

    Of a file of `torch.save` these are the weights, also where an optimizer's state is with them.

    Raises:
        ModelFileError: if the file is missing, damaged, of another kind, or would run anything.
    """
    path = _existing(Path(file))
    return _read(path, None).tensors


@dataclass(frozen=True, slots=True)
class _Found:
    """What is in a file of weights."""

    tensors: dict[str, Tensor]
    opt: Any = None  # as `split` left it
    data: Any = None  # what the weights take for granted about data
    own: bool = False  # written by `save_model`
    foreign_opt: bool = False

    @property
    def weights(self) -> dict[str, Tensor]:
        return self._of(_MODEL) if self.own else self.tensors

    @property
    def opt_arrays(self) -> dict[str, Tensor]:
        return self._of(_OPT)

    def aux(self, name: str) -> dict[str, Tensor]:
        """The weights of another model; empty where the file has none of that name."""
        return self._of(f"{_AUX}{name}.") if self.own else {}

    def _of(self, part: str) -> dict[str, Tensor]:
        return {k.removeprefix(part): v for k, v in self.tensors.items() if k.startswith(part)}


def _read(path: Path, device: torch.device | str | None) -> _Found:
    try:
        if path.suffix == SUFFIX:
            return _read_safetensors(path, device)
        tensors, foreign_opt = read_torch_file(path)
    except (BundleError, OSError) as error:
        raise ModelFileError(f"{path} cannot be read as a model file: {error}") from error
    return _Found(tensors, foreign_opt=foreign_opt)


def _read_safetensors(path: Path, device: torch.device | str | None) -> _Found:
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as f:
        start = f.read(8)
        header = check_header(start, f.read(header_bytes(start)), path.stat().st_size)
    try:
        with safe_open(path, framework="pt", device=str(device or "cpu")) as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - no dict
    except (SafetensorError, ValueError, TypeError, LookupError) as error:
        raise ModelFileError(f"{path} cannot be read as a model file: {error}") from error
    text = header.get(METADATA, {}).get("layerwise")
    if text is None:
        return _Found(tensors)
    settings = from_json(text.encode())
    if not isinstance(settings, dict) or settings.get("format") != _FORMAT:
        raise ModelFileError(
            f"{path} is of a format that this version of layerwise does not read: "
            f"{settings!r:.80}; it reads {_FORMAT!r}: pip install -U layerwise-core"
        )
    data = settings.get("data")
    return _Found(
        tensors,
        opt=settings.get("opt"),
        data=data if isinstance(data, dict) else None,
        own=True,
    )


def _fitting(
    path: Path,
    model: nn.Module,
    weights: Mapping[str, Tensor],
    strict: bool,
    what: str = "this model",
) -> tuple[nn.Module, dict[str, Tensor]]:
    """The module without its wrappers, and what of `weights` fits it: all of it if `strict`."""
    target = get_model(model)
    own = target.state_dict()
    weights = _unwrapped(weights, own)
    missing = sorted(own.keys() - weights.keys())
    unknown = sorted(weights.keys() - own.keys())
    shapes = [
        f"{k}: {tuple(weights[k].shape)} in the file, {tuple(own[k].shape)} in the model"
        for k in own.keys() & weights.keys()
        if own[k].shape != weights[k].shape
    ]
    if strict and (missing or unknown or shapes):
        told = [
            f"{what}: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"
            for what, names in (
                ("missing in the file", missing),
                ("unknown to the model", unknown),
                ("of another shape", shapes),
            )
            if names
        ]
        raise ModelFileError(
            f"{path} does not fit {what}; {'; '.join(told)}. Make the model as it was saved, "
            "or pass strict=False to load what fits"
        )
    return target, {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}


def _unwrapped(weights: Mapping[str, Tensor], own: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """`weights` without what wrappers put before names, where only so they fit.

    Those are `module.` of `DataParallel`, `_orig_mod.` of `torch.compile` and `model.` of trainers.
    """
    plain = {_WRAPPERS.sub("", name): value for name, value in weights.items()}
    more_fit = len(plain.keys() & own.keys()) > len(weights.keys() & own.keys())
    return plain if more_fit and len(plain) == len(weights) else weights


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    for suffix in (SUFFIX, ".pth"):
        candidate = path.with_name(path.name + suffix)
        if candidate.is_file():
            return candidate
    found = sorted(p.name for p in path.parent.glob("*")) if path.parent.is_dir() else []
    raise ModelFileError(
        f"there is no model file {with_suffix(path)}; {path.parent} has "
        f"{', '.join(found[:10]) or 'no files'}"
    )


def with_suffix(path: Path) -> Path:
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
