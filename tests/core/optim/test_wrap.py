"""Torch's optimizers behind our interface."""

import copy
from functools import partial

import pytest
import torch

from layerwise.core.optim.wrap import OptimWrapper, detuplify_pg, set_item_pg


def make_params():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4, 3, generator=generator).requires_grad_() for _ in range(3)]


def set_grads(params):
    for p in params:
        p.grad = torch.ones_like(p)


@pytest.mark.parametrize(
    "opt",
    [
        partial(OptimWrapper, opt=torch.optim.AdamW, lr=0.1),
        partial(OptimWrapper, opt=partial(torch.optim.AdamW, lr=0.1)),
        lambda params: OptimWrapper(opt=torch.optim.AdamW(params, lr=0.1)),
    ],
)
def test_a_class_a_partial_and_an_instance_step_as_torch_does(opt):
    ours, theirs = make_params(), make_params()
    wrapped, plain = opt(ours), torch.optim.AdamW(theirs, lr=0.1)
    for _ in range(3):
        for params, optimizer in ((ours, wrapped), (theirs, plain)):
            set_grads(params)
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("kind", "kwargs", "expected"),
    [
        (torch.optim.SGD, {"momentum": 0.9}, {"lr": 0.1, "mom": 0.9, "wd": 0}),
        (torch.optim.RMSprop, {"alpha": 0.95}, {"sqr_mom": 0.95, "mom": 0, "eps": 1e-8}),
        (torch.optim.Adam, {"betas": (0.8, 0.99)}, {"mom": 0.8, "sqr_mom": 0.99, "wd": 0}),
    ],
)
def test_hypers_have_our_names(kind, kwargs, expected):
    opt = OptimWrapper(make_params(), kind, lr=0.1, **kwargs)
    (hypers,) = opt.hypers
    assert {name: hypers[name] for name in expected} == expected


def test_setting_our_names_sets_torchs():
    params = make_params()
    opt = OptimWrapper([params[:1], params[1:]], torch.optim.Adam, lr=0.1)
    opt.set_hypers(lr=slice(1e-3, 1e-1), mom=0.8, sqr_mom=[0.9, 0.95], wd=0.3)
    low, high = opt.opt.param_groups
    assert (low["lr"], high["lr"]) == (1e-3, 1e-1)
    assert (low["betas"], high["betas"]) == ((0.8, 0.9), (0.8, 0.95))
    assert high["weight_decay"] == 0.3


def test_an_unknown_hyper_is_refused_with_the_nearest():
    opt = OptimWrapper(make_params(), torch.optim.SGD, lr=0.1)
    with pytest.raises(ValueError, match=r"no hyper-parameter 'moms'\. Did you mean 'mom'"):
        opt.set_hyper("moms", 0.9)


def test_groups_freeze_and_unfreeze():
    params = make_params()
    opt = OptimWrapper([params[:2], params[2:]], torch.optim.SGD, lr=0.1)
    start = [p.detach().clone() for p in params]
    opt.set_flags([params[1]], force_train=True)
    set_grads(params)
    opt.freeze()
    assert [p.grad is None for p in params] == [True, False, False]
    opt.step()
    moved = [not torch.equal(p, s) for p, s in zip(params, start, strict=True)]
    assert moved == [False, True, True]
    opt.unfreeze()
    assert all(p.requires_grad for p in params)


def test_do_wd_false_keeps_decay_off_and_hypers_as_they_were():
    params, plain = make_params(), make_params()
    opt = OptimWrapper([params[:2], params[2:]], torch.optim.SGD, lr=0.1, weight_decay=0.5)
    opt.set_flags([params[0]], do_wd=False)
    opt.set_hypers(lr=[0.1, 0.2], wd=0.25)
    assert [(h["lr"], h["wd"]) for h in opt.hypers] == [(0.1, 0.25), (0.2, 0.25)]
    set_grads(params)
    set_grads(plain)
    opt.step()
    with torch.no_grad():
        for p, lr, wd in zip(plain, (0.1, 0.1, 0.2), (0, 0.25, 0.25), strict=True):
            p -= lr * (p.grad + wd * p)
    for a, b in zip(params, plain, strict=True):
        torch.testing.assert_close(a, b)
    opt.set_flags([params[0]], do_wd=True)
    assert len(opt.opt.param_groups[0]["params"]) == 2


def test_a_ready_made_optimizer_keeps_its_groups():
    params = make_params()
    stock = torch.optim.AdamW([{"params": params[:1], "lr": 0.5}, {"params": params[1:]}], lr=0.1)
    opt = OptimWrapper(opt=stock)
    opt.set_flags([params[1]], do_wd=False)
    assert [len(group["params"]) for group in stock.param_groups] == [1, 2]
    assert [h["lr"] for h in opt.hypers] == [0.5, 0.1]
    assert [len(group) for group in opt.param_lists] == [1, 2]


@pytest.mark.parametrize("flagged", [False, True])
def test_a_saved_state_goes_on_bit_for_bit(flagged):
    ours = make_params()
    opt = OptimWrapper(ours, torch.optim.Adam, lr=0.1)
    if flagged:
        opt.set_flags([ours[1]], do_wd=False)
    set_grads(ours)
    opt.step()
    saved = copy.deepcopy(opt.state_dict())
    again = [p.detach().clone().requires_grad_() for p in ours]
    other = OptimWrapper(again, torch.optim.Adam, lr=0.5)
    if flagged:
        other.set_flags([again[1]], do_wd=False)
    assert other.load_state_dict(saved) == []
    for params, optimizer in ((ours, opt), (again, other)):
        set_grads(params)
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, again, strict=True))


def test_a_state_that_does_not_fit_raises_with_the_names():
    source = OptimWrapper(make_params(), torch.optim.Adam, lr=0.1)
    set_grads(source.param_lists[0])
    source.step()
    other = [torch.zeros(2, requires_grad=True) for _ in range(3)]
    target = OptimWrapper(other, torch.optim.SGD, lr=0.1)
    with pytest.raises(ValueError, match=r"does not fit this SGD") as error:
        target.load_state_dict(source.state_dict())
    assert "param_groups[0].betas: not known here" in str(error.value)
    assert "state[0].exp_avg: saved as (4, 3), the parameter is (2,)" in str(error.value)
    assert target.load_state_dict(source.state_dict(), strict=False) != []
    with pytest.raises(ValueError, match=r"saved with sizes \[3\], here they are \[1, 2\]"):
        OptimWrapper([other[:1], other[1:]], torch.optim.Adam, lr=0.1).load_state_dict(
            source.state_dict()
        )


def test_a_closure_reaches_torch():
    weight = torch.tensor([1.0], requires_grad=True)
    opt = OptimWrapper([weight], torch.optim.LBFGS, lr=1.0)

    def closure():
        opt.zero_grad()
        loss = ((weight - 3) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(3):
        opt.step(closure)
    torch.testing.assert_close(weight.detach(), torch.tensor([3.0]))


def test_clear_state_and_zero_grad():
    params = make_params()
    opt = OptimWrapper(params, torch.optim.Adam, lr=0.1)
    set_grads(params)
    opt.step()
    opt.clear_state()
    opt.zero_grad()
    assert not opt.state
    assert all(p.grad is None for p in params)


def test_what_is_missing_or_too_much_is_said():
    with pytest.raises(TypeError, match="needs opt"):
        OptimWrapper(make_params())
    stock = torch.optim.SGD(make_params(), lr=0.1)
    with pytest.raises(TypeError, match="made already and has its parameters"):
        OptimWrapper(make_params(), stock)
    with pytest.raises(TypeError, match="needs params together"):
        OptimWrapper(opt=torch.optim.SGD, lr=0.1)


def test_lists_of_its_own_kind_are_passed_on():
    params = make_params()
    opt = OptimWrapper(
        [{"params": params, "lr": 0.5}], torch.optim.SGD, convert_groups=False, lr=0.1
    )
    assert opt.hypers[0]["lr"] == 0.5


def test_tuples_are_split_and_put_together():
    group = {"params": [1], "betas": (0.9, 0.99), "lr": torch.tensor(0.1)}
    rate = group["lr"]
    assert detuplify_pg(group) == {"betas__0": 0.9, "betas__1": 0.99, "lr": rate}
    assert set_item_pg(group, "betas__1", 0.5)["betas"] == (0.9, 0.5)
    set_item_pg(group, "lr", 0.2)
    assert group["lr"] is rate
    torch.testing.assert_close(rate, torch.tensor(0.2))


def test_a_hyper_parameter_is_read_from_the_last_group():
    """Also one of a pair, which torch keeps as a tuple."""
    groups = [[torch.zeros(2, requires_grad=True)], [torch.zeros(3, requires_grad=True)]]
    opt = OptimWrapper(groups, torch.optim.AdamW, lr=0.1, betas=(0.8, 0.9))
    opt.set_hyper("lr", [0.1, 0.4])
    assert [opt.read_hyper(n) for n in ("lr", "mom", "sqr_mom")] == [0.4, 0.8, 0.9]
    assert all(opt.read_hyper(name) == value for name, value in opt.hypers[-1].items())
    with pytest.raises(KeyError):
        opt.read_hyper("lrr")
