"""Pictures as Pillow images of our own types, decoded at the first look at their pixels.

`PILImage.create(path)` reads the header; `resized_crop`, on which `Resize` and `RandomResizedCrop`
stand, then decodes a JPEG no finer than it needs. Each type has its tensor: `ToTensor` makes a
`TensorImage` of a `PILImage`, a `TensorMask` of a `PILMask`.
"""

import io
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from layerwise.core.dispatch import Dispatch
from layerwise.core.tensors import (
    TensorBase,
    TensorImage,
    TensorImageBase,
    TensorImageBW,
    TensorMask,
    cast,
)
from layerwise.core.transforms.numeric import ToTensor
from layerwise.vision.io import Box, ImageSource, to_codes, to_mode
from layerwise.vision.resample import PadMode, Resized, padded_crop, placed, resize_region

__all__ = [
    "PILBase",
    "PILImage",
    "PILImageBW",
    "PILMask",
    "cifar_stats",
    "image2tensor",
    "imagenet_stats",
    "mnist_stats",
    "to_image",
]

imagenet_stats = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
"""Mean and standard deviation of each channel over ImageNet."""

cifar_stats = ([0.491, 0.482, 0.447], [0.247, 0.243, 0.261])
"""Mean and standard deviation of each channel over CIFAR-10."""

mnist_stats = ([0.131], [0.308])
"""Mean and standard deviation over MNIST."""

Readable = str | os.PathLike[str] | bytes | Image.Image | Tensor | np.ndarray[Any, Any]

_PILLOW_OWN = frozenset(vars(Image.Image())) | {"_source", "map"}


class PILBase(Image.Image):
    """A Pillow image that is made by `create` and keeps its type and attributes.

    The results of its methods (`resize`, `crop`, `convert`, ...) are of the same type. Subclasses
    say in which `mode` they hold their pixels, and how they are shown.
    """

    media_type: ClassVar[str] = "image/*"  # of the files that a server takes

    _mode_held: ClassVar[str] = "RGB"
    _show_args: ClassVar[dict[str, Any]] = {}

    @classmethod
    def _convert(cls, image: Image.Image, mode: str) -> Image.Image:
        """Any picture in `mode`."""
        return to_mode(image, mode)

    def __init__(self) -> None:
        super().__init__()
        self._source: ImageSource | Resized | None = None

    @classmethod
    def create(cls, fn: Readable, *, mode: str | None = None) -> Self:
        """A picture from a path, the bytes of a file, a Pillow image, an array or a tensor.

        Files are read up to their header only (a JPEG) or whole (all others).

        Args:
            fn: an array is (H, W) or (H, W, C), a `TensorImage` (C, H, W), another tensor either;
                floats go from 0 to 1.
            mode: of the pixels; what the type holds if None.

        Raises:
            BadItemError: when the file is no picture; broken pixels show when they are decoded.

        Example:
            >>> PILImage.create(np.zeros((2, 3, 3), np.uint8))
            PILImage mode=RGB size=3x2
        """
        wanted = mode or cls._mode_held
        if isinstance(fn, Image.Image):
            if isinstance(fn, cls) and fn.mode == wanted:
                return fn
            return cls._of(cls._convert(fn, wanted), fn)
        if isinstance(fn, Tensor | np.ndarray):
            return cls._of(cls._convert(to_image(fn), wanted), fn)
        return cls._pending(ImageSource(fn), wanted)

    @classmethod
    def _pending(cls, source: ImageSource | Resized, mode: str, like: object = None) -> Self:
        """A picture whose pixels come from `source` when they are looked at."""
        if isinstance(source, ImageSource) and not source.can_draft:
            return cls._of(source.decode(mode, cls._convert))
        new = cls()
        new._source, new._mode, new._size = source, mode, source.size
        if isinstance(like, PILBase):
            new.__dict__.update(_given(like))
        return new

    @classmethod
    def _of(cls, image: Image.Image, like: object = None) -> Self:
        """A decoded image as this type, with the attributes that `like` was given."""
        image.load()
        new = cls()
        for name in _PILLOW_OWN & vars(image).keys() - {"_source"}:
            setattr(new, name, vars(image)[name])
        if isinstance(like, PILBase | TensorBase):
            new.__dict__.update(_given(like))
        return new

    def load(self) -> Any:
        """Decode the pixels if that has not happened; Pillow calls it before each look at them."""
        if self._source is not None:
            decoded = self._source.decode(self._mode, self._convert)
            self._source = None
            self._im, self._size, self.info = decoded.im, decoded.size, decoded.info
        return super().load()

    def _new(self, im: Any) -> Self:
        return self._of(super()._new(im), self)

    def transform(self, *args: Any, **kwargs: Any) -> Self:
        """What `PIL.Image.Image.transform` gives, of the same type."""
        return self._of(super().transform(*args, **kwargs), self)

    # -- sizes -----------------------------------------------------------------------------

    @property
    def n_px(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in the order of arrays."""
        return self.height, self.width

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height

    def reshape(self, h: int, w: int, resample: int = Image.Resampling.BILINEAR) -> Self:
        """The picture at height `h` and width `w`, in no regard of its proportions."""
        return self.resized_crop((0, 0, *self.size), (w, h), resample)

    def resize_max(
        self,
        resample: int = Image.Resampling.BILINEAR,
        max_px: int | None = None,
        max_h: int | None = None,
        max_w: int | None = None,
    ) -> Self:
        """The picture made smaller, in proportion, until it is within the limits given."""
        h, w = self.shape
        ratio = min(
            1.0,
            (max_px / self.n_px) ** 0.5 if max_px else 1.0,
            max_h / h if max_h else 1.0,
            max_w / w if max_w else 1.0,
        )
        if ratio == 1.0:
            return self
        return self.reshape(max(1, int(h * ratio)), max(1, int(w * ratio)), resample)

    def to_thumb(self, h: int, w: int | None = None) -> Self:
        """A copy that fits into height `h` and width `w` (`h` if None), in proportion."""
        return self.resize_max(max_h=h, max_w=h if w is None else w)

    # -- geometry --------------------------------------------------------------------------

    def resized_crop(
        self, box: Box, size: tuple[int, int], resample: int = Image.Resampling.BILINEAR
    ) -> Self:
        """The pixels of `box` (left, upper, right, lower) at `size` (width, height).

        The one way from a file to a small picture: a JPEG is decoded at the smallest of 1, 1/2, 1/4
        and 1/8 of its size at which `box` still has twice as many pixels a side as `size`.
        """
        image: Self = self
        source = self._source
        if isinstance(source, ImageSource) and resample != Image.Resampling.NEAREST:
            width, height = source.full_size
            fine = source.drafted(
                2 * size[0] * width / (box[2] - box[0]), 2 * size[1] * height / (box[3] - box[1])
            )
            if fine is not source:
                image, box = self._pending(fine, self._mode), fine.box(box)
        image.load()
        result = resize_region(image, box, size, resample)
        if isinstance(result, Resized):
            return self._pending(result, self._mode, self)
        return self._of(result, self)

    def crop_pad(
        self,
        size: int | Sequence[int],
        tl: Sequence[int] | None = None,
        orig_sz: Sequence[int] | None = None,
        pad_mode: str = PadMode.Zeros,
        resize_mode: int = Image.Resampling.BILINEAR,
        resize_to: Sequence[int] | None = None,
    ) -> Self:
        """A crop of `size` (width, height) whose corner is `tl`, padded where it leaves it.

        Args:
            size: one number for a square.
            tl: left and upper edge, negative for padding; in the middle if None.
            orig_sz: what the size of the picture was, for those that do not know it (points).
            pad_mode: what is painted outside, of `PadMode`.
            resize_mode: filter of Pillow for `resize_to`.
            resize_to: width and height to which the crop is brought; left alone if None.
        """
        del orig_sz  # a picture knows its size
        width, height = (size, size) if isinstance(size, int) else size
        left, upper = tl or ((self.width - width) // 2, (self.height - height) // 2)
        box = (left, upper, left + width, upper + height)
        target = (width, height) if resize_to is None else (resize_to[0], resize_to[1])
        if left >= 0 and upper >= 0 and box[2] <= self.width and box[3] <= self.height:
            return self.resized_crop(box, target, resize_mode)
        if target == (width, height):
            return self._of(padded_crop(self, (left, upper), target, pad_mode), self)
        # Made small first and padded then: less to decode, and mirrors the same pixels.
        (across, down), (x, y) = placed(self.size, box, target)
        small = self.resized_crop((0, 0, *self.size), (int(across), int(down)), resize_mode)
        return self._of(padded_crop(small, (int(x), int(y)), target, pad_mode), self)

    def flip_lr(self) -> Self:
        """The picture mirrored, left for right."""
        return self._of(self.transpose(Image.Transpose.FLIP_LEFT_RIGHT), self)

    def dihedral(self, k: int) -> Self:
        """One of the eight ways in which a square can lie, 0 being as it is."""
        return self if k == 0 else self._of(self.transpose(Image.Transpose(k - 1)), self)

    # -- out -------------------------------------------------------------------------------

    def to_bytes_format(self, format: str = "png") -> bytes:  # noqa: A002 - as users know it
        """The contents of a file that holds the picture in `format`."""
        buffer = io.BytesIO()
        self.save(buffer, format=format)
        return buffer.getvalue()

    def show(self, ctx: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # axes, not a viewer
        """Draw the picture on `ctx` (axes), a new figure when None. Returns the axes."""
        from layerwise.core.display.axes import show_image

        return show_image(np.asarray(self), ctx=ctx, **{**self._show_args, **kwargs})

    def __repr__(self) -> str:
        return f"{type(self).__name__} mode={self.mode} size={'x'.join(map(str, self.size))}"

    def __getstate__(self) -> Any:
        if self._source is not None:  # compressed, it is the smaller
            return None, {"_source": self._source, "_mode": self._mode, **_given(self)}
        return super().__getstate__(), _given(self)

    def __setstate__(self, state: Any) -> None:
        pixels, given = state
        PILBase.__init__(self)
        if pixels is not None:
            super().__setstate__(pixels)
        self.__dict__.update(given)
        if self._source is not None:
            self._size = self._source.size


class PILImage(PILBase):
    """A picture in colour (mode RGB)."""


class PILImageBW(PILImage):
    """A picture in shades of grey (mode L)."""

    _mode_held = "L"
    _show_args: ClassVar[dict[str, Any]] = {"cmap": "Greys"}


class PILMask(PILBase):
    """A class code for each pixel, 0 to 255 (mode L).

    The codes of a picture with a palette are its indices, whatever colours the palette gives them.
    """

    _mode_held = "L"
    _show_args: ClassVar[dict[str, Any]] = {
        "alpha": 0.5,
        "cmap": "tab20",
        "interpolation": "nearest",
    }

    @classmethod
    def _convert(cls, image: Image.Image, mode: str) -> Image.Image:
        return to_codes(image, mode)


def _given(x: object) -> dict[str, Any]:
    return {name: value for name, value in vars(x).items() if name not in _PILLOW_OWN}


def to_image(x: Any) -> Image.Image:
    """An array or a tensor as a plain Pillow image of 8 bits.

    Args:
        x: (H, W), (H, W, C) or, as a tensor, (C, H, W) with 1, 3 or 4 channels; bytes, floats
            from 0 to 1, or integers from 0 to 255. A Pillow image comes back as it is.

    Raises:
        ValueError: for another shape.

    Example:
        >>> to_image(torch.ones(3, 2, 5)).size
        (5, 2)
    """
    if isinstance(x, Image.Image):
        return x
    if isinstance(x, Tensor):
        plain = x.detach().cpu()
        plain = plain.as_plain() if isinstance(plain, TensorBase) else plain
        is_chw = plain.ndim == 3 and (
            isinstance(x, TensorImageBase) or (plain.shape[0] in (1, 3, 4) and plain.shape[2] > 4)
        )
        x = (plain.permute(1, 2, 0) if is_chw else plain).numpy()
    values = np.asarray(x)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise ValueError(
            f"a picture of shape {tuple(values.shape)}; give (H, W), (H, W, C), or a tensor "
            "(C, H, W), with 1, 3 or 4 channels"
        )
    if values.dtype.kind == "f":
        values = np.round(values.clip(0, 1) * 255)
    return Image.fromarray(np.ascontiguousarray(values, np.uint8))


def image2tensor(img: Image.Image) -> Tensor:
    """(C, H, W) bytes of a picture; (1, H, W) for one channel. Copied once, channel by channel.

    Example:
        >>> image2tensor(PILImage.create(np.zeros((2, 4, 3), np.uint8))).shape
        torch.Size([3, 2, 4])
    """
    source = getattr(img, "_source", None)
    if isinstance(source, Resized):
        return source.planes()
    if img.mode in ("RGB", "RGBA", "L"):
        planes = bytearray().join(img.tobytes("raw", band) for band in img.getbands())
        if planes:
            return torch.frombuffer(planes, dtype=torch.uint8).view(-1, img.height, img.width)
    values = torch.from_numpy(np.array(img))
    return values[None] if values.ndim == 2 else values.permute(2, 0, 1).contiguous()


_to_tensor: Dispatch = ToTensor.encodes


@_to_tensor.register
def _(self: ToTensor, x: PILBase) -> TensorImageBase:  # noqa: ARG001 - a method of ToTensor
    return TensorImageBase(image2tensor(x), **_given(x))


@_to_tensor.register
def _(self: ToTensor, x: PILImage) -> TensorImage:  # noqa: ARG001 - as above
    return TensorImage(image2tensor(x), **_given(x))


@_to_tensor.register
def _(self: ToTensor, x: PILImageBW) -> TensorImageBW:  # noqa: ARG001 - as above
    return TensorImageBW(image2tensor(x), **_given(x))


@_to_tensor.register
def _(self: ToTensor, x: PILMask) -> TensorMask:  # noqa: ARG001 - as above
    return TensorMask(image2tensor(x)[0], **_given(x))


@cast.register
def _(x: Image.Image, kind: Callable[..., Any]) -> Any:
    """As another of our types, with the pixels as they are."""
    if isinstance(kind, type) and issubclass(kind, PILBase):
        return x if isinstance(x, kind) else kind._of(x, x)
    make: Callable[..., Any] = kind
    return make(x)
