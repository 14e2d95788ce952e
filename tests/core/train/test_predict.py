import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint import load_weights
from layerwise.core.train.predict import (
    FetchPredsCallback,
    GatherPredsCallback,
    activation_of,
    decodes_of,
)


def stacked(samples):
    return tuple(torch.stack(m) for m in zip(*samples, strict=True))


@pytest.fixture
def classes(make_learner):
    """A learner of three classes over 20 samples to validate, 7 in a batch."""
    generator = torch.Generator().manual_seed(0)
    rows = [(torch.randn(4, generator=generator), torch.tensor(i % 3)) for i in range(20)]
    dls = DataLoaders(DataLoader(rows, 7, shuffle=True), DataLoader(rows, 7))
    return make_learner(nn.Linear(4, 3), dls=dls, loss_func=CrossEntropyLossFlat())


# -- what is gathered ----------------------------------------------------------------------


def test_predictions_are_those_of_the_model_in_evaluation(classes):
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout())
    classes.model = model
    preds, targets = classes.get_preds()
    x, y = stacked(classes.dls.valid.dataset)
    with torch.no_grad():
        torch.testing.assert_close(preds, model.eval()(x).softmax(-1))
    assert torch.equal(targets, y)
    assert not preds.requires_grad


def test_all_that_can_be_asked_for_comes_in_its_place(classes):
    found = classes.get_preds(with_input=True, with_decoded=True, with_loss=True)
    inputs, preds, targets, decoded, losses = found
    x, y = stacked(classes.dls.valid.dataset)
    assert torch.equal(inputs, x)
    assert torch.equal(targets, y)
    assert torch.equal(decoded, preds.argmax(-1))
    with torch.no_grad():
        expected = nn.functional.cross_entropy(classes.model(x), y, reduction="none")
    torch.testing.assert_close(losses, expected)


def test_the_loss_is_reduced_again_afterwards(classes):
    loss_func = classes.loss_func
    classes.get_preds(with_loss=True)
    assert classes.loss_func is loss_func
    assert loss_func.reduction == "mean"


def test_losses_need_targets(classes):
    x, _ = stacked(classes.dls.valid.dataset)
    with pytest.raises(ValueError, match="with_loss=True needs targets"):
        classes.get_preds(dl=[(x,)], with_loss=True)


def test_act_replaces_the_activation_of_the_loss(classes):
    x, _ = stacked(classes.dls.valid.dataset)
    preds, _ = classes.get_preds(act=lambda out: out)
    with torch.no_grad():
        torch.testing.assert_close(preds, classes.model(x))


def test_without_targets_none_stands_in_their_place(classes):
    x, _ = stacked(classes.dls.valid.dataset)
    preds, targets = classes.get_preds(dl=[(x[:5],), (x[5:],)])
    assert len(preds) == 20
    assert targets is None


def test_what_is_not_wanted_is_none(classes):
    preds, targets = classes.get_preds(with_preds=False)
    assert preds is None
    assert len(targets) == 20
    preds, targets = classes.get_preds(with_targs=False)
    assert len(preds) == 20
    assert targets is None


def test_an_empty_loader_has_no_predictions(classes):
    assert classes.get_preds(dl=DataLoader([], 4)) == (None, None)


# -- order ---------------------------------------------------------------------------------


def test_training_data_are_neither_shuffled_nor_dropped(classes):
    train = classes.dls.train
    train.drop_last = True
    _, targets = classes.get_preds(ds_idx=0)
    assert targets.tolist() == [i % 3 for i in range(20)]
    assert train.shuffle
    assert train.drop_last


@pytest.mark.parametrize("reorder", [True, False])
def test_a_loader_that_sorts_gives_the_order_of_the_data_back(classes, reorder):
    order = [(7 * i) % 20 for i in range(20)]
    loader = DataLoader(classes.dls.valid.dataset, 6, get_idxs=lambda: list(order))
    x, _ = stacked(classes.dls.valid.dataset)
    inputs, preds, targets = classes.get_preds(dl=loader, with_input=True, reorder=reorder)
    expected = list(range(20)) if reorder else order
    assert torch.equal(inputs, x[expected])
    assert targets.tolist() == [i % 3 for i in expected]
    with torch.no_grad():
        torch.testing.assert_close(preds, classes.model(x[expected]).softmax(-1))


# -- shapes of models ----------------------------------------------------------------------


class Twice(nn.Module):
    """A model with two inputs and two outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 1), nn.Linear(2, 4)

    def forward(self, a, b):
        return self.first(a), self.second(b)


@pytest.fixture
def twice(make_learner):
    rows = [
        (torch.ones(3) * i, torch.ones(2) * i, torch.tensor(i), torch.tensor(-i)) for i in range(5)
    ]

    def loss_func(pred, u, v):
        return (pred[0].mean() - u.float().mean()).abs() + (pred[1].mean() - v.float().mean()).abs()

    dls = DataLoaders(DataLoader(rows, 2, shuffle=True), DataLoader(rows, 2))
    for loader in dls:
        loader.n_inp = 2
    return make_learner(Twice(), dls=dls, loss_func=loss_func)


def test_several_inputs_outputs_and_targets_come_as_tuples(twice):
    twice.fit(1)
    inputs, preds, targets = twice.get_preds(with_input=True)
    assert [tuple(t.shape) for t in (*inputs, *preds)] == [(5, 3), (5, 2), (5, 1), (5, 4)]
    assert [t.tolist() for t in targets] == [[0, 1, 2, 3, 4], [0, -1, -2, -3, -4]]


def test_several_outputs_come_back_in_order(twice):
    loader = DataLoader(twice.dls.valid.dataset, 2, get_idxs=lambda: [3, 1, 4, 0, 2])
    loader.n_inp = 2
    inputs, _, targets = twice.get_preds(dl=loader, with_input=True)
    assert targets[0].tolist() == [0, 1, 2, 3, 4]
    assert inputs[0][:, 0].tolist() == [0, 1, 2, 3, 4]


# -- files ---------------------------------------------------------------------------------


def test_predictions_and_targets_go_to_files_by_batch(classes, tmp_path):
    preds, targets = classes.get_preds(act=lambda out: out)
    kept, _ = classes.get_preds(
        save_preds=tmp_path / "p", save_targs=tmp_path / "t", with_preds=False, with_targs=False
    )
    assert kept is None
    for folder, expected in (("p", preds), ("t", targets)):
        files = sorted((tmp_path / folder).iterdir())
        assert [f.name for f in files] == [f"{i:06}.safetensors" for i in range(3)]
        read = torch.cat([load_weights(f)["values"] for f in files])
        assert torch.equal(read, expected)


def test_several_outputs_and_targets_go_to_files_too(twice, tmp_path):
    preds, targets = twice.get_preds(save_preds=tmp_path / "p", save_targs=tmp_path / "t")
    for folder, expected in (("p", preds), ("t", targets)):
        files = [load_weights(f) for f in sorted((tmp_path / folder).iterdir())]
        for i, whole in enumerate(expected):
            assert torch.equal(torch.cat([f[f"values.{i}"] for f in files]), whole)


# -- state ---------------------------------------------------------------------------------


def test_predicting_leaves_no_callback_and_no_gradient(classes):
    before = list(classes.cbs)
    classes.get_preds(cbs=Callback())
    assert list(classes.cbs) == before
    assert all(p.grad is None for p in classes.model.parameters())


def test_predicting_leaves_no_callback_after_an_error(classes):
    before = list(classes.cbs)
    logger, loss_func = classes.logger, classes.loss_func

    def fail():
        raise RuntimeError("once")

    with pytest.raises(RuntimeError):
        classes.get_preds(cbs=Callback(after_pred=fail), with_loss=True)
    assert list(classes.cbs) == before
    assert classes.logger is logger
    assert classes.loss_func is loss_func
    assert classes.n_epoch == 1


def test_predicting_does_not_touch_the_record(classes):
    classes.fit_one_cycle(2)
    recorder = classes.recorder
    before = {k: v for k, v in vars(recorder).items() if k != "learn"}
    losses, smooth = recorder.losses, recorder.smooth_loss.value
    classes.get_preds()
    assert {k: v for k, v in vars(recorder).items() if k != "learn"} == before
    assert recorder.losses == losses
    assert recorder.smooth_loss.value == smooth
    assert classes.train_iter == 6


# -- FetchPredsCallback --------------------------------------------------------------------


def test_predictions_are_fetched_after_each_epoch_without_a_trace(make_learner):
    seen = []

    class Look(Callback):
        after = (FetchPredsCallback,)

        def after_epoch(self):
            seen.append(self.learn.fetch_preds.preds)

    learn = make_learner(cbs=[FetchPredsCallback(), Look()], metrics=nn.functional.l1_loss)
    plain = make_learner(metrics=nn.functional.l1_loss)
    for each in (learn, plain):
        torch.manual_seed(1)
        each.fit_one_cycle(2)
    assert [len(preds) for preds, _ in seen] == [16, 16]
    assert not torch.equal(seen[0][0], seen[1][0])
    assert learn.recorder.values == plain.recorder.values
    assert learn.recorder.losses == plain.recorder.losses
    assert learn.recorder.hps == plain.recorder.hps
    assert [type(cb).__name__ for cb in learn.cbs] == [
        "TrainEvalCallback",
        "NaNGuard",
        "Recorder",
        "ProgressCallback",
        "FetchPredsCallback",
        "Look",
    ]
    torch.testing.assert_close(seen[1][0], learn.get_preds()[0])


def test_callbacks_can_be_kept_from_hearing_the_fetch(make_learner):
    class Counts(Callback):
        count = 0

        def after_validate(self):
            self.count += 1

    learn = make_learner(cbs=[Counts(), FetchPredsCallback(cbs=Counts)])
    learn.fit(2)
    assert learn.counts.count == 2


# -- activation and decodes ----------------------------------------------------------------


def test_a_loss_without_its_own_activation_leaves_outputs_as_they_are():
    x = torch.randn(3)
    assert activation_of(nn.MSELoss())(x) is x
    assert decodes_of(nn.MSELoss())(x) is x


def test_gathering_alone_works_in_a_validation(classes):
    gather = GatherPredsCallback(with_targs=False)
    classes.validate(cbs=gather)
    preds, targets = gather.all_tensors()
    assert preds.shape == (20, 3)
    assert targets is None
