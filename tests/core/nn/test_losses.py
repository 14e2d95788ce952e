"""Losses against torch, numpy and numbers worked out by hand."""

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.nn import (
    BaseLoss,
    BCELossFlat,
    BCEWithLogitsLossFlat,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLoss,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropy,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
    NoneReduce,
)

CLASS_LOSSES = [CrossEntropyLossFlat, FocalLossFlat, LabelSmoothingCrossEntropyFlat]
VALUE_LOSSES = [MSELossFlat, L1LossFlat, BCEWithLogitsLossFlat, BCELossFlat]


def outputs(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def classes(*shape, count, seed=1):
    return torch.randint(count, shape, generator=torch.Generator().manual_seed(seed))


# Cross entropy


@settings(max_examples=25, deadline=None)
@given(
    space=st.lists(st.integers(1, 4), max_size=3), count=st.integers(2, 5), batch=st.integers(1, 4)
)
def test_the_axis_of_classes_may_be_second_or_last(space, count, batch):
    inp, targ = outputs(batch, count, *space), classes(batch, *space, count=count)
    expected = F.cross_entropy(inp, targ)
    torch.testing.assert_close(CrossEntropyLossFlat(axis=1)(inp, targ), expected)
    torch.testing.assert_close(CrossEntropyLossFlat()(inp.movedim(1, -1), targ), expected)


@pytest.mark.parametrize("loss_cls", CLASS_LOSSES)
def test_losses_of_items_come_in_the_order_of_the_targets(loss_cls):
    inp, targ = outputs(2, 3, 4, 5), classes(2, 4, 5, count=3)
    loss = loss_cls(axis=1, reduction="none")(inp, targ)
    assert loss.shape == (40,)
    one = loss_cls(axis=1)(inp[1:, :, 2:3, 3:4], targ[1:, 2:3, 3:4])
    torch.testing.assert_close(loss.view(2, 4, 5)[1, 2, 3], one)


def test_cross_entropy_takes_the_settings_of_torch():
    inp, targ = outputs(6, 4), classes(6, count=4)
    given = {"weight": torch.tensor([1.0, 2, 3, 4]), "ignore_index": 2, "label_smoothing": 0.1}
    expected = F.cross_entropy(inp, targ, **given)
    torch.testing.assert_close(CrossEntropyLossFlat(**given)(inp, targ), expected)


def test_probabilities_may_be_targets():
    inp, targ = outputs(2, 4, 3), outputs(2, 4, 3, seed=2).softmax(1)
    torch.testing.assert_close(CrossEntropyLossFlat(axis=1)(inp, targ), F.cross_entropy(inp, targ))


def test_targets_of_any_number_type_and_with_a_lone_axis_are_classes():
    inp, targ = outputs(6, 4), classes(6, count=4)
    expected = F.cross_entropy(inp, targ)
    for other in (targ.float(), targ.int(), targ.to(torch.uint8), targ[:, None]):
        torch.testing.assert_close(CrossEntropyLossFlat()(inp, other), expected)


@pytest.mark.parametrize("loss_cls", CLASS_LOSSES)
def test_class_losses_give_probabilities_and_classes(loss_cls):
    loss, x = loss_cls(axis=1), outputs(2, 3, 4)
    torch.testing.assert_close(loss.activation(x).sum(1), torch.ones(2, 4))
    assert torch.equal(loss.decodes(loss.activation(x)), x.argmax(1))
    assert loss.y_int


@pytest.mark.parametrize("loss_cls", CLASS_LOSSES)
def test_a_wrong_number_of_targets_is_explained(loss_cls):
    with pytest.raises(ValueError, match=r"5 targets for outputs that flatten to \(6, 4\)"):
        loss_cls()(outputs(6, 4), classes(5, count=4))


# Focal loss and label smoothing


def test_focal_loss_is_worked_out_by_hand():
    probability = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    loss = FocalLoss(gamma=2, reduction="none")(probability.log(), torch.tensor([0, 0]))
    expected = [0.1**2 * -np.log(0.9), 0.7**2 * -np.log(0.3)]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_class_weights_scale_the_focal_loss_and_not_its_probability():
    inp, targ, weight = outputs(6, 3), classes(6, count=3), torch.tensor([1.0, 2.0, 0.5])
    plain = FocalLossFlat(reduction="none")(inp, targ)
    torch.testing.assert_close(
        FocalLossFlat(weight=weight, reduction="none")(inp, targ), plain * weight[targ]
    )


@given(st.floats(0, 5))
def test_focal_loss_is_at_most_cross_entropy_and_equal_for_gamma_zero(gamma):
    inp, targ = outputs(8, 3), classes(8, count=3)
    entropy = F.cross_entropy(inp, targ)
    assert FocalLoss(gamma)(inp, targ) <= entropy + 1e-6
    torch.testing.assert_close(FocalLoss(0)(inp, targ), entropy)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_label_smoothing_mixes_the_class_with_all_classes(reduction):
    inp, targ = outputs(5, 4), classes(5, count=4)
    logs = inp.log_softmax(-1)
    each = 0.8 * -logs[range(5), targ] + 0.2 * -logs.mean(-1)
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    loss = LabelSmoothingCrossEntropy(eps=0.2, reduction=reduction)
    torch.testing.assert_close(loss(inp, targ), expected)
    flat = LabelSmoothingCrossEntropyFlat(eps=0.2, reduction=reduction)
    torch.testing.assert_close(flat(inp, targ), expected)
    assert torch.equal(loss.decodes(loss.activation(inp)), inp.argmax(-1))


def test_label_smoothing_takes_class_weights():
    inp, targ, weight = outputs(5, 3), classes(5, count=3), torch.tensor([1.0, 2.0, 3.0])
    expected = F.cross_entropy(inp, targ, weight=weight, label_smoothing=0.1)
    torch.testing.assert_close(LabelSmoothingCrossEntropy(weight=weight)(inp, targ), expected)
    torch.testing.assert_close(LabelSmoothingCrossEntropyFlat(weight=weight)(inp, targ), expected)


# Values


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(MSELossFlat(), 2.5), (L1LossFlat(), 1.5), (MSELossFlat(reduction="sum"), 5.0)],
)
@pytest.mark.parametrize("shapes", [((2, 1), (2,)), ((2,), (2, 1)), ((1, 2), (2,))])
def test_a_lone_axis_never_broadcasts(loss, expected, shapes):
    inp, targ = torch.zeros(shapes[0]), torch.tensor([1, 2]).view(shapes[1])
    assert loss(inp, targ).item() == expected


@pytest.mark.parametrize("loss_cls", VALUE_LOSSES)
def test_values_that_do_not_fit_are_explained(loss_cls):
    with pytest.raises(ValueError, match=r"targets of shape \(4,\) for outputs of shape \(4, 3\)"):
        loss_cls()(torch.zeros(4, 3), torch.zeros(4))


@pytest.mark.parametrize("dtype", [torch.long, torch.bool, torch.double, torch.half])
def test_targets_become_floating_point_of_the_width_of_outputs(dtype):
    inp, targ = outputs(4, 3), torch.tensor([[0, 1, 1]] * 4).to(dtype)
    expected = F.binary_cross_entropy_with_logits(inp, targ.float())
    loss = BCEWithLogitsLossFlat()(inp, targ)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        BCELossFlat()(inp.sigmoid(), targ), F.binary_cross_entropy(inp.sigmoid(), targ.float())
    )
    torch.testing.assert_close(MSELossFlat()(inp, targ), F.mse_loss(inp, targ.float()))


def test_weights_by_class_need_no_stretching():
    inp, targ = outputs(4, 3), classes(4, 3, count=2)
    weight, pos_weight = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([5.0, 1.0, 2.0])
    expected = F.binary_cross_entropy_with_logits(
        inp, targ.float(), weight=weight, pos_weight=pos_weight, reduction="none"
    )
    loss = BCEWithLogitsLossFlat(weight, pos_weight=pos_weight)
    torch.testing.assert_close(loss(inp, targ), expected.mean())
    loss.reduction = "none"
    torch.testing.assert_close(loss(inp, targ), expected.flatten())
    second = BCEWithLogitsLossFlat(weight, pos_weight=pos_weight, axis=1, reduction="none")
    shaped, labels = inp.T.reshape(1, 3, 4), targ.T.reshape(1, 3, 4)
    torch.testing.assert_close(second(shaped, labels), expected.T.flatten())


def test_a_threshold_decides_for_each_class():
    loss = BCEWithLogitsLossFlat(thresh=0.8)
    x = torch.tensor([0.0, 1.0, 2.0])  # 0.5, 0.73, 0.88
    torch.testing.assert_close(loss.activation(x), 1 / (1 + (-x).exp()))
    assert loss.decodes(loss.activation(x)).tolist() == [False, False, True]


def test_numbers_are_decoded_as_they_are():
    x = torch.rand(3)
    assert MSELossFlat().decodes(MSELossFlat().activation(x)) is x


# Dice


def test_dice_is_worked_out_by_hand():
    # Sure of class 1 in three of four pixels, of which two are right; one pixel of it is missed.
    said, true = torch.tensor([[[1, 1, 1, 0]]]), torch.tensor([[[1, 1, 0, 1]]])
    inp = F.one_hot(said, 2).movedim(-1, 1) * 100.0
    loss = DiceLoss(reduction="none")(inp, true)
    # class 0: 0 shared of 1 + 1; class 1: 2 shared of 3 + 3
    torch.testing.assert_close(loss, torch.tensor([[1.0, 1 - 4 / 6]]))
    assert DiceLoss()(inp, true).item() == pytest.approx(1 + 1 / 3, rel=1e-5)
    assert DiceLoss(reduction="mean")(inp, true).item() == pytest.approx(2 / 3, rel=1e-5)


@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("axis", [1, -1])
def test_dice_follows_its_formula(square, axis):
    inp, targ = outputs(2, 3, 4, 5), classes(2, 4, 5, count=3)
    p = inp.softmax(1).numpy().astype(np.float64)
    t = np.stack([targ.numpy() == c for c in range(3)], axis=1)
    shared, union = (p * t).sum((2, 3)), ((p**2 if square else p) + t).sum((2, 3))
    expected = (1 - (2 * shared + 1e-6) / (union + 1e-6)).sum()
    loss = DiceLoss(axis=axis, square_in_union=square)
    out = loss(inp.movedim(1, axis), targ)
    assert out.item() == pytest.approx(expected, rel=1e-5)
    assert torch.equal(loss.decodes(inp.movedim(1, axis)), inp.argmax(1))


def test_dice_needs_targets_without_classes():
    with pytest.raises(ValueError, match=r"targets of shape \(2, 5, 4\)"):
        DiceLoss()(outputs(2, 3, 4, 5), classes(2, 5, 4, count=3))


# What holds for all


ALL_LOSSES = [(cls(), outputs(4, 3).sigmoid(), classes(4, 3, count=2)) for cls in VALUE_LOSSES] + [
    (loss, outputs(4, 3, 2), classes(4, 2, count=3))
    for loss in (
        CrossEntropyLossFlat(axis=1, weight=torch.rand(3)),
        FocalLossFlat(axis=1, weight=torch.rand(3)),
        LabelSmoothingCrossEntropyFlat(axis=1),
        FocalLoss(),
        LabelSmoothingCrossEntropy(),
        DiceLoss(),
    )
]
IDS = [type(loss).__name__ for loss, _, _ in ALL_LOSSES]


@pytest.mark.parametrize(("loss", "inp", "targ"), ALL_LOSSES, ids=IDS)
def test_reduction_can_be_set_afterwards(loss, inp, targ):
    before = loss.reduction
    with NoneReduce(loss) as each:
        items = each(inp, targ)
    assert loss.reduction == before
    assert items.numel() > 1
    loss = copy.deepcopy(loss)
    loss.reduction = "sum"
    torch.testing.assert_close(loss(inp, targ), items.sum())


@pytest.mark.parametrize(("loss", "inp", "targ"), ALL_LOSSES, ids=IDS)
def test_copies_and_gradients(loss, inp, targ):
    inp = inp.clone().requires_grad_()
    loss(inp, targ).backward()
    assert inp.grad.isfinite().all()
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        torch.testing.assert_close(other(inp, targ), loss(inp, targ))


@pytest.mark.parametrize("loss_cls", [*CLASS_LOSSES, *VALUE_LOSSES, FocalLoss, DiceLoss])
def test_unknown_keywords_and_reductions_are_refused(loss_cls):
    with pytest.raises(TypeError, match="reductoin"):
        loss_cls(reductoin="sum")
    with pytest.raises(ValueError, match="'mean', 'sum', 'none'"):
        loss_cls(reduction="avg")


@pytest.mark.parametrize("loss_cls", CLASS_LOSSES)
def test_weights_move_with_the_loss(loss_cls):
    loss = loss_cls(weight=torch.rand(3)).to("meta")
    assert next(loss.buffers()).device.type == "meta"


def test_a_wrong_reduction_cannot_be_set():
    loss = MSELossFlat()
    with pytest.raises(ValueError, match="reduction='all'"):
        loss.reduction = "all"


def test_base_loss_wraps_any_loss_of_torch():
    loss = BaseLoss(nn.HuberLoss, delta=0.5, is_2d=False, floatify=True)
    inp, targ = outputs(4, 1), torch.arange(4)
    torch.testing.assert_close(loss(inp, targ), F.huber_loss(inp[:, 0], targ.float(), delta=0.5))
    shaped = BaseLoss(nn.MSELoss, flatten=False, is_2d=False, reduction="none")
    assert shaped(inp, inp).shape == (4, 1)


def test_none_reduce_passes_the_keyword_to_a_function():
    with NoneReduce(F.mse_loss) as each:
        assert each(torch.zeros(3), torch.ones(3)).tolist() == [1.0, 1.0, 1.0]


def test_losses_compile_into_one_graph():
    inp, targ = outputs(2, 3, 4), classes(2, 4, count=3)
    for loss in (CrossEntropyLossFlat(axis=1), FocalLossFlat(axis=1), DiceLoss()):
        compiled = torch.compile(loss, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(inp, targ), loss(inp, targ))


def test_a_class_without_an_output_is_named_with_what_to_do():
    masks = torch.tensor([[[0, 5], [1, 2]]])
    with pytest.raises(ValueError, match=r"from 0 to 5 for 3 outputs.*ignore_index"):
        CrossEntropyLossFlat(axis=1)(torch.zeros(1, 3, 2, 2), masks)
