"""What callbacks refuse: a second one of their kind, and models of which they see a part."""

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


def refuse_parts(cb: Callback, need: str) -> None:
    """Complain if each process has only a part of the model.

    Args:
        cb: the callback.
        need: what it needs, as in "EMA needs ...".

    Raises:
        ValueError: says what to train with.
    """
    strategy, name = cb.learn.strategy, type(cb).__name__
    if strategy.shards:
        raise ValueError(
            f"{name} needs {need}, and under {strategy!r} each process has a part of the model; "
            f'train with strategy="ddp", or without {name}'
        )
