"""Whatever the record of core names keeps the contract of its kind."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.callback.mixup import MixUp
from layerwise.core.callback.schedule import ParamScheduler
from layerwise.core.callback.skip import SkipToEpoch
from layerwise.core.metrics.classification import FBeta
from layerwise.core.metrics.collected import AccumMetric
from layerwise.core.metrics.metric import AvgMetric
from layerwise.core.metrics.multilabel import FBetaMulti
from layerwise.core.optim.algorithms import SGD, Lookahead
from layerwise.core.optim.schedules import SchedCos
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.tensors import TensorImage, TensorMultiCategory
from layerwise.core.testing.checks import Example, plugin_checks
from layerwise.core.transforms.category import (
    Categorize,
    EncodedMultiCategorize,
    MultiCategorize,
    OneHotEncode,
)
from layerwise.core.transforms.numeric import Normalize

_numbers = torch.Generator().manual_seed(0)
SCORES = torch.randn(6, 7, generator=_numbers)
CLASSES = torch.tensor([0, 1, 2, 3, 6, 0])
TWO = SCORES[:, :2], torch.tensor([0, 1, 1, 0, 1, 0])
SEVERAL = SCORES[:, :3], torch.tensor([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]] * 2)[:6]
VALUES = torch.randn(6, generator=_numbers), torch.randn(6, generator=_numbers)
POSITIVE = VALUES[0].abs() + 0.1, VALUES[1].abs() + 0.1
MAPS = torch.randn(6, 2, 4, 4, generator=_numbers), torch.randint(2, (6, 4, 4), generator=_numbers)
TOKENS = torch.randint(4, (6, 8), generator=_numbers), torch.randint(4, (6, 8), generator=_numbers)
BINARY = SEVERAL[0].sigmoid(), SEVERAL[1].float()
INTERFACE = Example(skip="an interface")
ELSEWHERE = "needs a learner of its own, which its tests in tests/core/callback make"


def _all(inputs, names):
    return {name: Example(inputs) for name in names.split()}


EXAMPLES = {
    "block": {
        "CategoryBlock": Example((list("abcab"),)),
        "MultiCategoryBlock": Example(([["a"], ["a", "b"], ["b"], [], ["a"]],)),
        "RegressionBlock": Example(([1.0, 2.0, 3.0, 4.0],)),
        "TransformBlock": Example(([1.0, 2.0, 3.0, 4.0],)),
    },
    "callback": {
        **dict.fromkeys(
            ("AzureMLCallback", "CometCallback", "CutMix", "HookCallback", "ModelResetter",
             "OptunaPruningCallback", "ProgressiveResizing", "RNNRegularizer",
             "TensorBoardProjectorCallback", "WandbCallback"),
            Example(skip=ELSEWHERE),
        ),
        "MixHandler": INTERFACE,
        "MixUp": Example(make=lambda: MixUp(0.4)),
        "ParamScheduler": Example(make=lambda: ParamScheduler({"lr": SchedCos(0.1, 0.01)})),
        "SkipToEpoch": Example((), lambda: SkipToEpoch(0)),
    },
    "loss": {
        **_all((SCORES, CLASSES), "CrossEntropyLossFlat FocalLoss FocalLossFlat "
               "LabelSmoothingCrossEntropy LabelSmoothingCrossEntropyFlat"),
        **_all((VALUES[0][:, None], VALUES[1][:, None]), "L1LossFlat MSELossFlat"),
        "BCELossFlat": Example(BINARY),
        "BCEWithLogitsLossFlat": Example((SEVERAL[0], SEVERAL[1].float())),
        "BaseLoss": INTERFACE,
        "ClassLoss": INTERFACE,
        "DiceLoss": Example(MAPS),
        "ModelLoss": Example(skip="takes the loss that a model has computed"),
    },
    "metric": {
        **_all((SCORES, CLASSES), "BalancedAccuracy BrierScore CohenKappa HammingLoss "
               "MatthewsCorrCoef Perplexity RocAuc accuracy error_rate perplexity top_k_accuracy"),
        **_all(TWO, "APScoreBinary F1Score Jaccard Precision Recall RocAucBinary"),
        **_all(SEVERAL, "APScoreMulti BrierScoreMulti F1ScoreMulti HammingLossMulti JaccardMulti "
               "MatthewsCorrCoefMulti PrecisionMulti RecallMulti RocAucMulti accuracy_multi"),
        **_all(VALUES, "ExplainedVariance PearsonCorrCoef R2Score SpearmanCorrCoef mae mse rmse"),
        **_all(POSITIVE, "exp_rmspe msle"),
        **_all(MAPS, "Dice DiceMulti JaccardCoeff JaccardCoeffMulti foreground_acc"),
        "AccumMetric": Example(VALUES, lambda: AccumMetric(nn.functional.l1_loss)),
        "AvgMetric": Example(VALUES, lambda: AvgMetric(nn.functional.l1_loss)),
        "CorpusBLEUMetric": Example(TOKENS),
        "FBeta": Example(TWO, lambda: FBeta(2)),
        "FBetaMulti": Example(SEVERAL, lambda: FBetaMulti(2)),
        **dict.fromkeys(("LossMetric", "AvgLoss", "AvgSmoothLoss", "ValueMetric"),
                        Example(skip="reads the learner; tests/core/metrics try it on one")),
        "Metric": INTERFACE,
        "PooledMetric": INTERFACE,
    },
    "optimizer": {
        "Lookahead": Example(make=lambda: lambda params, lr: Lookahead(SGD(params, lr=lr))),
        "OptimWrapper": Example(
            make=lambda: partial(OptimWrapper, opt=torch.optim.AdamW), options={"lr": 0.1}
        ),
        "Optimizers": Example(skip="made of several; tests/core/optim/test_several.py tries it"),
    },
    "transform": {
        "Categorize": Example(("b",), lambda: Categorize(["a", "b"])),
        "EncodedMultiCategorize": Example(
            ([1, 0],), lambda: EncodedMultiCategorize(["a", "b"]), {"decoded": ["a"]}
        ),
        "MultiCategorize": Example((["b"],), lambda: MultiCategorize(["a", "b"])),
        "OneHotEncode": Example((TensorMultiCategory([1]),), lambda: OneHotEncode(c=3)),
        "IntToFloatTensor": Example(
            (TensorImage(torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)),),
            options={"decoded": TensorImage(torch.arange(12.0).view(1, 3, 2, 2) / 255)},
        ),
        "Normalize": Example(
            (TensorImage(torch.rand(2, 3, 4, 4, generator=_numbers)),),
            lambda: Normalize.from_stats([0.5] * 3, [0.2] * 3),
        ),
        "RegressionSetup": Example((2.0,)),
        "ToTensor": Example((np.zeros(3),)),
        **dict.fromkeys(
            ("DisplayedTransform", "Getter", "InplaceTransform", "ItemTransform", "RandTransform",
             "Transform"), INTERFACE),
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("core", EXAMPLES)]
)
def test_the_record(case):
    case()
