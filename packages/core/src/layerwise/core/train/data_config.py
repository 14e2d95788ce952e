"""How loaders make inputs of items and decode outputs, as names and settings, and back.

What is described is the way of new items, as in validation: the steps of each member of a sample,
the transforms on samples and batches, and the types by which all of them choose. No item, no path,
and none of the steps that act in training alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.described import to_description
from layerwise.core.errors import ConfigError
from layerwise.core.named import object_of, reference_to
from layerwise.core.rebuilt import from_description
from layerwise.core.transforms.pipeline import Pipeline
from layerwise.core.transforms.transform import Transform

__all__: list[str] = []

_STEP_KINDS = frozenset({"transform", "reader", "function", "type", "torch", "loss"})
_PIPELINES = {
    "after_item": "item_tfms",
    "before_batch": "before_batch",
    "after_batch": "batch_tfms",
}

# Types of libraries that core does not import; they come with items if at all.
_OUTSIDE = {"pandas:Series": "Series", "pandas:DataFrame": "DataFrame"}

Plain = dict[str, Any]


def inference_loader(dls: Any) -> Any:
    """The loader that new items go the way of: that of validation, if there is one with items."""
    loaders = getattr(dls, "loaders", None)
    if loaders is not None:
        train, valid = loaders[0], loaders[min(1, len(loaders) - 1)]
        # One that is empty has no batch that shows what batches are like.
        is_empty = getattr(valid, "n", None) == 0 and getattr(train, "n", None) != 0
        return train if is_empty else valid
    return getattr(dls, "valid", None) or dls.train


# -- to plain values --------------------------------------------------------------------------


def data_to_plain(dls: Any, arrays: dict[str, Tensor]) -> Plain:
    """What `data_from_plain` makes loaders of.

    Args:
        dls: `DataLoaders`, or any object with `train` and `valid`.
        arrays: gets the tensors.

    Raises:
        ConfigError: if something in them has no name; says where it stands.
    """
    loader = inference_loader(dls)
    plain: Plain = {"loader": None, "data": None}
    if not isinstance(loader, DataLoader):
        return plain
    plain["loader"] = _loader_to_plain(loader, arrays)
    if isinstance(loader, TfmdDL):
        for name, told in _PIPELINES.items():
            where = f"{told} ({name})" if told != name else name
            plain[name] = steps_to_plain(getattr(loader, name), arrays, where)
        plain["batch"] = _batch_types(loader.types, arrays)
    dataset = loader.dataset
    if isinstance(dataset, Datasets | TfmdLists):
        plain["data"] = _data_to_plain(dataset, arrays)
    elif (reference_to(type(dataset)) or "").startswith("data:"):
        plain["data"] = {"own": to_description(dataset, arrays, "the data")}
    return plain


def _loader_to_plain(loader: DataLoader, arrays: dict[str, Tensor]) -> Plain:
    hooks = {
        name: to_description(function, arrays, f"the loader's {name}")
        for name, function in loader._replaced.items()
    }
    kind = None if type(loader) is DataLoader else to_description(type(loader), arrays, "dl_type")
    n_inp = loader.n_inp if isinstance(loader, TfmdDL) else None
    own = {name: getattr(loader, name) for name in loader._exported}
    plain: Plain = {"class": kind, "bs": loader.bs, "n_inp": n_inp, "hooks": hooks}
    return {**plain, "settings": to_description(own, arrays, "the loader")} if own else plain


def steps_to_plain(
    steps: Any, arrays: dict[str, Tensor], where: str, *, training: bool = False
) -> list[Any]:
    """The steps of a pipeline; those that act in training alone only if asked for."""
    parts = [part for step in steps for part in step.parts]
    return [
        to_description(_bare(part), arrays, f"{where}[{i}]")
        for i, part in enumerate(parts)
        if training or part.split_idx != 0
    ]


def _bare(step: Transform) -> Any:
    """The function alone where a transform is nothing else."""
    is_plain = (
        type(step) is Transform
        and step._dec is None
        and not {"order", "split_idx"} & vars(step).keys()
    )
    return step._enc if is_plain and step._enc is not None else step


def _data_to_plain(dataset: Any, arrays: dict[str, Tensor]) -> Plain:
    lists = [dataset] if isinstance(dataset, TfmdLists) else dataset.tls
    count = 1 if isinstance(dataset, TfmdLists) else dataset.n_inp
    members = []
    for i, one in enumerate(lists):
        told = f"input {i}" if i < count else f"target {i - count}"
        kept = [j for j, step in enumerate(one.tfms) if step.split_idx != 0]
        types = one.types or []
        members.append({
            "steps": steps_to_plain(one.tfms, arrays, f"the steps of {told}"),
            "types": [_types(types[j]) for j in [*kept, len(one.tfms)] if j < len(types)],
        })  # fmt: skip
    return {"several": isinstance(dataset, Datasets), "n_inp": count, "members": members}


def _types(accepted: Sequence[type]) -> list[str]:
    """References to the types, or to the nearest of their bases that has a name."""
    found = [_type(kind) for kind in accepted]
    return list(dict.fromkeys(name for name in found if name is not None))


def _type(kind: type) -> str | None:
    for base in kind.__mro__[:-1]:
        outside = f"{base.__module__.partition('.')[0]}:{base.__name__}"
        name = outside if outside in _OUTSIDE else reference_to(base)
        if name is not None:
            return name
    return None


def _batch_types(types: Any, arrays: dict[str, Tensor]) -> Any:
    if isinstance(types, list):
        return [_batch_types(member, arrays) for member in types]
    if isinstance(types, dict):
        return {"$items": [[key, _batch_types(member, arrays)] for key, member in types.items()]}
    kind, meta = types
    return {
        "type": _type(kind),
        "meta": to_description(meta, arrays, "what a batch knows of itself"),
    }


# -- and back ---------------------------------------------------------------------------------


def data_from_plain(plain: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> DataLoaders:
    """Loaders without items, that make inputs of new items and decode outputs."""
    if plain["loader"] is None:
        return DataLoaders(DataLoader([], bs=64), DataLoader([], bs=64))
    datasets = _datasets(plain["data"], arrays)
    told = plain["loader"]
    kind: Any = (
        DataLoader
        if told["class"] is None
        else from_description(told["class"], arrays, _STEP_KINDS)
    )
    if not (isinstance(kind, type) and issubclass(kind, DataLoader)):
        raise ConfigError(f"{told['class']!r:.100} is no loader")
    settings = {
        name: from_description(hook, arrays, _STEP_KINDS) for name, hook in told["hooks"].items()
    }
    own = from_description(told.get("settings", {}), arrays, _STEP_KINDS)
    if not isinstance(own, dict) or not own.keys() <= set(kind._exported):
        raise ConfigError(f"{own!r:.100} are no settings of {kind.__name__}")
    settings |= own
    settings["bs"] = told["bs"]
    if issubclass(kind, TfmdDL):
        settings |= {name: _steps(plain[name], arrays) for name in _PIPELINES}
        settings |= {"n_inp": told["n_inp"], "do_setup": False}
    loaders: list[Any] = [kind(dataset, **settings) for dataset in datasets]
    if issubclass(kind, TfmdDL):
        for loader in loaders:
            loader._types = _read_batch_types(plain["batch"], arrays)
    return DataLoaders(*loaders)


def _datasets(plain: Mapping[str, Any] | None, arrays: Mapping[str, Tensor]) -> list[Any]:
    """Data sets for training and validation, both empty."""
    if plain is None:
        return [[], []]
    if "own" in plain:
        return [from_description(plain["own"], arrays, _STEP_KINDS | {"data"})] * 2
    # One list of steps for both, as a vocabulary may be large.
    members = [
        (_steps(m["steps"], arrays), [_read_types(t) for t in m["types"]]) for m in plain["members"]
    ]
    made = [
        [
            TfmdLists([], Pipeline(steps), do_setup=False, split_idx=split, types=types)
            for steps, types in members
        ]
        for split in (0, 1)
    ]
    if not plain["several"]:
        return [one[0] for one in made]
    return [Datasets(tls=lists, n_inp=plain["n_inp"]) for lists in made]


def _steps(plain: Any, arrays: Mapping[str, Tensor]) -> list[Transform]:
    found = from_description(plain, arrays, _STEP_KINDS)
    if not isinstance(found, list):
        raise ConfigError("what it describes as steps is no list")
    return Pipeline(found).fs


def _read_types(names: Sequence[str]) -> tuple[type, ...]:
    found = [_read_type(name) for name in names]
    return tuple(kind for kind in found if kind is not None)


def _read_type(name: Any) -> type | None:
    if name in _OUTSIDE:
        try:
            import pandas
        except ImportError:
            return None  # without the library there are no such items
        kind = getattr(pandas, _OUTSIDE[name])
    else:
        kind = object_of(name, frozenset({"type"}))
    if not isinstance(kind, type):
        raise ConfigError(f"{name!r:.100} is no type")
    return kind


def _read_batch_types(plain: Any, arrays: Mapping[str, Tensor]) -> Any:
    if isinstance(plain, list):
        return [_read_batch_types(member, arrays) for member in plain]
    if "$items" in plain:
        return {key: _read_batch_types(member, arrays) for key, member in plain["$items"]}
    kind = Tensor if plain["type"] is None else _read_type(plain["type"])
    meta = from_description(plain["meta"], arrays, _STEP_KINDS)
    if not isinstance(meta, dict):
        raise ConfigError("what it describes as the types of a batch is damaged")
    return kind, meta
