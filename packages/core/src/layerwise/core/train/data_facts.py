"""What a model takes for granted about its data: its classes, and how inputs are scaled.

A file of weights says it too, so that weights in a learner whose data say otherwise are no silent
nonsense.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch

from layerwise.core.data.loaders import TfmdDL
from layerwise.core.transforms.numeric import Normalize

__all__: list[str] = []

Facts = dict[str, Any]

_FEW = 5


def facts_of(dls: Any) -> Facts:
    """The facts of the loaders `dls`, as far as they know them: "classes" and "normalize".

    Example:
        >>> facts_of(None)
        {}
    """
    loader = getattr(dls, "valid", None) if len(getattr(dls, "loaders", ())) > 1 else None
    loader = loader if loader is not None else getattr(dls, "train", None)
    if not isinstance(loader, TfmdDL):
        return {}
    facts: Facts = {"normalize": _scaling(loader)}
    vocab = getattr(loader.dataset, "vocab", None)
    if vocab is not None:
        names = [str(name) for name in vocab]
        digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
        facts["classes"] = {"count": len(names), "first": names[:_FEW], "sha256": digest}
    return facts


def _scaling(loader: TfmdDL) -> dict[str, list[float]] | None:
    """Mean and standard deviation of the inputs by channel; None where they stay as they are."""
    for step in loader.after_batch:
        if isinstance(step, Normalize) and step.mean is not None:
            parts = {"mean": step.mean, "std": step.std}
            return {n: torch.as_tensor(v).flatten().tolist() for n, v in parts.items()}
    return None


def differences(saved: Mapping[str, Any], own: Facts) -> list[str]:
    """Where data for which weights were saved, and those here, say otherwise; in words.

    Example:
        >>> differences({"normalize": None}, {"normalize": {"mean": [0], "std": [1]}})[0]
        'inputs: not normalised in the file, normalised by mean 0 and standard deviation 1 here'
    """
    told = []
    theirs, ours = saved.get("classes"), own.get("classes")
    if theirs and ours and theirs["sha256"] != ours["sha256"]:
        told.append(
            f"classes: {theirs['count']} ({', '.join(theirs['first'])}, ...) in the file, "
            f"{ours['count']} ({', '.join(ours['first'])}, ...) here"
        )
    if "normalize" in saved and "normalize" in own:
        before, now = saved["normalize"], own["normalize"]
        if not _same(before, now):
            told.append(f"inputs: {_words(before)} in the file, {_words(now)} here")
    return told


def _same(before: Any, now: Any) -> bool:
    if before is None or now is None:
        return before is now
    pairs = [(before[name], now[name]) for name in ("mean", "std")]
    return all(
        len(a) == len(b) and torch.allclose(torch.tensor(a), torch.tensor(b), rtol=1e-3)
        for a, b in pairs
    )


def _words(scaling: Any) -> str:
    if scaling is None:
        return "not normalised"
    means, stds = ([f"{v:.3g}" for v in scaling[name][:4]] for name in ("mean", "std"))
    return f"normalised by mean {', '.join(means)} and standard deviation {', '.join(stds)}"
