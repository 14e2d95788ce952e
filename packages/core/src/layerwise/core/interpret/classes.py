"""Which classes a model takes for which: the confusion matrix, and what follows from it.

Only counts are kept, so that a data set of any size, or all pixels of one, can be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from layerwise.core.errors import MissingDependencyError
from layerwise.core.interpret.interpretation import Act, Interpretation
from layerwise.core.nested import to_detach
from layerwise.core.train.predict import activation_of, decodes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["ClassificationInterpretation", "SegmentationInterpretation"]

# N items or pixels, C classes; a confusion matrix is (C, C): rows are true, columns predicted.
Counts = np.ndarray[Any, np.dtype[np.int64]]

_NO_CLASS = -100  # what losses of torch leave out unless they are told otherwise


class ClassificationInterpretation(Interpretation):
    """Which classes are taken for which; see `Interpretation` for the losses.

    The loss has to say how outputs become classes (`decodes`, as `CrossEntropyLossFlat` has), or
    the classes are those with the largest output.

    Attributes:
        vocab: the names of the classes, their numbers where the data have no names.

    Example:
        >>> from layerwise.core.testing.fakes import synth_classifier
        >>> interp = ClassificationInterpretation.from_learner(synth_classifier(n_valid=30))
        >>> int(interp.confusion_matrix().sum())
        30
    """

    _matrix: Counts | None = None
    _loss_sums: NDArray[np.float64]
    _has_sums: bool = False

    def _see(self, pred: Any, targets: tuple[Any, ...], loss: Tensor) -> None:
        """Count one batch."""
        loss_func = self.learn.loss_func
        if isinstance(loss_func, partial):  # one that was given its `reduction` for this pass
            loss_func = loss_func.func
        decided, true, classes = _classes(pred, targets, loss_func, self.act)
        losses = to_detach(loss).double().flatten().numpy()
        one_each = len(losses) == len(true)
        inner = getattr(loss_func, "func", loss_func)
        keep = true != getattr(inner, "ignore_index", _NO_CLASS)
        true, decided = true[keep], decided[keep]
        if len(true) and not 0 <= true.min() <= true.max() < classes:
            raise ValueError(
                f"targets from {true.min()} to {true.max()} for outputs of {classes} classes; "
                f"give indices from 0 to {classes - 1}, or ignore_index= to the loss"
            )
        sums = np.zeros(classes)
        if one_each:
            sums += np.bincount(true, weights=losses[keep], minlength=classes)
        counts = np.bincount(true * classes + decided, minlength=classes**2)
        self._add(counts.reshape(classes, classes).astype(np.int64), sums, one_each)

    def _add(self, counts: Counts, sums: NDArray[np.float64], has_sums: bool) -> None:
        self._has_sums = has_sums
        if self._matrix is None:
            self._matrix, self._loss_sums = counts, sums
        else:
            self._matrix, self._loss_sums = self._matrix + counts, self._loss_sums + sums

    @property
    def vocab(self) -> list[Any]:
        """The names of the classes; their numbers where the data do not name each."""
        count = len(self.confusion_matrix())
        named = (found for found in self._vocabularies() if len(found) == count)
        return next(named, list(range(count)))

    def confusion_matrix(self) -> Counts:
        """(C, C) how often a class (row) was taken for another (column), right on the diagonal."""
        if self._matrix is None:
            self._run()
        if self._matrix is None:
            raise ValueError(
                "this loader gave no batch, so there is nothing to count; pass dl=, for example "
                "learn.dls.test_dl(items, with_labels=True)"
            )
        return self._matrix.copy()

    def class_losses(self) -> dict[Any, float]:
        """The mean loss over the items (for masks, pixels) of each class that occurs, by name.

        Raises:
            ValueError: if the loss has not one value for each target (`DiceLoss`, for example).
        """
        support = self.confusion_matrix().sum(1)
        if not self._has_sums:
            raise ValueError(
                "the loss has not one value for each target, so it has no mean by class; use "
                "confusion_matrix, or a loss such as CrossEntropyLossFlat"
            )
        named = zip(self.vocab, self._loss_sums, support, strict=True)
        return {name: float(total / count) for name, total, count in named if count}

    def most_confused(self, min_val: int = 1) -> list[tuple[Any, Any, int]]:
        """(true class, predicted class, how often) of each confusion, the commonest first.

        Args:
            min_val: leave out what was confused less often.
        """
        matrix, vocab = self.confusion_matrix(), self.vocab
        np.fill_diagonal(matrix, 0)
        pairs = np.argwhere(matrix >= max(min_val, 1))
        found = [(vocab[true], vocab[other], int(matrix[true, other])) for true, other in pairs]
        return sorted(found, key=lambda confusion: -confusion[2])

    def print_classification_report(self) -> None:
        """Nothing; prints precision, recall, F1 and number of items of each class, and averages.

        What is not defined (the precision of a class never predicted) is 0. The layout is that of
        scikit-learn.
        """
        print(_report(self.confusion_matrix(), [str(name) for name in self.vocab]))

    def plot_confusion_matrix(
        self,
        normalize: bool = False,
        title: str = "Confusion matrix",
        cmap: str = "Blues",
        norm_dec: int = 2,
        plot_txt: bool = True,
        *,
        figsize: tuple[float, float] | None = None,
        dpi: float | None = None,
    ) -> Axes:
        """The axes with the confusion matrix drawn on them, true classes in rows.

        Args:
            normalize: shares of each row instead of counts.
            title: title of the axes.
            cmap: colour map; dark should be much.
            norm_dec: decimals of the shares.
            plot_txt: write the numbers into the cells.
            figsize: width and height in inches; by default, cells that hold their numbers.
            dpi: dots per inch, by default that of matplotlib.
        """
        counts = self.confusion_matrix()
        shown = counts / counts.sum(1, keepdims=True).clip(min=1) if normalize else counts
        texts = [[f"{v:.{norm_dec}f}" if normalize else str(v) for v in row] for row in shown]
        names = [str(name) for name in self.vocab]
        return _draw(shown, texts if plot_txt else None, names, title, cmap, figsize, dpi)


class SegmentationInterpretation(ClassificationInterpretation):
    """Which classes are taken for which, pixel by pixel; the loss of an item is its mean.

    Pixels with the `ignore_index` of the loss do not count.
    """

    def class_ious(self) -> dict[Any, float]:
        """Intersection by union of predicted and true pixels of each class that occurs, by name."""
        matrix = self.confusion_matrix()
        right = matrix.diagonal()
        union = matrix.sum(0) + matrix.sum(1) - right
        named = zip(self.vocab, right, union, strict=True)
        return {name: float(both / either) for name, both, either in named if either}


def _classes(
    pred: Any, targets: tuple[Any, ...], loss_func: Any, act: Act | None
) -> tuple[Counts, Counts, int]:
    """(N,) predicted classes, (N,) true ones, and how many there are, for one batch."""
    target = targets[0]
    if not isinstance(pred, Tensor) or len(targets) != 1 or not isinstance(target, Tensor):
        raise TypeError(
            f"classes need outputs in one tensor and one target, not {type(pred).__name__} and "
            f"{len(targets)} targets; use Interpretation"
        )
    scores = pred.numel() // max(target.numel(), 1)
    decided = decodes_of(loss_func)((act or activation_of(loss_func))(pred))
    if scores > 1 and decided.shape == pred.shape:  # a loss of torch, with the classes second
        decided = decided.argmax(1 if pred.shape[1] == scores else -1)
    if decided.is_floating_point() or decided.numel() != target.numel():
        raise ValueError(
            f"{getattr(loss_func, '__name__', type(loss_func).__name__)} does not say which class "
            f"outputs of shape {tuple(pred.shape)} mean for targets of shape "
            f"{tuple(target.shape)}; use a loss with `decodes`, such as CrossEntropyLossFlat or "
            "BCEWithLogitsLossFlat"
        )
    if scores == 1 and target.ndim == 2 and target.shape[1] > 1:
        raise ValueError(
            f"an item can have several of these {target.shape[1]} classes, and then none is taken "
            "for another; measure each with a metric such as F1ScoreMulti(labels=[0])"
        )
    flat = [to_detach(x).long().flatten().numpy() for x in (decided, target)]
    return flat[0], flat[1], max(scores, 2)


def _report(matrix: Counts, names: list[str], digits: int = 2) -> str:
    """The scores of each class and their averages as a text."""
    right, predicted, support = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    total = int(support.sum())
    by_class = np.stack(
        [_share(right, predicted), _share(right, support), _share(2 * right, predicted + support)]
    )  # (3, C)
    width = max(len("weighted avg"), *map(len, names))

    def line(name: str, cells: Sequence[Any], count: Any) -> str:
        texts = [f"{c:>9.{digits}f}" if isinstance(c, float) else f"{c:>9}" for c in cells]
        return f"{name:>{width}}  {' '.join(texts)} {count:>9}"

    rows = zip(names, by_class.T.tolist(), support.tolist(), strict=True)
    accuracy = float(_share(right.sum(), support.sum()))
    weighted = [float(_share((row * support).sum(), support.sum())) for row in by_class]
    lines = [
        line("", ["precision", "recall", "f1-score"], "support"),
        "",
        *(line(*row) for row in rows),
        "",
        line("accuracy", ["", "", accuracy], total),
        line("macro avg", by_class.mean(1).tolist(), total),
        line("weighted avg", weighted, total),
    ]
    return "\n".join(lines) + "\n"


def _share(part: Any, whole: Any) -> NDArray[np.float64]:
    """`part / whole`, 0 where the whole is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    share: NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)
    return share


def _draw(
    values: NDArray[Any],
    texts: list[list[str]] | None,
    names: list[str],
    title: str,
    cmap: str,
    figsize: tuple[float, float] | None,
    dpi: float | None,
) -> Axes:
    """The axes of a new figure with a table of coloured cells."""
    count, longest = len(names), max(len(text) for row in texts or [[""]] for text in row)
    margin = 0.9 + 0.08 * min(24, max(map(len, names)))  # inches for ticks, labels and title
    # 0.085 inches are a digit of 9 points and its share of the space between cells.
    cell = max(0.3, 0.085 * (longest + 1), 1.6 / count)
    if figsize is None:
        figsize = (max(5.0, count * cell + margin), max(4.0, count * cell + margin))
    else:
        cell = max(0.01, (min(figsize) - margin) / count)
    ax = _new_axes(figsize, dpi)
    ax.imshow(values, interpolation="nearest", cmap=cmap)
    fits = max(map(len, names)) * 0.1 <= cell
    ax.set_xticks(range(count), names, rotation=0 if fits else 90)
    ax.set_yticks(range(count), names)
    ax.set(title=title, xlabel="Predicted", ylabel="Actual")
    if texts is not None:
        size = min(11.0, 72 * cell / (0.7 * (longest + 1)))
        dark = values.max() / 2
        for (row, column), value in np.ndenumerate(values):
            color = "white" if value > dark else "black" if value else "silver"
            ax.text(
                column, row, texts[row][column], ha="center", va="center", color=color, size=size
            )
    return ax


def _new_axes(figsize: tuple[float, float], dpi: float | None) -> Axes:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError.of(
            "matplotlib", needed_for="figures", install="layerwise-core[plot]"
        ) from error
    return plt.figure(figsize=figsize, dpi=dpi, layout="constrained").add_subplot()
