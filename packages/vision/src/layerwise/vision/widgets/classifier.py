"""`ImageClassifierCleaner`: the pictures of a class, those that a model gets most wrong first."""

import math
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from layerwise.core.errors import DataError
from layerwise.core.interpret.interpretation import Interpretation
from layerwise.core.items import L
from layerwise.core.learner import Learner
from layerwise.vision.tools.verify import verify_images
from layerwise.vision.widgets.basic import ipywidgets_module
from layerwise.vision.widgets.cleaner import ImagesCleaner

__all__ = ["ImageClassifierCleaner"]

_SPLITS = ("Train", "Valid")


class ImageClassifierCleaner:
    """A widget for labels that are wrong: for a class and a split, pictures by falling loss.

    Files that cannot be read come first of all; files that are gone are left out. Choices are kept
    when another class or split is shown, but `delete` and `change` speak of those shown now.

    Args:
        learn: a learner that gives each picture one class. Its losses over a split are computed
            when the split is first shown.
        opts: choices beside keeping, deleting and the names of the classes.
        height: of the pictures, in pixels.
        width: at most, in pixels.
        max_n: pictures shown at once.

    Attributes:
        fns: the files shown now.

    Raises:
        MissingDependencyError: if ipywidgets is not there.
        TypeError: if the pictures are no files, or have not one class each.
        ValueError: if the learner has no data, as one from `load_learner`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> from layerwise.core.data.source import get_image_files
        >>> from layerwise.core.nn.sized import cnn_for
        >>> from layerwise.vision.data import ImageDataLoaders
        >>> with TemporaryDirectory() as folder:
        ...     for i in range(10):
        ...         Image.new("RGB", (8, 8), (25 * i, 0, 0)).save(f"{folder}/{'ab'[i % 2]}{i}.png")
        ...     files = get_image_files(folder)
        ...     dls = ImageDataLoaders.from_name_func(folder, files, lambda name: name[0], bs=2)
        ...     cleaner = ImageClassifierCleaner(Learner(dls, cnn_for(dls)))
        ...     cleaner.cleaner.widget.children[0].children[1].value = "b"  # as a click would
        >>> cleaner.change()  # for i, cat in cleaner.change(): shutil.move(cleaner.fns[i], ...)
        (#1) [(0, 'b')]
    """

    def __init__(
        self,
        learn: Learner,
        opts: tuple[str, ...] = (),
        height: int = 128,
        width: int = 256,
        max_n: int = 30,
    ) -> None:
        library = ipywidgets_module()
        self.learn = learn
        splits = _SPLITS[: len(learn.dls.loaders)]
        if not any(len(learn.dls[i].dataset) for i in range(len(splits))):
            raise ValueError(
                "this learner has no data, as one from load_learner has none; set learn.dls first"
            )
        names = [str(name) for name in _class_names(learn)]
        self.cleaner = ImagesCleaner((*names, *opts), height, width, max_n)
        self.category = library.Dropdown(options=names, description="Category")
        self.split = library.Dropdown(options=splits, description="Split")
        self._ranked: dict[str, dict[int, list[Path]]] = {}
        for choice in (self.category, self.split):
            choice.observe(lambda _change: self.refresh(), names="value")
        self.widget = library.VBox([self.category, self.split, self.cleaner.widget])
        self.refresh()

    def refresh(self) -> None:
        """Show the files of the class and the split that are chosen, without those that are gone.

        Done whenever one of them changes; call it after files were removed or moved.
        """
        split = self.split.value
        if split not in self._ranked:
            self._ranked[split] = _by_class(self.learn, _SPLITS.index(split))
        files = self._ranked[split].get(self.category.index, [])
        shown: list[Path] = []
        for file in files:  # looks at no more files than are shown
            if len(shown) == self.cleaner.max_n:
                break
            if file.exists():
                shown.append(file)
        self.cleaner.set_fns(shown)

    @property
    def fns(self) -> L[Path]:
        """The files that are shown."""
        return self.cleaner.fns

    def values(self) -> L[str]:
        """What is chosen for each file of `fns`."""
        return self.cleaner.values()

    def delete(self) -> L[int]:
        """Positions in `fns` of the files that shall be deleted."""
        return self.cleaner.delete()

    def change(self) -> L[tuple[int, str]]:
        """Positions in `fns` of the files that shall have another class, with that class."""
        return self.cleaner.change()

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """How a notebook shows it: as the widget."""
        return self.widget._repr_mimebundle_(**given)


def _class_names(learn: Learner) -> list[Any]:
    names = getattr(learn.dls, "vocab", None)
    if names is None or not len(names) or not isinstance(names[0], str | int | float | bool):
        raise TypeError(
            "the data of this learner have no classes; ImageClassifierCleaner is for pictures with "
            "one class each (CategoryBlock). ImagesCleaner shows any files"
        )
    return list(names)


def _by_class(learn: Learner, ds_idx: int) -> dict[int, list[Path]]:
    """The files of each class, those with the largest loss first."""
    dataset: Any = learn.dls[ds_idx].dataset
    files = [_file_of(dataset, i) for i in range(len(dataset))]
    losses = _losses(learn, ds_idx, files)
    found: dict[int, list[Path]] = {}
    for i in sorted(range(len(files)), key=lambda i: -losses[i]):
        label = dataset.tls[-1][i]
        if not isinstance(label, Tensor) or label.ndim:
            raise TypeError(
                f"{files[i]} has the target {label!r}; ImageClassifierCleaner is for pictures with "
                "one class each"
            )
        found.setdefault(int(label), []).append(files[i])
    return found


def _file_of(dataset: Any, i: int) -> Path:
    """The file that sample `i` is read from: what the first steps make of its item."""
    made = dataset.tls[0]._item(i)
    for step in dataset.tls[0].tfms:
        if isinstance(made, str | os.PathLike):
            break
        made = step(made)
    if not isinstance(made, str | os.PathLike):
        raise TypeError(
            f"sample {i} is read from no file but {type(made).__name__}; ImageClassifierCleaner "
            "puts files in order"
        )
    return Path(made)


def _losses(learn: Learner, ds_idx: int, files: list[Path]) -> list[float]:
    """The loss of each file; infinite where it cannot be read."""
    if not files:
        return []
    try:
        losses = Interpretation.from_learner(learn, ds_idx).losses.tolist()
        if len(losses) == len(files):
            return losses
        reason: DataError | None = None
    except DataError as error:
        reason = error
    broken = set(verify_images(files))
    good = [i for i, file in enumerate(files) if file not in broken]
    if reason is not None and len(good) == len(files):
        raise reason
    found = [math.inf] * len(files)
    for i, loss in zip(good, _losses_of(learn, ds_idx, good), strict=True):
        found[i] = loss
    return found


def _losses_of(learn: Learner, ds_idx: int, chosen: list[int]) -> list[float]:
    """The losses of some samples, as in validation."""
    if not chosen:
        return []
    loader: Any = learn.dls[ds_idx]
    some = loader.new(get_idxs=lambda: chosen, shuffle=False, drop_last=False, num_workers=0)
    with loader.dataset.set_split_idx(1):
        *_, losses = learn.get_preds(
            dl=some, with_loss=True, with_preds=False, with_targs=False, reorder=False
        )
    found: list[float] = losses.tolist()
    return found
