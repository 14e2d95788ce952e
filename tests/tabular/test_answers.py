"""What a server tells of a row, for each kind of target."""

import pandas as pd
import pytest

from layerwise.core.data.block import MultiCategoryBlock
from layerwise.core.serve.answers import answer_of
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.learner import tabular_learner


def answered(y_names, **settings):
    count = 40
    df = pd.DataFrame({
        "age": [20.0 + i for i in range(count)],
        "pay": ["high" if i % 3 else "low" for i in range(count)],
        "rent": [float(i) for i in range(count)],
        "car": [i % 2 for i in range(count)],
        "dog": [i % 3 == 0 for i in range(count)],
    })  # fmt: skip
    df = df[["age", *([y_names] if isinstance(y_names, str) else y_names)]]
    dls = TabularDataLoaders.from_df(df, y_names=y_names, bs=8, seed=1, **settings)
    learn = tabular_learner(dls)
    prediction = learn.predict({"age": 30.0})
    return answer_of(learn, prediction), prediction[2]


def test_a_class_with_probabilities():
    found, scores = answered("pay")
    assert found["probabilities"] == pytest.approx(
        dict(zip(["high", "low"], scores.tolist(), strict=True))
    )
    assert found["label"] == max(found["probabilities"], key=found["probabilities"].get)


def test_a_number():
    found, scores = answered("rent")
    assert found == {"value": pytest.approx(scores.item())}


def test_several_targets_by_their_names():
    found, _ = answered(["pay", "rent"])
    assert set(found["values"]) == {"pay", "rent"}
    assert found["values"]["pay"] in ("high", "low")


def test_labels_that_are_columns():
    names = ["car", "dog"]
    found, scores = answered(names, y_block=MultiCategoryBlock(encoded=True, vocab=names))
    sure = dict(zip(names, scores.tolist(), strict=True))
    assert found["probabilities"] == pytest.approx(sure)
    assert found["labels"] == [name for name in names if sure[name] > 0.5]
