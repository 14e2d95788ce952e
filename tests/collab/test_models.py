"""Models by hand, in all forms of their input, and what they are asked for by id."""

import pytest
import torch
from torch import nn

from layerwise.collab.models import CollabModel, EmbeddingDotBias, EmbeddingNN
from layerwise.core.described import to_description
from layerwise.core.errors import DataError
from layerwise.core.rebuilt import from_description
from layerwise.core.transforms.category import CategoryMap

CLASSES = {
    "user": CategoryMap([10, 20], add_na=True),
    "film": CategoryMap(["Alien", "Brazil", "Cube"], sort=False, add_na=True),
}


def made(kind, **settings):
    torch.manual_seed(0)
    if kind == "dot":
        return EmbeddingDotBias.from_classes(4, CLASSES, **settings)
    return EmbeddingNN([(3, 4), (4, 5)], [6], **settings).eval()


def test_a_score_is_mean_and_biases_and_product():
    model = made("dot", mean=3.5)
    x = torch.tensor([[1, 3], [2, 1]])
    for row, score in zip(x.tolist(), model(x).tolist(), strict=True):
        user, item = row
        factors = (model.u_weight.weight[user] * model.i_weight.weight[item]).sum()
        biases = model.u_bias.weight[user, 0] + model.i_bias.weight[item, 0]
        assert score == pytest.approx((3.5 + factors + biases).item())


def test_a_range_bounds_scores():
    model = made("dot", y_range=(0, 5.5))
    with torch.no_grad():
        model.i_bias.weight[1], model.i_bias.weight[2] = 50.0, -50.0
    assert model(torch.tensor([[1, 1], [1, 2]])).tolist() == pytest.approx([5.5, 0.0])
    assert made("dot")(torch.tensor([[1, 1]])).item() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("kind", ["dot", "nn"])
def test_pairs_candidates_and_all_pairs_have_the_same_scores(kind):
    model = made(kind, y_range=(0, 5.5))
    users, items = torch.tensor([1, 2, 1]), torch.tensor([3, 1])
    whole = model((users, items))
    candidates = model(torch.cat([users[:, None], items.expand(3, -1)], 1))
    single = [[model(torch.tensor([[u, i]])).item() for i in (3, 1)] for u in (1, 2, 1)]
    torch.testing.assert_close(whole, torch.tensor(single))
    torch.testing.assert_close(candidates, whole)


@pytest.mark.parametrize("kind", ["dot", "nn"])
def test_rows_that_were_not_trained_get_the_mean_of_those_that_were(kind):
    model = made(kind)
    users, items = torch.tensor([False, True, True]), torch.tensor([False, True, False, True])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.fill_unseen(users, items)
    for is_item, mask in ((False, users), (True, items)):
        for table in model.tables(is_item=is_item):
            name = next(n for n, p in model.named_parameters() if p is table.weight)
            torch.testing.assert_close(table.weight[mask], before[name][mask], rtol=0, atol=0)
            for row in table.weight[~mask]:
                assert torch.equal(row, before[name][mask].mean(0))


def test_nothing_is_filled_where_nobody_was_trained():
    model = made("dot")
    before = model.u_weight.weight.clone()
    model.fill_unseen(torch.zeros(3, dtype=torch.bool), torch.ones(4, dtype=torch.bool))
    assert torch.equal(model.u_weight.weight, before)


def test_weight_and_bias_are_found_by_id():
    model = made("dot")
    torch.testing.assert_close(model.weight(["Cube", "Alien"]), model.i_weight.weight[[3, 1]])
    torch.testing.assert_close(model.bias([20], is_item=False), model.u_bias.weight[[2], 0])
    assert model.bias("Cube").shape == (1,)
    assert not model.weight(["Cube"]).requires_grad


def test_an_id_without_a_row_is_told_with_the_nearest():
    with pytest.raises(DataError, match=r"'Cub' is no film .* Did you mean 'Cube'"):
        made("dot").weight(["Cub"])


def test_a_model_that_does_not_know_ids_says_what_to_do():
    model = EmbeddingDotBias(2, 3, 4)
    with pytest.raises(ValueError, match="name_rows"):
        model.bias(["Cube"])
    assert model.name_rows(CLASSES).bias(["Cube"]).shape == (1,)


def test_columns_are_the_first_two_or_those_named():
    swapped = EmbeddingDotBias.from_classes(2, CLASSES, user="film", item="user")
    assert swapped.u_weight.weight.shape == (4, 2)
    with pytest.raises(ValueError, match=r"'flim'.* Did you mean 'film'"):
        EmbeddingDotBias.from_classes(2, CLASSES, item="flim")


def test_the_network_is_embeddings_layers_and_a_score():
    model = EmbeddingNN([(3, 4), (4, 5)], [7, 6], ps=[0.1, 0.2], embed_p=0.3, y_range=(0, 5))
    assert [e.weight.shape for e in model.embeds] == [(3, 4), (4, 5)]
    linear = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert linear == [(9, 7), (7, 6), (6, 1)]
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.1, 0.2]


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 sizes of embeddings; give two"):
        EmbeddingNN([(3, 4)], [5])
    with pytest.raises(ValueError, match="3 shares ps for 1 layers"):
        EmbeddingNN([(3, 4), (4, 5)], [5], ps=[0.1, 0.2, 0.3])


def test_a_model_without_scores_says_what_is_missing():
    with pytest.raises(NotImplementedError, match="has to define `scores`"):
        CollabModel()(torch.tensor([[1, 1]]))
    with pytest.raises(NotImplementedError, match="has to define `tables`"):
        CollabModel().tables(is_item=True)


@pytest.mark.parametrize("kind", ["dot", "nn"])
def test_names_and_settings_make_an_equal_model(kind):
    model = made(kind, y_range=(0, 5.5))
    arrays: dict[str, torch.Tensor] = {}
    again = from_description(
        to_description(model, arrays, "the model"), arrays, frozenset({"model"})
    )
    again.load_state_dict(model.state_dict())
    x = torch.tensor([[1, 3], [2, 1]])
    torch.testing.assert_close(again.eval()(x), model(x), rtol=0, atol=0)
