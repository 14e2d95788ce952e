"""Model files: safetensors with weights, optimizer state and settings; written whole or not at all.

No pickle is written, and none is read except through `torch.load(weights_only=True)` for weights
that other programs saved.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import LayerwiseError
from layerwise.core.nn.module import get_model
from layerwise.core.optim.groups import BaseOptimizer

__all__ = ["ModelFileError", "load_model", "load_weights", "save_model"]

SUFFIX = ".safetensors"
_FORMAT = "layerwise-model-1"
_MODEL, _OPT = "model.", "opt."


class ModelFileError(LayerwiseError, ValueError):
    """A model file that cannot be used; says which file and what is wrong with it."""


def save_model(
    file: str | Path, model: nn.Module, opt: BaseOptimizer | None = None, with_opt: bool = True
) -> Path:
    """Write weights, and the optimizer's state if it is given and asked for. Returns the path.

    The file is written under another name, flushed to the disk and then renamed, so that there is
    always either the old file or the new one.

    Args:
        file: the suffix `.safetensors` is added when there is none.
        model: `DataParallel` and `DistributedDataParallel` are unwrapped.
        opt: the optimizer.
        with_opt: whether to write its state.
    """
    from safetensors.torch import save

    path = _with_suffix(Path(file))
    tensors = {_MODEL + k: v for k, v in _own_memory(get_model(model).state_dict()).items()}
    settings: dict[str, Any] = {"format": _FORMAT}
    if with_opt and opt is not None:
        arrays: dict[str, Tensor] = {}
        settings["opt"] = _split(opt.state_dict(), arrays)
        tensors.update({_OPT + k: v for k, v in _own_memory(arrays).items()})
    metadata = {"layerwise": json.dumps(settings)}
    _write_whole(path, save(tensors, metadata=metadata))
    return path


def load_model(
    file: str | Path,
    model: nn.Module,
    opt: BaseOptimizer | None = None,
    with_opt: bool = True,
    device: torch.device | str | None = None,
    strict: bool = True,
) -> None:
    """Read what `save_model` wrote into `model` and `opt`.

    Either both fit and are loaded, or neither is touched.

    Args:
        file: also a `.pth` or `.pt` of plain weights from another program.
        model: gets the weights.
        opt: gets the optimizer's state, where the file has it.
        with_opt: whether to read that.
        device: where tensors go first; the CPU when None.
        strict: raise where names or shapes differ; otherwise load what fits.

    Raises:
        ModelFileError: when the file is missing or of another kind, or does not fit; names what
            differs.
    """
    path = _existing(Path(file))
    wants_opt = with_opt and opt is not None
    if path.suffix != SUFFIX:
        found = _unpickled(path)
        if wants_opt and isinstance(found.get("opt"), Mapping):
            raise ModelFileError(
                f"{path} has an optimizer state in the format of another program, which cannot "
                "be used here; pass with_opt=False to load the weights alone"
            )
        target, weights = _fitting(path, model, _weights_in(found), strict)
        target.load_state_dict(weights, strict=False)
        return
    tensors, settings = _read(path, device)
    named = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
    target, weights = _fitting(path, model, named or tensors, strict)
    if wants_opt and "opt" in settings:
        arrays = {k.removeprefix(_OPT): v for k, v in tensors.items() if k.startswith(_OPT)}
        _into_opt(path, opt, _join(settings["opt"], arrays), strict)
    target.load_state_dict(weights, strict=False)


def _into_opt(path: Path, opt: Any, state: Any, strict: bool) -> None:
    try:
        opt.load_state_dict(state, strict=strict)
    except ValueError as error:
        raise ModelFileError(
            f"the optimizer state in {path} cannot be used: {error}\n"
            "Pass with_opt=False to load the weights alone"
        ) from error


def load_weights(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors, `.pth` or `.pt` file, by name; nothing in it is executed."""
    path = _existing(Path(file))
    return _read(path, None)[0] if path.suffix == SUFFIX else _weights_in(_unpickled(path))


def _unpickled(path: Path) -> Mapping[str, Any]:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises kinds of its own, all of which mean: not plain
        raise ModelFileError(
            f"{path} holds more than plain tensors, or is damaged, so it is not read: {error}"
        ) from error
    if not isinstance(found, Mapping):
        raise ModelFileError(f"{path} holds a {type(found).__name__}, not weights by name")
    return found


def _weights_in(found: Mapping[str, Any]) -> dict[str, Tensor]:
    if isinstance(found.get("model"), Mapping):
        found = found["model"]
    return {k: v for k, v in found.items() if isinstance(v, Tensor)}


def _fitting(
    path: Path, model: nn.Module, weights: Mapping[str, Tensor], strict: bool
) -> tuple[nn.Module, dict[str, Tensor]]:
    """The module without its wrappers, and what of `weights` fits it: all of it if `strict`."""
    target = get_model(model)
    own = target.state_dict()
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
            f"{path} does not fit this model; {'; '.join(told)}. Make the model as it was saved, "
            "or pass strict=False to load what fits"
        )
    return target, {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}


def _read(path: Path, device: torch.device | str | None) -> tuple[dict[str, Tensor], Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device=str(device or "cpu")) as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - no dict
            settings = json.loads((opened.metadata() or {}).get("layerwise", "{}"))
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelFileError(f"{path} cannot be read as a model file: {error}") from error
    return tensors, settings


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    for suffix in (SUFFIX, ".pth"):
        candidate = path.with_name(path.name + suffix)
        if candidate.is_file():
            return candidate
    found = sorted(p.name for p in path.parent.glob("*")) if path.parent.is_dir() else []
    raise ModelFileError(
        f"there is no model file {_with_suffix(path)}; {path.parent} has "
        f"{', '.join(found[:10]) or 'no files'}"
    )


def _with_suffix(path: Path) -> Path:
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor whole and with memory of its own, as safetensors demands (tied weights share)."""
    seen: set[int] = set()
    owned = {}
    for name, tensor in tensors.items():
        value = tensor.detach().contiguous()
        memory = value.untyped_storage().data_ptr()
        owned[name] = value.clone() if memory in seen else value
        seen.add(memory)
    return owned


def _split(value: Any, arrays: dict[str, Tensor], name: str = "") -> Any:
    """`value` as JSON can hold it; its tensors go to `arrays` and leave their names behind.

    JSON has neither tuples nor keys that are numbers, so they are written as marked lists.
    """
    if isinstance(value, Tensor):
        while name in arrays:
            name += "'"
        arrays[name] = value
        return {"$tensor": name}
    if isinstance(value, Mapping):
        items = [[key, _split(member, arrays, f"{name}.{key}")] for key, member in value.items()]
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        return dict(items) if plain else {"$items": items}
    if isinstance(value, list | tuple):
        members = [_split(member, arrays, f"{name}.{i}") for i, member in enumerate(value)]
        return {"$tuple": members} if isinstance(value, tuple) else members
    return value


def _join(plain: Any, arrays: Mapping[str, Tensor]) -> Any:
    """What `_split` took apart."""
    if isinstance(plain, list):
        return [_join(member, arrays) for member in plain]
    if not isinstance(plain, dict):
        return plain
    if "$tensor" in plain:
        return arrays[plain["$tensor"]]
    if "$tuple" in plain:
        return tuple(_join(member, arrays) for member in plain["$tuple"])
    items = plain.get("$items", plain.items())
    return {key: _join(member, arrays) for key, member in items}


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by `tempfile`, whose files only their owner may read.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name != "posix":  # other systems do not open folders
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
