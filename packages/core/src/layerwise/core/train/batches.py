"""How the batches of an epoch begin: at the first one, or where a checkpoint stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

import torch
import torch.utils.data as torch_data

from layerwise.core.random import RandomStates, get_random_states, set_random_states
from layerwise.core.train.state import TrainState

__all__: list[str] = []

_GENERATORS = "loader_generators"


def known_length(dl: Any) -> int | None:
    """Batches that `dl` gives; None when it does not know, as a stream."""
    try:
        return len(dl)
    except TypeError:
        return None


class Resume(Protocol):
    """Where a training goes on, and what puts everything back to how it was there."""

    @property
    def epoch(self) -> int:
        """The epoch to go on with."""

    @property
    def batches(self) -> int:
        """Training batches of that epoch that are done; 0 between two epochs."""

    @property
    def run_seed(self) -> int:
        """The seed of the run."""

    @property
    def epoch_random(self) -> RandomStates:
        """`TrainState.epoch_random` of that epoch."""

    def restore(self, learn: TrainState) -> None:
        """Put model, optimizer, callbacks, counters and random states back."""


def epoch_batches(learn: TrainState, dl: Iterable[Any], resume: Resume | None) -> Iterator[Any]:
    """The batches of `dl` for the current epoch, without those that `resume` says are done.

    Loaders of ours leave batches out without making them. Others are started from the random
    states of the beginning of the epoch and read up to where it goes on.
    """
    skip = 0 if resume is None else resume.batches
    if hasattr(dl, "set_epoch"):
        if learn.training:
            learn.epoch_random = {}
        dl.set_epoch(learn.run_seed, learn.epoch, **({"skip": skip} if skip else {}))
        return iter(dl)
    if isinstance(dl, torch_data.DataLoader) and hasattr(dl.sampler, "set_epoch"):
        dl.sampler.set_epoch(learn.epoch)  # as samplers of torch.utils.data.distributed expect
    if resume is not None and resume.epoch_random:
        _set_states(dl, resume.epoch_random)
    if learn.training:
        learn.epoch_random = _states(dl)
    batches = iter(dl)
    for _ in islice(batches, skip):
        pass
    return batches


def loader_generators(loader: Any) -> list[torch.Generator]:
    """The generators that a stock loader draws its order from, if it has some of its own."""
    if not isinstance(loader, torch_data.DataLoader):
        return []  # ours draws from none
    inner = getattr(loader.batch_sampler, "sampler", None)
    owned = [getattr(owner, "generator", None) for owner in (loader, loader.sampler, inner)]
    return [found for found in owned if isinstance(found, torch.Generator)]


def _states(dl: Any) -> RandomStates:
    own = [generator.get_state() for generator in loader_generators(dl)]
    return {**get_random_states(), _GENERATORS: own}


def _set_states(dl: Any, states: RandomStates) -> None:
    own = states[_GENERATORS]
    set_random_states(**{name: state for name, state in states.items() if name != _GENERATORS})
    for generator, state in zip(loader_generators(dl), own, strict=True):
        generator.set_state(state)
