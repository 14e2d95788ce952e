"""Items on a plane: where they stand, and what is written beside them."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA

from layerwise.collab.learner import collab_learner
from layerwise.collab.plot import plot_items
from layerwise.core.restore import load_learner


@pytest.fixture
def learn(dls, tmp_path):
    return collab_learner(dls, 4, path=tmp_path)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_items_stand_where_pca_puts_them(learn):
    ax = plot_items(learn, ["film 03", "film 07"], components=(1, 2))
    factors = learn.model.state_dict()["i_weight.weight"][1:].numpy()
    expected = PCA(3).fit_transform(factors)
    classes = list(learn.dls.classes["film"])[1:]
    rows = [classes.index(name) for name in ("film 03", "film 07")]
    found = ax.collections[0].get_offsets()
    np.testing.assert_allclose(abs(found), abs(expected[rows, 1:]), atol=1e-5)
    assert [text.get_text() for text in ax.texts] == ["film 03", "film 07"]


def test_by_default_the_most_rated_are_shown(learn):
    ax = plot_items(learn, n=5)
    counts = learn.dls.train_ds.counts(is_item=True)
    most = {learn.dls.classes["film"][int(i)] for i in np.argsort(-counts, kind="stable")[:5]}
    assert len(ax.collections[0].get_offsets()) == 5
    assert {text.get_text() for text in ax.texts} <= most


def test_no_name_covers_another(learn):
    ax = plot_items(learn, n=30)
    renderer = ax.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in ax.texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_a_learner_from_a_file_has_to_be_told_which(learn):
    loaded = load_learner(learn.export())
    with pytest.raises(ValueError, match=r"pass items=\[ids\]"):
        plot_items(loaded)
    _, ax = plt.subplots()
    assert plot_items(loaded, ["film 03"], ax=ax) is ax
