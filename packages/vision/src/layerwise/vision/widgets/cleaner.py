"""`ImagesCleaner`: pictures in a row, and for each what shall become of it."""

import html
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from layerwise.core.errors import BadItemError
from layerwise.core.items import L
from layerwise.core.types import PathLike
from layerwise.vision.tools.threads import core_count, in_threads
from layerwise.vision.types import PILImage
from layerwise.vision.widgets.basic import carousel, ipywidgets_module

__all__ = ["ImagesCleaner"]

_KEEP, _DELETE = "<Keep>", "<Delete>"


class ImagesCleaner:
    """A widget with pictures, below each of which one chooses: keep, delete, or one of `opts`.

    Nothing is done to the files: `delete` and `change` say what was chosen. What was chosen for a
    file is remembered when other files are shown and these again. A file that cannot be read is
    shown as such, so that it can be deleted.

    Args:
        opts: choices beside keeping and deleting, for example labels.
        height: of the pictures, in pixels.
        width: at most, in pixels.
        max_n: pictures shown at once.

    Raises:
        MissingDependencyError: if ipywidgets is not there.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> cleaner = ImagesCleaner(["cat", "dog"])
        >>> with TemporaryDirectory() as folder:
        ...     cleaner.set_fns([f"{folder}/a.jpg", f"{folder}/b.jpg"])  # which are not there
        >>> cleaner.widget.children[1].children[1].value = "<Delete>"  # as a click would
        >>> cleaner.delete(), cleaner.change()
        ((#1) [1], (#0) [])
    """

    def __init__(
        self,
        opts: Iterable[str] = (),
        height: int = 128,
        width: int = 256,
        max_n: int = 30,
    ) -> None:
        self.opts = (_KEEP, _DELETE, *opts)
        self.height, self.width, self.max_n = height, width, max_n
        self.widget = carousel()
        self.fns: L[Path] = L()
        self._chosen: dict[Path, str] = {}

    def set_fns(self, fns: Sequence[PathLike]) -> None:
        """Show the first `max_n` of the files `fns`."""
        self._chosen.update(zip(self.fns, self.values(), strict=True))
        self.fns = L([Path(fn) for fn in fns[: self.max_n]])
        look = partial(_thumbnail, height=self.height, width=self.width)
        looks: list[bytes | str] = [""] * len(self.fns)
        for i, made in in_threads(look, self.fns, core_count(None)):
            looks[i] = made
        self.widget.children = tuple(map(self._card, self.fns, looks))

    def _card(self, fn: Path, look: bytes | str) -> Any:
        """One picture, or why there is none, above its choices."""
        library = ipywidgets_module()
        if isinstance(look, bytes):
            shown = library.Image(value=look, format="jpeg", layout={"height": f"{self.height}px"})
        else:
            shown = library.HTML(html.escape(look), layout={"width": f"{self.width}px"})
        chosen = self._chosen.get(fn, _KEEP)
        choice = library.Dropdown(
            options=self.opts,
            value=chosen if chosen in self.opts else _KEEP,
            layout={"width": "max-content"},
        )
        return library.VBox([shown, choice], layout={"flex": "0 0 auto"})

    def values(self) -> L[str]:
        """What is chosen for each file of `fns`."""
        return L([card.children[1].value for card in self.widget.children])

    def delete(self) -> L[int]:
        """Positions in `fns` of the files that shall be deleted."""
        return L([i for i, value in enumerate(self.values()) if value == _DELETE])

    def change(self) -> L[tuple[int, str]]:
        """Positions in `fns` of the files for which one of `opts` was chosen, with that one."""
        return L([(i, v) for i, v in enumerate(self.values()) if v not in (_KEEP, _DELETE)])

    def _repr_mimebundle_(self, **given: Any) -> Any:
        """How a notebook shows it: as the widget."""
        return self.widget._repr_mimebundle_(**given)


def _thumbnail(fn: Path, *, height: int, width: int) -> bytes | str:
    """A small picture as a JPEG file, or why there is none."""
    try:
        return PILImage.create(fn).to_thumb(height, width).to_bytes_format("jpeg")
    except (BadItemError, OSError) as error:
        return str(error)
