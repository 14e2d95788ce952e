import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.errors import BundleError
from layerwise.core.files import tensor_file
from layerwise.core.files.tensor_file import tensors_from_bytes, tensors_to_parts
from layerwise.core.tensors import TensorImage


def tensors_to_bytes(tensors):
    return b"".join(tensors_to_parts(tensors))


KINDS = sorted(tensor_file._NAMES, key=str)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_each_kind_is_what_safetensors_reads_and_writes(dtype):
    tensors = {"a": torch.arange(6).view(2, 3).to(dtype), "b": torch.ones((), dtype=torch.int8)}
    ours = tensors_to_bytes(tensors)
    for found in (safetensors.torch.load(ours), tensors_from_bytes(ours),
                  tensors_from_bytes(safetensors.torch.save(tensors))):  # fmt: skip
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype
            assert found[name].shape == tensor.shape
            same = found[name].reshape(-1).view(torch.uint8) == tensor.reshape(-1).view(torch.uint8)
            assert same.all()


TENSORS = [
    torch.zeros(0, 3), torch.tensor(2.5), torch.arange(12).view(3, 4).T,
    torch.ones(3, 1).expand(3, 4), torch.ones(5, dtype=torch.bool)[::2],
    torch.randn(2).requires_grad_(), TensorImage(torch.ones(1, 2, 2)),
]  # fmt: skip
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.dictionaries(NAMES, st.sampled_from(TENSORS), max_size=4))
def test_views_and_dressed_tensors_come_back(tensors):
    found = tensors_from_bytes(tensors_to_bytes(tensors))
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert type(found[name]) is torch.Tensor
        assert torch.equal(found[name], tensor.detach().as_subclass(torch.Tensor))


def test_no_weights_are_copied():
    weights = torch.zeros(4)
    part = tensors_to_parts({"a": weights})[1]
    weights[0] = 1
    assert bytes(part[:4]) == b"\0\0\x80\x3f"


def test_numbers_start_at_multiples_of_their_size():
    data = tensors_to_bytes({"a": torch.ones(3, dtype=torch.int8), "b": torch.ones(2).double()})
    size = int.from_bytes(data[:8], "little")
    header = tensor_file.check_header(data[:8], data[8 : 8 + size], len(data))
    assert size % 8 == 0
    assert header["b"]["data_offsets"] == [0, 16]


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (torch.ones(2, dtype=torch.complex128), "complex128"),
        (torch.ones(2, 2).to_sparse(), "sparse"),
        (torch.ones(2, device="meta"), "no values"),
    ],
    ids=["complex128", "sparse", "meta"],
)
def test_tensors_without_a_place_in_the_format_are_named(tensor, told):
    with pytest.raises(BundleError, match=f"'layer.weight' .*{told}"):
        tensors_to_bytes({"layer.weight": tensor})


def test_the_name_of_the_metadata_is_taken():
    with pytest.raises(BundleError, match="__metadata__"):
        tensors_to_bytes({"__metadata__": torch.ones(1)})
