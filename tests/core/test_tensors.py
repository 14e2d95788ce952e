"""A typed tensor computes what a plain one does and stays what it is."""

import copy
import operator
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from layerwise.core.data.collate import fa_collate
from layerwise.core.tensors import (
    TensorBase,
    TensorCategory,
    TensorFlowField,
    TensorImage,
    TensorImageBase,
    TensorImageBW,
    TensorMask,
    TensorMultiCategory,
    TitledTensorScalar,
    cast,
    dress,
    retain_meta,
    retain_type,
)

KINDS = [
    TensorBase,
    TensorCategory,
    TensorFlowField,
    TensorImage,
    TensorImageBW,
    TensorImageBase,
    TensorMask,
    TensorMultiCategory,
    TitledTensorScalar,
]


@pytest.fixture
def image():
    return TensorImage(torch.rand(3, 4, 5, dtype=torch.float64), source="cat.jpg", was=(4, 5))


def check(result, plain, like):
    """The same values as `plain`, the type and metadata of `like`."""
    assert type(result) is type(like)
    assert result.source == like.source
    assert result.was == like.was
    assert torch.equal(result.as_plain(), plain)


# -- making ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_type_is_made_of_tensors_arrays_and_lists(kind):
    values = [[1.0, 2.0], [3.0, 4.0]]
    for source in (torch.tensor(values), np.array(values, dtype="float32"), values):
        made = kind(source, origin="here")
        assert type(made) is kind
        assert made.origin == "here"
        assert torch.equal(made.as_plain(), torch.tensor(values))


def test_memory_is_shared_where_it_can_be():
    array, plain = np.zeros(3, dtype="float32"), torch.zeros(3)
    TensorBase(array)[0] = 1
    TensorBase(plain)[0] = 1
    assert array[0] == plain[0] == 1
    typed = TensorBase(plain)
    assert typed.as_plain().data_ptr() == plain.data_ptr()
    assert type(plain) is Tensor


def test_a_type_made_of_another_keeps_its_metadata_unless_given_anew(image):
    mask = TensorMask(image, source="other.png", codes=["sky"])
    assert (type(mask), mask.source, mask.was, mask.codes) == (
        TensorMask,
        "other.png",
        (4, 5),
        ["sky"],
    )
    assert image.source == "cat.jpg"
    assert not hasattr(image, "codes")


def test_the_family_is_what_dispatch_relies_on():
    assert issubclass(TensorImageBW, TensorImage)
    assert issubclass(TensorMask, TensorImageBase)
    assert not issubclass(TensorMask, TensorImage)
    assert issubclass(TensorMultiCategory, TensorCategory)


# -- operations -----------------------------------------------------------------------------

OPERATIONS = {
    "plus": lambda x: x + 1,
    "reflected": lambda x: 1 - x,
    "slice": lambda x: x[:2, 1:, ::2],
    "index": lambda x: x[0],
    "mask": lambda x: x[x > 0.5],
    "none and ellipsis": lambda x: x[None, ..., 0],
    "clone": lambda x: x.clone(),
    "detach": lambda x: x.detach(),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to(torch.float32),
    "float": lambda x: x.float(),
    "long": lambda x: (x * 10).long(),
    "mean": lambda x: x.mean((1, 2), keepdim=True),
    "sum": lambda x: x.sum(),
    "permute": lambda x: x.permute(1, 2, 0).contiguous(),
    "flip": lambda x: x.flip(-1),
    "view": lambda x: x.view(-1),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "compare": lambda x: x > 0.5,
    "where": lambda x: torch.where(x > 0.5, x, -x),
    "stack": lambda x: torch.stack([x, x]),
    "cat": lambda x: torch.cat((x, x), 1),
    "pad": lambda x: nn.functional.pad(x, (1, 1)),
    "interpolate": lambda x: nn.functional.interpolate(x[None], (2, 2), mode="bilinear"),
    "matmul": lambda x: x @ torch.ones(5, 2, dtype=x.dtype),
    "ones_like": torch.ones_like,
    "new_zeros": lambda x: x.new_zeros(2, 2),
    "new_ones": lambda x: x.new_ones(2),
    "new_full": lambda x: x.new_full((2,), 3.0),
    "new_tensor": lambda x: x.new_tensor([1.0, 2.0]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_type_metadata_and_values(image, name):
    check(OPERATIONS[name](image), OPERATIONS[name](image.as_plain()), image)


def test_new_empty_keeps_type_and_metadata(image):
    made = image.new_empty((7, 2))
    assert (type(made), made.shape, made.dtype, made.source) == (
        TensorImage,
        (7, 2),
        torch.float64,
        "cat.jpg",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_adds_one(kind):
    assert type(kind(torch.ones(2)) + 1) is kind


UNARY = [torch.neg, torch.abs, torch.exp, torch.sigmoid, torch.round, torch.sign, torch.relu]
BINARY = [operator.add, operator.sub, operator.mul, torch.maximum, torch.atan2, operator.lt]
REDUCING: list[Any] = [
    torch.sum,
    torch.mean,
    torch.amax,
    torch.std,
    torch.argmax,
    torch.cumsum,
    torch.softmax,
]
values = st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6).map(
    lambda v: torch.tensor(v).view(2, 3)
)


@settings(deadline=None)
@given(values, values, st.data())
def test_chains_of_operations_equal_those_of_plain_tensors(x, y, data):
    typed, plain = TensorImage(x, source="a"), x
    other_typed = data.draw(st.sampled_from([y, TensorMask(y)]))
    for _ in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["unary", "binary", "reflected", "reduce"]))
        if kind == "unary":
            f = data.draw(st.sampled_from(UNARY))
            typed, plain = f(typed), f(plain)
        elif kind == "reduce":
            f = data.draw(st.sampled_from(REDUCING[-2:]))
            typed, plain = f(typed, dim=1), f(plain, dim=1)
        else:
            f = data.draw(st.sampled_from(BINARY))
            typed, plain = f(typed, other_typed), f(plain, y)
        typed, plain = typed.float(), plain.float()
    assert type(typed) is TensorImage
    assert typed.source == "a"
    torch.testing.assert_close(typed.as_plain(), plain, rtol=0, atol=0, equal_nan=True)


@settings(deadline=None)
@given(values, st.sampled_from(REDUCING), st.integers(-2, 1))
def test_reductions_equal_those_of_plain_tensors(x, f, dim):
    typed = f(TensorImage(x), dim=dim)
    assert type(typed) is TensorImage
    torch.testing.assert_close(typed.as_plain(), f(x, dim=dim), rtol=0, atol=0, equal_nan=True)


def test_what_is_no_tensor_stays_so(image):
    assert image.shape == (3, 4, 5)
    assert type(image.shape) is torch.Size
    assert type(image.sum().item()) is float
    assert image[:, 0, 0].tolist() == image.as_plain()[:, 0, 0].tolist()
    assert type(image.numpy()) is np.ndarray
    assert image.stride() == (20, 5, 1)
    assert len(image) == 3
    assert repr(image).startswith("TensorImage(")
    assert f"{image.sum():.3f}" == f"{image.as_plain().sum():.3f}"


def test_named_tuples_keep_their_names_and_their_type(image):
    for result, plain in (
        (image.max(0), image.as_plain().max(0)),
        (image.topk(2), image.as_plain().topk(2)),
        (torch.sort(image), torch.sort(image.as_plain())),
    ):
        assert type(result) is type(plain)
        check(result.values, plain.values, image)
        check(result.indices, plain.indices, image)


def test_members_of_tuples_and_lists_are_typed(image):
    for part, plain in zip(image.unbind(0), image.as_plain().unbind(0), strict=True):
        check(part, plain, image)
    for part, plain in zip(torch.split(image, 2), torch.split(image.as_plain(), 2), strict=True):
        check(part, plain, image)
    for part, plain in zip(image, image.as_plain(), strict=True):
        check(part, plain, image)


def test_operations_in_place_change_the_object_itself(image):
    plain = image.as_plain().clone()
    same = image.add_(1).mul_(2)
    assert same is image
    check(image, (plain + 1) * 2, image)
    image[0] = 0
    image[1:] += 1
    plain = (plain + 1) * 2
    plain[0] = 0
    plain[1:] += 1
    check(image, plain, image)


def test_an_operation_in_place_on_a_plain_tensor_leaves_its_type(image):
    plain = torch.zeros(3, 4, 5, dtype=torch.float64)
    plain += image.as_plain()
    kept = plain
    plain.add_(image)
    assert type(kept) is Tensor
    torch.testing.assert_close(kept, 2 * image.as_plain())
    out = torch.empty(3, 4, 5, dtype=torch.float64)
    torch.add(image, 1, out=out)
    assert type(out) is Tensor
    assert torch.equal(out, image.as_plain() + 1)


def test_of_several_types_the_first_wins():
    image, mask = TensorImage(torch.ones(2), source="i"), TensorMask(torch.ones(2), source="m")
    plain = torch.ones(2)
    results = {
        "typed first": (image * mask, TensorImage, "i"),
        "other way round": (mask * image, TensorMask, "m"),
        "plain first": (plain + mask, TensorMask, "m"),
        "in a list": (torch.stack([plain, mask, image]), TensorMask, "m"),
        "by keyword": (torch.add(input=plain, other=image), TensorImage, "i"),
        "a subclass second": (image + TensorImageBW(plain), TensorImage, "i"),
    }
    for result, kind, source in results.values():
        assert type(result) is kind
        assert result.source == source


def test_metadata_of_a_result_are_its_own(image):
    result = image + 1
    result.source = "changed"
    assert image.source == "cat.jpg"


def test_requires_grad_keeps_the_object_and_gradients_flow(image):
    assert image.requires_grad_() is image
    (image * 3).sum().backward()
    assert torch.equal(image.grad, torch.full((3, 4, 5), 3.0, dtype=torch.float64))
    assert type(image.grad) is Tensor


def test_a_typed_parameter_trains():
    weight = nn.Parameter(TensorImage(torch.ones(2)))
    (weight * torch.tensor([1.0, 2.0])).sum().backward()
    torch.optim.SGD([weight], lr=1.0).step()
    assert weight.tolist() == [0.0, -1.0]


# -- copies and pickles ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("grad", [False, True])
def test_copies_keep_type_metadata_and_need_of_gradients(image, copied, grad):
    image.requires_grad_(grad)
    twin = copied(image)
    check(twin.detach(), image.as_plain().detach(), image)
    assert twin.requires_grad is grad
    assert twin.is_leaf


def test_a_deep_copy_shares_neither_memory_nor_metadata(image):
    image.tags = ["a"]
    twin = copy.deepcopy(image)
    twin.tags.append("b")
    twin[0] = -1
    assert image.tags == ["a"]
    assert image.min() >= 0


def test_a_deep_copy_of_two_references_is_one_object(image):
    one, other = copy.deepcopy([image, image])
    assert one is other


def test_a_deep_copy_of_a_result_in_a_graph_is_refused_as_by_torch(image):
    result = image.requires_grad_() * 2
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(result)


def test_torch_saves_and_loads_types(image, tmp_path):
    torch.save(image, tmp_path / "image")
    loaded = torch.load(tmp_path / "image", weights_only=False)
    check(loaded, image.as_plain(), image)


def test_types_share_their_memory_between_processes(image):
    queue = torch.multiprocessing.get_context("fork").SimpleQueue()
    queue.put(image)
    received = queue.get()
    check(received, image.as_plain(), image)
    received[0] = 7
    assert torch.equal(image.as_plain(), received.as_plain())


def test_metadata_that_would_hide_a_method_of_torch_are_refused():
    with pytest.raises(TypeError, match="metadata 'size' would hide"):
        TensorImage(torch.zeros(1), size=(4, 5))


def test_a_batch_of_types_is_of_that_type(image):
    batch = fa_collate([image, image + 1])
    check(batch, torch.stack([image.as_plain(), image.as_plain() + 1]), image)


# -- register_func, as_plain, dress ---------------------------------------------------------


def test_register_func_sets_what_comes_back_for_a_type_and_its_subclasses():
    class Logits(TensorBase): ...

    class Finer(Logits): ...

    Logits.register_func(Tensor.argmax)
    Logits.register_func(torch.softmax, TensorCategory)
    for kind in (Logits, Finer):
        x = kind(torch.eye(2), source="a")
        assert type(x.argmax(0)) is Tensor
        assert type(torch.softmax(x, 0)) is TensorCategory
        assert torch.softmax(x, 0).source == "a"
        assert type(x + 1) is kind
    assert type(TensorBase(torch.eye(2)).argmax(0)) is TensorBase


def test_as_plain_shares_memory_and_gradients(image):
    plain = image.as_plain()
    assert type(plain) is Tensor
    plain[0, 0, 0] = 9
    assert image[0, 0, 0].item() == 9
    image.requires_grad_()
    image.as_plain().sum().backward()
    assert image.grad.sum() == 60


def test_subclasses_change_by_as_subclass(image):
    assert type(image.as_subclass(TensorMask)) is TensorMask
    assert type(image.as_subclass(Tensor)) is Tensor


def test_dress_is_the_way_back(image):
    check(dress(image.as_plain() + 1, image), image.as_plain() + 1, image)


def test_a_compiled_model_takes_a_plain_view_and_gives_equal_results():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = TensorImage(torch.rand(2, 4), source="a")
    out = compiled(x.as_plain())
    assert type(out) is Tensor
    torch.testing.assert_close(out, model(x.as_plain()))
    out.sum().backward()
    assert model[0].weight.grad is not None


def test_inside_a_compiled_function_a_plain_view_computes_too():
    def step(x):
        return (x.as_plain() * 2 + 1).relu()

    x = TensorImage(torch.randn(2, 4))
    out = torch.compile(step, backend="eager")(x)
    torch.testing.assert_close(out, (x.as_plain() * 2 + 1).relu())


# -- cast and retain ------------------------------------------------------------------------


def test_cast_makes_the_kind_and_leaves_what_is_one(image):
    assert cast(image, TensorImage) is image
    assert cast(image, TensorImageBase) is image
    mask = cast(image, TensorMask)
    check(mask, image.as_plain(), TensorMask(image))
    assert cast("3", int) == 3
    assert cast(3, int) == 3
    assert cast(torch.tensor(3), int) == 3


def test_retain_type_puts_back_a_type_that_was_lost(image):
    plain = image.as_plain() + 1
    check(retain_type(plain, old=image), plain, image)
    assert type(retain_type(plain, kind=TensorMask)) is TensorMask
    check(retain_type(plain, old=image, kind=TensorImage), plain, image)


def test_retain_type_leaves_what_was_meant(image):
    assert retain_type("label", old=image) == "label"
    assert retain_type(None, old=image) is None
    mask = TensorMask(torch.zeros(2))
    assert retain_type(mask, old=image) is mask
    finer = TensorImageBW(torch.zeros(2))
    assert retain_type(finer, old=image) is finer
    assert retain_type(finer, kind=TensorImage) is finer
    assert type(retain_type(torch.zeros(2), old=torch.ones(2))) is Tensor


def test_retain_meta_and_set_meta_take_metadata_over(image):
    assert retain_meta(TensorMask(torch.zeros(1)), image).source == "cat.jpg"
    assert retain_meta("text", image) == "text"
    plain = retain_meta(torch.zeros(1), image)
    assert not hasattr(plain, "source")
    image.tags = []
    shared = TensorMask(torch.zeros(1)).set_meta(image)
    own = TensorMask(torch.zeros(1)).set_meta(image, as_copy=True)
    image.tags.append("new")
    assert shared.tags == ["new"]
    assert own.tags == []


# -- show -----------------------------------------------------------------------------------


def test_a_scalar_shows_as_a_title():
    assert TitledTensorScalar(torch.tensor(3)).show(ctx={}) == {"text": 3}


def test_pictures_and_masks_draw_on_axes():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert TensorImage(torch.rand(3, 4, 4)).show(ctx=ax) is ax
    assert TensorImageBW(torch.rand(1, 4, 4)).show(ctx=ax) is ax
    assert ax.images[1].get_cmap().name == "Greys"
    mask = TensorMask(torch.ones(4, 4, dtype=torch.uint8), codes=["sky", "road", "tree"])
    mask.show(ctx=ax)
    assert ax.images[2].get_clim() == (0, 3)
    assert ax.images[2].get_alpha() == 0.5
