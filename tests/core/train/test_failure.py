"""A batch that fails says which, what was being done, and with what; and no more than once."""

import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.train.callback import Callback
from layerwise.core.train.events import CancelBatchException


class FailsAt(nn.Module):
    """A linear layer that fails in its call number `at`."""

    def __init__(self, at, error):
        super().__init__()
        self.inner, self.at, self.error, self.calls = nn.Linear(3, 1), at, error, 0

    def forward(self, x):
        self.calls += 1
        if self.calls > self.at:
            raise self.error
        return self.inner(x)


def notes_of(learn, kind=Exception):
    with pytest.raises(kind) as caught:
        learn.fit(1)
    return caught.value.__notes__


@pytest.mark.parametrize(("at", "where"), [(2, "training batch 2"), (5, "validation batch 1")])
def test_a_failing_model_names_phase_batch_and_input(make_learner, at, where):
    error = KeyError("layer")
    with pytest.raises(KeyError) as caught:
        make_learner(FailsAt(at, error)).fit(1)
    assert caught.value is error
    (note,) = error.__notes__
    assert note.startswith(f"in {where} of epoch 0, calling the model; ")
    assert "xb: (Tensor (8, 3) float32)" in note
    assert "yb: (Tensor (8, 1) float32)" in note
    assert "pred: None" in note


def test_shapes_that_the_model_refuses_are_left_to_the_words_of_torch(make_learner):
    (note,) = notes_of(make_learner(nn.Linear(5, 1)), RuntimeError)
    assert "calling the model" in note
    assert "xb: (Tensor (8, 3) float32)" in note


def test_a_failing_loss_describes_the_prediction(make_learner):
    def loss(pred, y):
        raise ArithmeticError

    (note,) = notes_of(make_learner(nn.Linear(3, 2), loss_func=loss), ArithmeticError)
    assert note.startswith("in training batch 0 of epoch 0, computing the loss; ")
    assert "pred: Tensor (8, 2) float32" in note


def test_a_model_that_returns_nothing_is_not_taken_for_one_that_fails(make_learner):
    class Forgets(nn.Linear):
        def forward(self, x):
            super().forward(x)

    (note,) = notes_of(make_learner(Forgets(3, 1), loss_func=nn.MSELoss()))
    assert "computing the loss; " in note
    assert "pred: None" in note


def test_a_failing_backward_says_so(make_learner):
    learn = make_learner(loss_func=lambda pred, y: torch.tensor(1.0))  # needs no gradient
    (note,) = notes_of(learn, RuntimeError)
    assert "computing gradients; " in note


def test_a_failing_optimizer_says_so(make_learner):
    learn = make_learner()

    def fail():
        raise RuntimeError("no step")

    learn.opt.step = fail
    (note,) = notes_of(learn, RuntimeError)
    assert "stepping the optimizer; " in note


def classes(loss_func, targets, outputs=2, shape=(3,)):
    data = [(torch.zeros(shape), t) for t in targets]
    dls = DataLoaders(*(DataLoader(data, bs=4, num_workers=0) for _ in range(2)))
    model = nn.Linear(3, outputs) if shape == (3,) else nn.Conv2d(1, outputs, 1)
    learn = Learner(dls, model, loss_func)
    learn.logger = lambda row: None
    return learn


@pytest.mark.parametrize(
    "loss_func", [CrossEntropyLossFlat(), nn.CrossEntropyLoss(), nn.functional.cross_entropy]
)
def test_a_class_out_of_range_is_said_with_the_number_of_outputs(loss_func):
    (note,) = notes_of(classes(loss_func, [torch.tensor(t) for t in (0, 1, 4, 1)]))
    assert "the model gives 2 outputs per item, the largest target is 4" in note
    assert "n_out=5" in note
    assert "vocabulary" in note


def test_a_class_out_of_range_in_a_mask_is_said_too():
    masks = [torch.full((4, 4), 2)] * 4
    (note,) = notes_of(classes(CrossEntropyLossFlat(axis=1), masks, shape=(1, 4, 4)))
    assert "the model gives 2 outputs per item, the largest target is 2" in note


def test_a_negative_class_is_said_too():
    (note,) = notes_of(classes(CrossEntropyLossFlat(), [torch.tensor(-1)] * 4))
    assert "the smallest target is -1" in note


def test_other_failures_get_no_hint(make_learner):
    (note,) = notes_of(classes(CrossEntropyLossFlat(), [torch.zeros(5)] * 4))
    assert "outputs per item" not in note


def test_an_error_of_a_callback_inside_the_step_keeps_its_one_note(make_learner):
    def fail():
        raise KeyError("x")

    assert notes_of(make_learner(cbs=Callback(after_pred=fail))) == [
        "in Callback.after_pred, a callback of this learner"
    ]


def test_a_callback_that_runs_a_failing_batch_adds_its_name_alone(make_learner):
    class Nested(Callback):
        def after_loss(self):
            self.learn.model(torch.zeros(2, 99))

    notes = notes_of(make_learner(cbs=Nested()), RuntimeError)
    assert notes == ["in Nested.after_loss, a callback of this learner"]


def test_cancelling_inside_the_step_gets_no_note(make_learner):
    error = CancelBatchException()
    make_learner(FailsAt(0, error)).fit(1)
    assert not hasattr(error, "__notes__")


def test_a_step_written_by_hand_has_its_batch_described(make_learner, samples):
    class Own(Learner):
        def batch_step(self):
            raise KeyError("own")

    dls = make_learner().dls
    learn = Own(dls, nn.Linear(3, 1), nn.MSELoss())
    learn.logger = lambda row: None
    (note,) = notes_of(learn, KeyError)
    assert note.startswith("in training batch 0 of epoch 0, in batch_step; xb: ")


def test_a_value_that_cannot_be_described_hides_no_error(make_learner):
    class Shy:
        def __repr__(self):
            raise RuntimeError("no repr")

    class Returns(nn.Linear):
        def forward(self, x):
            return Shy()

    def loss(pred, y):
        raise KeyError("the real one")

    (note,) = notes_of(make_learner(Returns(3, 1), loss_func=loss), KeyError)
    assert "pred: Shy" in note
