"""Whatever the record names keeps the contract of its kind."""

import pytest
import torch
from layerwise.core.testing import Example, plugin_checks

from layerwise_timeseries.models import InceptionBlock, InceptionTime, Rocket
from layerwise_timeseries.scaling import StandardizeSeries
from layerwise_timeseries.types import TensorSeries

SERIES = TensorSeries(torch.randn(4, 2, 20, generator=torch.Generator().manual_seed(0)))
UNEQUAL = [[1.0, 2.0, 3.0], [3.0, 1.0], [2.0, 4.0, 5.0, 1.0], [1.0]]
VARIES = ("CropTime", "NoiseSeries", "ScaleSeries", "WarpTime", "MaskTime")
PADDED = [(TensorSeries([[1.0, float("nan")]]), 0), (TensorSeries([[1.0, 2.0]]), 1)]
SHORT = [(TensorSeries([[1.0]]), 0), PADDED[1]]
EXAMPLES = {
    "block": {"SeriesBlock": Example((UNEQUAL,))},
    "model": {
        "InceptionTime": Example((SERIES.as_plain(),), lambda: InceptionTime(2, 3, 4, depth=3)),
        # It starts from zeros, which a square would not move.
        "Rocket": Example(
            (SERIES.as_plain(), torch.tensor([0, 1, 2, 0])),
            lambda: Rocket(2, 3, 20, kernels=40),
            {"loss_func": torch.nn.functional.cross_entropy},
        ),
    },
    "transform": {
        **{name: Example((SERIES,)) for name in VARIES},
        "SeriesAugment": Example(skip="an interface"),
        "PadSeries": Example((SHORT,), options={"decoded": PADDED}),
        "StandardizeSeries": Example(
            (SERIES,), lambda: StandardizeSeries(torch.zeros(2), torch.ones(2) * 3)
        ),
        "ToSeries": Example(([1.0, 2.0],)),
    },
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("timeseries", EXAMPLES)]
)
def test_the_record(case):
    case()


def test_a_layer_works_in_a_model():
    assert InceptionBlock(2, 4)(SERIES.as_plain(), torch.ones(4, 1, 20)).shape == (4, 16, 20)
