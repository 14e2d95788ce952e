import pytest
import torch
from torch import nn

from layerwise.core.callback.training import BnFreeze, ShortEpochCallback, bn_types, set_bn_eval
from layerwise.core.train.callback import Callback


class Count(Callback):
    def __init__(self):
        super().__init__()
        self.train, self.valid = 0, 0

    def after_pred(self):
        if self.learn.training:
            self.train += 1
        else:
            self.valid += 1


@pytest.mark.parametrize(
    ("pct", "short_valid", "train", "valid"),
    [(0.01, True, 1, 1), (0.5, True, 2, 1), (0.5, False, 2, 2), (0.6, True, 3, 2), (1, True, 4, 2)],
)
def test_an_epoch_has_its_share_of_batches(make_learner, ear, pct, short_valid, train, valid):
    learn = make_learner(cbs=[ShortEpochCallback(pct, short_valid), Count()])
    learn.fit(3)
    assert (learn.count.train, learn.count.valid) == (3 * train, 3 * valid)
    assert len(learn.recorder.values) == 3


def test_predictions_are_never_cut_short(make_learner):
    learn = make_learner(cbs=ShortEpochCallback(0.01))
    learn.fit(1)
    assert len(learn.get_preds()[0]) == 16
    whole = make_learner(model=learn.model).validate()
    assert learn.validate() == whole
    with_error = Callback(after_batch=lambda: 1 / 0)
    with learn.added_cbs(with_error), pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert len(learn.get_preds()[0]) == 16


def test_a_loader_without_a_length_is_refused(make_learner):
    class Stream:
        def __iter__(self):
            yield torch.zeros(2, 3), torch.zeros(2, 1)

    class Both:
        train = valid = Stream()
        device = None

    learn = make_learner(dls=Both(), cbs=ShortEpochCallback(0.5))
    with pytest.raises(ValueError, match="does not say how many"):
        learn.fit(1)


@pytest.mark.parametrize("pct", [0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(pct):
    with pytest.raises(ValueError, match="above 0 and up to 1"):
        ShortEpochCallback(pct)


def norms():
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.BatchNorm1d(4)), nn.Linear(4, 1)
    )


def test_statistics_of_frozen_layers_stay(make_learner):
    model = norms()
    model[1].requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    make_learner(model, cbs=BnFreeze()).fit(2)
    after = model.state_dict()
    same = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert same == {name for name in before if name.startswith("1.")}


def test_without_it_they_move(make_learner):
    model = norms()
    model[1].requires_grad_(False)
    before = model[1].running_mean.clone()
    make_learner(model).fit(1)
    assert not torch.equal(model[1].running_mean, before)


def test_a_frozen_body_keeps_its_statistics(make_learner):
    def split(model):
        return [list(model[:3].parameters()), list(model[3].parameters())]

    model = norms()
    learn = make_learner(model, splitter=split, train_bn=False, cbs=BnFreeze())
    learn.freeze()
    before = model[1].running_mean.clone()
    learn.fit(1)
    assert torch.equal(model[1].running_mean, before)
    learn.unfreeze()
    learn.fit(1)
    assert not torch.equal(model[1].running_mean, before)


def test_layers_are_set_by_what_is_frozen():
    model = norms()
    model[2].requires_grad_(False)
    set_bn_eval(model)
    assert [m.training for m in model.modules() if isinstance(m, bn_types)] == [True, False]
    set_bn_eval(model, use_eval=False)
    assert all(m.training for m in model.modules())


def test_a_layer_without_parameters_is_not_frozen():
    layer = nn.BatchNorm2d(2, affine=False)
    set_bn_eval(layer)
    assert layer.training
