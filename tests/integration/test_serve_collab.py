"""Bundles of ratings over the web: a row has a user and an item."""

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("layerwise.collab.all", reason="layerwise-collab is not installed")
import pandas as pd
from fastapi.testclient import TestClient

from layerwise.collab.data import CollabDataLoaders
from layerwise.collab.learner import collab_learner
from layerwise.core.restore import load_learner
from layerwise.core.serve.app import create_app


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    rows = [(user, f"film {i}", 1 + (user + i) % 5) for user in range(8) for i in range(6)]
    df = pd.DataFrame(rows, columns=["user", "film", "rating"])
    dls = CollabDataLoaders.from_df(df, seed=1, bs=16)
    path = tmp_path_factory.mktemp("films")
    return collab_learner(dls, 4, y_range=(0, 5.5), path=path).export("films.lw")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle)) as opened:
        yield opened


def test_a_pair_is_answered_by_a_rating(client, bundle):
    row = {"film": "film 3", "user": 2}
    found = client.post("/predict", json={"row": row}).json()
    assert found == {"value": pytest.approx(load_learner(bundle).predict(row)[0])}


def test_who_is_not_known_is_told(client):
    found = client.post("/predict", json={"row": {"user": 99, "film": "film 3"}}).json()
    (note,) = found["notes"]
    assert "user" in note


def test_an_id_of_another_kind_is_refused(client):
    found = client.post("/predict", json={"row": {"user": "2", "film": "film 3"}})
    assert found.status_code == 422
    assert "'2'" in found.json()["detail"]


def test_the_columns_have_their_names(client):
    assert client.get("/info").json()["columns"] == ["user", "film"]
