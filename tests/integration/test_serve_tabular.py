"""Bundles of tables over the web: a row is an object with a value for each column."""

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("layerwise.tabular.all", reason="layerwise-tabular is not installed")
import pandas as pd
from fastapi.testclient import TestClient

from layerwise.core.restore import load_learner
from layerwise.core.serve.app import create_app
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.learner import tabular_learner

ROW = {"job": "cook", "age": 61}


def people(count=80):
    df = pd.DataFrame({
        "job": [["cook", "clerk", "smith"][i % 3] for i in range(count)],
        "age": [20.0 + i % 50 for i in range(count)],
    })  # fmt: skip
    df["pay"] = ["high" if age > 45 else "low" for age in df["age"]]
    df["rent"] = df["age"] * 10
    df.loc[5, "age"] = None
    return df


def bundle_of(path, y_names):
    df = people().drop(columns={"pay", "rent"} - {y_names})
    dls = TabularDataLoaders.from_df(df, path, y_names=y_names, bs=32, seed=1)
    learn = tabular_learner(dls)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-2)
    return learn.export(f"{y_names}.lw")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return bundle_of(tmp_path_factory.mktemp("people"), "pay")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle)) as opened:
        yield opened


def test_rows_are_answered_as_the_learner_predicts_them(client, bundle):
    rows = [ROW, {"age": 20, "job": "clerk"}]
    found = client.post("/predict/batch", json={"rows": rows}).json()["predictions"]
    for told, row in zip(found, rows, strict=True):
        predicted, _, probabilities = load_learner(bundle).predict(row)
        assert told["label"] == predicted.items["pay"].item()
        assert list(told["probabilities"].values()) == pytest.approx(probabilities.tolist())
        assert client.post("/predict", json={"row": row}).json()["label"] == told["label"]


def test_a_number_is_answered_by_a_number(tmp_path):
    with TestClient(create_app(bundle_of(tmp_path, "rent"))) as opened:
        found = opened.post("/predict", json={"row": ROW}).json()
    assert isinstance(found["value"], float)


def test_what_is_missing_or_unknown_is_taken_where_it_is_said(client):
    assert client.post("/predict", json={"row": {"job": "cook", "age": None}}).status_code == 200
    found = client.post("/predict", json={"row": {"job": "astronaut", "age": 3}}).json()
    assert found["unseen"] == {"job": ["astronaut"]}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({**ROW, "pay": "low"}, "unknown column 'pay'"),
        ({"jobs": "cook", "age": 3}, "unknown column 'jobs'. Did you mean 'job'?"),
        ({"job": "cook"}, "row has no column 'age'"),
        ({**ROW, "age": "61"}, "row.age is a text, '61'; give a number or null"),
    ],
)
def test_columns_are_refused_by_name(client, row, told):
    found = client.post("/predict", json={"row": row})
    assert found.status_code == 422
    assert told in found.json()["detail"]


def test_the_columns_are_described(client):
    assert client.get("/info").json()["columns"] == ["job", "age"]
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    row = described["requestBody"]["content"]["application/json"]["schema"]["properties"]["row"]
    assert row["properties"]["age"] == {"type": ["number", "null"]}
    assert "cook" in row["properties"]["job"]["description"]
    assert row["additionalProperties"] is False
