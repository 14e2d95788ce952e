"""Lists of tensors compute what each tensor would."""

import operator

import pytest
import torch

from layerwise.core.optim.lists import TensorList


def pair():
    generator = torch.Generator().manual_seed(0)
    make = lambda: [torch.rand(s, generator=generator) + 0.5 for s in ((3, 2), (4,), ())]
    return make(), make()


BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv]


@pytest.mark.parametrize("op", BINARY)
def test_operators_take_lists_and_numbers(op):
    a, b = pair()
    for right in (b, [2, 2, 2], [0.5, 0.5, 0.5]):
        other = TensorList(right) if right is b else right[0]
        for got, x, y in zip(op(TensorList(a), other), a, right, strict=True):
            torch.testing.assert_close(got, op(x, y))


@pytest.mark.parametrize("op", BINARY[:4])
def test_a_number_may_stand_left(op):
    a, _ = pair()
    for got, x in zip(op(2.0, TensorList(a)), a, strict=True):
        torch.testing.assert_close(got, op(2.0, x))


@pytest.mark.parametrize("op", [*BINARY[:4], *IN_PLACE])
def test_a_vector_has_one_entry_for_each_tensor(op):
    a, _ = pair()
    scales = torch.tensor([1.0, 2.0, 4.0])
    expected = [op(x.clone(), s.item()) for x, s in zip(a, scales, strict=True)]
    for got, x in zip(op(TensorList(a), scales), expected, strict=True):
        torch.testing.assert_close(got, x)


@pytest.mark.parametrize("op", IN_PLACE)
def test_operators_in_place_change_the_tensors(op):
    a, b = pair()
    expected = [op(x.clone(), y) for x, y in zip(a, b, strict=True)]
    values = TensorList(a)
    assert op(values, TensorList(b)) is values
    for x, y in zip(a, expected, strict=True):
        torch.testing.assert_close(x, y)


ONE = ["sqrt", "abs", "sign", "exp", "log", "reciprocal", "clone", "sqrt_", "zero_"]
TWO = ["maximum", "minimum", "copy_", "add_", "sub_", "mul_", "div_", "add"]
THREE = ["addcmul", "addcdiv", "addcmul_", "addcdiv_"]


@pytest.mark.parametrize("name", ONE + TWO + THREE)
def test_methods_equal_those_of_tensors(name):
    a, b = pair()
    count = 0 if name in ONE else 1 if name in TWO else 2
    kwargs = {"value": 0.3} if count == 2 else {"alpha": 0.3} if "add" in name else {}
    expected = [getattr(x.clone(), name)(*[y] * count, **kwargs) for x, y in zip(a, b, strict=True)]
    got = getattr(TensorList(a), name)(*[TensorList(b)] * count, **kwargs)
    for x, y in zip(got, expected, strict=True):
        torch.testing.assert_close(x, y)
    if name.endswith("_"):
        assert got[0] is a[0]


def test_other_methods():
    a, b = pair()
    values = TensorList(a)
    torch.testing.assert_close(values.clamp(0.8, 1.2)[0], a[0].clamp(0.8, 1.2))
    torch.testing.assert_close(values.lerp(TensorList(b), 0.3)[0], a[0].lerp(b[0], 0.3))
    torch.testing.assert_close((-values)[1], -a[1])
    torch.testing.assert_close(values.map(torch.atan2, TensorList(b))[1], torch.atan2(a[1], b[1]))
    assert values.zeros_like()[0].sum() == 0
    assert values.data is values
    assert repr(values) == "TensorList([(3, 2), (4,), ()])"
    scales = torch.tensor([1.0, 2.0, 4.0])
    expected = b[1] + 2 * a[1]
    torch.testing.assert_close(TensorList(b).add_(values, alpha=scales)[1], expected)


def test_a_vector_of_another_length_says_what_fits():
    a, _ = pair()
    with pytest.raises(ValueError, match="a vector of 3 numbers, one for each tensor"):
        TensorList(a) * torch.ones(2)


def test_what_has_no_method_is_said():
    a, _ = pair()
    with pytest.raises(AttributeError, match=r"use map\(erf\)"):
        TensorList(a).erf()
    with pytest.raises(ValueError, match="no gradients"):
        _ = TensorList(a).grad
