"""The sizes of the embeddings of several columns."""

from types import SimpleNamespace

import pytest

from layerwise.core.nn.embedding_sizes import get_emb_sz
from layerwise.core.transforms.category import CategoryMap

DATA = SimpleNamespace(
    classes={
        "user": CategoryMap(range(943), add_na=True),
        "title": CategoryMap(range(1664), add_na=True),
    }
)


def test_widths_follow_the_rule_unless_they_are_given():
    # What the fast.ai book prints for MovieLens 100k.
    assert get_emb_sz(DATA) == [(944, 74), (1665, 102)]
    assert get_emb_sz(DATA, {"title": 10}) == [(944, 74), (1665, 10)]


def test_a_width_for_no_column_is_refused():
    with pytest.raises(ValueError, match=r"'titel', which is no column.*Did you mean 'title'"):
        get_emb_sz(DATA, {"titel": 10})
