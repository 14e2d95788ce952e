"""One table of optimizers, many checks. References are torch's own, or a paper's lines by hand."""

import copy
import math
import pickle
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from layerwise.core.optim.algorithms import (
    SGD,
    Adam,
    Lamb,
    Larc,
    Lars,
    Lookahead,
    QHAdam,
    RAdam,
    RMSProp,
    ranger,
)
from layerwise.core.optim.optimizer import Optimizer
from layerwise.core.optim.wrap import OptimWrapper

SHAPES = [(5, 4), (7,), (3, 2, 3, 3), ()]

# What the suite runs over: name, and how to make it from parameters.
OURS: dict[str, Callable[..., Optimizer]] = {
    "sgd": SGD,
    "sgd momentum": partial(SGD, mom=0.9),
    "sgd momentum decay": partial(SGD, mom=0.9, wd=0.1),
    "sgd momentum l2": partial(SGD, mom=0.9, wd=0.1, decouple_wd=False),
    "rmsprop": RMSProp,
    "rmsprop l2": partial(RMSProp, wd=0.1, decouple_wd=False),
    "rmsprop momentum": partial(RMSProp, mom=0.9, wd=0.1),
    "adam": partial(Adam, wd=0.1),
    "adam l2": partial(Adam, wd=0.1, decouple_wd=False),
    "radam": partial(RAdam, wd=0.1),
    "radam l2": partial(RAdam, wd=0.1, decouple_wd=False),
    "radam softplus": partial(RAdam, beta=5.0),
    "qhadam": partial(QHAdam, wd=0.1),
    "qhadam both": partial(QHAdam, nu_2=0.8),
    "larc": partial(Larc, wd=0.1),
    "larc unclipped": partial(Larc, clip=False, mom=0.0, wd=0.1, decouple_wd=False),
    "lars": partial(Lars, wd=0.1),
    "lamb": partial(Lamb, wd=0.1),
    "lamb l2": partial(Lamb, wd=0.1, decouple_wd=False),
    "ranger": ranger,
    "lookahead sgd": lambda params, lr: Lookahead(SGD(params, lr, mom=0.9), k=3),
}

ADAM = {"betas": (0.9, 0.99), "eps": 1e-5, "weight_decay": 0.1}

TWINS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "sgd momentum": partial(torch.optim.SGD, momentum=0.9),
    "sgd momentum l2": partial(torch.optim.SGD, momentum=0.9, weight_decay=0.1),
    "rmsprop": torch.optim.RMSprop,
    "rmsprop l2": partial(torch.optim.RMSprop, weight_decay=0.1),
    "adam": partial(torch.optim.AdamW, **ADAM),
    "adam l2": partial(torch.optim.Adam, **ADAM),
    "radam": partial(torch.optim.RAdam, **ADAM, decoupled_weight_decay=True),
    "radam l2": partial(torch.optim.RAdam, **ADAM),
}


def make_params(dtype: torch.dtype = torch.float64, scale: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(s, generator=generator, dtype=torch.float64) * scale)
        .to(dtype)
        .requires_grad_()
        for s in SHAPES
    ]


def set_grads(params: list[Tensor], step: int) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for p in params:
        grad = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        p.grad = grad.to(p.dtype) + 0.1 * p.detach()


def run(opt, params: list[Tensor], steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        set_grads(params, step)
        opt.step()


def assert_same(left: list[Tensor], right: list[Tensor], **tolerance: float) -> None:
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ten_steps_equal_torch(name, dtype):
    ours, theirs = make_params(dtype), make_params(dtype)
    run(OURS[name](ours, lr=0.05), ours, 10)
    run(TWINS[name](theirs, lr=0.05, foreach=False), theirs, 10)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-13
    assert_same(ours, theirs, rtol=tolerance, atol=tolerance)


# Papers by hand: one tensor at a time, with a dict of what is remembered. `t` counts from 1.


def paper_qhadam(p, g, s, t, lr=0.05, b1=0.999, b2=0.999, nu1=0.7, nu2=1.0, eps=1e-8, wd=0.0):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    m, v = s["m"] / (1 - b1**t), s["v"] / (1 - b2**t)
    return (1 - lr * wd) * p - lr * ((1 - nu1) * g + nu1 * m) / (
        ((1 - nu2) * g * g + nu2 * v).sqrt() + eps
    )


def paper_lamb(p, g, s, t, lr=0.05, b1=0.9, b2=0.99, eps=1e-5, wd=0.1, l2=0.0):
    g = g + l2 * p
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    r = (s["m"] / (1 - b1**t)) / ((s["v"] / (1 - b2**t)).sqrt() + eps)
    u = r + wd * p
    return p - lr * min(p.norm() / u.norm(), 10.0) * u  # the bound on φ, as most set it


def paper_lars(p, g, s, t, lr=0.05, mom=0.9, eta=0.001, wd=0.1):
    local = eta * p.norm() / (g.norm() + wd * p.norm() + 1e-8)
    s["v"] = mom * s.get("v", 0) + lr * local * (g + wd * p)
    return p - s["v"]


def larc_by_hand(p, g, s, t, lr=0.05, mom=0.9, trust=0.02, wd=0.1):
    p = p * (1 - lr * wd)
    s["m"] = mom * s.get("m", 0) + g
    local = lr * trust * p.norm() / (g.norm() + wd * p.norm() + 1e-8)
    return p - min(local, lr) * s["m"]


def lars_without_momentum(p, g, s, t, lr=0.05, trust=0.02, wd=0.1):
    g = g + wd * p
    return p - lr * trust * p.norm() / (g.norm() + wd * p.norm() + 1e-8) * g


def sgd_decoupled(p, g, s, t, lr=0.05, mom=0.9, wd=0.1):
    s["m"] = mom * s.get("m", 0) + g
    return p * (1 - lr * wd) - lr * s["m"]


def rmsprop_momentum(p, g, s, t, lr=0.05, mom=0.9, alpha=0.99, eps=1e-8, wd=0.1):
    s["m"] = mom * s.get("m", 0) + g
    s["v"] = alpha * s.get("v", 0) + (1 - alpha) * g * g
    return p * (1 - lr * wd) - lr * s["m"] / (s["v"].sqrt() + eps)


def radam_softplus(p, g, s, t, lr=0.05, b1=0.9, b2=0.99, eps=1e-5, beta=5.0):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g * g
    m = s["m"] / (1 - b1**t)
    rho_inf = 2 / (1 - b2) - 1
    rho = rho_inf - 2 * t * b2**t / (1 - b2**t)
    if rho <= 5:
        return p - lr * m
    r = math.sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
    denominator = (s["v"].sqrt() + eps) / math.sqrt(1 - b2**t)
    return p - lr * r * m / (torch.log1p((beta * denominator).exp()) / beta)


def paper_lookahead_sgd(p, g, s, t, lr=0.05, mom=0.9, k=3, alpha=0.5):
    s.setdefault("slow", p.clone())
    s["m"] = mom * s.get("m", 0) + g
    p = p - lr * s["m"]
    if t % k == 0:
        s["slow"] = s["slow"] + alpha * (p - s["slow"])
        return s["slow"].clone()
    return p


PAPERS: dict[str, Callable[..., Tensor]] = {
    "qhadam": partial(paper_qhadam, wd=0.1),
    "qhadam both": partial(paper_qhadam, nu2=0.8),
    "lamb": paper_lamb,
    "lamb l2": partial(paper_lamb, wd=0.0, l2=0.1),
    "lars": paper_lars,
    "larc": larc_by_hand,
    "larc unclipped": lars_without_momentum,
    "sgd momentum decay": sgd_decoupled,
    "rmsprop momentum": rmsprop_momentum,
    "radam softplus": radam_softplus,
    "lookahead sgd": paper_lookahead_sgd,
}


@pytest.mark.parametrize("name", PAPERS)
def test_ten_steps_equal_the_equations_by_hand(name):
    ours, theirs = make_params(), make_params()
    run(OURS[name](ours, lr=0.05), ours, 10)
    memory: list[dict[str, Tensor]] = [{} for _ in theirs]
    for step in range(10):
        set_grads(theirs, step)
        with torch.no_grad():
            for p, s in zip(theirs, memory, strict=True):
                p.copy_(PAPERS[name](p.clone(), p.grad, s, step + 1))
    assert_same(ours, theirs, rtol=1e-12, atol=1e-12)


def test_ranger_is_lookahead_over_torchs_radam():
    ours, theirs = make_params(), make_params()
    run(ranger(ours, lr=0.05), ours, 12)
    fast = torch.optim.RAdam(
        theirs,
        lr=0.05,
        betas=(0.95, 0.99),
        eps=1e-6,
        weight_decay=0.01,
        decoupled_weight_decay=True,
        foreach=False,
    )
    slow = [p.detach().clone() for p in theirs]
    for half in range(2):
        run(fast, theirs, 6, first=6 * half)
        with torch.no_grad():
            for p, s in zip(theirs, slow, strict=True):
                s.add_(p - s, alpha=0.5)
                p.copy_(s)
    assert_same(ours, theirs, rtol=1e-12, atol=1e-12)


def unfused(opt: Optimizer) -> Optimizer:
    """The same recipe without its kernel."""
    hypers = {name: [h[name] for h in opt.hypers] for name in opt.hypers[0]}
    return Optimizer(opt.param_lists, opt.cbs, **hypers)


@pytest.mark.parametrize("name", OURS)
def test_kernels_equal_the_functions_they_stand_for(name):
    ours, plain = make_params(), make_params()
    run(OURS[name](ours, lr=0.05), ours, 10)
    opt = OURS[name](plain, lr=0.05)
    run(unfused(opt), plain, 10)
    assert_same(ours, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_tiles_make_no_difference(name, monkeypatch):
    from layerwise.core.optim import optimizer, plan

    ours, whole = make_params(), make_params()
    run(unfused(OURS[name](whole, lr=0.05)), whole, 10)
    monkeypatch.setattr(optimizer, "make_buckets", partial(plan.make_buckets, tile=6))
    cut = unfused(OURS[name](ours, lr=0.05))
    run(cut, ours, 10)
    assert sum(len(block) for bucket in cut._plan for block in bucket.blocks) > 5
    assert_same(ours, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_it_learns_a_quadratic(name):
    target = torch.tensor([1.0, -2.0, 3.0])
    weight = torch.full((3,), 0.5, requires_grad=True)
    lr = {"lars": 5.0, "larc unclipped": 2.0}.get(name, 0.02)
    opt = OURS[name]([weight], lr=lr)
    opt.set_hyper("wd", 0.0)
    before = (weight - target).square().sum().item()
    for _ in range(500):
        opt.zero_grad()
        (weight - target).square().sum().backward()
        opt.step()
    assert (weight - target).square().sum().item() < 0.05 * before


@pytest.mark.parametrize("name", OURS)
def test_a_saved_state_goes_on_bit_for_bit(name):
    ours = make_params(torch.float32)
    opt = OURS[name](ours, lr=0.05)
    run(opt, ours, 7)
    saved = copy.deepcopy(opt.state_dict())
    again = [p.detach().clone().requires_grad_() for p in ours]
    other = OURS[name](again, lr=0.5)
    assert other.load_state_dict(saved) == []
    assert other.hypers == opt.hypers
    run(opt, ours, 5, first=7)
    run(other, again, 5, first=7)
    assert_same(ours, again, rtol=0, atol=0)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_with_its_parameters_goes_on_bit_for_bit(name, how):
    ours = make_params()
    opt = OURS[name](ours, lr=0.05)
    run(opt, ours, 3)
    pair = {"params": ours, "opt": opt}
    twin = copy.deepcopy(pair) if how == "deepcopy" else pickle.loads(pickle.dumps(pair))
    run(opt, ours, 3, first=3)
    run(twin["opt"], twin["params"], 3, first=3)
    assert twin["params"][0] is not ours[0]
    assert_same(ours, twin["params"], rtol=0, atol=0)


@pytest.mark.parametrize("name", OURS)
def test_groups_step_as_optimizers_of_their_own_would(name):
    ours, apart = make_params(), make_params()
    run(OURS[name]([ours[:2], ours[2:]], lr=[0.01, 0.05]), ours, 5)
    low, high = OURS[name](apart[:2], lr=0.01), OURS[name](apart[2:], lr=0.05)
    for step in range(5):
        set_grads(apart, step)
        low.step()
        high.step()
    assert_same(ours, apart, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_frozen_groups_stay_and_forced_parameters_move(name):
    ours = make_params()
    start = [p.detach().clone() for p in ours]
    opt = OURS[name]([ours[:2], ours[2:]], lr=0.05)
    opt.set_flags([ours[1]], force_train=True)
    opt.freeze()
    assert [p.requires_grad for p in ours] == [False, True, True, True]
    run(opt, ours, 3)
    moved = [not torch.equal(p, s) for p, s in zip(ours, start, strict=True)]
    assert moved == [False, True, True, True]
    opt.unfreeze()
    run(opt, ours, 1)
    assert not torch.equal(ours[0], start[0])


# The rows above that decay.
DECAYED = [
    *("sgd momentum decay", "sgd momentum l2", "rmsprop l2", "rmsprop momentum", "adam", "adam l2"),
    *("radam", "radam l2", "qhadam", "larc", "larc unclipped", "lars", "lamb", "lamb l2", "ranger"),
]


@pytest.mark.parametrize("name", DECAYED)
def test_do_wd_false_is_no_decay(name):
    ours, plain = make_params(), make_params()
    opt = OURS[name](ours, lr=0.05)
    opt.set_flags(ours[:2], do_wd=False)
    run(opt, ours, 5)
    free = OURS[name](plain, lr=0.05)
    free.set_hyper("wd", 0.0)
    run(free, plain, 5)
    assert_same(ours[:2], plain[:2], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(ours[2], plain[2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", OURS)
def test_memory_layout_makes_no_difference(name):
    dense, last = make_params(), make_params()
    last[2] = last[2].detach().to(memory_format=torch.channels_last).requires_grad_()
    gaps = torch.zeros(5, 8, dtype=torch.float64)[:, ::2].copy_(last[0].detach())
    last[0] = gaps.requires_grad_()
    assert not last[0].is_contiguous()
    run(OURS[name](dense, lr=0.05), dense, 5)
    opt = OURS[name](last, lr=0.05)
    for step in range(5):
        set_grads(last, step)
        if step % 2:
            last[2].grad = last[2].grad.contiguous()
        opt.step()
    assert_same(dense, last, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_an_unknown_hyper_is_refused_with_the_nearest(name):
    opt = OURS[name](make_params(), lr=0.05)
    with pytest.raises(ValueError, match=r"no hyper-parameter 'lrr'\. Did you mean 'lr'\?"):
        opt.set_hyper("lrr", 0.1)


@pytest.mark.parametrize("name", OURS)
def test_parameters_of_two_types_step_in_one_optimizer(name):
    wide, narrow = make_params(torch.float64), make_params(torch.float32)
    mixed = [make_params(torch.float64)[0], *make_params(torch.float32)[1:]]
    for params in (wide, narrow, mixed):
        run(OURS[name](params, lr=0.05), params, 3)
    assert torch.equal(mixed[0], wide[0])
    assert_same(mixed[1:], narrow[1:])


def test_lamb_caps_the_trust_ratio():
    weight = torch.full((4,), 100.0, requires_grad=True)
    opt = Lamb([weight], lr=0.01, eps=0.0)
    weight.grad = torch.ones(4)
    opt.step()
    # The update is 1 everywhere, so the ratio of norms is 100; 10 is what is used.
    torch.testing.assert_close(weight.detach(), torch.full((4,), 100 - 0.01 * 10))
    opt.set_hyper("clip", 1.0)
    opt.step()
    torch.testing.assert_close(weight.detach(), torch.full((4,), 100 - 0.1 - 0.01))


@pytest.mark.parametrize("make", [Larc, Lars, Lamb])
def test_a_tensor_of_zeros_still_moves(make):
    weight = torch.zeros(4, requires_grad=True)
    opt = make([weight], lr=0.01)
    weight.grad = torch.ones(4)
    opt.step()
    assert torch.all(weight < 0)


def test_lookahead_refuses_what_is_no_recipe():
    wrapped = OptimWrapper(make_params(), torch.optim.SGD, lr=0.1)
    with pytest.raises(TypeError, match="Lookahead takes an Optimizer, not OptimWrapper"):
        Lookahead(wrapped)


def test_adam_trains_a_network_as_torch_does():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    twin = copy.deepcopy(model)
    x, y = torch.randn(32, 4), torch.randn(32, 1)
    ours = Adam(model.parameters(), lr=0.01)
    theirs = torch.optim.AdamW(
        twin.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-5, weight_decay=0.01
    )
    for _ in range(20):
        for net, opt in ((model, ours), (twin, theirs)):
            opt.zero_grad()
            nn.functional.mse_loss(net(x), y).backward()
            opt.step()
    assert_same(list(model.parameters()), list(twin.parameters()), rtol=1e-6, atol=1e-6)
