"""Numbers become tensors, pictures floats, and normalising is undone by decoding."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from layerwise.core.data.dataset import TfmdLists
from layerwise.core.data.loaders import TfmdDL
from layerwise.core.display.titled import TitledFloat, TitledTuple
from layerwise.core.tensors import (
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorImageBW,
    TensorMask,
)
from layerwise.core.transforms.numeric import (
    IntToFloatTensor,
    Normalize,
    RegressionSetup,
    ToTensor,
    broadcast_vec,
)

pixels = st.integers(0, 2**32 - 1).map(
    lambda seed: torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
)


# -- regression -----------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "c"), [(3, 1), (2.5, 1), ([1, 2.0], 2), (np.zeros(3), 3)])
def test_numbers_become_floats_and_are_counted(value, c):
    step = RegressionSetup()
    step.setup([value, value])
    assert step.c == c
    encoded = step(value)
    assert type(encoded) is TensorBase
    assert encoded.dtype == torch.float32
    assert encoded.tolist() == np.asarray(value).tolist()


def test_numbers_decode_to_titles():
    step = RegressionSetup()
    one, several = step.decode(step(2.5)), step.decode(step([1.0, 2.0]))
    assert (one, type(one)) == (2.5, TitledFloat)
    assert (several, type(several)) == ((1.0, 2.0), TitledTuple)


def test_the_number_of_outputs_can_be_given():
    step = RegressionSetup(c=4)
    step.setup([1.0])
    assert step.c == 4


def test_an_empty_training_split_leaves_the_number_open():
    tl = TfmdLists([1.0, 2.0], [RegressionSetup()], splits=[[], [0, 1]])
    assert tl.valid[0].item() == 1.0


# -- to float -------------------------------------------------------------------------------


def test_pictures_are_scaled_and_masks_become_indices():
    image = TensorImage(torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16), source="a")
    mask = TensorMask(torch.tensor([[0, 255]], dtype=torch.uint8))
    label = TensorCategory(torch.tensor(3))
    x, y, z = IntToFloatTensor(div_mask=255)((image, mask, label))
    assert (type(x), x.dtype, x.source) == (TensorImage, torch.float32, "a")
    torch.testing.assert_close(x.as_plain(), image.as_plain() / 255)
    assert (type(y), y.dtype, y.tolist()) == (TensorMask, torch.int64, [[0, 1]])
    assert z is label


def test_scaling_leaves_what_it_was_given_alone():
    for dtype in (torch.uint8, torch.float32, torch.float64):
        image = TensorImage(torch.full((1, 2, 2), 51, dtype=dtype))
        made = IntToFloatTensor()(image)
        assert made.unique().item() == pytest.approx(0.2)
        assert image.unique().item() == 51


def test_decoding_clamps_for_showing():
    decoded = IntToFloatTensor().decode(TensorImageBW(torch.tensor([-0.5, 0.25, 1.5])))
    assert type(decoded) is TensorImageBW
    assert decoded.tolist() == [0, 0.25, 1]


def test_to_tensor_leaves_what_no_domain_has_registered():
    marker = object()
    assert ToTensor()(marker) is marker


# -- normalise ------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    pixels,
    st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 3), min_size=3, max_size=3),
)
def test_decode_undoes_normalising(x, mean, std):
    norm = Normalize.from_stats(mean, std)
    image = TensorImage(x)
    torch.testing.assert_close(norm.decode(norm(image)).as_plain(), x, atol=1e-5, rtol=1e-5)
    expected = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    torch.testing.assert_close(norm(image).as_plain(), expected)


def test_statistics_measured_on_one_batch_are_those_of_scikit_learn():
    data = [TensorImage(torch.rand(3, 4, 4) * (i + 1)) for i in range(8)]
    norm = Normalize()
    dl = TfmdDL(data, bs=8, after_batch=[norm], num_workers=0)
    table = torch.stack([d.as_plain() for d in data]).permute(0, 2, 3, 1).reshape(-1, 3)
    scaler = StandardScaler().fit(table.double().numpy())
    np.testing.assert_allclose(norm.mean.flatten(), scaler.mean_, rtol=1e-5)
    n = len(table)  # torch divides by n - 1, scikit-learn by n
    np.testing.assert_allclose(norm.std.flatten(), scaler.scale_ * (n / (n - 1)) ** 0.5, rtol=1e-5)
    batch = dl.one_batch()
    assert type(batch) is TensorImage
    np.testing.assert_allclose(batch.as_plain().mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(batch.as_plain().std((0, 2, 3)), 1, atol=1e-4)


def test_given_statistics_are_not_measured():
    norm = Normalize.from_stats([0.5], [0.25])
    TfmdDL([TensorImage(torch.rand(1, 2, 2))] * 4, bs=2, after_batch=[norm], num_workers=0)
    assert norm.mean.item() == 0.5


def test_statistics_on_other_axes():
    data = [TensorImage(torch.rand(2, 5)) for _ in range(4)]
    norm = Normalize(axes=(0, 2))
    TfmdDL(data, bs=4, after_batch=[norm], num_workers=0)
    assert norm.mean.shape == (1, 2, 1)


def test_a_single_picture_is_normalised_as_one_of_a_batch():
    norm = Normalize.from_stats([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    image = TensorImage(torch.rand(3, 4, 4))
    torch.testing.assert_close(norm(image).as_plain(), norm(image[None])[0].as_plain())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_precision_of_the_batch_is_kept(dtype):
    made = Normalize.from_stats([0.5], [0.25])(TensorImage(torch.ones(1, 1, 2, 2, dtype=dtype)))
    assert made.dtype == dtype
    assert made.unique().item() == 2


def test_whole_numbers_are_normalised_as_floats():
    made = Normalize.from_stats([0.5], [0.25])(
        TensorImage(torch.ones(1, 1, 2, 2, dtype=torch.uint8))
    )
    assert made.unique().item() == 2


def test_masks_and_labels_are_left_alone():
    mask = TensorMask(torch.ones(2, 2))
    assert Normalize.from_stats([0.5], [0.25])((mask, 3)) == (mask, 3)


def test_one_statistic_alone_is_refused_and_none_is_explained():
    with pytest.raises(ValueError, match="mean and std together"):
        Normalize(mean=[0.5])
    with pytest.raises(ValueError, match=r"no statistics yet; use Normalize.from_stats"):
        Normalize()(TensorImage(torch.zeros(1, 1, 2, 2)))


def test_normalize_pickles_with_its_statistics():
    norm = pickle.loads(pickle.dumps(Normalize.from_stats([0.5], [0.25])))
    assert norm(TensorImage(torch.ones(1, 1, 1, 1))).item() == 2


def test_broadcast_vec_puts_values_along_one_axis():
    mean, std = broadcast_vec(2, 3, [1, 2], torch.tensor([3.0, 4.0]))
    assert mean.shape == std.shape == (1, 1, 2)
    assert mean.flatten().tolist() == [1, 2]
    assert mean.dtype == torch.float32


def test_a_vector_of_one_output_decodes_to_a_number_as_its_target_does():
    step = RegressionSetup()
    step.setup([7.0, 8.0])
    found = step.decode(TensorBase([9.5]))
    assert (found, type(found)) == (9.5, TitledFloat)
