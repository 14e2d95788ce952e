"""Predictions one after the other in a thread of their own, so that a server stays awake.

A model is not asked by two threads at once: they would take turns on the same cores, and a
transform may keep something from one item to the next. What waits while a batch is predicted
becomes the next batch, whoever asked.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from layerwise.core.errors import LayerwiseError
from layerwise.core.serve.answers import Answer, answer_of
from layerwise.core.serve.intake import intake_of, predictor_of
from layerwise.core.serve.limits import Refused

__all__ = ["Found", "Worker"]

_log = logging.getLogger(__name__)
_TOGETHER = 32  # items of waiting requests that are predicted at once, where none has more


@dataclass(frozen=True)
class Found:
    """What was found for the items of one request.

    Attributes:
        answers: one for each item.
        notes: what there is to say besides, such as that training has not seen a user.
    """

    answers: list[Answer]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Asked:
    """The items of one request, and where what is found for them goes."""

    items: list[Any]
    found: Future[Found]


class Worker:
    """A learner in a thread of its own.

    Args:
        learn: as `load_learner` gave it.

    Attributes:
        intake: what it takes.
        example: an answer to made-up numbers, which shows what answers are like; None where the
            learner has no example.

    Raises:
        ConfigError: if nothing says what the learner takes.
        TypeError: if its predictions cannot be told as JSON.
    """

    def __init__(self, learn: Any) -> None:
        self.learn, self.intake = learn, intake_of(learn)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="predictions")
        self._waiting: deque[_Asked] = deque()
        self.example: Answer | None = self._threads.submit(self._example).result()

    def submit(self, items: Sequence[Any]) -> Future[Found]:
        """The answers to checked items, later; cancelling it leaves them out if none was begun."""
        asked = _Asked(list(items), Future())
        self._waiting.append(asked)
        self._threads.submit(self._next)
        return asked.found

    def close(self) -> None:
        """End after what is being predicted; what waits is cancelled."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while self._waiting:
            self._waiting.popleft().found.cancel()

    def _next(self) -> None:
        """Predict for the requests that wait, as many as are predicted at once."""
        taken: list[_Asked] = []
        count = 0
        while self._waiting and (not taken or count + len(self._waiting[0].items) <= _TOGETHER):
            asked = self._waiting.popleft()
            if asked.found.set_running_or_notify_cancel():
                taken.append(asked)
                count += len(asked.items)
        if taken:  # otherwise an earlier call has done it
            self._tell(taken)

    def _tell(self, taken: list[_Asked]) -> None:
        """Find and tell all; each alone where one fails, or something is to be said of one."""
        try:
            found = self._found([item for asked in taken for item in asked.items])
        except Exception as error:
            if len(taken) == 1:
                taken[0].found.set_exception(error)
                return
        else:
            if len(taken) == 1 or not found.notes:
                answers = iter(found.answers)
                for asked in taken:
                    own = list(islice(answers, len(asked.items)))
                    asked.found.set_result(Found(own, found.notes))
                return
        for asked in taken:
            self._tell([asked])

    def _example(self) -> Answer | None:
        known = getattr(self.learn, "exported_example", None)
        if known is None:
            return None
        predictor, inputs = predictor_of(self.learn, self.intake), tuple(known[0])
        preds, decoded = predictor.outputs(inputs)
        return answer_of(self.learn, next(iter(predictor.decode(inputs, preds, decoded))))

    def _found(self, items: list[Any]) -> Found:
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            try:
                answers = self._answers(items)
            except LayerwiseError as error:
                told = str(error) if len(items) == 1 else self._which(items, error)
                raise Refused(422, told) from error
        return Found(answers, _notes(noted))

    def _answers(self, items: list[Any]) -> list[Answer]:
        predictions = predictor_of(self.learn, self.intake).each(items)
        return [answer_of(self.learn, prediction) for prediction in predictions]

    def _which(self, items: list[Any], error: LayerwiseError) -> str:
        """What is wrong, and with which item where it is wrong with one of them alone."""
        for i, item in enumerate(items):
            try:
                self._answers([item])
            except LayerwiseError as own:
                return f"{self.intake.several}[{i}]: {own}"
        return str(error)


def _notes(noted: Sequence[warnings.WarningMessage]) -> list[str]:
    """Warnings of ours for the client, without repetition; all others go to the log."""
    found: list[str] = []
    for each in noted:
        if issubclass(each.category, UserWarning):
            found.append(str(each.message))
        else:
            _log.warning("%s: %s", each.category.__name__, each.message)
    return list(dict.fromkeys(found))
