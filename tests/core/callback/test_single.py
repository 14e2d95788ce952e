import pytest

from layerwise.core.callback.accumulate import GradientAccumulation
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.mixup import CutMix, MixUp
from layerwise.core.callback.oom import AutoMicroBatch
from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.sam import SAM

PAIRS = [
    (GradientAccumulation, GradientAccumulation),
    (MixUp, CutMix),
    (MixUp, MixUp),
    (MixedPrecision, MixedPrecision),
    (SAM, SAM),
    (EMA, EMA),
    (AutoMicroBatch, AutoMicroBatch),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: "+".join(kind.__name__ for kind in p))
def test_two_that_would_act_on_one_another_are_refused(make_learner, pair):
    learn = make_learner(cbs=[kind() for kind in pair])
    before = learn.model.weight.clone()
    with pytest.raises(ValueError, match=f"{pair[0].__name__} and {pair[1].__name__}"):
        learn.fit(1)
    assert learn.model.weight.equal(before)
    learn.remove_cb(learn.cbs[-1])
