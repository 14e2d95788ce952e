import torch

from layerwise.core.callback.skip import SkipToEpoch
from layerwise.core.train.callback import Callback


def test_epochs_before_it_are_left_out_and_the_schedule_goes_on(make_learner):
    whole, rest, started = make_learner(), make_learner(), make_learner()
    whole.fit_one_cycle(4, 0.1)
    rest.fit_one_cycle(4, 0.1, cbs=SkipToEpoch(3))
    started.fit_one_cycle(4, 0.1, start_epoch=3)
    assert rest.recorder.hps["lr"] == whole.recorder.hps["lr"][12:]
    assert rest.recorder.hps == started.recorder.hps


def test_it_trains_on_the_data_of_its_epoch(make_learner):
    class Inputs(Callback):
        def __init__(self):
            self.seen = []

        def before_batch(self):
            self.seen.append(self.learn.x)

    found = []
    for more in ({"start_epoch": 2}, {"cbs": SkipToEpoch(2)}):
        learn = make_learner(cbs=Inputs())
        torch.manual_seed(3)
        learn.fit(3, **more)
        found.append(torch.cat(learn.inputs.seen))
    assert torch.equal(*found)


def test_nothing_is_skipped_from_zero(make_learner):
    learn = make_learner(cbs=SkipToEpoch(0))
    learn.fit(1)
    assert len(learn.recorder.losses) == 4
