"""Statistics alone."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.stats import average_grad, average_sqr_grad, debias, keeps, larc_layer_lr


@given(st.floats(0, 0.999), st.integers(1, 30))
def test_debias_is_the_sum_of_the_weights_of_an_average(mom, step):
    weights = [(1 - mom) * mom**age for age in range(step)]
    assert debias(mom, 1 - mom, step) == pytest.approx(sum(weights))


@pytest.mark.parametrize("dampening", [False, True])
def test_averages_follow_their_recurrences(dampening):
    grads = [torch.randn(3) for _ in range(4)]
    mean, square = TensorList([torch.zeros(3)]), TensorList([torch.zeros(3)])
    by_hand, by_hand_square = torch.zeros(3), torch.zeros(3)
    for grad in grads:
        p = TensorList([torch.zeros(3)], grad=TensorList([grad]))
        average_grad(p, mom=0.75, grad_avg=mean, dampening=dampening)
        average_sqr_grad(p, sqr_mom=0.75, sqr_avg=square, dampening=dampening)
        weight = 0.25 if dampening else 1.0
        by_hand = 0.75 * by_hand + weight * grad
        by_hand_square = 0.75 * by_hand_square + weight * grad**2
    torch.testing.assert_close(mean[0], by_hand)
    torch.testing.assert_close(square[0], by_hand_square)


@pytest.mark.parametrize(("clip", "expected"), [(True, [0.5, 0.5]), (False, [0.5, 5.0])])
def test_larc_rates_are_clipped_or_not(clip, expected):
    p = TensorList([torch.ones(1)] * 2, grad=TensorList([torch.ones(1)] * 2))
    request = larc_layer_lr(p, lr=0.5, trust_coeff=1.0, wd=0.0, eps=0.0, clip=clip)
    next(request)
    with pytest.raises(StopIteration) as end:
        # Norms of two tensors: 1 and 10, of gradients: 1 and 1.
        request.send((torch.tensor([1.0, 10.0]), torch.tensor([1.0, 1.0])))
    torch.testing.assert_close(end.value.value["local_lr"], torch.tensor(expected))


def test_a_statistic_pickles_by_name_and_keeps_its_docstring():
    assert pickle.loads(pickle.dumps(average_grad)) is average_grad
    assert average_grad.__doc__.startswith("Renew m")
    assert keeps(count=0)(lambda p, count: None).initial == {"count": 0}
