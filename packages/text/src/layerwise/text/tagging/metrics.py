"""How well words are labelled: one by one, and as whole entities.

Shapes: B batch, T pieces, C labels. Pieces whose target is -100 do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from torch import Tensor

from layerwise.core.metrics.metric import BatchState, Metric
from layerwise.core.metrics.pooled import pooled
from layerwise.core.metrics.sizes import plain_tensor
from layerwise.text.data_facts import labels_of
from layerwise.text.metrics import token_accuracy
from layerwise.text.tagging.types import NO_LABEL

__all__ = ["Entity", "EntityF1", "entities", "tag_accuracy"]


class Entity(NamedTuple):
    """Words `start` to `stop` (which is not of it) of a sentence, and what they are."""

    kind: str
    start: int
    stop: int


def entities(labels: Iterable[str]) -> list[Entity]:
    """The entities that labels B-..., I-... and O of a sentence stand for.

    As conlleval and seqeval count: one begins at B, and at an I behind O or behind another kind.

    Args:
        labels: one for each word.

    Raises:
        ValueError: for a label that is of another form.

    Example:
        >>> entities(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])[0]
        Entity(kind='PER', start=0, stop=2)
    """
    found: list[Entity] = []
    kind, start, place = "", 0, -1
    for place, label in enumerate(labels):
        mark, _, own = label.partition("-")
        if label != "O" and (mark not in ("B", "I") or not own):
            raise ValueError(
                f"the label {label!r} says of no entity whether it begins (B-...) or goes on "
                "(I-...), nor that there is none (O); for other labels there is tag_accuracy"
            )
        if kind and (mark != "I" or own != kind):
            found.append(Entity(kind, start, place))
            kind = ""
        if own and not kind:
            kind, start = own, place
    return [*found, Entity(kind, start, place + 1)] if kind else found


@pooled(finish=lambda share: share)
def tag_accuracy(inp: Tensor, targ: Tensor) -> tuple[Tensor, Tensor | float]:
    """() the share of words whose label is right.

    Args:
        inp: (B, T, C) scores.
        targ: (B, T) labels.

    Example:
        >>> import torch
        >>> tag_accuracy(torch.eye(3)[None], torch.tensor([[0, -100, 1]]))
        tensor(0.5000)
    """
    return token_accuracy.sums(inp, targ, pad_idx=NO_LABEL)


class EntityF1(Metric):
    """Harmonic mean of precision and recall of entities, kind and both ends right (micro F1).

    Args:
        vocab: the labels by their numbers; those of the data of the learner when None.

    Example:
        >>> import torch
        >>> f1 = EntityF1(["B-X", "I-X", "O"])
        >>> found = torch.eye(3)[[0, 1, 2, 0]][None]
        >>> f1(found, torch.tensor([[0, 1, 2, 2]]))
        0.6666666666666666
    """

    merges: ClassVar[Mapping[str, str]] = {"_right": "sum", "_found": "sum", "_true": "sum"}

    def __init__(self, vocab: Sequence[str] | None = None) -> None:
        self.vocab = None if vocab is None else list(vocab)
        self._labels = self.vocab
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._right = self._found = self._true = 0

    def accumulate(self, learn: BatchState) -> None:
        """Take in the batch that a training loop has just seen."""
        if self._labels is None:
            dls: Any = getattr(learn, "dls", None)
            self._labels = labels_of(dls)
        super().accumulate(learn)

    def update(self, pred: Any, *targets: Any) -> None:
        """Count the entities of one batch.

        Args:
            pred: (B, T, C) scores.
            targets: first the (B, T) labels.

        Raises:
            ValueError: if the labels are not known.
        """
        if self._labels is None:
            raise ValueError("EntityF1 does not know the labels; pass vocab=, as the data has it")
        decided, true = plain_tensor(pred).argmax(-1), plain_tensor(targets[0])
        for row, expected in zip(decided.tolist(), true.tolist(), strict=True):
            pairs = [(r, e) for r, e in zip(row, expected, strict=True) if e != NO_LABEL]
            found = set(entities(self._labels[r] for r, _ in pairs))
            wanted = set(entities(self._labels[e] for _, e in pairs))
            self._right += len(found & wanted)
            self._found += len(found)
            self._true += len(wanted)

    @property
    def value(self) -> float | None:
        """Twice what is right, by what was found and what there is; None without either."""
        both = self._found + self._true
        return 2 * self._right / both if both else None
