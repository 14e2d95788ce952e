"""What happens to one item and one batch, step by step, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from layerwise.core.data.loaders import TfmdDL
from layerwise.core.transforms.pipeline import Pipeline, describe

__all__ = ["explain_batch", "explain_item"]

Tell = Callable[[str], None]


def explain_item(item: Any, pipelines: Iterable[Pipeline], tell: Tell = print) -> tuple[Any, ...]:
    """The sample that `pipelines` make of `item`; `tell` gets a line per step.

    Raises:
        DataError: from the step that fails, after the steps before it have been told.

    Example:
        >>> explain_item(3, [Pipeline([lambda x: x + 1])], tell=print)
        member 0 starts from int 3
          <lambda> -> int 4
        (4,)
    """
    members = []
    for number, pipeline in enumerate(pipelines):
        tell(f"member {number} starts from {describe(item)}")
        members.append(_walk(item, pipeline, tell))
    return tuple(members)


def explain_batch(samples: list[Any], dl: TfmdDL, tell: Tell = print) -> Any:
    """The batch that `dl` makes of `samples`; `tell` gets a line per step."""
    finished = []
    for number, sample in enumerate(samples):
        show = tell if number == 0 else _silent
        show("after_item, on the first sample:")
        finished.append(_walk(sample, dl.after_item, show))
    tell("before_batch, on the list of samples:")
    prepared = _walk(finished, dl.before_batch, tell)
    batch = dl.create_batch(prepared)
    tell(f"stacked: {describe(batch)}")
    tell("after_batch, on the batch:")
    return _walk(batch, dl.after_batch, tell)


def _walk(x: Any, pipeline: Pipeline, tell: Tell) -> Any:
    if not len(pipeline):
        tell("  nothing to do")
    for step in pipeline:
        # One step as a pipeline of its own: a failure reads as it would in training.
        x = Pipeline([step], split_idx=pipeline.split_idx)(x)
        tell(f"  {step.name} -> {describe(x)}")
    return x


def _silent(_line: str) -> None:
    """Tells nothing: only the first sample of a batch is described."""
