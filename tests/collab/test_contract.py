"""Whatever the record of collab names keeps the contract of its kind."""

import numpy as np
import pytest
import torch

from layerwise.collab.feature_model import FeatureDotBias
from layerwise.collab.ids import Ids
from layerwise.collab.models import EmbeddingDotBias, EmbeddingNN
from layerwise.collab.negatives import BatchNegatives, DrawNegatives
from layerwise.collab.ratings import Ratings
from layerwise.core.data.array_loader import ArrayDL
from layerwise.core.testing.checks import Example, plugin_checks

SCORES = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
RELEVANT = torch.tensor([[1, 0, 0, 1, 0]] * 6)
PAIRS = torch.tensor([[1, 1], [2, 3], [3, 2], [1, 2]])


def _ready(transform):
    """`transform` on a loader of three users and films, of whom each took one film."""
    ids = Ids("user", [1, 2, 3]), Ids("film", range(1, 9))
    data = Ratings(*ids, np.array([[1, 1], [2, 3], [3, 2], [1, 2]], np.int32), negatives=2)
    transform.setup(ArrayDL(data, bs=4))
    return transform


def _described(model):
    """`model`, which knows some features."""
    return model.know(torch.rand(4, 2), torch.rand(4, 1))


METRICS = ("CoverageAtK", "HitRateAtK", "MAPAtK", "NDCGAtK", "PrecisionAtK", "RecallAtK")
BATCH = (PAIRS, torch.ones(4))
EXAMPLES = {
    "loss": {
        "BPRLoss": Example((SCORES, RELEVANT)),
        "SampledSoftmaxLoss": Example((SCORES, RELEVANT)),
    },
    "metric": {
        **{name: Example((SCORES, RELEVANT)) for name in METRICS},
        "RankingMetric": Example(skip="an interface"),
    },
    "model": {
        "EmbeddingDotBias": Example((PAIRS,), lambda: EmbeddingDotBias(3, 4, 4)),
        "FeatureDotBias": Example((PAIRS,), lambda: _described(FeatureDotBias(3, 4, 4, 2, 1))),
        "EmbeddingNN": Example((PAIRS,), lambda: EmbeddingNN([(4, 3), (4, 2)], [5])),
    },
    "transform": {
        "BatchNegatives": Example((BATCH,), lambda: _ready(BatchNegatives())),
        "DrawNegatives": Example((BATCH,), lambda: _ready(DrawNegatives(2))),
    },
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("collab", EXAMPLES)]
)
def test_the_record(case):
    case()
