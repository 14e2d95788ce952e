"""Features of users and items, by hand and by scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from layerwise.collab.features import feature_matrix
from layerwise.collab.ids import Ids
from layerwise.core.errors import DataError

IDS = Ids("film", ["Alien", "Brazil", "Cube"])


def test_numbers_are_scaled_and_other_values_have_a_column_each():
    df = pd.DataFrame(
        {
            "year": [1997, 1979, 1985],
            "film": ["Cube", "Alien", "Brazil"],
            "land": ["Canada", "UK", "UK"],
            "is_long": [False, False, True],
        }
    )
    found = feature_matrix(df, IDS).numpy()
    order = [1, 2, 0]  # as the codes
    numbers = StandardScaler().fit_transform(df[["year", "is_long"]])[order]
    lands = OneHotEncoder(sparse_output=False).fit_transform(df[["land"]])[order]
    expected = np.hstack([numbers[:, :1], lands, numbers[:, 1:]])
    np.testing.assert_allclose(found[1:], expected, atol=1e-6)
    np.testing.assert_array_equal(found[0], 0)


def test_what_is_not_known_has_zeros_and_what_is_not_asked_for_does_not_matter():
    df = pd.DataFrame({"film": ["Alien", "Dune", "Cube"], "year": [1979, 9999, None]})
    assert feature_matrix(df, IDS).flatten().tolist() == [0, 0, 0, 0]
    df = pd.DataFrame({"film": ["Alien", "Brazil"], "land": ["UK", None]})
    assert feature_matrix(df, IDS).flatten().tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("df", "told"),
    [
        (pd.DataFrame({"flim": ["Alien"], "year": [1]}), r"no column 'film' .* mean 'flim'"),
        (pd.DataFrame({"film": ["Alien", "Alien"], "year": [1, 2]}), "several rows for film 'Alie"),
        (pd.DataFrame({"film": ["Alien"], "year": [np.inf]}), "column 'year' .* infinite"),
        (pd.DataFrame({"film": ["Alien"]}), "no column beside 'film'"),
        (pd.DataFrame({"film": [7], "year": [1]}), "column 'film' holds numbers"),
    ],
)
def test_a_table_that_does_not_fit_is_told_why(df, told):
    with pytest.raises(DataError, match=told):
        feature_matrix(df, IDS)


def test_what_is_no_frame_is_refused():
    with pytest.raises(TypeError, match="not as dict"):
        feature_matrix({"film": ["Alien"]}, IDS)
