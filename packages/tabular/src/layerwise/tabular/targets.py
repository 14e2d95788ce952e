"""What a table says of its targets: coded for the loss, and back to what the columns held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from layerwise.core.data.block import CategoryBlock, RegressionBlock, TransformBlock
from layerwise.core.items import L
from layerwise.core.serve.answers import told_of
from layerwise.core.transforms.category import (
    Categorize,
    Category,
    EncodedMultiCategorize,
    MultiCategorize,
    MultiCategory,
    OneHotEncode,
)
from layerwise.core.transforms.numeric import RegressionSetup
from layerwise.core.transforms.transform import Transform
from layerwise.tabular.codes import codes_of, objects
from layerwise.tabular.several_losses import SeveralLosses
from layerwise.tabular.source import Array, numbers

__all__: list[str] = []

Columns = Mapping[Any, Array]


class Target:
    """Target columns as numbers, and numbers as target columns.

    Args:
        names: of the columns.
        steps: the transforms of a block, which hold what was learnt.
    """

    vocab: Any = None
    c = 0

    def __init__(self, names: Sequence[Any], steps: Sequence[Any]) -> None:
        self.names, self.steps = list(names), list(steps)

    @property
    def loss_func(self) -> Any:
        """The loss that the block has for such targets."""
        return getattr(self.steps[0], "loss_func", None)

    def learn(self, columns: Columns) -> None:
        """Learn from the training rows."""

    def encode(self, columns: Columns) -> Tensor:
        """(N,) or (N, T) of what the loss takes."""
        raise NotImplementedError

    def decode(self, values: Tensor) -> dict[Any, Array]:
        """The columns again."""
        raise NotImplementedError

    def told(self, row: Mapping[Any, Any], scores: Any) -> dict[str, Any]:  # noqa: ARG002 - of classes
        """What a server tells of a row with these targets, which the model predicted."""
        values = {str(name): row[name] for name in self.names}
        return {"value": row[self.names[0]]} if len(values) == 1 else {"values": values}

    def stats(self, values: Tensor) -> tuple[list[float], list[float]] | None:  # noqa: ARG002 - of numbers
        """Mean and deviation of each target; None for what has none."""
        return None


class _Numbers(Target):
    """One or several columns of numbers: (N, T) floats."""

    def __init__(self, names: Sequence[Any], steps: Sequence[Transform]) -> None:
        super().__init__(names, steps)
        self.c = len(self.names)
        wanted = getattr(self.steps[0], "c", None)
        if wanted is not None and wanted != self.c:
            raise ValueError(
                f"RegressionBlock(n_out={wanted}) for {self.c} target columns; name a column for "
                "each output in y_names, or leave n_out out"
            )

    def encode(self, columns: Columns) -> Tensor:
        """(N, T)."""
        made = torch.empty(len(columns[self.names[0]]), self.c)
        for i, name in enumerate(self.names):
            values = numbers(columns[name], name)
            if np.isnan(values).any():
                raise ValueError(_missing(name, np.isnan(values)))
            made[:, i] = torch.from_numpy(np.array(values))  # those of pandas are read-only
        return made

    def stats(self, values: Tensor) -> tuple[list[float], list[float]] | None:
        """Mean and deviation of each target."""
        if not len(values):
            return None
        wide = values.double()
        return wide.mean(0).tolist(), wide.std(0, correction=0).tolist()

    def decode(self, values: Tensor) -> dict[Any, Array]:
        """The numbers by column."""
        rows = values.reshape(len(values), -1).numpy()
        return {name: rows[:, i] for i, name in enumerate(self.names)}


class _Classes(Target):
    """One column of classes: (N,) indices."""

    def __init__(self, names: Sequence[Any], steps: Sequence[Transform]) -> None:
        super().__init__(names, steps)
        if len(names) > 1:
            raise ValueError(
                f"CategoryBlock() is for one column of classes, and y_names has {len(names)}; give "
                "a list of blocks, one for each, or for columns of zeros and ones "
                "y_block=MultiCategoryBlock(encoded=True, vocab=y_names)"
            )

    @property
    def _to_class(self) -> Any:
        return self.steps[0]

    @property
    def vocab(self) -> Any:
        """The classes."""
        return self._to_class.vocab

    @property
    def c(self) -> int:  # type: ignore[override]  # as many as there are classes
        """How many classes there are."""
        return int(self._to_class.c or 0)

    def learn(self, columns: Columns) -> None:
        """Learn the classes of the training rows."""
        if self.vocab is None:
            self._to_class.setups(pd.Series(columns[self.names[0]]))

    def encode(self, columns: Columns) -> Tensor:
        """(N,) indices."""
        name = self.names[0]
        codes = codes_of(columns[name], self.vocab)
        unknown = codes < 0
        if unknown.any() and not (self.vocab.has_na or self.vocab.other is not None):
            row = int(unknown.argmax())
            try:
                self.vocab.index_of(columns[name][row])
            except KeyError as error:
                raise ValueError(f"column {name!r}, row {row}: {error.args[0]}") from None
        if unknown.any():
            codes[unknown] = self.vocab.index_of(object())
        return torch.from_numpy(codes)

    def decode(self, values: Tensor) -> dict[Any, Array]:
        """The classes by name."""
        found = [self.vocab[int(i)] for i in values.flatten()]
        return {self.names[0]: objects(found)}

    def told(self, row: Mapping[Any, Any], scores: Any) -> dict[str, Any]:
        """The class, and the probability of each."""
        return told_of(Category(row[self.names[0]]), scores, self.vocab)


class _Labels(Target):
    """Any number of labels a row: (N, C) zeros and ones."""

    @property
    def vocab(self) -> Any:
        """The labels."""
        return self.steps[0].vocab

    @property
    def c(self) -> int:  # type: ignore[override]  # as many as there are labels
        """How many labels there are."""
        return len(self.vocab or ())

    @property
    def _is_encoded(self) -> bool:
        return isinstance(self.steps[0], EncodedMultiCategorize)

    def learn(self, columns: Columns) -> None:
        """Learn the labels of the training rows."""
        if self._is_encoded:
            if len(self.names) != self.c:
                raise ValueError(
                    f"{self.c} labels in the vocab of MultiCategoryBlock for {len(self.names)} "
                    "target columns; encoded=True takes a column of zeros and ones for each label"
                )
            return
        if self.vocab is None:
            self.steps[0].setups([_labels_of(v, self.names[0]) for v in columns[self.names[0]]])
        for step in self.steps[1:]:
            if isinstance(step, OneHotEncode):
                step.c = self.c

    def encode(self, columns: Columns) -> Tensor:
        """(N, C)."""
        if self._is_encoded:
            return _Numbers(self.names, [RegressionSetup()]).encode(columns)
        column = columns[self.names[0]]
        hot = torch.zeros(len(column), self.c)
        for row, value in enumerate(column):
            hot[row, self.steps[0].encodes(_labels_of(value, self.names[0])).as_plain()] = 1.0
        return hot

    def decode(self, values: Tensor) -> dict[Any, Array]:
        """Lists of labels, or a column of truth values for each label."""
        hot = values.reshape(len(values), -1) > 0.5
        if self._is_encoded:
            return {name: hot[:, i].numpy() for i, name in enumerate(self.names)}
        found = [[self.vocab[int(i)] for i in row.nonzero().flatten()] for row in hot]
        return {self.names[0]: objects(found)}

    def told(self, row: Mapping[Any, Any], scores: Any) -> dict[str, Any]:
        """The labels, and the probability of each."""
        if self._is_encoded:
            found = [name for name in self.names if row[name]]
        else:
            found = row[self.names[0]]
        return told_of(MultiCategory(found), scores, self.vocab)


class Several(Target):
    """Columns that each have a block of their own: (N, T) floats, classes as their indices.

    Args:
        names: of the columns.
        steps: for each of them the transforms of its block.
    """

    def __init__(self, names: Sequence[Any], steps: Sequence[Sequence[Transform]]) -> None:
        super().__init__(names, steps)
        if len(names) != len(steps):
            raise ValueError(
                f"{len(steps)} blocks in y_block for {len(names)} target columns; give one for each"
            )
        self.parts = [target_of([name], own) for name, own in zip(names, steps, strict=True)]
        if any(isinstance(part, _Labels) for part in self.parts):
            raise ValueError(
                "MultiCategoryBlock cannot be one of several blocks in y_block; a column of zeros "
                "and ones for each label, with a CategoryBlock() each, can"
            )

    @property
    def c(self) -> int:  # type: ignore[override]  # of all columns
        """How many outputs all of them need."""
        return sum(part.c for part in self.parts)

    @property
    def loss_func(self) -> SeveralLosses:
        """The sum of the losses of the blocks."""
        return SeveralLosses(
            [part.loss_func for part in self.parts], [part.c for part in self.parts]
        )

    def learn(self, columns: Columns) -> None:
        """Learn from the training rows."""
        for part in self.parts:
            part.learn(columns)

    def encode(self, columns: Columns) -> Tensor:
        """(N, T)."""
        return torch.stack([part.encode(columns).flatten().float() for part in self.parts], 1)

    def decode(self, values: Tensor) -> dict[Any, Array]:
        """The columns again, each as its block has them."""
        found: dict[Any, Array] = {}
        for part, column in zip(self.parts, values.unbind(1), strict=True):
            found |= part.decode(column)
        return found


_KINDS: dict[type[Transform], type[Target]] = {
    RegressionSetup: _Numbers, Categorize: _Classes, MultiCategorize: _Labels,
    EncodedMultiCategorize: _Labels,
}  # fmt: skip


def target_of(names: Sequence[Any], steps: Sequence[Any]) -> Target:
    """The target that the steps of a block make of `names`, or those of a block for each name.

    Raises:
        TypeError: for steps that do not belong to a block for columns.
    """
    if len(steps) and isinstance(steps[0], Sequence):
        return Several(names, steps)
    kind = _KINDS.get(type(steps[0])) if len(steps) else None
    if kind is None:
        told = ", ".join(type(step).__name__ for step in steps) or "no transform"
        raise TypeError(
            f"y_block with {told} says nothing of columns; give CategoryBlock(), "
            "MultiCategoryBlock() or RegressionBlock()"
        )
    return kind(names, steps)


def steps_of_block(block: Any) -> list[Any]:
    """The transforms of a block, which may be given as the function that makes it, or of each."""
    if isinstance(block, list | tuple):
        return [steps_of_block(each) for each in block]
    made = block() if callable(block) and not isinstance(block, TransformBlock) else block
    if not isinstance(made, TransformBlock):
        raise TypeError(
            f"y_block={block!r:.80} is no block; give CategoryBlock(), MultiCategoryBlock() or "
            "RegressionBlock()"
        )
    return [step() if isinstance(step, type) else step for step in L(made.type_tfms)]


def block_for(columns: Columns) -> TransformBlock | list[TransformBlock]:
    """The block for targets of this kind: numbers or classes, or a list where there are both."""
    are_numbers = [_are_numbers(column) for column in columns.values()]
    if all(are_numbers):
        return RegressionBlock()
    blocks = [RegressionBlock() if each else CategoryBlock() for each in are_numbers]
    return blocks if len(blocks) > 1 else blocks[0]


def _are_numbers(column: Array) -> bool:
    kind = column.dtype
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _labels_of(value: Any, name: Any) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise ValueError(
            f"column {name!r} is to hold lists of labels, and has {value!r}; split texts first, "
            f"for example df[{name!r}].str.split(';'), or name columns of zeros and ones in "
            "y_names and give MultiCategoryBlock(encoded=True, vocab=y_names)"
        )
    return list(value)


def refuse_missing_targets(columns: Columns) -> None:
    """Refuse targets that are missing in some row of the whole table, so that its number is right.

    Raises:
        ValueError: names the column and the first such row.
    """
    for name, column in columns.items():
        missing = np.asarray(pd.isna(column))
        if missing.any():
            raise ValueError(_missing(name, missing))


def _missing(name: Any, where: np.ndarray) -> str:
    return (
        f"the target {name!r} is missing in {int(where.sum())} rows, the first of them row "
        f"{int(np.argmax(where))}; leave these rows out, for example df.dropna(subset=[{name!r}])"
    )
