"""Each check passes what keeps the contract, and says what is wrong with what breaks it."""

import random

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, MultiCategoryBlock, TransformBlock
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.metric import Metric
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.random import get_random_states, uniform
from layerwise.core.tensors import TensorImage
from layerwise.core.testing import (
    ContractError,
    assert_equal,
    check_block,
    check_callback,
    check_loss,
    check_metric,
    check_model,
    check_optimizer,
    check_transform,
    raises_with,
    synth_learner,
)
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import InplaceTransform, Transform

IMAGE = TensorImage(torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)))


# -- transforms ----------------------------------------------------------------------------


class Double(Transform):
    def encodes(self, x: TensorImage):
        return x * 2

    def decodes(self, x: TensorImage):
        return x / 2


class Brighten(RandTransform):
    def encodes(self, x: TensorImage):
        return x * uniform(1, 2)


class Clear(InplaceTransform):
    def encodes(self, x: TensorImage):
        x.zero_()


class WrongWayBack(Double):
    def decodes(self, x: TensorImage):
        return x / 3


class ChangesItsInput(Transform):
    def encodes(self, x: TensorImage):
        return x.mul_(2)


class DrawsAnywhere(Transform):
    def encodes(self, x: TensorImage):
        return x * random.random()  # noqa: S311 - the mistake that is to be found


def to_plain(x: TensorImage) -> None:
    return x.as_plain() * 1  # type: ignore[return-value]  # None: leave the type alone


class LosesTheType(Transform):
    def __init__(self):
        super().__init__(to_plain)


class KeepsAFunction(Transform):
    def __init__(self):
        super().__init__()
        self.scale = lambda x: x * 2

    def encodes(self, x: TensorImage):
        return self.scale(x)


class ForgetsWhenPickled(Double):
    factor = 2

    def __getstate__(self):
        return {**vars(self), "factor": 3}

    def encodes(self, x: TensorImage):
        return x * self.factor


@pytest.mark.parametrize("transform", [Double, Brighten, Clear])
def test_a_transform_that_keeps_the_contract_passes(transform):
    check_transform(transform(), IMAGE)
    check_transform(transform(), (IMAGE, "label"))


@pytest.mark.parametrize(
    ("transform", "told"),
    [
        (WrongWayBack, "decode does not undo encode"),
        (ChangesItsInput, "changes its argument"),
        (DrawsAnywhere, "does not repeat; draw with generator()"),
        (LosesTheType, "loses the type of TensorImage"),
        (KeepsAFunction, "cannot be sent to a worker"),
        (ForgetsWhenPickled, "encodes differently after pickling"),
    ],
)
def test_a_transform_that_breaks_it_is_told_how(transform, told):
    with raises_with(ContractError, transform().name, told):
        check_transform(transform(), TensorImage(IMAGE.clone()))


def test_what_decoding_gives_can_be_stated():
    check_transform(WrongWayBack(), IMAGE, decoded=IMAGE * 2 / 3)
    with raises_with(ContractError, "decode does not undo"):
        check_transform(WrongWayBack(), IMAGE, decoded=IMAGE)


def test_checking_draws_nothing_from_the_global_generators():
    before = get_random_states()
    check_transform(Brighten(), IMAGE)
    check_loss(nn.CrossEntropyLoss(), torch.eye(3), torch.arange(3))
    assert_equal(get_random_states(), before)


# -- blocks --------------------------------------------------------------------------------


def test_blocks_that_make_batches_pass():
    check_block(CategoryBlock, ["cat", "dog", "cat", "dog"])
    check_block(CategoryBlock(vocab=["cat", "dog"]), ["cat", "dog", "cat", "dog"])
    check_block(MultiCategoryBlock, [["a"], ["a", "b"], ["b"], ["b"]])


def test_a_block_that_breaks_the_contract_is_told_how():
    with raises_with(ContractError, "a block is a TransformBlock, not int"):
        check_block(int, [1, 2, 3, 4])
    with raises_with(ContractError, "give four"):
        check_block(CategoryBlock, ["a"])
    with raises_with(ContractError, "KeepsAFunction cannot be sent to a worker"):
        check_block(
            TransformBlock(item_tfms=KeepsAFunction()), [TensorImage(IMAGE) for _ in range(4)]
        )


# -- models --------------------------------------------------------------------------------

X = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Bilinear(3, 3, 2)

    def forward(self, a, b):
        return self.layer(a, b), a.sum()


class LooseTensor(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.scale = torch.ones(2)


class Unused(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.other = nn.Linear(1, 1)


class Noisy(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)

    def forward(self, x):
        return super().forward(x) + torch.rand(2)


class HiddenState(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.register_buffer("scale", torch.full((2,), 3.0), persistent=False)

    def forward(self, x):
        return super().forward(x) * self.get_buffer("scale")


class Remembering(nn.Module):
    """Goes on where the last call ended, until it is told to forget."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls = small(), 0

    def reset(self):
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.layer(x) * self.calls


def test_a_model_that_remembers_is_told_to_forget_before_it_is_compared():
    check_model(Remembering(), X)


def test_models_that_keep_the_contract_pass():
    check_model(small(), X)
    check_model(small(), X, torch.tensor([0, 1, 1, 0]), loss_func=nn.CrossEntropyLoss())
    check_model(TwoInputs(), (X, X))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (LooseTensor, "keeps ['scale'] as plain attributes"),
        (Unused, "without gradient, which distributed training needs: ['other.weight'"),
        (Noisy, "does not repeat itself in evaluation"),
        (HiddenState, "differently after saving and loading"),
    ],
)
def test_a_model_that_breaks_it_is_told_how(model, told):
    with raises_with(ContractError, told):
        check_model(model(), X)


def test_a_loss_that_is_no_number_is_told():
    with raises_with(ContractError, "the loss of the first batch is nan"):
        check_model(small(), X * float("nan"))


# -- losses, metrics, optimizers -----------------------------------------------------------

PRED, TARG = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        (lambda p, t: nn.functional.cross_entropy(p, t, reduction="none"), "of shape (1,)"),
        (lambda p, t: nn.functional.cross_entropy(p, t) / (len(p) - 1), "of 1 items is inf"),
        (lambda p, t: nn.functional.cross_entropy(p.detach(), t).requires_grad_(), "no finite"),
    ],
)
def test_a_loss_that_breaks_the_contract_is_told_how(loss, told):
    with raises_with(ContractError, told):
        check_loss(loss, PRED, TARG)


def test_a_loss_whose_decoding_loses_items_is_told():
    class Wrong(CrossEntropyLossFlat):
        def decodes(self, x):
            return x.argmax(0)

    check_loss(CrossEntropyLossFlat(), PRED, TARG)
    with raises_with(ContractError, "`decodes` makes 3 of 6 items"):
        check_loss(Wrong(), PRED, TARG)


class SharesState(Metric):
    def __init__(self):
        self.seen = []

    def reset(self):
        self.seen.clear()

    def update(self, pred, *targets):
        self.seen.extend(pred[:, 0].tolist())

    @property
    def value(self):
        return sum(self.seen)


def root_of_mean_square(pred, targ):
    return (pred[:, 0] - targ).square().mean().sqrt()


def test_a_metric_that_depends_on_the_batch_size_is_told():
    check_metric(accuracy, PRED, TARG)
    with raises_with(ContractError, "root_of_mean_square depends on the batch size"):
        check_metric(root_of_mean_square, PRED, TARG)


def test_a_metric_whose_copies_share_state_is_told():
    with raises_with(ContractError, "share what they have seen"):
        check_metric(SharesState, PRED, TARG)


def uphill(groups, lr):
    return OptimWrapper(groups, torch.optim.SGD, lr=lr, maximize=True)


class Forgetful:
    """Adam whose averages are not in its saved state."""

    def __new__(cls, groups, lr):
        opt = Adam(groups, lr=lr)
        vars(opt).update(state_dict=dict, load_state_dict=lambda state: None)
        return opt


def test_an_optimizer_that_breaks_the_contract_is_told_how():
    check_optimizer(SGD)
    with raises_with(ContractError, "the loss went from"):
        check_optimizer(uphill)
    with raises_with(ContractError, "goes on differently"):
        check_optimizer(Forgetful)


# -- callbacks -----------------------------------------------------------------------------


class Misspelt(Callback):
    def after_batches(self): ...


class ChangesTheModel(Callback):
    def after_create(self):
        next(iter(self.learn.model.parameters())).data.add_(1)


class DrawsWhenAdded(Callback):
    def after_create(self):
        torch.rand(1)


class KeepsTheLoss(Callback):
    def before_fit(self):
        self.learn.loss_func = nn.L1Loss()


class AddsAnother(Callback):
    def after_create(self):
        self.learn.add_cb(Callback(before_fit=print))


class PutsBack(Callback):
    def before_fit(self):
        self.kept = self.learn.loss_func
        self.learn.loss_func = nn.L1Loss()

    def after_fit(self):
        self.learn.loss_func = self.kept


@pytest.mark.parametrize(
    ("callback", "told"),
    [
        (Misspelt, "Misspelt.after_batches is no event and is never called. Did you mean"),
        (ChangesTheModel, "changes the model"),
        (DrawsWhenAdded, "draws random numbers"),
        (KeepsTheLoss, "does not put back, after training, the learner's loss_func"),
        (AddsAnother, "added and removed without training, changes the learner's cbs"),
    ],
)
def test_a_callback_that_breaks_the_contract_is_told_how(callback, told):
    with raises_with(ContractError, callback.__name__, told):
        check_callback(callback())


def test_a_callback_that_puts_back_passes():
    check_callback(PutsBack())


def test_a_callback_is_tried_on_the_learner_it_needs():
    made = []

    def make(path):
        made.append(synth_learner(n_train=2, n_valid=1, path=path))
        return made[-1]

    check_callback(PutsBack(), make_learner=make, epochs=2)
    assert made[0].n_epoch == 2
