"""What all models of tables have in common."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import OneHotEncoder
from torch import nn

from layerwise.core.described import to_description
from layerwise.core.named import reference_to
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS, register
from layerwise.core.testing.kinds import check_model
from layerwise.core.train.deploy import export_onnx, export_program
from layerwise.tabular.models import FTTransformer, TabularModel, TabularResNet

SIZES = [(4, 3), (10, 6)]

# How each is made, small enough for a test.
MAKE = {
    "mlp": lambda *sizes, **more: TabularModel(*sizes, layers=[32, 16], **more),
    "resnet": lambda *sizes, **more: TabularResNet(*sizes, width=32, **more),
    "ft_transformer": lambda *sizes, **more: FTTransformer(*sizes, width=32, heads=4, **more),
}


@pytest.fixture(params=MAKE)
def make(request):
    return MAKE[request.param]


def batch(count=6, dtype=torch.int64):
    codes = [torch.randint(rows, (count,), dtype=dtype) for rows, _ in SIZES]
    return torch.stack(codes, 1), torch.randn(count, 2)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("count", [1, 6])
def test_a_row_becomes_as_many_numbers_as_asked_for(make, dtype, count):
    model = make(SIZES, 2, 3).eval()
    predicted = model(*batch(count, dtype))
    assert predicted.shape == (count, 3)
    assert predicted.dtype == torch.float32


def test_it_trains_a_step_moves_and_saves(make):
    check_model(make(SIZES, 2, 3), batch())
    check_model(make(SIZES, 2, 3), batch(dtype=torch.int32))


def test_no_categories_are_none_or_no_columns(make):
    torch.manual_seed(0)
    model, x_cont = make([], 2, 3).eval(), torch.randn(5, 2)
    given = model(None, x_cont)
    assert given.shape == (5, 3)
    assert torch.equal(model(torch.zeros(5, 0, dtype=torch.long), x_cont), given)
    assert torch.equal(model(x_cont=x_cont), given)
    check_model(make([], 2, 3), (None, x_cont))


def test_no_numbers_are_none_or_no_columns(make):
    model, (x_cat, _) = make(SIZES, 0, 3).eval(), batch()
    given = model(x_cat)
    assert given.shape == (6, 3)
    assert torch.equal(model(x_cat, torch.zeros(6, 0)), given)
    check_model(make(SIZES, 0, 3), (x_cat, None))


@pytest.mark.parametrize(("sizes", "n_cont"), [([], 0), (SIZES, -1)])
def test_a_model_of_no_column_is_refused(make, sizes, n_cont):
    with pytest.raises(ValueError, match="needs a column of either kind"):
        make(sizes, n_cont, 3)


def test_a_size_that_is_no_pair_is_named(make):
    with pytest.raises(ValueError, match=r"emb_szs\[1\] is 10; give \(rows, width\)"):
        make([(4, 3), 10], 2, 3)


@pytest.mark.parametrize(
    ("pick", "told"),
    [
        (lambda cat, cont: (None, cont), "x_cat is None; this model takes 2 columns"),
        (lambda cat, cont: (cat[:, :1], cont), r"x_cat is of shape \(6, 1\); this model takes 2"),
        (lambda cat, cont: (cat, None), "x_cont is None; this model takes 2"),
        (lambda cat, cont: (cat, cont[:, [0, 0, 0]]), r"x_cont is of shape \(6, 3\)"),
        (lambda cat, cont: (cat, cont[0]), r"x_cont is of shape \(2,\)"),
    ],
)
def test_other_columns_are_refused(make, pick, told):
    with pytest.raises(ValueError, match=told):
        make(SIZES, 2, 3)(*pick(*batch()))


def test_a_code_without_a_row_names_its_column(make):
    x_cat, x_cont = batch()
    x_cat[3, 1] = 10
    with pytest.raises(IndexError, match="column 1 of x_cat has the code 10"):
        make(SIZES, 2, 3).eval()(x_cat, x_cont)


def test_outputs_stay_in_their_range(make):
    model = make(SIZES, 2, 1, y_range=(-1, 3)).eval()
    *_, last = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        last.weight.zero_()
        for bias, expected in ((-100, -1), (0, 1), (100, 3)):
            last.bias.fill_(bias)
            assert model(*batch(2)).tolist() == [[expected]] * 2


def test_the_embeddings_are_found_by_column(make):
    model = make(SIZES, 2, 3, unknown_p=0.5)
    assert [embed.num_embeddings for embed in model.embeds] == [4, 10]
    assert model.embeds.unknown_p == 0.5


def test_codes_are_hidden_in_training(make):
    torch.manual_seed(0)
    x_cat, x_cont = batch()
    x_cat = x_cat.clamp(min=1)
    model = make(SIZES, 2, 3, unknown_p=1.0)
    model(x_cat, x_cont).square().sum().backward()
    for embed in model.embeds:
        touched = embed.weight.grad.abs().sum(1) > 0
        assert touched.tolist() == [True] + [False] * (embed.num_embeddings - 1)


def test_it_is_made_again_from_its_description(make):
    model = make(SIZES, 2, 3, y_range=(0, 1), unknown_p=0.125).eval()
    if reference_to(type(model)) is None:
        register("model", f"test-tables/{type(model).__name__}", type(model))
    plain = json.loads(json.dumps(to_description(model, {}, "model")))
    again = from_description(plain, {}, KINDS | {"torch"}).eval()
    assert type(again) is type(model)
    again.load_state_dict(model.state_dict())
    inputs = batch()
    assert torch.equal(again(*inputs), model(*inputs))
    assert to_description(again, {}, "model") == to_description(model, {}, "model")
    assert again.embeds.unknown_p == 0.125


def test_two_trainings_with_one_seed_are_the_same(make):
    def trained():
        torch.manual_seed(1)
        model, (x_cat, x_cont) = make(SIZES, 2, 1, unknown_p=0.3), batch(32)
        fit(model, x_cat, x_cont, x_cont[:, 0], epochs=2)
        return model.state_dict()

    first, second = trained(), trained()
    assert all(torch.equal(first[name], second[name]) for name in first)


def fit(model, x_cat, x_cont, y, *, epochs, lr=3e-3, size=128):
    """Train in place with torch's own Adam, the rate falling to zero."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    steps = epochs * -(-len(y) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(y)).split(size):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x_cat[rows], x_cont[rows])[:, 0], y[rows]).backward()
            optimizer.step()
            schedule.step()


def test_a_category_that_turns_a_number_round_is_learnt(make):
    """The slope of a number is that of the category: no linear model can follow."""
    torch.manual_seed(0)
    slopes = torch.tensor([0.0, -2.0, -1.0, 1.0, 2.0])
    x_cat, x_cont = torch.randint(1, 5, (3000, 1)), torch.randn(3000, 1)
    y = slopes[x_cat[:, 0]] * x_cont[:, 0] + 0.1 * torch.randn(3000)
    train, valid = slice(0, 2000), slice(2000, None)

    model = make([(5, 4)], 1, 1)
    fit(model, x_cat[train], x_cont[train], y[train], epochs=25)
    with torch.no_grad():
        predicted = model.eval()(x_cat[valid], x_cont[valid])[:, 0]
    assert r2_score(y[valid], predicted) > 0.97

    one_hot = OneHotEncoder(sparse_output=False).fit_transform(x_cat)
    table = np.hstack([one_hot, x_cont])
    linear = LinearRegression().fit(table[train], y[train])
    assert linear.score(table[valid], y[valid]) < 0.05


def test_the_unknown_is_predicted_as_the_mean_of_the_known(make):
    torch.manual_seed(0)
    means = torch.tensor([0.0, 2.0, 3.0, 4.0, 5.0])
    x_cat = torch.arange(1, 5).repeat(500)[:, None]
    model = make([(5, 4)], 0, 1, unknown_p=0.1)
    fit(model, x_cat, torch.zeros(2000, 0), means[x_cat[:, 0]], epochs=25)
    with torch.no_grad():
        unknown, *known = model.eval()(torch.arange(5)[:, None])[:, 0].tolist()
    assert known == pytest.approx([2, 3, 4, 5], abs=0.25)
    assert unknown == pytest.approx(3.5, abs=0.25)


@pytest.mark.parametrize(
    ("export", "sizes"), [(export_onnx, SIZES), (export_program, SIZES), (export_program, [])]
)
def test_what_runs_elsewhere_says_the_same(make, export, sizes, tmp_path):
    x_cat, x_cont = batch(4)
    learn = SimpleNamespace(model=make(sizes, 2, 3), dls=None)
    # It compares batches of 1 and 7 before it writes.
    path = export(learn, tmp_path / "table", inputs=(x_cat[:, : len(sizes)], x_cont))
    assert path.stat().st_size > 1000
