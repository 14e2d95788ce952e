"""Whatever the record of tabular names keeps the contract of its kind."""

import pytest
import torch

from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.testing.checks import Example, plugin_checks
from layerwise.tabular.models.ft_transformer import FTTransformer
from layerwise.tabular.models.mlp import TabularModel
from layerwise.tabular.models.resnet import TabularResNet
from layerwise.tabular.several_losses import SeveralLosses

# Codes of two columns of categories, 0 for the unknown, and two columns of numbers.
ROWS = (torch.tensor([[1, 0], [2, 1], [0, 3], [1, 2]]), torch.randn(4, 2))
EMBEDDINGS = [(3, 4), (4, 4)]
IN_PLACE = "changes a table in place; tests of procs try it on one"
EXAMPLES = {
    "loss": {
        "SeveralLosses": Example(
            (torch.randn(4, 4), torch.tensor([[2, 0.5], [0, 1], [1, 2], [0, -1]])),
            lambda: SeveralLosses([CrossEntropyLossFlat(), MSELossFlat()], [3, 1]),
        ),
    },
    "model": {
        "FTTransformer": Example((ROWS,), lambda: FTTransformer(EMBEDDINGS, 2, 3, width=8)),
        "TabularModel": Example((ROWS,), lambda: TabularModel(EMBEDDINGS, 2, 3, [8])),
        "TabularResNet": Example((ROWS,), lambda: TabularResNet(EMBEDDINGS, 2, 3, width=8)),
    },
    "transform": {
        name: Example(skip=IN_PLACE)
        for name in (
            "Categorify", "FillMissing", "NormalizeColumns", "NormalizeQuantiles", "TabularProc",
            "TargetEncode",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("tabular", EXAMPLES)]
)
def test_the_record(case):
    case()
