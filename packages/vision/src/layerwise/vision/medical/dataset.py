"""`DcmDataset`: a dataset of pydicom, with its pixels in units of the modality and as pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from layerwise.core.tensors import dress
from layerwise.core.types import PathLike
from layerwise.vision.medical import channels
from layerwise.vision.medical.blur import mask_from_blur
from layerwise.vision.medical.channels import Bins, to_nchan, to_uint16
from layerwise.vision.medical.editing import put_pixels, scale_spacing, zoomed
from layerwise.vision.medical.grey import (
    colour_bits,
    has_groups,
    is_inverted,
    rescaled,
    shown_by_tags,
    tags_of_frame,
    turned_over,
)
from layerwise.vision.medical.histogram import hist_scaled
from layerwise.vision.medical.reading import (
    frame_count,
    named_errors,
    read_dataset,
    stored_pixels,
)
from layerwise.vision.medical.tags import check_keep, plain_tags
from layerwise.vision.medical.tensors import TensorCTScan, TensorDicom
from layerwise.vision.medical.windows import Window, dicom_windows, share_in_window, windowed

__all__ = ["DcmDataset", "dcmread"]

_OWN = ("dataset", "_name")


def dcmread(fn: PathLike | bytes, force: bool = False) -> "DcmDataset":
    """The DICOM file `fn`.

    Args:
        fn: a path, or the contents of a file.
        force: read a file that lacks the mark of DICOM.

    Raises:
        BadItemError: when it is no DICOM file, or broken; it is named. Broken pixels show when they
            are decoded.
        MissingDependencyError: without pydicom; says what to install.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> ct = dcmread(get_testdata_file("CT_small.dcm"))
        >>> ct.Modality, ct.shape, ct.scaled_px.min().item()
        ('CT', (128, 128), -896.0)
    """
    name = f"<{len(fn)} bytes in memory>" if isinstance(fn, bytes) else str(fn)
    return DcmDataset(read_dataset(fn, force), name)


class DcmDataset:
    """A dataset of pydicom with methods for its pixels; all else it does as the dataset does.

    Tags are attributes by their names (`dcm.PatientID`) and entries by their numbers
    (`dcm[0x10, 0x20]`), to be read, set and deleted. Where a function wants the dataset of pydicom
    itself, give it `dcm.dataset`. `print(dcm)` lists all tags; its `repr` has no patient data, so
    that messages and logs have none.

    Args:
        dataset: of pydicom.
        name: of its file, for messages.
    """

    dataset: Any
    _name: str

    def __init__(self, dataset: Any, name: str = "<dataset>") -> None:
        object.__setattr__(self, "dataset", dataset)
        object.__setattr__(self, "_name", name)

    # -- as the dataset ----------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in _OWN or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)  # while it is unpickled or copied
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.dataset, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.dataset, name)

    def __getitem__(self, key: Any) -> Any:
        return self.dataset[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.dataset[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.dataset[key]

    def __contains__(self, key: Any) -> bool:
        return key in self.dataset

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.dataset)})

    def __str__(self) -> str:
        return str(self.dataset)

    def __repr__(self) -> str:
        kind = self.dataset.get("Modality") or "no modality"
        return f"DcmDataset({kind}, {'x'.join(map(str, self.shape)) or 'no pixels'}, {self._name})"

    def __getstate__(self) -> tuple[Any, str]:
        return self.dataset, self._name

    def __setstate__(self, state: tuple[Any, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # attributes go to the dataset otherwise

    # -- pixels ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns, behind the number of frames where there are several."""
        if "Rows" not in self.dataset or "Columns" not in self.dataset:
            return ()
        frames = frame_count(self.dataset)
        size = int(self.dataset.Rows), int(self.dataset.Columns)
        return size if frames == 1 else (frames, *size)

    def stored(self, frame: int | None = None) -> NDArray[Any]:
        """The values in the file: (H, W), (N, H, W) for frames, with (3,) behind for colours.

        Args:
            frame: which one of several; all when None.
        """
        return stored_pixels(self.dataset, self._name, frame)

    @property
    def pixels(self) -> TensorDicom:
        """The values in the file as floats: (H, W), (3, H, W), or with (N,) frames in front."""
        return _as_tensor(self.stored())

    @property
    def scaled_px(self) -> TensorDicom:
        """Values of the modality, for CT in Hounsfield units, by slope and intercept or table.

        Whatever the modality, the tags are applied where they are. Colours are what is stored.
        """
        return self.scaled()

    def scaled(self, frame: int | None = None, *, upright: bool = False) -> TensorDicom:
        """`scaled_px`, of one frame alone if wanted.

        Args:
            frame: which one of several; all when None.
            upright: turn the values of MONOCHROME1 over within their range, so that more is
                brighter there, too.
        """
        values = self.stored(frame)
        if self.is_color:
            return _as_tensor(values)
        with named_errors(self._name):
            if upright and is_inverted(self.dataset):
                values = turned_over(values, self.dataset)
            return _as_tensor(self._each(values, frame, rescaled))

    def by_tags(self, frame: int | None = None) -> TensorDicom:
        """Greys from 0 to 1 as the file says that it is to be shown, 0 being black.

        By its lookup table, or the first of its windows; from the least value to the largest where
        it has neither. Colours go from 0 to 1.

        Args:
            frame: which one of several; all when None.
        """
        values = self.stored(frame)
        if self.is_color:
            return _as_tensor(values / (2.0 ** colour_bits(values, self.dataset) - 1))
        with named_errors(self._name):
            return _as_tensor(self._each(values, frame, shown_by_tags))

    def _each(
        self,
        values: NDArray[Any],
        frame: int | None,
        function: Callable[[NDArray[Any], Any], NDArray[Any]],
    ) -> NDArray[Any]:
        """What `function` makes of values and tags; of each frame where frames have their own."""
        if not has_groups(self.dataset):
            return function(values, self.dataset)
        if values.ndim == 2:
            return function(values, tags_of_frame(self.dataset, frame or 0))
        tags = (tags_of_frame(self.dataset, i) for i in range(len(values)))
        return np.stack([function(*pair) for pair in zip(values, tags, strict=True)])

    @property
    def is_color(self) -> bool:
        """Whether there are three values for each pixel, stored or by a palette."""
        palette = self.dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
        return palette or int(self.dataset.get("SamplesPerPixel") or 1) > 1

    def set_pixels(self, px: Any) -> None:
        """Put other pixels into the dataset, uncompressed; its size follows.

        Args:
            px: (H, W) array or tensor of integers that fit into the bits of the dataset, in the
                units of `pixels`.

        Raises:
            ValueError: for colours, several frames or values that do not fit.
        """
        put_pixels(self.dataset, px)

    def zoom(self, ratio: float | Sequence[float]) -> None:
        """Make the pixels in the dataset `ratio` times as many a side, or (down, across)."""
        down, across = (ratio, ratio) if isinstance(ratio, int | float) else ratio
        rows, columns = self.shape[-2:]
        self.zoom_to((max(1, round(rows * down)), max(1, round(columns * across))))

    def zoom_to(self, sz: int | Sequence[int]) -> None:
        """Bring the pixels in the dataset to `sz`: one number, or (height, width).

        Raises:
            ValueError: for colours or several frames.
        """
        values = self.stored()
        if values.ndim != 2:
            raise ValueError(
                f"pixels of shape {values.shape} to zoom; one picture in greys is changed in its "
                "dataset, others as PILDicom.create(dcm).resize((width, height))"
            )
        size = (sz, sz) if isinstance(sz, int) else (sz[0], sz[1])
        put_pixels(self.dataset, zoomed(values, size))
        scale_spacing(self.dataset, values.shape, size)

    # -- greys -------------------------------------------------------------------------------

    def windowed(
        self,
        w: float | None = None,
        l: float | None = None,  # noqa: E741 - as users know it
    ) -> TensorDicom:
        """The window of width `w` and level `l` brought to 0 to 1; `by_tags` without the two."""
        if w is None or l is None:
            if w is not l:
                raise ValueError("a window is width and level: give both, or none for the tags'")
            return self.by_tags()
        return self.scaled_px.windowed(w, l)

    def hist_scaled(
        self,
        brks: Tensor | None = None,
        min_px: float | None = None,
        max_px: float | None = None,
    ) -> TensorDicom:
        """The pixels spread evenly over 0 to 1; see the function `hist_scaled`.

        Args:
            brks: breaks; those of this picture when None.
            min_px: lesser values count as this one, larger ones as `max_px`.
            max_px: see `min_px`.
        """
        px = self.scaled_px
        if min_px is not None or max_px is not None:
            px = dress(px.as_plain().clamp(min_px, max_px), px)
        return px.hist_scaled(brks)

    def pct_in_window(self, w: float, l: float) -> float:  # noqa: E741 - as users know it
        """Share of the pixels within the window of width `w` and level `l`, 0 to 1."""
        return share_in_window(self.scaled_px.as_plain(), w, l)

    def mask_from_blur(
        self, window: Window, sigma: float = 0.3, thresh: float = 0.05, remove_max: bool = True
    ) -> Tensor:
        """Where there is tissue; see the function `mask_from_blur`."""
        return mask_from_blur(self.scaled_px.as_plain(), window, sigma, thresh, remove_max)

    def show(
        self,
        frames: int = 1,
        scale: bool | str | Window | Tensor = True,
        cmap: str = "bone",
        min_px: float | None = -1100,
        max_px: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """Draw the picture, or its first `frames`; low values of MONOCHROME1 are drawn bright.

        Args:
            frames: how many, if it has several.
            scale: a window (width, level); breaks for `hist_scaled`, or True for those of the
                picture; "tags" for what the file says; False for the values as they are.
            cmap: colour map for greys.
            min_px: where pixels are spread evenly, lesser values count as this one.
            max_px: likewise, larger ones.
            **kwargs: for `show_image`, or for `show_images` where frames are several.

        Returns:
            The axes of one picture.
        """
        from layerwise.core.display.axes import show_image, show_images

        if frames < 1:
            raise ValueError(f"frames={frames}; one is shown at least")
        shown = [self._drawn(i, scale, min_px, max_px) for i in range(min(frames, self._frames))]
        if len(shown) == 1:
            return show_image(shown[0], cmap=cmap, **kwargs)
        return show_images(shown, cmap=cmap, **kwargs)

    @property
    def _frames(self) -> int:
        return frame_count(self.dataset)

    def _drawn(self, frame: int, scale: Any, min_px: float | None, max_px: float | None) -> Tensor:
        chosen = frame if self._frames > 1 else None
        if self.is_color or (isinstance(scale, str) and scale == "tags"):
            return self.by_tags(chosen).as_plain()
        px = self.scaled(chosen).as_plain()
        if isinstance(scale, tuple | list):
            px = windowed(px, *scale)
        elif isinstance(scale, Tensor | np.ndarray) or scale is True:
            px = hist_scaled(
                px.clamp(min_px, max_px), None if scale is True else torch.as_tensor(scale)
            )
        elif scale is not False:
            raise ValueError(
                f'scale={scale!r}; give a window (width, level), breaks, "tags", True or False'
            )
        return -px if is_inverted(self.dataset) else px

    # -- tags --------------------------------------------------------------------------------

    def as_dict(
        self,
        px_summ: bool = True,
        window: Window = dicom_windows.brain,
        keep: Iterable[str] = (),
    ) -> dict[str, Any]:
        """{name: value} of the tags that say nothing about the patient, and about the pixels.

        Args:
            px_summ: add what `from_dicoms` says of the pixels: `img_min` and so on.
            window: (width, level).
            keep: names of tags that are wanted besides, such as "PatientID".

        Raises:
            ValueError: for a name in `keep` that is that of no tag, or of a sequence.
        """
        keep = check_keep(keep)
        with named_errors(self._name):
            found = plain_tags(self.dataset, keep)
        if px_summ:
            px = self.scaled_px.as_plain().double()
            found |= {"img_min": px.min().item(), "img_max": px.max().item()}
            found |= {"img_mean": px.mean().item(), "img_std": px.std(correction=0).item()}
            found["img_pct_window"] = share_in_window(px, *window)
        return found

    # -- channels and files ------------------------------------------------------------------

    def to_nchan(self, wins: Sequence[Window], bins: Bins = None) -> TensorCTScan:
        """A channel for each window, and the pixels spread evenly; see `to_nchan`."""
        return to_nchan(self.scaled_px, wins, bins)

    def to_3chan(self, win1: Window, win2: Window, bins: Tensor | None = None) -> TensorCTScan:
        """Two windows and the pixels spread evenly; see `to_3chan`."""
        return to_nchan(self.scaled_px, [win1, win2], bins)

    def to_uint16(self, bins: Tensor | None = None) -> NDArray[np.uint16]:
        """The pixels spread evenly over 0 to 65535; see `to_uint16`."""
        return to_uint16(self.scaled_px, bins)

    def save_jpg(
        self, path: PathLike, wins: Sequence[Window], bins: Bins = None, quality: int = 90
    ) -> None:
        """Write `to_nchan(wins, bins)` as a JPEG; see `save_jpg`."""
        channels.save_jpg(self.scaled_px, path, wins, bins, quality)

    def save_tif16(self, path: PathLike, bins: Tensor | None = None, compress: bool = True) -> None:
        """Write `to_uint16(bins)` as a TIFF; see `save_tif16`."""
        channels.save_tif16(self.scaled_px, path, bins, compress)


def _as_tensor(values: NDArray[Any]) -> TensorDicom:
    """Stored or rescaled values as floats, colours in front of rows and columns."""
    if values.ndim > 2 and values.shape[-1] == 3:
        values = np.moveaxis(values, -1, -3)
    return TensorDicom(torch.from_numpy(np.ascontiguousarray(values, np.float32)))
