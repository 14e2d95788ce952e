"""Model files: safetensors with weights, optimizer state and settings; written whole or not at all.

No pickle is written, and none is read except through `torch.load(weights_only=True)` for weights
that other programs saved.
"""

import json
import os
import tempfile
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
        plain, arrays = _split(opt.state_dict())
        tensors.update({_OPT + k: v for k, v in _own_memory(arrays).items()})
        settings["opt"] = plain
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
    if path.suffix != SUFFIX:
        _into_model(path, model, load_weights(path), strict)
        return
    tensors, settings = _read(path, device)
    weights = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
    _into_model(path, model, weights or tensors, strict)
    if not with_opt or opt is None or "opt" not in settings:
        return
    arrays = {k.removeprefix(_OPT): v for k, v in tensors.items() if k.startswith(_OPT)}
    try:
        opt.load_state_dict(_join(settings["opt"], arrays), strict=strict)
    except ValueError as error:
        raise ModelFileError(
            f"the optimizer state in {path} does not fit this optimizer: {error} "
            "Pass with_opt=False to load the weights alone"
        ) from error


def load_weights(file: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors, `.pth` or `.pt` file, by name; nothing in it is executed."""
    path = Path(file)
    if path.suffix == SUFFIX:
        return _read(path, None)[0]
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises kinds of its own, all of which mean: not plain
        raise ModelFileError(
            f"{path} holds more than plain tensors, or is damaged, so it is not read: {error}"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("model"), Mapping):
        found = found["model"]
    if not isinstance(found, Mapping):
        raise ModelFileError(f"{path} holds a {type(found).__name__}, not weights by name")
    return {k: v for k, v in found.items() if isinstance(v, Tensor)}


def _into_model(path: Path, model: nn.Module, weights: Mapping[str, Tensor], strict: bool) -> None:
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
    fitting = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    target.load_state_dict(fitting, strict=False)


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
        if value.data_ptr() in seen:
            value = value.clone()
        seen.add(value.data_ptr())
        owned[name] = value
    return owned


def _split(value: Any, prefix: str = "") -> tuple[Any, dict[str, Tensor]]:
    """`value` with each tensor replaced by a mark, and the tensors by mark."""
    if isinstance(value, Tensor):
        return {"$tensor": prefix}, {prefix: value}
    arrays: dict[str, Tensor] = {}
    if isinstance(value, Mapping):
        plain: Any = {}
        for key, member in value.items():
            plain[key], inner = _split(member, f"{prefix}.{key}" if prefix else str(key))
            arrays.update(inner)
        return plain, arrays
    if isinstance(value, list | tuple):
        members = []
        for place, member in enumerate(value):
            done, inner = _split(member, f"{prefix}.{place}")
            members.append(done)
            arrays.update(inner)
        return members, arrays
    return value, {}


def _join(plain: Any, arrays: Mapping[str, Tensor]) -> Any:
    """What `_split` took apart."""
    if isinstance(plain, dict):
        if plain.keys() == {"$tensor"}:
            return arrays[plain["$tensor"]]
        return {key: _join(member, arrays) for key, member in plain.items()}
    return [_join(member, arrays) for member in plain] if isinstance(plain, list) else plain


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as f:
        temporary = Path(f.name)
        try:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    try:
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
