"""Ratings for the tests of collab: made up here, and MovieLens where there is a mirror."""

import tarfile

import numpy as np
import pandas as pd
import pytest

from layerwise.collab.data import CollabDataLoaders


def made_ratings(users=40, items=30, share=0.4, seed=0):
    """A frame of ratings from 1 to 5 that two hidden factors explain, as text and numbers."""
    rng = np.random.default_rng(seed)
    taste, kind = rng.normal(size=(users, 2)), rng.normal(size=(items, 2))
    who, what = np.nonzero(rng.random((users, items)) < share)
    scores = 3 + (taste[who] * kind[what]).sum(1) + rng.normal(0, 0.1, len(who))
    return pd.DataFrame(
        {
            "user": who + 100,
            "film": np.array([f"film {i:02}" for i in range(items)])[what],
            "rating": scores.clip(1, 5).round(1),
        }
    )


@pytest.fixture
def ratings():
    """A frame of 40 users, 30 films and their ratings."""
    return made_ratings()


@pytest.fixture
def dls(ratings):
    """Loaders of these ratings."""
    return CollabDataLoaders.from_df(ratings, bs=16, seed=1)


@pytest.fixture(scope="session")
def movielens(mirror, tmp_path_factory):
    """The folder of MovieLens 100k."""
    archive = mirror / "ml-100k.tgz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name} in {mirror}")
    folder = tmp_path_factory.mktemp("movielens")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "ml-100k"
