"""`Interpretation`: where a model is wrong, how much, and on which items.

Kept are one loss an item and counts of classes. Inputs and predictions of the items that are asked
for are computed again, so that a data set of any size can be looked at.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.display.axes import subplots
from layerwise.core.display.generic import plot_top_losses
from layerwise.core.items import L
from layerwise.core.learner import Learner
from layerwise.core.nested import batch_to_samples, to_detach
from layerwise.core.train.callback import Callback
from layerwise.core.train.predict import activation_of, decodes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ClassificationInterpretation", "Interpretation", "SegmentationInterpretation"]

# N items or pixels, C classes; a confusion matrix is (C, C): rows are true, columns predicted.
Counts = NDArray[np.int64]
Act = Callable[[Any], Any]


class Interpretation:
    """The losses of a model over a data set, and a look at the items behind them.

    Items are seen as in validation: training data are neither shuffled nor augmented.

    Args:
        learn: the learner, which makes predictions anew where they are asked for.
        dl: the loader, in the order of its data set.
        losses: (N,) loss of each item.
        act: what turns outputs into predictions; the loss's own `activation` when None.

    Example:
        >>> from layerwise.core.testing.fakes import synth_learner
        >>> interp = Interpretation.from_learner(synth_learner(n_valid=2))
        >>> losses, indices = interp.top_losses(3)
        >>> len(interp.losses), bool(losses[0] == interp.losses.max())
        (32, True)
    """

    def __init__(self, learn: Learner, dl: Any, losses: Tensor, act: Act | None = None) -> None:
        self.learn, self.dl, self.losses, self.act = learn, dl, losses, act

    @classmethod
    def from_learner(
        cls, learn: Learner, ds_idx: int = 1, dl: Any = None, act: Act | None = None
    ) -> Self:
        """The interpretation of `learn` after one pass over a loader with targets.

        Args:
            learn: the learner.
            ds_idx: which loader of `learn.dls`; validation by default.
            dl: the loader itself, for example `learn.dls.test_dl(items, with_labels=True)`.
            act: what turns outputs into predictions; the loss's own `activation` when None.

        Raises:
            ValueError: if the loader gives no targets.
        """
        loader = learn.dls[ds_idx] if dl is None else dl
        if isinstance(loader, DataLoader):
            loader = loader.new(shuffle=False, drop_last=False)
        made = cls(learn, loader, torch.empty(0), act)
        made._run()
        return made

    def _run(self) -> None:
        """One pass over the loader: a loss for each item, and `_see` for each batch."""

        def see() -> None:
            if not self.learn.yb:
                raise ValueError(
                    "this loader gives no targets, so there are no losses to interpret; make it "
                    "with learn.dls.test_dl(items, with_labels=True)"
                )
            self._see(self.learn.pred, self.learn.yb, self.learn.loss)

        with _as_validation(self.dl):
            *_, self.losses = self.learn.get_preds(
                dl=self.dl, with_loss=True, with_preds=False, with_targs=False,
                cbs=Callback(after_batch=see),
            )  # fmt: skip

    def _see(self, pred: Any, targets: tuple[Any, ...], loss: Tensor) -> None:
        """Take what is needed from one batch: outputs, targets, losses not reduced. Nothing here."""

    def __len__(self) -> int:
        return len(self.losses)

    def __getitem__(self, idxs: int | Sequence[int] | Tensor) -> tuple[Any, Any, Any, Any, Tensor]:
        """Inputs, predictions, targets, decoded predictions and losses of the items `idxs`."""
        chosen = _listed(idxs)
        with _as_validation(self.dl), self.learn.no_bar():
            inputs, preds, targets, decoded = self.learn.get_preds(
                dl=self._loader(chosen), with_input=True, with_decoded=True, act=self.act,
                reorder=False,
            )  # fmt: skip
        return inputs, preds, targets, decoded, self.losses[chosen]

    def _loader(self, idxs: list[int], **settings: Any) -> Any:
        """A loader over the items `idxs` alone, in that order."""
        if not isinstance(self.dl, DataLoader) or not self.dl.indexed:
            raise TypeError(
                f"items cannot be fetched by index from {type(self.dl).__name__}; make the loader "
                "with DataLoader or TfmdDL over data with __getitem__"
            )
        if self.dl.n != len(self.losses):
            raise ValueError(
                f"{len(self.losses)} losses for {self.dl.n} items: some were skipped, so a loss no "
                "longer tells its item; remove them from the data set"
            )
        return self.dl.new(get_idxs=lambda: idxs, num_workers=0, **settings)

    def top_losses(
        self, k: int | None = None, largest: bool = True, items: bool = False
    ) -> tuple[Any, ...]:
        """The `k` largest losses and the indices of their items, largest first.

        Args:
            k: how many; all when None or more than there are.
            largest: otherwise the smallest, smallest first.
            items: add what the data set made these samples from (file names, rows).
        """
        count = len(self) if k is None else min(k, len(self))
        losses, idxs = self.losses.topk(count, largest=largest)
        return (losses, idxs, self._items(idxs.tolist())) if items else (losses, idxs)

    def _items(self, idxs: list[int]) -> Any:
        dataset = getattr(self.dl, "dataset", None)
        found = getattr(dataset, "items", dataset)
        if hasattr(found, "iloc"):
            return found.iloc[idxs]
        if not hasattr(found, "__getitem__"):
            raise TypeError(f"{type(dataset).__name__} does not keep the items of its samples")
        return L([found[i] for i in idxs])

    def plot_top_losses(
        self, k: int | Sequence[int], largest: bool = True, **kwargs: Any
    ) -> list[Any]:
        """The contexts on which the items with the largest losses are shown, worst first.

        Args:
            k: how many, or the indices of the items themselves.
            largest: otherwise the smallest.
            **kwargs: for the method of `plot_top_losses` for these types of input and target,
                which refuses what it does not know.
        """
        idxs = self.top_losses(k, largest)[1].tolist() if isinstance(k, int) else _listed(k)
        loader, batch, preds, decoded = self._predicted(idxs)
        x, y, samples, outs = loader.show_results(batch, decoded, max_n=len(idxs), show=False)
        raws = batch_to_samples(preds, max_n=len(idxs))
        shown: list[Any] = plot_top_losses(
            x, y, samples, outs, raws, self.losses[idxs].tolist(), **kwargs
        )
        return shown

    def show_results(self, idxs: Sequence[int] | Tensor, **kwargs: Any) -> Any:
        """The contexts on which the items `idxs` are shown beside what is predicted for them.

        Args:
            idxs: which items.
            **kwargs: for the method of `show_results` for these types of input and target, which
                refuses what it does not know.
        """
        chosen = _listed(idxs)
        loader, batch, _, decoded = self._predicted(chosen)
        return loader.show_results(batch, decoded, max_n=len(chosen), **kwargs)

    def _predicted(self, idxs: list[int]) -> tuple[TfmdDL, Any, Any, Any]:
        """A loader over `idxs`, its one batch, and predictions for it."""
        loader = self._loader(idxs, bs=len(idxs))
        if not isinstance(loader, TfmdDL):
            raise TypeError(
                f"{type(loader).__name__} cannot decode what it loads; use a TfmdDL, which "
                "Datasets.dataloaders and DataBlock.dataloaders make"
            )
        with _as_validation(self.dl), self.learn.no_bar():
            batch = loader.one_batch()
            preds, _, decoded = self.learn.get_preds(dl=[batch], with_decoded=True, act=self.act)
        return loader, batch, preds, decoded


class ClassificationInterpretation(Interpretation):
    """Which classes are taken for which; see `Interpretation` for the losses.

    The loss has to say how outputs become classes (`decodes`, as `CrossEntropyLossFlat` has), or
    the classes are those with the largest output.

    Attributes:
        vocab: the names of the classes, their numbers where the data have no names.

    Example:
        >>> from layerwise.core.testing.fakes import synth_classifier
        >>> interp = ClassificationInterpretation.from_learner(synth_classifier(n_valid=30))
        >>> interp.confusion_matrix().sum()
        30
    """

    _matrix: Counts | None = None
    _loss_sums: NDArray[np.float64] | None = None

    def _see(self, pred: Any, targets: tuple[Any, ...], loss: Tensor) -> None:
        """Count one batch."""
        original = getattr(loss_func := self.learn.loss_func, "func", loss_func)
        decided, true, classes = _classes(pred, targets, loss_func, self.act)
        losses = to_detach(loss).flatten().numpy()
        keep = true != getattr(original, "ignore_index", -100)
        if len(losses) == len(true):
            sums = np.bincount(true[keep], weights=losses[keep], minlength=classes)
            self._loss_sums = sums if self._loss_sums is None else self._loss_sums + sums
        true, decided = true[keep], decided[keep]
        if len(true) and not 0 <= true.min() <= true.max() < classes:
            raise ValueError(
                f"targets from {true.min()} to {true.max()} for outputs of {classes} classes; "
                f"give indices from 0 to {classes - 1}, or ignore_index= to the loss"
            )
        counts = np.bincount(true * classes + decided, minlength=classes**2)
        matrix = counts.reshape(classes, classes).astype(np.int64)
        self._matrix = matrix if self._matrix is None else self._matrix + matrix

    @property
    def vocab(self) -> list[Any]:
        """The names of the classes; their numbers where the data do not name each."""
        count = len(self.confusion_matrix())
        for owner in (self.dl, self.learn.dls):
            found = getattr(owner, "vocab", None) or []
            if len(found) and not isinstance(found[-1], str) and hasattr(found[-1], "__len__"):
                found = found[-1]  # of several vocabularies, that of the target
            if len(found) == count:
                return list(found)
        return list(range(count))

    def confusion_matrix(self) -> Counts:
        """(C, C) how often a class (row) was taken for another (column), right on the diagonal."""
        if self._matrix is None:
            self._loss_sums = None
            self._run()
        if self._matrix is None:
            raise ValueError("this loader gave no batch, so there is nothing to count")
        return self._matrix.copy()

    def class_losses(self) -> dict[Any, float]:
        """The mean loss over the items (for masks, pixels) of each class that occurs, by name.

        Raises:
            ValueError: if the loss has not one value for each target (`DiceLoss`, for example).
        """
        support = self.confusion_matrix().sum(1)
        if self._loss_sums is None:
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
    ) -> "Axes":
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


@contextmanager
def _as_validation(dl: Any) -> Iterator[None]:
    """Without augmentation, inside this context: otherwise an item would look new each time."""
    act_as = getattr(getattr(dl, "dataset", None), "set_split_idx", None)
    if act_as is None:
        yield
    else:
        with act_as(1):
            yield


def _listed(idxs: int | Sequence[int] | Tensor) -> list[int]:
    if isinstance(idxs, int):
        return [idxs]
    return idxs.tolist() if isinstance(idxs, Tensor) else list(idxs)


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
            "for another; measure each with a metric such as F1ScoreMulti(average=None)"
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
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)


def _draw(
    values: NDArray[Any],
    texts: list[list[str]] | None,
    names: list[str],
    title: str,
    cmap: str,
    figsize: tuple[float, float] | None,
    dpi: float | None,
) -> "Axes":
    """The axes of a new figure with a table of coloured cells."""
    count, longest = len(names), max(len(text) for row in texts or [[""]] for text in row)
    margin = 0.9 + 0.08 * min(24, max(map(len, names)))  # inches for ticks, labels and title
    # 0.085 inches are a digit of 9 points and its share of the space between cells.
    cell = max(0.3, 0.085 * (longest + 1), 1.6 / count)
    if figsize is None:
        figsize = (count * cell + margin, count * cell + margin)
    else:
        cell = max(0.01, (min(figsize) - margin) / count)
    fig, axes = subplots(figsize=figsize)
    fig.set_layout_engine("constrained")
    if dpi is not None:
        fig.set_dpi(dpi)
    ax: Axes = axes[0]
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
