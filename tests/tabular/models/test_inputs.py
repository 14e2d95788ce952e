"""Embedded categories: looked up by column, hidden now and then in training."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.tabular.models import CategoryEmbeddings


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=6),
    batch=st.integers(0, 4),
    dtype=st.sampled_from([torch.int32, torch.int64]),
)
def test_each_column_is_looked_up_in_its_own_table(sizes, batch, dtype):
    embeds = CategoryEmbeddings(sizes).eval()
    codes = torch.stack([torch.randint(rows, (batch,), dtype=dtype) for rows, _ in sizes], 1)
    found = embeds(codes)
    assert found.shape == (batch, sum(width for _, width in sizes)) == (batch, embeds.width)
    start = 0
    for column, (_, width) in enumerate(sizes):
        one_hot = nn.functional.one_hot(codes[:, column].long(), sizes[column][0]).float()
        expected = one_hot @ embeds[column].weight
        torch.testing.assert_close(found[:, start : start + width], expected)
        start += width


def test_the_embeddings_are_a_series():
    embeds = CategoryEmbeddings([(4, 3), (10, 6)])
    assert len(embeds) == 2
    assert [tuple(embed.weight.shape) for embed in embeds] == [(4, 3), (10, 6)]
    assert embeds[-1] is list(embeds)[1]
    assert list(embeds.state_dict()) == ["0.weight", "1.weight"]


def ones_for_unknown(unknown_p):
    """Embeddings of which row 0 is 1 and all others are 0, so that the output says what was 0."""
    embeds = CategoryEmbeddings([(5, 1), (3, 1)], unknown_p)
    for embed in embeds:
        embed.weight.data.zero_()
        embed.weight.data[0] = 1
    return embeds


def test_codes_are_hidden_in_training_alone_and_at_the_rate_given():
    embeds = ones_for_unknown(0.2)
    codes = torch.ones(20_000, 2, dtype=torch.long)
    torch.manual_seed(0)
    hidden = embeds(codes)
    # Six standard errors of a share of 0.2 among 20,000.
    assert hidden.mean(0).tolist() == pytest.approx([0.2, 0.2], abs=0.017)
    both = hidden.prod(1).mean().item()
    assert both == pytest.approx(0.04, abs=0.009)  # each column by itself
    assert embeds.eval()(codes).sum() == 0
    assert codes.eq(1).all()  # what the user holds stays


def test_what_is_hidden_depends_on_the_seed_alone():
    embeds = ones_for_unknown(0.5)
    codes = torch.ones(50, 2, dtype=torch.int32)
    torch.manual_seed(3)
    first = embeds(codes)
    torch.manual_seed(3)
    assert torch.equal(embeds(codes), first)
    assert not torch.equal(embeds(codes), first)


def test_nothing_is_drawn_where_nothing_is_hidden():
    embeds = ones_for_unknown(0)
    before = torch.get_rng_state()
    assert embeds(torch.ones(1000, 2, dtype=torch.long)).sum() == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_the_row_of_the_unknown_gets_a_gradient_though_no_code_is_0():
    torch.manual_seed(0)
    embeds = CategoryEmbeddings([(5, 2)])
    embeds(torch.randint(1, 5, (2000, 1))).sum().backward()
    # About 1 in 100 of 2000 rows.
    assert 5 < embeds[0].weight.grad[0, 0].item() < 40


@pytest.mark.parametrize(("code", "told"), [(4, "4"), (-1, "-1")])
def test_a_code_without_a_row_names_its_column(code, told):
    embeds = CategoryEmbeddings([(9, 2), (4, 2)]).eval()
    codes = torch.tensor([[0, 3], [8, code]])
    with pytest.raises(IndexError, match=f"column 1 of x_cat has the code {told}, .* 4 rows") as e:
        embeds(codes)
    assert "codes are 0 to 3" in str(e.value)
    assert isinstance(e.value.__cause__, IndexError)  # what torch said


@pytest.mark.parametrize("codes", [torch.zeros(3, 1, dtype=torch.long), torch.zeros(2, 2, 2)])
def test_other_columns_are_refused(codes):
    with pytest.raises(ValueError, match=r"x_cat is of shape \(.*\); this model takes 2 columns"):
        CategoryEmbeddings([(9, 2), (4, 2)])(codes)


@pytest.mark.parametrize("size", [(0, 3), (4, 0), (4,), (4, 3, 2), 4])
def test_a_size_that_is_none_is_named(size):
    with pytest.raises(ValueError, match=r"emb_szs\[1\] is .*give \(rows, width\)"):
        CategoryEmbeddings([(3, 2), size])


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_unknown_p_is_a_share(share):
    with pytest.raises(ValueError, match=r"unknown_p=.*a share from 0 to 1"):
        CategoryEmbeddings([(3, 2)], share)
