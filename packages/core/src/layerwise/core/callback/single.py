"""Callbacks of which a learner can use one, since two would do the same thing twice."""

from __future__ import annotations

from layerwise.core.train.callback import Callback

__all__: list[str] = []


def refuse_second(cb: Callback, kind: type[Callback]) -> None:
    """Complain if the learner of `cb` has another callback of this kind.

    Raises:
        ValueError: names all there are.
    """
    found = [each for each in cb.learn.cbs if isinstance(each, kind)]
    if len(found) > 1:
        names = " and ".join(type(each).__name__ for each in found)
        raise ValueError(
            f"this learner has {names}, which would act on one another; keep one, and take the "
            "other away with learn.remove_cb(...)"
        )
