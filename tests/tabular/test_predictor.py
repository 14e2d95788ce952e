"""What a predicted row says of itself."""

import pandas as pd
import pytest

from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.learner import tabular_learner


def test_a_row_counts_what_training_had_not():
    df = pd.DataFrame({"job": ["clerk", "smith"] * 20, "age": range(40), "pay": [1.0, 2.0] * 20})
    learn = tabular_learner(TabularDataLoaders.from_df(df, y_names="pay", bs=8))
    with pytest.warns(UserWarning, match="'job': 'cook'") as told:
        row, _, _ = learn.predict({"job": "cook", "age": 3})
    assert row.unseen == {"job": {"cook": 1}}
    assert told[0].filename == __file__
    known, _, _ = learn.predict({"job": "clerk", "age": 3})
    assert known.unseen == {}
