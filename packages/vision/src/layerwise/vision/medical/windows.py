"""Windows: the part of the range of Hounsfield units that is spread over the greys.

A window is a pair (width, level), the level being its middle.
"""

from typing import NamedTuple

from torch import Tensor

from layerwise.core.tensors import TensorBase, dress

__all__ = ["DicomWindows", "Window", "dicom_windows", "windowed"]

Window = tuple[float, float]
"""Width and level of a window."""


class DicomWindows(NamedTuple):
    """Windows that radiologists use on CT, each a pair (width, level) in Hounsfield units."""

    brain: Window = (80, 40)
    subdural: Window = (254, 100)
    stroke: Window = (8, 32)
    brain_bone: Window = (2800, 600)
    brain_soft: Window = (375, 40)
    lungs: Window = (1500, -600)
    mediastinum: Window = (350, 50)
    abdomen_soft: Window = (400, 50)
    liver: Window = (150, 30)
    spine_soft: Window = (250, 50)
    spine_bone: Window = (1800, 400)


dicom_windows = DicomWindows()
"""Windows by name, such as `dicom_windows.liver`."""


def windowed(x: Tensor, w: float, l: float) -> Tensor:  # noqa: E741 - level, as users know it
    """`x` with the window from `l - w / 2` to `l + w / 2` brought to 0 to 1, clamped.

    Args:
        x: Hounsfield units, or other values, of any shape.
        w: width of the window.
        l: its level, the value that becomes 0.5.

    Raises:
        ValueError: if the width is not positive.

    Example:
        >>> import torch
        >>> windowed(torch.tensor([-100.0, 0, 20, 80, 1000]), *dicom_windows.brain)
        tensor([0.0000, 0.0000, 0.2500, 1.0000, 1.0000])
    """
    if not w > 0:
        raise ValueError(f"a window of width {w}; give width and level, as (80, 40), in this order")
    plain = x.as_plain() if isinstance(x, TensorBase) else x
    done = ((plain.float() - (l - w / 2)) / w).clamp_(0, 1)
    return dress(done, x) if isinstance(x, TensorBase) else done


def share_in_window(x: Tensor, w: float, l: float) -> float:  # noqa: E741 - as above
    """Share of the values of `x` within a window, 0 to 1."""
    return float(((x > l - w / 2) & (x < l + w / 2)).double().mean())
