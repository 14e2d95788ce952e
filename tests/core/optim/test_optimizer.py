"""The optimizer around a recipe: user functions, errors, states, plans."""

import functools
import warnings

import pytest
import torch
from torch import nn

from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.lists import TensorList
from layerwise.core.optim.optimizer import Optimizer
from layerwise.core.optim.stats import average_grad, keeps, step_stat
from layerwise.core.optim.steppers import momentum_step, sgd_step


@keeps(sign_avg=torch.zeros_like)
def average_sign(p, mom, sign_avg):
    sign_avg.lerp_(p.grad.sign(), 1 - mom)


def sign_step(p, lr, sign_avg):
    p -= lr * sign_avg


@keeps(seen=0, largest=torch.zeros_like)
def returned_states(p, seen, largest):
    return {"seen": seen + 1, "largest": largest.maximum(p.grad.abs())}


def centred_step(p, lr):
    p_norm, grad_norm = yield p, p.grad
    p -= p.grad * (lr * p_norm / grad_norm)


def one_norm_step(p, lr):
    grad_norm = yield p.grad
    p -= p.grad * (lr / grad_norm)


def weight_of(*values: float) -> torch.Tensor:
    weight = torch.tensor(values, requires_grad=True)
    weight.grad = torch.ones_like(weight)
    return weight


def test_a_users_own_recipe_follows_its_equations():
    weight = weight_of(1.0, 2.0)
    opt = Optimizer([weight], [average_sign, sign_step], lr=0.5, mom=0.5)
    weight.grad = torch.tensor([3.0, -3.0])
    opt.step()
    assert weight.tolist() == [1 - 0.5 * 0.5, 2 + 0.5 * 0.5]
    opt.step()
    assert weight.tolist() == [0.75 - 0.5 * 0.75, 2.25 + 0.5 * 0.75]


def test_states_that_are_returned_are_kept():
    weight = weight_of(1.0)
    opt = Optimizer([weight], [returned_states, sgd_step], lr=0.5)
    for grad in (2.0, -3.0, 1.0):
        weight.grad = torch.tensor([grad])
        opt.step()
    assert opt.state[weight]["seen"] == 3
    assert opt.state[weight]["largest"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("step", "expected"), [(centred_step, [1.5, 2.0]), (one_norm_step, [2.7, 3.6])]
)
def test_a_stepper_gets_the_norms_of_whole_tensors_it_yields(step, expected, monkeypatch):
    from layerwise.core.optim import optimizer, plan

    monkeypatch.setattr(optimizer, "make_buckets", functools.partial(plan.make_buckets, tile=1))
    weight = torch.tensor([3.0, 4.0], requires_grad=True)
    weight.grad = torch.tensor([3.0, 4.0])
    opt = Optimizer([weight], [step], lr=0.5)
    opt.step()
    torch.testing.assert_close(weight.detach(), torch.tensor(expected))


def test_steppers_in_the_form_of_fastai_work():
    def my_step(p, lr, **kwargs):
        p.data.add_(p.grad.data, alpha=-lr)

    weight = weight_of(1.0)
    Optimizer([weight], [my_step], lr=0.25).step()
    assert weight.tolist() == [0.75]


def test_a_missing_hyper_is_named_with_what_to_do():
    with pytest.raises(ValueError, match=r"momentum_step asks for 'grad_avg'.*@keeps\(grad_avg"):
        Optimizer([weight_of(1.0)], [momentum_step], lr=0.1)
    with pytest.raises(ValueError, match=r"sgd_step asks for 'lr'.*pass lr=\.\.\."):
        Optimizer([weight_of(1.0)], [sgd_step])


def test_an_unknown_keyword_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"'momm'\. Did you mean 'mom'"):
        Optimizer([weight_of(1.0)], [average_grad, momentum_step], lr=0.1, momm=0.9)


def test_a_returned_state_that_is_not_declared_is_refused():
    def forgetful(p):
        return {"count": 1}

    opt = Optimizer([weight_of(1.0)], [forgetful])
    with pytest.raises(ValueError, match=r"forgetful returned 'count'.*@keeps\(count="):
        opt.step()


def test_a_norm_asked_of_a_list_says_to_yield_it():
    with pytest.raises(AttributeError, match="norms = yield p"):
        TensorList([torch.ones(2)]).norm()


def test_a_sparse_gradient_is_refused():
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(TypeError, match=r"dense gradients, so use nn\.Embedding\(sparse=False\)"):
        Adam(embedding.parameters(), lr=0.1).step()


def test_a_closure_is_run_with_gradients_and_its_loss_returned():
    weight = torch.tensor([1.0], requires_grad=True)
    opt = SGD([weight], lr=0.25)

    def closure():
        opt.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        assert opt.step(closure).item() == 1.0
    assert weight.tolist() == [0.5]
    assert opt.step() is None


def test_zero_grad_sets_gradients_to_none():
    weight = weight_of(1.0)
    SGD([weight], lr=0.1).zero_grad()
    assert weight.grad is None


def test_parameters_without_gradient_stay_and_keep_their_own_count():
    left, right = weight_of(1.0), weight_of(1.0)
    opt = Adam([left, right], lr=0.1)
    opt.step()
    right.grad = None
    opt.step()
    right.grad = torch.ones(1)
    opt.step()
    assert (opt.state[left]["step"], opt.state[right]["step"]) == (3, 2)
    assert left.item() < right.item()


def test_a_step_without_any_gradient_changes_nothing():
    weight = torch.ones(2, requires_grad=True)
    opt = Adam([weight], lr=0.1)
    opt.step()
    assert weight.tolist() == [1.0, 1.0]


def test_parameters_whose_memory_moved_are_followed():
    weight = torch.randn(3, 4, 5, 5).requires_grad_()
    twin = weight.detach().clone().requires_grad_()
    opts = [Adam([p], lr=0.1) for p in (weight, twin)]
    for step in range(4):
        grad = torch.full((3, 4, 5, 5), step + 1.0)
        for p, opt in zip((weight, twin), opts, strict=True):
            p.grad = grad.clone(memory_format=torch.preserve_format)
            opt.step()
        # The same parameter, in new memory and another layout.
        weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        weight.grad = None
    torch.testing.assert_close(weight, twin)


def test_new_tensors_put_in_the_state_are_used():
    weight = weight_of(1.0)
    opt = SGD([weight], lr=1.0, mom=0.5)
    opt.step()
    opt.state[weight]["grad_avg"] = torch.tensor([10.0])
    opt.step()
    assert weight.tolist() == [1 - 1 - (10 * 0.5 + 1)]


def test_clear_state_forgets_averages_and_keeps_flags():
    weight = weight_of(1.0)
    opt = SGD([weight], lr=1.0, mom=0.5)
    opt.set_flags([weight], do_wd=False)
    opt.step()
    opt.clear_state()
    assert opt.state[weight] == {}
    assert opt.flags_of(weight) == {"do_wd": False, "force_train": False}


def test_a_state_that_does_not_fit_raises_with_all_names_and_changes_nothing():
    small, large = weight_of(1.0), weight_of(1.0, 2.0)
    source, target = Adam([large], lr=0.1), SGD([small], lr=0.2, mom=0.9)
    source.step()
    target.step()
    before = target.state_dict()
    with pytest.raises(ValueError, match="does not fit this optimizer") as error:
        target.load_state_dict(source.state_dict())
    text = str(error.value)
    assert "state[0].grad_avg: saved as (2,), the parameter is (1,)" in text
    assert "state[0].sqr_avg: not kept here; kept are grad_avg" in text
    assert "hypers[0].sqr_mom: not known" in text
    assert "strict=False" in text
    assert target.state_dict()["hypers"] == before["hypers"]


def test_strict_false_loads_what_fits_and_says_what_did_not():
    source, target = Adam([weight_of(1.0)], lr=0.1), SGD([weight_of(1.0)], lr=0.2, mom=0.5)
    source.step()
    wrong = target.load_state_dict(source.state_dict(), strict=False)
    assert any("sqr_avg" in line for line in wrong)
    assert target.hypers == [{"lr": 0.1, "mom": 0.9, "wd": 0.01}]
    (entries,) = target.state_dict()["state"]
    assert list(entries) == ["grad_avg"]


def test_a_state_from_another_number_of_groups_is_refused():
    one, two = [weight_of(1.0), weight_of(2.0)], [[weight_of(1.0)], [weight_of(2.0)]]
    with pytest.raises(ValueError, match="saved for 1 groups, here are 2"):
        SGD(two, lr=0.1).load_state_dict(SGD(one, lr=0.1).state_dict())


def test_a_loaded_state_takes_the_layout_of_its_parameter():
    weight = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    opt = Adam([weight], lr=0.1)
    weight.grad = torch.randn_like(weight)
    opt.step()
    saved = opt.state_dict()
    saved["state"][0]["grad_avg"] = saved["state"][0]["grad_avg"].contiguous().double()
    opt.load_state_dict(saved)
    average = opt.state[weight]["grad_avg"]
    assert average.stride() == weight.stride()
    assert average.dtype == torch.float32


def test_the_state_dict_is_tensors_and_numbers():
    weight = weight_of(1.0)
    opt = Adam([weight], lr=0.1)
    opt.step()
    (entries,) = opt.state_dict()["state"]
    assert {name: type(value) for name, value in entries.items()} == {
        "grad_avg": torch.Tensor,
        "sqr_avg": torch.Tensor,
        "step": int,
    }


def test_param_groups_show_what_a_gradient_scaler_reads():
    weight = weight_of(1.0)
    (group,) = SGD([[weight]], lr=0.1).param_groups
    assert group["params"] == [weight]
    assert group["lr"] == 0.1
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    opt = SGD([weight], lr=0.25)
    weight.grad = None
    scaler.scale(weight.sum()).backward()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaler.unscale_(opt)
        scaler.step(opt)
    assert weight.tolist() == [0.75]


def test_gradients_are_left_as_they_were():
    weight = weight_of(1.0)
    opt = Optimizer(
        [weight],
        SGD([weight], lr=0.1, mom=0.9, decouple_wd=False).cbs,
        lr=0.1,
        mom=0.9,
        wd=0.5,
    )
    opt.step()
    assert weight.grad.tolist() == [1.0]


def test_two_counts_in_one_recipe_are_kept_once():
    weight = weight_of(1.0)
    opt = Optimizer([weight], [step_stat, sgd_step], lr=0.1)
    for _ in range(3):
        opt.step()
    assert opt.state[weight] == {"step": 3}


def test_large_tensors_are_cut_and_small_ones_share_a_tile():
    params = [torch.zeros(s, requires_grad=True) for s in [(600, 600), (5,), (7,), (10, 10)]]
    opt = Optimizer(params, [sgd_step], lr=1.0)
    for p in params:
        p.grad = torch.ones_like(p)
    opt.step()
    (bucket,) = opt._plan
    sizes = [[[t.numel() for t in tile.params] for tile in block] for block in bucket.blocks]
    assert sizes == [[[5, 7, 100]], [[180_000], [180_000]]]
    assert all(torch.all(p == -1) for p in params)
