"""Predictions as JSON: a label, probabilities by class, numbers, a mask, a picture, a text.

How a decoded prediction is told is chosen by its type. A type of another package tells itself: it
has a method `to_answer(scores, vocab)` that returns a dictionary of plain values.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from layerwise.core.data.dataset import Datasets
from layerwise.core.dispatch import Dispatch
from layerwise.core.items import L
from layerwise.core.serve.png import png_of
from layerwise.core.tensors import TensorBase, TensorImageBase, TensorMask
from layerwise.core.train.data_config import inference_loader
from layerwise.core.transforms.category import Category, MultiCategory

__all__ = ["Answer", "Json", "answer_of", "flat_record", "plain_of", "told_of"]

Json = Any
"""What JSON can hold: None, truth values, numbers, texts, lists and dictionaries of such."""

Answer = dict[str, Json]
"""What is told of one prediction."""


def answer_of(learn: Any, prediction: tuple[Any, ...]) -> Answer:
    """What `learn.predict` gave for one item, as values that JSON can hold.

    | prediction | keys |
    |---|---|
    | a class | `label`, `probability`, `probabilities` by class |
    | several labels | `labels`, `probabilities` by class |
    | a number, or several | `value`, `values` |
    | a mask | `mask` (PNG in base64, a class code for each pixel), `width`, `height`, `shares` |
    | a picture | `picture` (PNG in base64), `width`, `height` |
    | a text | `text` |

    Where the loss function has no activation, outputs are not known to be probabilities and are
    called `scores`. Numbers that are not finite become None. Several targets are merged; where two
    of them would say different things under one key, there is a list `targets` in their order.

    Args:
        learn: the learner.
        prediction: the decoded prediction, what the loss decodes, and the prediction, as
            `learn.predict(item)` returns them.

    Raises:
        TypeError: if a decoded prediction is of a type that cannot be told; says what to add.

    Example:
        >>> class Squares:  # stands for a learner
        ...     dls = loss_func = None
        >>> answer_of(Squares(), (2.0, torch.tensor(2.0), torch.tensor(2.0)))
        {'value': 2.0}
    """
    decoded, _, scores = prediction
    is_several = type(decoded) is tuple
    members = decoded if is_several else (decoded,)
    are_sure = hasattr(learn.loss_func, "activation")
    vocabs = _vocabs(learn.dls, len(members))
    told = []
    for i, (member, vocab) in enumerate(zip(members, vocabs, strict=True)):
        own = scores[i] if is_several and _is_one_each(scores, members) else scores
        answer = told_of(member, own, vocab)
        told.append(answer if are_sure else _renamed(answer))
    return _merged(told)


def flat_record(answer: Mapping[str, Json]) -> dict[str, str | float | int | bool | None]:
    """`answer` as one row of a table: names of nested values joined by dots, lists as JSON.

    Example:
        >>> flat_record({"label": "cat", "probabilities": {"cat": 0.9, "dog": 0.1}, "box": [1, 2]})
        {'label': 'cat', 'probabilities.cat': 0.9, 'probabilities.dog': 0.1, 'box': '[1, 2]'}
    """
    flat: dict[str, str | float | int | bool | None] = {}
    for key, value in answer.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in flat_record(value).items()}
        else:
            flat[key] = json.dumps(value) if isinstance(value, list) else value
    return flat


def plain_of(x: Any) -> Json:
    """Tensors, arrays and numbers as plain values; numbers that are not finite as None.

    Raises:
        TypeError: for anything else that JSON cannot hold.

    Example:
        >>> plain_of(torch.tensor([1.0, float("nan")])), plain_of({"a": (1, True)})
        ([1.0, None], {'a': [1, True]})
    """
    if x is None or isinstance(x, bool | int | str):
        return str(x) if isinstance(x, str) else x
    if isinstance(x, Real):
        number = float(x)
        return number if math.isfinite(number) else None
    if isinstance(x, Mapping):
        return {str(key): plain_of(value) for key, value in x.items()}
    if hasattr(x, "tolist"):  # of tensors and arrays, and of numbers of numpy
        plain = x.as_plain() if isinstance(x, TensorBase) else x
        return plain_of(plain.tolist())
    if isinstance(x, Sequence):
        return [plain_of(member) for member in x]
    raise TypeError(f"a {type(x).__name__} is nothing that JSON can hold")


# -- by type -----------------------------------------------------------------------------------


def told_of(decoded: Any, scores: Any, vocab: Any = None) -> Answer:
    """One decoded prediction as plain values; for a `to_answer` that is made of others.

    Args:
        decoded: of any type that can be told.
        scores: the prediction it was decoded from.
        vocab: the classes; None where there are none.

    Raises:
        TypeError: if the type cannot be told; says what to add.

    Example:
        >>> told_of(Category("dog"), torch.tensor([0.25, 0.75]), ["cat", "dog"])
        {'label': 'dog', 'probability': 0.75, 'probabilities': {'cat': 0.25, 'dog': 0.75}}
    """
    own = getattr(decoded, "to_answer", None)
    found = own(scores, vocab) if own is not None else _by_type(decoded, scores, vocab)
    if not isinstance(found, Mapping):
        raise TypeError(
            f"{type(decoded).__name__}.to_answer gave a {type(found).__name__}; it has to return a "
            "dictionary"
        )
    told: Answer = plain_of(found)
    return told


def _unknown(decoded: Any, *_: Any) -> Answer:
    raise TypeError(
        f"a prediction of type {type(decoded).__name__} cannot be told as JSON; give the type a "
        "method to_answer(self, scores, vocab) that returns a dictionary of plain values"
    )


_by_type = Dispatch(_unknown, name="the answer")


@_by_type.register
def _(decoded: Category, scores: Any, vocab: Any) -> Answer:
    by_class = _by_class(scores, vocab)
    if not by_class:
        return {"label": str(decoded)}
    place = _place(vocab, decoded)
    sure = {} if place is None else {"probability": float(scores.flatten()[place])}
    return {"label": str(decoded), **sure, "probabilities": by_class}


@_by_type.register
def _(decoded: MultiCategory, scores: Any, vocab: Any) -> Answer:
    by_class = _by_class(scores, vocab)
    return {"labels": list(map(str, decoded)), **({"probabilities": by_class} if by_class else {})}


@_by_type.register
def _(decoded: TensorMask, scores: Any, vocab: Any) -> Answer:  # noqa: ARG001 - as all of them
    mask = decoded.as_plain().long()
    names = getattr(decoded, "codes", None) or vocab
    codes, counts = torch.unique(mask, return_counts=True)
    shares = {
        _name(names, int(code)): int(count) / mask.numel()
        for code, count in zip(codes, counts, strict=True)
    }
    height, width = mask.shape
    return {"mask": _base64(mask), "width": width, "height": height, "shares": shares}


@_by_type.register
def _(decoded: TensorImageBase, *_: Any) -> Answer:
    pixels = decoded.as_plain()
    if pixels.is_floating_point():
        pixels = (pixels.nan_to_num().clamp(0, 1) * 255).round()
    height, width = pixels.shape[-2:]
    return {"picture": _base64(pixels.byte()), "width": width, "height": height}


@_by_type.register
def _(decoded: str, *_: Any) -> Answer:
    return {"text": decoded}


@_by_type.register
def _(decoded: L, *_: Any) -> Answer:
    return {"values": list(decoded)}


@_by_type.register
def _(decoded: Tensor | Real, *_: Any) -> Answer:
    found = plain_of(decoded)
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    return {"values" if isinstance(found, list) else "value": found}


def _by_class(scores: Any, vocab: Any) -> dict[str, float]:
    """The score of each class; empty where there is not one for each."""
    if not isinstance(scores, Tensor) or vocab is None or scores.numel() != len(vocab):
        return {}
    return dict(zip(map(str, vocab), scores.flatten().tolist(), strict=True))


def _place(vocab: Any, label: str) -> int | None:
    """Where a class stands; by its text, as numbers among the classes are decoded as text."""
    return next((i for i, name in enumerate(vocab) if str(name) == label), None)


def _name(names: Any, code: int) -> str:
    return str(names[code]) if names is not None and code < len(names) else str(code)


def _base64(pixels: Tensor) -> str:
    return b64encode(png_of(pixels)).decode("ascii")


# -- several targets ---------------------------------------------------------------------------


def _vocabs(dls: Any, count: int) -> list[Any]:
    """The classes of each target, None for one that has none."""
    dataset = None if dls is None else getattr(inference_loader(dls), "dataset", None)
    if not isinstance(dataset, Datasets):
        return [getattr(dataset, "vocab", None)] * count
    lists = dataset.tls[dataset.n_inp :]
    found = [getattr(one, "vocab", None) for one in lists[:count]]
    return [*found, *[None] * (count - len(found))]


def _is_one_each(scores: Any, members: tuple[Any, ...]) -> bool:
    return isinstance(scores, tuple | list) and len(scores) == len(members)


def _renamed(answer: Answer) -> Answer:
    names = {"probability": "score", "probabilities": "scores"}
    return {names.get(key, key): value for key, value in answer.items()}


def _merged(told: list[Answer]) -> Answer:
    merged: Answer = {}
    for answer in told:
        if any(key in merged and merged[key] != value for key, value in answer.items()):
            return {"targets": told}
        merged |= answer
    return merged
