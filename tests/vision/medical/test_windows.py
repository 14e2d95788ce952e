"""Windows: what is black, what is white, and what lies between."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.vision.medical.tensors import TensorDicom
from layerwise.vision.medical.windows import dicom_windows, windowed


@given(st.floats(1, 4000), st.floats(-1000, 1000))
def test_a_window_maps_its_edges_to_0_and_1_and_its_level_to_a_half(width, level):
    values = torch.tensor([level - width / 2, level, level + width / 2])
    found = windowed(values, width, level)
    torch.testing.assert_close(found, torch.tensor([0.0, 0.5, 1.0]), atol=2e-3, rtol=0)


def test_values_beyond_the_window_are_black_and_white_and_the_argument_stays_as_it_is():
    values = torch.tensor([-1000, 0, 3000], dtype=torch.int16)
    assert windowed(values, *dicom_windows.liver).tolist()[::2] == [0, 1]
    assert values.tolist() == [-1000, 0, 3000]


def test_windows_are_pairs_that_radiologists_know():
    assert dicom_windows.brain == (80, 40)
    assert dicom_windows.lungs == (1500, -600)
    assert all(width > 0 for width, _ in dicom_windows)


def test_a_typed_tensor_keeps_its_type():
    assert isinstance(windowed(TensorDicom(torch.zeros(2, 2)), 80, 40), TensorDicom)


def test_width_and_level_in_the_wrong_order_are_told_from_a_negative_width():
    with pytest.raises(ValueError, match="give width and level"):
        windowed(torch.zeros(1), -600, 1500)
