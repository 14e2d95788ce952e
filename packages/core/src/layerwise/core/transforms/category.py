"""Targets that are classes: vocabularies, and the transforms from labels to indices and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence, Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor

from layerwise.core.display.titled import ShowTitle
from layerwise.core.errors import nearest, warn_user
from layerwise.core.items import L
from layerwise.core.tensors import TensorCategory, TensorMultiCategory
from layerwise.core.transforms.transform import Transform

__all__ = [
    "Categorize",
    "Category",
    "CategoryMap",
    "EncodedMultiCategorize",
    "MultiCategorize",
    "MultiCategory",
    "OneHotEncode",
    "get_c",
]

NA = "#na#"
_ENOUGH = 10  # labels that are all alike are an oversight; fewer may be somebody's first try


class CategoryMap(Sequence[Any]):
    """The classes of a column and their indices.

    Args:
        col: labels, or a pandas column of categories (whose own order is kept).
        sort: order the classes; otherwise they stand as they first appeared.
        add_na: put `#na#` at index 0, for labels that are missing or unknown.
        strict: keep the categories of a pandas column even where no row has them.
        min_count: a class seen less often than this has no index of its own.
        other: the name of one more class, last, that rare and unseen labels are folded into.

    Raises:
        ValueError: when rare classes are to be dropped without an `other` or `#na#` to take them.

    Example:
        >>> classes = CategoryMap(["cat", "dog", "cat", "emu"], min_count=2, other="other")
        >>> list(classes), classes.index_of("cat"), classes.index_of("emu"), classes.index_of("ox")
        (['cat', 'other'], 0, 1, 1)
    """

    def __init__(
        self,
        col: Any,
        sort: bool = True,
        add_na: bool = False,
        strict: bool = False,
        *,
        min_count: int = 1,
        other: Any = None,
    ) -> None:
        if min_count > 1 and other is None and not add_na:
            raise ValueError(
                f"min_count={min_count} leaves rare labels without a class; name one for them "
                "with other='other', or pass add_na=True"
            )
        # Labels of numpy are equal to those of Python, and hash alike, but print with their type.
        classes = [_plain(c) for c in _classes(col, sort, strict, min_count)]
        self.other = other
        self.has_na = add_na
        head = [NA] if add_na else []
        tail = [other] if other is not None and other not in classes else []
        self.items = L([*head, *(c for c in classes if c != NA or not add_na), *tail])
        self.o2i = {item: index for index, item in enumerate(self.items)}

    def index_of(self, label: Any) -> int:
        """The index of `label`; that of `other` or `#na#` for one that was never seen.

        Raises:
            KeyError: when there is no class for unseen labels.
        """
        try:
            return self.o2i[label]
        except TypeError as error:
            raise TypeError(_no_label(label)) from error
        except KeyError:
            if self.other is not None:
                return self.o2i[self.other]
            if self.has_na:
                return 0
            raise KeyError(self._unknown(label)) from None

    def _unknown(self, label: Any) -> str:
        if not len(self):
            return (
                f"label {label!r} has no class, since the training split that classes are learnt "
                "from is empty; give vocab="
            )
        close = nearest(str(label), map(str, self.items))
        return (
            f"label {label!r} is not among the {len(self)} classes learnt from the training "
            f"split ({', '.join(map(str, self.items[:5]))}{', ...' if len(self) > 5 else ''})."
            f"{close} Give vocab= in full, or a class for unseen labels with other= or add_na=True"
        )

    def map_objs(self, objs: Iterable[Any]) -> L:
        """The indices of several labels."""
        return L([self.index_of(o) for o in objs])

    def map_ids(self, ids: Iterable[int]) -> L:
        """The labels of several indices."""
        return L([self.items[i] for i in ids])

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __contains__(self, label: object) -> bool:
        return label in self.o2i

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.items))

    def __repr__(self) -> str:
        return repr(list(self.items))


def _classes(col: Any, sort: bool, strict: bool, min_count: int) -> list[Any]:
    counts = _counts(col)
    categories = getattr(getattr(col, "cat", None), "categories", None)
    if categories is not None:
        return [c for c in categories if strict or counts[c] >= min_count]
    classes = [c for c, n in counts.items() if n >= min_count and not _is_missing(c)]
    if not sort:
        return classes
    try:
        return sorted(classes)
    except TypeError:
        # Labels of several kinds (1 and "1") have no order of their own.
        return sorted(classes, key=lambda c: (type(c).__name__, str(c)))


def _plain(label: Any) -> Any:
    if not isinstance(label, np.generic):
        return label
    found = label.item()
    # A date in nanoseconds becomes a mere number, under which it would not be found again.
    return found if bool(found == label) and hash(found) == hash(label) else label


def _counts(col: Any) -> Counter[Any]:
    labels = list(col)
    try:
        return Counter(labels)
    except TypeError as error:
        wrong = next(label for label in labels if not isinstance(label, Hashable))
        raise TypeError(_no_label(wrong)) from error


def _no_label(label: Any) -> str:
    return (
        f"{label!r} is a {type(label).__name__}, which cannot be a label; for several labels per "
        "item use MultiCategorize (MultiCategoryBlock)"
    )


def _is_missing(label: Any) -> bool:
    try:
        return bool(label != label)  # NaN, which is not what it is
    except TypeError:  # NA of pandas, which does not say
        return True


class Category(str, ShowTitle):
    """The name of a class; shown as a title."""

    __slots__ = ()
    _show_args = {"label": "category"}


class MultiCategory(L):
    """The names of all classes that hold; shown as one title."""

    def show(self, ctx: Any = None, sep: str = ";", color: str = "black", **kwargs: Any) -> Any:
        """Write the names, joined by `sep`, as title of `ctx`."""
        from layerwise.core.display.titled import show_title

        return show_title(sep.join(map(str, self)), ctx=ctx, color=color, **kwargs)


class _Vocabulary(Transform):
    """What the category transforms share: a vocabulary, given or learnt on the training split."""

    loss_func: Any = None
    order: float = 1
    vocab: CategoryMap | None

    def __init__(
        self,
        vocab: Any = None,
        sort: bool = True,
        add_na: bool = False,
        *,
        min_count: int = 1,
        other: Any = None,
    ) -> None:
        super().__init__()
        self.sort, self.add_na, self.min_count, self.other = sort, add_na, min_count, other
        self.vocab = None if vocab is None else self._map(vocab, sort=sort, given=True)

    def _map(self, labels: Any, *, sort: bool, given: bool = False) -> CategoryMap:
        # A vocabulary that was given counts each class once; nothing in it is rare.
        count = 1 if given else self.min_count
        return CategoryMap(labels, sort, self.add_na, min_count=count, other=self.other)

    @property
    def c(self) -> int | None:
        """Number of classes; None before they are known."""
        return None if self.vocab is None else len(self.vocab)

    def _known(self) -> CategoryMap:
        if self.vocab is None:
            raise ValueError(
                f"{type(self).__name__} has no vocabulary yet; call setup on the training labels "
                "or pass vocab="
            )
        return self.vocab


class Categorize(_Vocabulary):
    """Label to class index, and back to `Category`.

    Args:
        vocab: the classes, in the order given; learnt from the training split when None.
        sort: order the classes that are learnt.
        add_na: index 0 is `#na#`, and takes unseen labels.
        min_count, other: see `CategoryMap`: fold rare and unseen labels into one class.

    Example:
        >>> to_class = Categorize()
        >>> to_class.setup(["dog", "cat", "dog"])
        >>> to_class("dog"), to_class.decode(to_class("cat"))
        (TensorCategory(1), 'cat')
    """

    def __init__(
        self,
        vocab: Any = None,
        sort: bool = True,
        add_na: bool = False,
        *,
        min_count: int = 1,
        other: Any = None,
    ) -> None:
        keep_order = vocab is not None and not isinstance(vocab, dict)
        super().__init__(vocab, sort and not keep_order, add_na, min_count=min_count, other=other)
        self.sort = sort

    def setups(self, dsets: Any) -> None:
        """Learn the classes from labels; warns if many labels are of one class."""
        if self.vocab is None and dsets is not None:
            self.vocab = self._map(dsets, sort=self.sort)
            count = len(dsets) if isinstance(dsets, Sized) else 0
            if len(self.vocab) == 1 and count >= _ENOUGH:
                warn_user(
                    f"all {count} labels are {self.vocab[0]!r}; one class leaves nothing to learn. "
                    "Look at what gives the labels (the folder, get_y), or pass vocab=",
                )

    def encodes(self, o: object) -> TensorCategory:
        """() index of the class."""
        return TensorCategory(torch.tensor(self._known().index_of(o)))

    def decodes(self, o: TensorCategory | int) -> Category:
        """The name of the class; of (C,) scores, as losses of torch leave them, the largest's."""
        vocab = self._known()
        if isinstance(o, Tensor) and o.is_floating_point() and o.shape == (len(vocab),):
            o = int(o.argmax())
        return Category(vocab[int(o)])


class MultiCategorize(_Vocabulary):
    """Several labels an item to their indices, and back to `MultiCategory`."""

    def __init__(
        self,
        vocab: Any = None,
        add_na: bool = False,
        *,
        min_count: int = 1,
        other: Any = None,
    ) -> None:
        super().__init__(vocab, vocab is None, add_na, min_count=min_count, other=other)

    def setups(self, dsets: Any) -> None:
        """Learn the classes from the labels of all items."""
        if self.vocab is None and dsets is not None:
            self.vocab = self._map([label for labels in dsets for label in labels], sort=True)

    def encodes(self, o: object) -> TensorMultiCategory:
        """(n,) indices of the labels that hold."""
        if isinstance(o, str) or not isinstance(o, Iterable):
            raise TypeError(
                f"a list of labels is needed, not {type(o).__name__} {o!r}; split it first, for "
                "example with ColReader(..., label_delim=' ')"
            )
        indices = [self._known().index_of(label) for label in o]
        return TensorMultiCategory(torch.tensor(indices, dtype=torch.long))

    def decodes(self, o: TensorMultiCategory) -> MultiCategory:
        """The names of the labels that hold."""
        vocab = self._known()
        return MultiCategory([vocab[int(i)] for i in o])


class OneHotEncode(Transform):
    """Indices to a vector of zeros and ones, and back. Comes after `MultiCategorize`.

    Args:
        c: number of classes; learnt from the data set when None.
    """

    order: float = 2

    def __init__(self, c: int | None = None) -> None:
        super().__init__()
        self.c = c

    def setups(self, dsets: Any) -> None:
        """Take the number of classes from the vocabulary."""
        if self.c is None and dsets is not None:
            self.c = len(getattr(dsets, "vocab", None) or []) or None

    def encodes(self, o: TensorMultiCategory) -> TensorMultiCategory:
        """(C,) float: 1 where the label holds."""
        if self.c is None:
            raise ValueError("OneHotEncode does not know the number of classes; pass c=")
        hot = torch.zeros(self.c)
        hot[o.as_plain()] = 1.0
        return TensorMultiCategory(hot)

    def decodes(self, o: TensorMultiCategory) -> TensorMultiCategory:
        """(n,) indices of the entries that are set."""
        return TensorMultiCategory(torch.nonzero(o.as_plain() > 0.5).flatten())


class EncodedMultiCategorize(Transform):
    """Labels that are zeros and ones already: only shown by name.

    Args:
        vocab: the names of the columns.
    """

    order: float = 1

    def __init__(self, vocab: Sequence[Any]) -> None:
        super().__init__()
        self.vocab = CategoryMap(list(vocab), sort=False)
        self.c = len(self.vocab)

    def encodes(self, o: object) -> TensorMultiCategory:
        """(C,) float vector."""
        hot = torch.as_tensor(o).float()
        if hot.shape != (self.c,):
            raise ValueError(
                f"{self.c} names in vocab for labels of shape {tuple(hot.shape)}; give one name "
                "per column"
            )
        return TensorMultiCategory(hot)

    def decodes(self, o: TensorMultiCategory) -> MultiCategory:
        """The names of the columns that are set."""
        return MultiCategory(
            [n for n, hot in zip(self.vocab, o.tolist(), strict=True) if hot > 0.5]
        )


def get_c(dls: Any) -> int:
    """The number of outputs that the targets in `dls` need; 0 when nothing says."""
    if getattr(dls, "c", None):
        return int(dls.c)
    train = getattr(dls, "train", None)
    after_item = getattr(train, "after_item", None)
    if after_item is not None and getattr(after_item, "c", None):
        return int(after_item.c)
    vocab = getattr(dls, "vocab", None) or []
    if len(vocab) and not isinstance(vocab[-1], str) and hasattr(vocab[-1], "__len__"):
        vocab = vocab[-1]
    return len(vocab)
