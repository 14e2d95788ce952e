import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from sklearn.decomposition import PCA

from layerwise.core.arrays import (
    ArrayBase,
    ArrayImage,
    ArrayImageBase,
    ArrayImageBW,
    ArrayMask,
    Chunks,
    cat,
    concat,
    flatten_check,
    interp_1d,
    ismin_torch,
    load_array,
    logit,
    make_cross_image,
    notmax_torch,
    np_func,
    one_hot,
    one_hot_decode,
    pca,
    save_array,
    stack,
    tensor,
    tensored,
    unsqueeze,
    unsqueeze_,
)
from layerwise.core.items import L
from layerwise.core.tensors import TensorImage

# -- tensor --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (3, torch.tensor(3)),
        (2.5, torch.tensor(2.5)),
        (True, torch.tensor(True)),
        ([1, 2], torch.tensor([1, 2])),
        ([], torch.tensor([])),
        ([[1.0], [2.0]], torch.tensor([[1.0], [2.0]])),
        (range(3), torch.tensor([0, 1, 2])),
        ((i for i in (4, 5)), torch.tensor([4, 5])),
        (np.float64(1.5), torch.tensor(1.5)),
        (np.array(7), torch.tensor(7)),
        (np.arange(2.0), torch.tensor([0.0, 1.0])),
        (np.array([1, 65535], dtype=np.uint16), torch.tensor([1.0, 65535.0])),
        (np.array([2**32 - 1], dtype=np.uint32), torch.tensor([2**32 - 1])),
        (np.array([5], dtype=np.uint64), torch.tensor([5])),
        (np.array([1.5], dtype=np.longdouble), torch.tensor([1.5])),
        (np.array([1, 2], dtype=">i4"), torch.tensor([1, 2], dtype=torch.int32)),
        (np.arange(3)[::-1], torch.tensor([2, 1, 0])),
        (np.array([1, 2.5], dtype=object), torch.tensor([1, 2.5])),
        ([np.array([1, 2]), np.array([3, 4])], torch.tensor([[1, 2], [3, 4]])),
        ([np.int64(1), np.int64(2)], torch.tensor([1, 2])),
        ([torch.tensor([1, 2]), torch.tensor([3, 4])], torch.tensor([[1, 2], [3, 4]])),
        ([[torch.tensor(1)], [torch.tensor(2)]], torch.tensor([[1], [2]])),
        (L([1, 2]), torch.tensor([1, 2])),
        (torch.tensor([1.0], dtype=torch.float64), torch.tensor([1.0])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tensor_takes_anything_made_of_numbers(x, expected):
    found = tensor(x)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def test_tensor_takes_several_elements_and_the_settings_of_torch():
    assert tensor(1, 2, 3).tolist() == [1, 2, 3]
    assert tensor([1.5], dtype=torch.float64).dtype is torch.float64
    assert tensor(2, device="meta").device.type == "meta"
    assert tensor([1.0], requires_grad=True).requires_grad
    assert tensor(np.arange(2, dtype=np.uint16), dtype=torch.int32).dtype is torch.int32


def test_tensor_refuses_an_unknown_setting():
    with pytest.raises(TypeError, match="dtyp"):
        tensor(1, dtyp=torch.float)  # type: ignore[call-arg]  # what is tested


def test_tensor_shares_the_memory_of_arrays_and_keeps_typed_tensors():
    array = np.zeros(2, dtype=np.float32)
    tensor(array)[0] = 1
    assert array[0] == 1
    image = TensorImage(torch.zeros(3, 2, 2))
    assert tensor(image) is image


def test_tensor_copies_arrays_that_may_not_be_written():
    array = np.zeros(2, dtype=np.float32)
    array.flags.writeable = False
    tensor(array)[0] = 1
    assert array[0] == 0


def test_tensor_takes_frames_series_and_pictures():
    pd = pytest.importorskip("pandas")
    pil = pytest.importorskip("PIL.Image")
    assert tensor(pd.DataFrame({"a": [1, 2], "b": [0.5, 1]})).tolist() == [[1, 0.5], [2, 1]]
    assert tensor(pd.Series([1, 2])).dtype is torch.int64
    mixed = pd.DataFrame({"a": [1, 2], "b": [True, False]}, dtype=object)
    assert tensor(mixed).tolist() == [[1, 1], [2, 0]]
    assert tensor(pil.new("RGB", (4, 2), (1, 2, 3))).shape == (2, 4, 3)
    assert tensor(pil.new("I;16", (2, 2), 60000)).max() == 60000
    assert tensor(pil.new("1", (2, 2))).dtype is torch.bool


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("cat", "turn labels into indices"),
        (None, "tensor got NoneType"),
        (["cat"], "turn labels into indices"),
        (object(), "tensor got object"),
        (np.array(["a"]), "only numbers make a tensor"),
        (np.array(["a", 1], dtype=object), "only numbers make a tensor"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "Encode the other columns first"),
    ],
)
def test_tensor_says_what_is_no_number(x, message):
    with pytest.raises(TypeError, match=message):
        tensor(x)


def test_tensor_says_what_to_do_about_rows_of_several_lengths():
    with pytest.raises(ValueError, match="expected sequence") as error:
        tensor([[1, 2], [3]])
    assert "pad them" in error.value.__notes__[0]
    with pytest.raises(ValueError, match=r"several shapes: \[\(2,\), \(3,\)\]"):
        tensor([torch.ones(2), torch.ones(3)])
    with pytest.raises(ValueError, match="too large for int64"):
        tensor(np.array([2**63], dtype=np.uint64))


@settings(max_examples=50, deadline=None)
@given(
    stn.arrays(
        st.sampled_from(["uint8", "int16", "int32", "int64", "uint16", "float32", "bool"]),
        stn.array_shapes(min_dims=0, max_dims=3, max_side=4),
        elements={"allow_nan": False},
    )
)
def test_tensor_keeps_shape_and_values_of_arrays(array):
    assert np.array_equal(tensor(array).numpy(), array)
    assert np.array_equal(tensor(array.tolist()).numpy(), array)


def test_lists_of_tensors_are_made_stacked_and_joined():
    assert [type(x) for x in tensored([1, np.zeros(2)])] == [torch.Tensor] * 2
    assert stack([np.zeros(2), torch.ones(2)]).tolist() == [[0, 0], [1, 1]]
    assert cat([[1], np.array([2, 3])]).tolist() == [1, 2, 3]


def test_concat_gives_the_type_of_its_first_argument():
    assert concat() == []
    assert concat([1], [2, 3]) == [1, 2, 3]
    assert concat((1,), [2]) == (1, 2)
    assert isinstance(concat(L([1]), [2]), L)
    assert concat(np.array([1]), np.array([2])).tolist() == [1, 2]
    assert concat(torch.tensor([1]), torch.tensor([2])).tolist() == [1, 2]


# -- chunks --------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(), max_size=4), min_size=1, max_size=5),
    st.integers(-25, 25),
    st.integers(-25, 25),
    st.integers(1, 3),
)
def test_chunks_are_indexed_like_the_joined_list(parts, start, stop, step):
    joined = [x for part in parts for x in part]
    chunks = Chunks(parts)
    assert len(chunks) == len(joined)
    assert chunks[start:stop:step] == joined[start:stop:step]
    assert [chunks[i] for i in range(len(joined))] == joined
    if joined:
        assert chunks[-1] == joined[-1]
    with pytest.raises(IndexError):
        chunks[len(joined)]


def test_chunks_of_tensors_give_tensors_and_read_only_what_is_asked_for():
    chunks = Chunks([torch.tensor([0, 1]), torch.tensor([2]), torch.tensor([3, 4])])
    assert torch.equal(chunks[1:4], torch.tensor([1, 2, 3]))
    lazy = Chunks([None, [5, 6]], lens=[3, 2])
    assert lazy[3:] == [5, 6]


def test_chunks_refuse_lengths_that_do_not_fit_and_steps_backwards():
    with pytest.raises(ValueError, match="1 lengths for 2 chunks"):
        Chunks([[1], [2]], lens=[1])
    with pytest.raises(ValueError, match="forwards only"):
        Chunks([[1, 2]])[::-1]


# -- typed arrays --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ArrayBase, ArrayImageBase, ArrayImage, ArrayImageBW, ArrayMask])
def test_typed_arrays_keep_their_type_and_the_memory(kind):
    base = np.zeros((2, 3), dtype=np.uint8)
    typed = kind(base)
    typed[0, 0] = 9
    assert base[0, 0] == 9
    assert type(typed[:1] + 1) is kind
    assert type(kind(torch.zeros(2, 2))) is kind
    assert type(tensor(typed)) is torch.Tensor


# -- operations ----------------------------------------------------------------------------


def test_unsqueeze_adds_axes_in_place_or_not():
    x = torch.zeros(2, 3)
    assert unsqueeze(x, n=2).shape == (2, 3, 1, 1)
    assert x.shape == (2, 3)
    assert unsqueeze_(x, dim=1) is x
    assert list(x.shape) == [2, 1, 3]


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(0, 6)))
def test_one_hot_decode_undoes_one_hot(classes):
    encoded = one_hot(sorted(classes), c=7)
    assert encoded.sum() == len(classes)
    assert list(one_hot_decode(encoded)) == sorted(classes)
    assert list(one_hot_decode(encoded, vocab="abcdefg")) == ["abcdefg"[i] for i in sorted(classes)]


def test_one_hot_takes_tensors_and_says_which_index_is_too_large():
    assert one_hot(torch.tensor([1]), 2).tolist() == [0, 1]
    assert one_hot(torch.tensor([]), 2).tolist() == [0, 0]
    assert one_hot(1, 3).tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="from 0 to 3 for c=3 classes; they go from 0 to 2"):
        one_hot([0, 3], c=3)
    with pytest.raises(ValueError, match="from -1 to -1"):
        one_hot([-1], c=3)


def test_logit_undoes_sigmoid_and_is_finite_at_the_ends():
    x = torch.tensor([-2.0, 0.0, 3.0])
    torch.testing.assert_close(logit(x.sigmoid()), x)
    assert logit(torch.tensor([0.0, 1.0])).isfinite().all()


def test_flatten_check_tells_both_shapes_when_they_do_not_fit():
    with pytest.raises(
        ValueError, match=r"predictions of shape \(2, 3\) and targets of shape \(2,\).*axis"
    ):
        flatten_check(torch.zeros(2, 3), torch.zeros(2))


def test_make_cross_image_has_its_bars_in_the_middle():
    bw, colour = make_cross_image(), make_cross_image(bw=False)
    assert bw.sum() == 9
    assert colour.shape == (3, 5, 5)
    assert colour.amax(0).equal(bw)
    assert colour[2].sum() == 0


def test_np_func_hides_numpy_from_tensors():
    clip = np_func(np.clip)
    found = clip(torch.tensor([1.0, 5.0], requires_grad=True), 0, a_max=torch.tensor(2.0))
    assert found.tolist() == [1, 2]
    assert clip.__name__ == "clip"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=6), st.integers(1, 5))
def test_interp_1d_agrees_with_numpy(x, points):
    xp = np.cumsum(np.arange(1.0, points + 1)) - 5
    fp = np.sin(xp)
    found = interp_1d(torch.tensor(x), torch.tensor(xp).float(), torch.tensor(fp).float())
    np.testing.assert_allclose(found.numpy(), np.interp(x, xp, fp), atol=1e-5)


def test_interp_1d_needs_as_many_values_as_positions():
    with pytest.raises(ValueError, match="2 positions for 1 values"):
        interp_1d(torch.zeros(1), torch.zeros(2), torch.zeros(1))


def test_pca_agrees_with_scikit_learn_but_for_the_sign():
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 7)
    ours, theirs = pca(x, k=3), PCA(3).fit_transform(x.numpy())
    np.testing.assert_allclose(ours.abs().numpy(), np.abs(theirs), atol=1e-3)
    with pytest.raises(ValueError, match=r"k=7 for \(40, 6\); it can be 6 at most"):
        pca(x, k=7)


# -- files and versions --------------------------------------------------------------------


def test_arrays_come_back_from_a_file(tmp_path):
    x = torch.arange(6.0).view(2, 3)
    path = save_array(tmp_path / "values", x)
    assert path.name == "values.npy"
    assert np.array_equal(load_array(path), x.numpy())
    assert save_array(path, [1, 2]) == path
    assert load_array(path).tolist() == [1, 2]


def test_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(TypeError, match="save_array writes numbers"):
        save_array(tmp_path / "x", np.array([object()]))
    assert not list(tmp_path.iterdir())
    np.save(tmp_path / "bad.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        load_array(tmp_path / "bad.npy")


def test_versions_of_torch_are_compared_by_number(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.10.1+cu130")
    assert ismin_torch("2.9")
    assert ismin_torch("2.10.1")
    assert not ismin_torch("2.11")
    assert notmax_torch("2.11")
    assert not notmax_torch("2.10")
    with pytest.raises(ValueError, match="'newest' is no version"):
        ismin_torch("newest")
