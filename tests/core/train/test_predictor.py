"""One item and many: the same as `get_preds` over a loader, in the fewest steps."""

import multiprocessing

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.learner import Learner
from layerwise.core.tensors import TensorImage
from layerwise.core.train.callback import Callback
from layerwise.core.train.predictor import Predictor
from layerwise.core.transforms.numeric import Normalize, RegressionSetup
from layerwise.core.transforms.transform import ItemTransform, Transform


def rows(count=20):
    generator = torch.Generator().manual_seed(1)
    return [(torch.rand(4, generator=generator).tolist(), "ab"[i % 2]) for i in range(count)]


def row_learner(model=None, **settings):
    block = DataBlock(
        (TransformBlock(type_tfms=RegressionSetup), CategoryBlock),
        get_x=ItemGetter(0),
        get_y=ItemGetter(1),
        splitter=IndexSplitter(range(12, 20)),
        **settings,
    )
    torch.manual_seed(0)
    dls = block.dataloaders(rows(), bs=4, device="cpu")
    return Learner(dls, model or nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5)))


def in_fives(learn, items):
    """Labels, indices and probabilities, by the long way."""
    dl = learn.dls.test_dl(items, bs=5)
    with learn.no_bar():
        inputs, preds, _, decoded = learn.get_preds(dl=dl, with_input=True, with_decoded=True)
    labels = [sample[1] for sample in learn.dls.decode_batch((inputs, decoded), max_n=99)]
    return labels, decoded, preds


def test_a_list_is_predicted_as_by_a_loader_and_in_batches():
    sizes = []

    class Sees(nn.Linear):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    learn = row_learner(Sees(4, 2))
    found = learn.predict(rows())
    assert sizes == [4] * 5
    labels, decoded, preds = in_fives(learn, rows())
    assert [f[0] for f in found] == labels
    assert torch.equal(torch.stack([f[1] for f in found]), decoded)
    torch.testing.assert_close(torch.stack([f[2] for f in found]), preds)


def test_one_item_is_predicted_as_in_a_list_of_one():
    learn = row_learner()
    one, (same,) = learn.predict(rows()[0]), learn.predict(rows()[:1])
    assert one[0] == same[0]
    assert torch.equal(one[2], same[2])


def test_no_items_no_results():
    assert row_learner().predict([]) == []


def test_an_item_that_is_a_list_is_one_item():
    learn = row_learner()
    values = rows()[0][0]
    assert torch.equal(learn.predict(values)[2], learn.predict(rows()[0])[2])
    assert Predictor(learn).takes_list([rows()[0]])
    assert not Predictor(learn).takes_list([values, values])  # the data takes lists


def test_with_input_gives_the_decoded_input_first():
    shown, label, _, _ = row_learner().predict(rows()[0], with_input=True)
    torch.testing.assert_close(torch.tensor(shown), torch.tensor(rows()[0][0]))
    assert label in ("a", "b")


def test_nothing_is_printed_started_drawn_or_left_in_training(capfd):
    learn = row_learner()
    learn.model.train()
    state = torch.get_rng_state()
    learn.predict(rows())
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr().out == ""
    assert multiprocessing.active_children() == []
    assert learn.model.training
    assert all(module.training for module in learn.model.modules())


def test_a_callback_that_changes_predictions_is_called():
    class Doubles(Callback):
        def after_pred(self):
            self.learn.pred = self.learn.pred * 2

    learn = row_learner(nn.Linear(4, 2))
    plain = learn.predict(rows()[0])[2]
    learn.add_cb(Doubles())
    doubled = learn.predict(rows()[0])[2]
    torch.testing.assert_close(doubled, (plain.log() * 2).softmax(0))


def test_a_callback_that_only_looks_is_not():
    class Looks(Callback):
        in_search = False

        def after_pred(self):
            raise AssertionError("nothing to see")

    learn = row_learner()
    learn.add_cb(Looks())
    learn.predict(rows()[0])


class Halves(Transform):
    order = 20

    def encodes(self, x: TensorImage):
        return x / 2

    def decodes(self, x: TensorImage):
        return x * 2


class Turns(ItemTransform):
    """Decodes the target by what the input is."""

    def decodes(self, xy):
        x, *rest = xy
        assert x is not None
        return (x, *rest)


@pytest.mark.parametrize("tfms", [[], [Halves()], [Turns()]], ids=["none", "members", "whole"])
def test_predictions_alone_are_decoded_as_with_their_inputs(tfms):
    learn = row_learner(item_tfms=tfms)
    alone = learn.predict(rows()[3])
    _, *whole = learn.predict(rows()[3], with_input=True)
    assert alone[0] == whole[0]
    assert torch.equal(alone[2], whole[2])


def test_steps_can_be_taken_apart():
    learn = row_learner()
    predictor = Predictor(learn)
    (batch,) = predictor.batches(rows()[:3])
    preds, decoded = predictor.outputs(batch)
    assert preds.shape == (3, 2)
    found = list(predictor.decode(batch, preds, decoded))
    assert [f[0] for f in found] == [f[0] for f in learn.predict(rows()[:3])]


def test_transforms_added_later_count():
    learn = row_learner()
    before = learn.predict(rows()[0])[2]
    learn.dls.add_tfms([Normalize.from_stats([0.5], [0.1])], "after_batch")
    assert learn.predict(rows()[0])[2].shape == before.shape
