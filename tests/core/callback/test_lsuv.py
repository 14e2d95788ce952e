"""LSUV: each layer's output has a variance of one, measured by hooks of torch itself."""

import copy

import pytest
import torch
from torch import nn

from layerwise.core.callback.lsuv import LSUV, lsuv_init
from layerwise.core.train.callback import Callback


def deep(width=16, depth=6, gain=0.3):
    torch.manual_seed(0)
    layers = [nn.Linear(3, width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Dropout(0.5), nn.Linear(width, 1))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(gain)
    return model


def variances(model, x):
    found = {}
    handles = [
        m.register_forward_hook(lambda m, i, o, n=n: found.update({n: o.var(correction=0).item()}))
        for n, m in model.named_modules()
        if isinstance(m, (nn.Linear, nn.Conv2d))
    ]
    with torch.no_grad():
        model.eval()(x)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("orthonormal", [True, False])
def test_every_layer_has_unit_variance(orthonormal):
    model, x = deep(), torch.randn(64, 3)
    assert variances(model, x)["12"] < 0.01
    told = lsuv_init(model.train(), x, orthonormal=orthonormal, tolerance=0.01)
    assert model.training
    found = variances(model, x)
    assert list(found) == list(told)
    for name, variance in found.items():
        assert variance == pytest.approx(1, abs=0.01)
        assert variance == pytest.approx(told[name], rel=1e-4)


def test_orthonormal_weights_stay_orthogonal():
    model = deep()
    lsuv_init(model, torch.randn(64, 3))
    weight = model[2].weight
    product = weight @ weight.T
    scale = product.diagonal().mean()
    torch.testing.assert_close(product, scale * torch.eye(16), atol=1e-4, rtol=0)
    assert not any(layer.bias.any() for layer in model if isinstance(layer, nn.Linear))


def test_without_it_the_directions_of_weights_are_kept():
    model = deep()
    before = copy.deepcopy(model)
    lsuv_init(model, torch.randn(64, 3), orthonormal=False)
    for new, old in zip(model.parameters(), before.parameters(), strict=True):
        if new.ndim == 2:
            cos = torch.cosine_similarity(new.flatten(), old.flatten(), dim=0)
            assert cos.item() == pytest.approx(1, abs=1e-5)


def test_layers_are_taken_in_the_order_of_the_data_and_others_left():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.unused = nn.Linear(4, 1), nn.Linear(7, 7)
            self.norm = nn.BatchNorm2d(4)
            self.first = nn.Conv2d(1, 4, 3)

        def forward(self, x):
            return self.last(self.norm(self.first(x)).mean((2, 3)))

    model = Backwards()
    before = copy.deepcopy(model.state_dict())
    assert list(lsuv_init(model, torch.randn(32, 1, 6, 6))) == ["first", "last"]
    for name, value in model.state_dict().items():
        if name.startswith(("norm", "unused")):
            assert torch.equal(value, before[name])


def test_a_batch_that_tells_nothing_is_refused_with_the_layer():
    with pytest.raises(ValueError, match="layer '0' has a variance of 0"):
        lsuv_init(nn.Sequential(nn.Linear(3, 1)), torch.zeros(8, 3))


def test_the_callback_runs_once_before_the_first_step(make_learner):
    seen = []

    class Looks(Callback):
        run_valid = False
        order = 90

        def before_batch(self):
            seen.append(variances(copy.deepcopy(self.learn.model), self.learn.x))

    learn = make_learner(deep(), cbs=[LSUV(tolerance=0.05), Looks()], lr=1e-3)
    learn.fit(1)
    assert all(v == pytest.approx(1, abs=0.05) for v in seen[0].values())
    weights = copy.deepcopy(learn.model.state_dict())
    learn.fit(1, lr=0.0)
    assert all(torch.equal(v, weights[n]) for n, v in learn.model.state_dict().items())


def test_equal_seeds_draw_equal_weights_whatever_was_drawn_meanwhile(make_learner):
    models = []
    for extra in (0, 3):
        learn = make_learner(deep(), cbs=LSUV(), lr=0.0)
        learn.fit(1, cbs=Callback(before_train=lambda extra=extra: torch.rand(extra)))
        models.append(learn.model[2].weight.detach())
    assert torch.equal(*models)
