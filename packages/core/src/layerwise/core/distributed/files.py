"""Model files of a learner that several processes train: one whole file, written by process 0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from layerwise.core.devices import distrib_barrier
from layerwise.core.nn.module import with_versions
from layerwise.core.train.checkpoint import load_model, save_model, with_suffix
from layerwise.core.train.data_facts import facts_of

__all__: list[str] = []


class _WholeModel:
    """The model, as one process would have it, to code that saves and loads modules."""

    def __init__(self, learn: Any) -> None:
        self.learn = learn
        self._state = learn.strategy.full_model_state(learn)

    def state_dict(self) -> Mapping[str, Tensor]:
        return with_versions(self._state, self.learn.model)

    def load_state_dict(self, state: Mapping[str, Tensor], strict: bool = True) -> None:
        self.learn.strategy.load_model_state(self.learn, state, strict)


class _WholeOpt:
    """The optimizer, likewise."""

    def __init__(self, learn: Any) -> None:
        self.learn = learn

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = self.learn.strategy.full_opt_state(self.learn)
        return state

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> list[str]:
        wrong: list[str] = self.learn.strategy.load_opt_state(self.learn, state, strict)
        return wrong


def save_shared(learn: Any, path: Path, with_opt: bool) -> Path:
    """Write what `Learner.save` writes; all processes have to call it, and go on when it is there.

    Args:
        learn: the learner.
        path: the file.
        with_opt: whether to write the optimizer's state.
    """
    model: Any = _WholeModel(learn)
    opt: Any = _Given(_WholeOpt(learn).state_dict()) if with_opt and learn._opt else None
    if learn.strategy.rank == 0:
        save_model(path, model, opt, with_opt, learn.aux_models, facts_of(learn.dls))
    distrib_barrier()
    return with_suffix(path)


def load_shared(
    learn: Any, path: Path, with_opt: bool, device: Any = None, strict: bool = True
) -> None:
    """Read what `Learner.save` wrote, each process its part."""
    model: Any = _WholeModel(learn)
    opt: Any = _WholeOpt(learn) if with_opt else None
    load_model(path, model, opt, with_opt, device, strict, learn.aux_models, facts_of(learn.dls))


class _Given:
    """A state that has been put together already."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def state_dict(self) -> dict[str, Any]:
        return self._state
