"""A learner as a bundle: its model, and how an item becomes an input and an output is decoded.

A bundle holds names and settings as JSON and tensors as safetensors. Nothing of it can run, and no
item of the data is in it: the example by which a loaded model is tested is made of random numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.described import to_description
from layerwise.core.errors import BundleError, ConfigError, LayerwiseError
from layerwise.core.files.bundle import read_bundle, write_bundle
from layerwise.core.files.plain import from_json, to_json
from layerwise.core.files.tensor_file import tensors_from_bytes, tensors_to_parts
from layerwise.core.nested import to_cpu
from layerwise.core.nn.module import with_versions
from layerwise.core.random import isolated
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS, find, plugins
from layerwise.core.train.bounded import Bounded
from layerwise.core.train.callback import Callback
from layerwise.core.train.data_config import data_from_plain, data_to_plain, inference_loader
from layerwise.core.train.engine import split_batch
from layerwise.core.train.outputs import read_output

__all__ = ["ExportedLearner", "export_learner", "read_learner"]

KIND = "learner"

_MODEL_KINDS = frozenset({"model", "layer", "function", "type", "torch"})
# A loss may see with the eyes of a model.
_LOSS_KINDS = frozenset({"loss", "layer", "model", "function", "type", "torch"})

# A loaded model has to repeat its example up to what other processors make of the same numbers.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4

# What a damaged description can make of constructors that get it.
_OF_A_FILE = (
    LayerwiseError, LookupError, TypeError, ValueError, AttributeError, RuntimeError,
    ArithmeticError, MemoryError, RecursionError, OSError, ImportError,
)  # fmt: skip

ModelName = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ExportedLearner:
    """What a bundle of a learner holds.

    Attributes:
        model: with its weights, on the CPU, in evaluation mode.
        dls: loaders without items.
        loss_func: for its activation and decoding.
        example: an input and what the model gave for it; None where inputs are not tensors.
        cbs: callbacks that predictions need.
    """

    model: nn.Module
    dls: Any
    loss_func: Any
    example: tuple[Any, Any] | None
    cbs: list[Callback]


# -- writing ----------------------------------------------------------------------------------


def export_learner(learn: Any, path: Path, model: ModelName | None = None) -> Path:
    """Write `learn` for prediction to `path`; see `Learner.export`."""
    members = _members_of(learn, model)
    return write_bundle(path, members, kind=KIND) if learn.strategy.rank == 0 else path


def _members_of(learn: Any, model: ModelName | None = None) -> dict[str, Any]:
    """The members of the bundle, after a look at whether they make an equal model again."""
    own_arrays: dict[str, Tensor] = {}
    described = _described(learn.model, model, own_arrays)
    arrays: dict[str, Tensor] = {}
    pipeline = {
        **data_to_plain(learn.dls, arrays),
        "loss_func": to_description(learn.loss_func, arrays, "loss_func"),
    }
    state = learn.strategy.full_model_state(learn)
    weights = {name: value.detach().cpu() for name, value in state.items()}
    tested: dict[str, Tensor] = {}
    example = _example(learn)
    plain_example = None if example is None else to_description(example, tested, "the example")
    _check_made_again(described, own_arrays, weights, example)
    vocabs: list[Any] = []
    pipeline = _without_vocabs(pipeline, vocabs)
    needed = [cb for cb in learn.cbs if cb.in_export]
    head = {"model": described, "example": plain_example}
    head["callbacks"] = to_description(needed, arrays, "the callbacks")
    head["packages"] = _packages([described, pipeline, head["callbacks"], *vocabs])
    return {
        "model.json": to_json(head),
        "pipeline.json": to_json(pipeline),
        **{f"vocab/{i}.json": to_json(vocab) for i, vocab in enumerate(vocabs)},
        "arrays.safetensors": tensors_to_parts(
            {**arrays, **{f"model.{name}": value for name, value in own_arrays.items()}}
        ),
        "example.safetensors": tensors_to_parts(tested),
        "model.safetensors": tensors_to_parts(weights),
    }


def _described(model: nn.Module, name: ModelName | None, arrays: dict[str, Tensor]) -> Any:
    if name is None:
        try:
            return to_description(model, arrays, "the model")
        except ConfigError as error:
            raise ConfigError(
                f"{error}. Or register a function that makes the model, and pass "
                "model=('mine/net', {its keywords}) to export"
            ) from error
    own, settings = name
    find("model", own)  # says what is wrong with a name that is not known
    plain = {k: to_description(v, arrays, f"the model's {k}") for k, v in settings.items()}
    return {"$type": f"model:{own}", **plain}


def _check_made_again(
    described: Any, arrays: dict[str, Tensor], weights: Mapping[str, Tensor], example: Any
) -> None:
    """Raise unless the description makes a model that takes the weights and gives the same."""
    hint = (
        "so its export would be another model. Was it changed after it was made? Then build it in "
        "one function, register that, and pass model=('mine/net', {its settings}) to export"
    )
    try:
        again = _model(described, arrays, weights)
        given = None if example is None else _called(again, example[0])
    except LayerwiseError as error:
        raise ConfigError(
            f"the model is not what its description makes ({error}), {hint}"
        ) from error
    if example is not None and not _alike(given, example[1]):
        raise ConfigError(f"the model gives other outputs than what its description makes, {hint}")


def _example(learn: Any) -> tuple[Any, Any] | None:
    """One input of random numbers, shaped like those of the data, and what the model gives."""
    loader = inference_loader(learn.dls)
    kept = learn.exported_example
    inputs = None if kept is None else kept[0]
    if inputs is None:
        try:
            batch = loader.peek() if hasattr(loader, "peek") else next(iter(loader))
        except (ValueError, StopIteration):  # no items: of a learner that was loaded, say
            return None
        inputs = _made_up(to_cpu(split_batch(learn, batch)[0]))
    if inputs is None:
        return None
    device = next((p.device for p in learn.model.parameters()), torch.device("cpu"))
    model = learn.model.to("cpu")
    try:
        return inputs, _called(model, inputs)
    finally:
        model.to(device)


def _made_up(inputs: Any) -> Any:
    """Random numbers in place of all tensors, one row of each; None if there is anything else."""
    generator = torch.Generator().manual_seed(0)

    def one(x: Any) -> Any:
        if isinstance(x, Mapping):
            return {key: one(member) for key, member in x.items()}
        if isinstance(x, tuple | list):
            members = [one(member) for member in x]
            if hasattr(x, "_fields"):
                return type(x)(*members)
            return members if isinstance(x, list) else tuple(members)  # whatever kind of tuple
        if not isinstance(x, Tensor) or x.ndim == 0 or x.is_complex():
            raise TypeError("no tensor with rows")
        if x.is_floating_point():
            return torch.randn(x[:1].shape, generator=generator).to(x.dtype)
        if x.dtype == torch.bool:
            return torch.ones_like(x[:1])
        if not x.numel():
            return torch.zeros_like(x[:1])
        # Up to what each column has: codes of one may be none of another's.
        counts = x.amax(0, keepdim=True).clamp(min=0).double() + 1
        return torch.rand(counts.shape, generator=generator).mul(counts).to(x.dtype)

    try:
        return tuple(one(member) for member in inputs)
    except TypeError:
        return None


def _called(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """What the model gives for inputs, in evaluation mode."""
    from layerwise.core.train.outputs import accepted_keywords

    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), isolated(0):
            keywords = None
            if len(inputs) == 1 and isinstance(inputs[0], Mapping):
                keywords = accepted_keywords(model, inputs[0])
            output = model(*inputs) if keywords is None else model(**keywords)
        return read_output(output)[0]
    finally:
        model.train(was_training)


def _alike(given: Any, expected: Any) -> bool:
    if isinstance(expected, tuple | list):
        same = isinstance(given, tuple | list) and len(given) == len(expected)
        return same and all(map(_alike, given, expected))
    if not isinstance(expected, Tensor):
        return True
    if not isinstance(given, Tensor) or given.shape != expected.shape:
        return False
    scale = expected.abs().amax().item() if expected.numel() else 0.0
    tolerance = max(_ABSOLUTE, _RELATIVE * scale) if expected.is_floating_point() else 0
    return bool(torch.allclose(given, expected, rtol=0, atol=tolerance, equal_nan=True))


def _without_vocabs(plain: Any, vocabs: list[Any]) -> Any:
    """`plain` with each vocabulary taken out to `vocabs`."""
    if isinstance(plain, list):
        return [_without_vocabs(member, vocabs) for member in plain]
    if not isinstance(plain, dict):
        return plain
    kept = {}
    for key, member in plain.items():
        if key == "vocab" and isinstance(member, list):
            vocabs.append(member)
            kept[key] = {"$vocab": len(vocabs) - 1}
        else:
            kept[key] = _without_vocabs(member, vocabs)
    return kept


def _with_vocabs(plain: Any, members: Mapping[str, bytes]) -> Any:
    if isinstance(plain, list):
        return [_with_vocabs(member, members) for member in plain]
    if not isinstance(plain, dict):
        return plain
    if "$vocab" in plain:
        vocab = from_json(members[f"vocab/{int(plain['$vocab'])}.json"])
        if not isinstance(vocab, list):
            raise BundleError(f"its vocabulary {plain['$vocab']} is no list")
        return vocab
    return {key: _with_vocabs(member, members) for key, member in plain.items()}


def _packages(plain: Any) -> dict[str, str]:
    """The distributions whose names are used, by prefix; "" for names of the program's own."""
    installed = plugins()
    prefixes = {name.partition(":")[2].partition("/")[0] for name in _names(plain)}
    return {prefix: installed.get(prefix, "") for prefix in sorted(prefixes)}


def _names(plain: Any) -> Iterator[str]:
    """All references to registered names."""
    if isinstance(plain, list):
        for member in plain:
            yield from _names(member)
    elif isinstance(plain, dict):
        for member in plain.values():
            yield from _names(member)
    elif isinstance(plain, str) and plain.partition(":")[0] in KINDS and "/" in plain:
        yield plain


# -- reading ----------------------------------------------------------------------------------


def read_learner(path: str | Path, sha256: str | None = None) -> ExportedLearner:
    """What the bundle at `path` holds, after the model has repeated its example.

    Args:
        path: as `Learner.export` wrote it.
        sha256: of the whole file, got from whom you trust; see `read_bundle`.

    Raises:
        BundleError: if the file cannot be used; says why, and what to install if a package is
            missing. Nothing else is raised for a file, whatever is in it.
    """
    members = read_bundle(path, kind=KIND, sha256=sha256)
    try:
        return _learner(members)
    except BundleError as error:
        raise BundleError(f"{path} cannot be used: {error}") from error
    except _OF_A_FILE as error:
        raise BundleError(f"{path} cannot be used: {error or type(error).__name__}") from error


def _learner(members: Mapping[str, bytes]) -> ExportedLearner:
    head, pipeline = from_json(members["model.json"]), from_json(members["pipeline.json"])
    _check_packages(head["packages"])
    pipeline = _with_vocabs(pipeline, members)
    arrays = tensors_from_bytes(members["arrays.safetensors"])
    own = {k.removeprefix("model."): v for k, v in arrays.items() if k.startswith("model.")}
    dls = data_from_plain(pipeline, arrays)
    loss_func = from_description(pipeline["loss_func"], arrays, _LOSS_KINDS)
    if not callable(loss_func):
        raise ConfigError("its loss function is none")
    model = _model(head["model"], own, tensors_from_bytes(members["model.safetensors"]))
    example = None
    if head["example"] is not None:
        tested = tensors_from_bytes(members["example.safetensors"])
        example = from_description(head["example"], tested, frozenset())
        if not _alike(_called(model, example[0]), example[1]):
            raise BundleError(
                "its model does not repeat the example that it was exported with; the code of the "
                "model, or the version of a library, is another one than it was then"
            )
    cbs = from_description(head.get("callbacks", []), arrays, frozenset({"callback"}))
    if not isinstance(cbs, list) or not all(isinstance(cb, Callback) for cb in cbs):
        raise ConfigError("what it describes as its callbacks are none")
    return ExportedLearner(model, dls, loss_func, example, cbs)


def _check_packages(packages: Mapping[str, str]) -> None:
    installed = plugins()
    for prefix, distribution in packages.items():
        if prefix not in installed and distribution:
            name = str(distribution).split()[0][:100]
            raise BundleError(
                f"it needs the package {distribution!r:.100}, which is not installed; "
                f"run: pip install {name}"
            )


def _model(
    described: Any, arrays: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> nn.Module:
    """The model that is described, with these weights."""
    with isolated(0), Bounded(weights):
        model = from_description(described, arrays, _MODEL_KINDS)
    if not isinstance(model, nn.Module):
        raise ConfigError(f"what it describes as its model is a {type(model).__name__}")
    own = model.state_dict()
    differing = sorted(own.keys() ^ weights.keys()) + [
        name for name in own.keys() & weights.keys() if own[name].shape != weights[name].shape
    ]
    if differing:
        raise ConfigError(
            f"{len(differing)} weights are missing, unknown or of another shape, among them "
            f"{', '.join(differing[:3])}"
        )
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(weights[name].dtype)
    model.load_state_dict(with_versions(weights, model))
    return model.eval()
