"""Losses by item are right, and items are found again, whatever the loader does."""

import pytest
import torch
from torch import nn

from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.display.generic import plot_top_losses
from layerwise.core.display.titled import TitledFloat
from layerwise.core.interpret import Interpretation
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.random import uniform
from layerwise.core.tensors import TensorBase
from layerwise.core.testing import assert_close, raises_with, synth_classifier, synth_learner
from layerwise.core.transforms.transform import Transform


class Jitter(Transform):
    split_idx = 0

    def encodes(self, x: TensorBase):
        return x + uniform(5, 6)


class Number(TensorBase):
    pass


def as_number(x) -> Number:
    return Number(torch.tensor([float(x)]))


def half(x):
    return torch.tensor([x / 2])


@pytest.fixture
def numbers():
    """Targets are half of the inputs 0..11; the model passes its input through."""
    items = list(range(12))
    dsets = Datasets(items, [[as_number], [half]], splits=[items[:8], items[8:]])
    dls = dsets.dataloaders(bs=3, after_batch=Jitter(), device="cpu", num_workers=0)
    return Learner(dls, nn.Identity(), MSELossFlat(), opt_func=None)


def test_losses_are_those_of_the_items_in_order(numbers):
    interp = Interpretation.from_learner(numbers)
    assert_close(interp.losses, torch.tensor([(x / 2) ** 2 for x in range(8, 12)]))
    assert len(interp) == 4


def test_training_items_are_all_there_in_order_and_not_augmented(numbers):
    interp = Interpretation.from_learner(numbers, ds_idx=0)
    assert_close(interp.losses, torch.tensor([(x / 2) ** 2 for x in range(8)]))
    inputs, *_ = interp[[5, 1]]
    assert inputs.flatten().tolist() == [5, 1]
    assert numbers.dls.train.one_batch()[0].min() >= 5  # and the learner's loader still augments


def test_top_losses_are_sorted_and_name_their_items(numbers):
    interp = Interpretation.from_learner(numbers)
    losses, idxs, items = interp.top_losses(2, items=True)
    assert idxs.tolist() == [3, 2]
    assert items == [11, 10]
    assert losses.tolist() == [30.25, 25]
    assert interp.top_losses(2, largest=False)[1].tolist() == [0, 1]


def test_top_losses_gives_all_when_asked_for_none_or_too_many(numbers):
    interp = Interpretation.from_learner(numbers)
    assert len(interp.top_losses()[0]) == len(interp.top_losses(99)[0]) == 4


def test_items_of_a_frame_are_rows():
    pd = pytest.importorskip("pandas")
    learn = synth_learner(n_valid=1)
    interp = Interpretation.from_learner(learn)
    interp.dl.dataset.items = pd.DataFrame({"file": range(16)})
    _, idxs, rows = interp.top_losses(3, items=True)
    assert rows.file.tolist() == idxs.tolist()


def test_indexing_recomputes_the_items_asked_for_in_the_order_asked(numbers):
    interp = Interpretation.from_learner(numbers)
    inputs, preds, targets, decoded, losses = interp[torch.tensor([3, 0, 2])]
    assert inputs.flatten().tolist() == preds.flatten().tolist() == [11, 8, 10]
    assert targets.flatten().tolist() == [5.5, 4, 5]
    assert decoded.flatten().tolist() == [11, 8, 10]
    assert losses.tolist() == [30.25, 16, 25]
    assert interp[1][0].flatten().tolist() == [9]


def test_a_loader_that_sorts_does_not_mix_up_items(numbers):
    class Backwards(TfmdDL):
        def get_idxs(self):
            return list(reversed(range(self.n)))

    dl = numbers.dls.valid.new(cls=Backwards)
    interp = Interpretation.from_learner(numbers, dl=dl)
    assert interp.losses.tolist() == [16, 20.25, 25, 30.25]
    assert interp[[2, 0]][0].flatten().tolist() == [10, 8]


def test_only_the_items_asked_for_are_read_again():
    read = []

    class Watched(list):
        def __getitem__(self, i):
            read.append(i)
            return super().__getitem__(i)

    data = Watched((torch.tensor([float(i)]), torch.tensor([0.0])) for i in range(50))
    dls = DataLoaders(DataLoader(data, bs=8), DataLoader(data, bs=8))
    interp = Interpretation.from_learner(Learner(dls, nn.Identity(), MSELossFlat()))
    read.clear()
    interp[[7, 4]]
    assert read == [7, 4]


def test_nothing_as_large_as_the_inputs_is_kept():
    data = [(torch.ones(1000), torch.zeros(1000)) for _ in range(20)]
    dls = DataLoaders(DataLoader(data, bs=4), DataLoader(data, bs=4))
    interp = Interpretation.from_learner(Learner(dls, nn.Identity(), MSELossFlat()))
    kept = [v for v in vars(interp).values() if isinstance(v, torch.Tensor)]
    assert sum(v.numel() for v in kept) == 20


def test_the_learner_is_left_as_it_was(numbers):
    loss_func, cbs, train = numbers.loss_func, list(numbers.cbs), numbers.dls.train
    Interpretation.from_learner(numbers, ds_idx=0).top_losses()
    assert numbers.loss_func is loss_func
    assert loss_func.reduction == "mean"
    assert list(numbers.cbs) == cbs
    assert train.shuffle
    assert train.dataset.split_idx == 0


def test_the_table_of_top_losses_has_prediction_probability_and_loss(capsys):
    learn = synth_classifier(n_valid=9)
    interp = Interpretation.from_learner(learn)
    rows = interp.plot_top_losses(2)
    losses, idxs = interp.top_losses(2)
    assert [row["loss"] for row in rows] == pytest.approx(losses.tolist())
    _, preds, _, decoded, _ = interp[idxs]
    assert [row["probability"] for row in rows] == pytest.approx(preds.max(1)[0].tolist())
    vocab = learn.dls.vocab
    assert [row["prediction"] for row in rows] == [vocab[int(i)] for i in decoded]
    assert [row["category"] for row in rows] == [vocab[int(i) % 3] for i in idxs]
    assert "probability" in capsys.readouterr().out


def test_top_losses_can_be_given_by_index(capsys):
    interp = Interpretation.from_learner(synth_classifier(n_valid=9))
    rows = interp.plot_top_losses([4, 1])
    assert [row["loss"] for row in rows] == pytest.approx(interp.losses[[4, 1]].tolist())


def test_the_plot_is_chosen_by_the_types_of_input_and_target():
    class Signal(TensorBase):
        pass

    @plot_top_losses.register
    def _(x: Signal, y: object, samples, outs, raws, losses, colour="red"):
        return [(len(samples), colour, type(samples[0][0]))]

    data = [(Signal([i / 10]), TitledFloat(i)) for i in range(6)]
    dls = DataLoaders(TfmdDL(data, bs=4), TfmdDL(data, bs=4))
    interp = Interpretation.from_learner(Learner(dls, nn.Identity(), MSELossFlat()))
    assert interp.plot_top_losses(2, colour="blue") == [(2, "blue", Signal)]
    with pytest.raises(TypeError, match="color"):
        interp.plot_top_losses(2, color="blue")


def test_results_are_shown_for_the_items_asked_for(capsys):
    interp = Interpretation.from_learner(synth_classifier(n_valid=9))
    rows = interp.show_results([4, 0, 8])
    vocab = ["circle", "square", "triangle"]
    assert [row["category"] for row in rows] == [vocab[1], vocab[0], vocab[2]]


def test_an_activation_can_be_given():
    interp = Interpretation.from_learner(synth_classifier(n_valid=9), act=lambda out: out * 0)
    assert interp[[0, 1]][1].abs().sum() == 0


def test_a_loader_without_items_is_refused(numbers):
    empty = numbers.dls.test_dl([], with_labels=True)
    with raises_with(ValueError, "no items", "dl="):
        Interpretation.from_learner(numbers, dl=empty)


def test_a_loader_without_targets_is_refused(numbers):
    dl = numbers.dls.test_dl([1, 2])
    with raises_with(ValueError, "no targets", "with_labels=True"):
        Interpretation.from_learner(numbers, dl=dl)


def test_labelled_test_items_can_be_interpreted(numbers):
    dl = numbers.dls.test_dl([20, 40], with_labels=True)
    assert Interpretation.from_learner(numbers, dl=dl).losses.tolist() == [100, 400]


def test_items_of_a_stock_loader_have_losses_but_cannot_be_fetched():
    data = torch.utils.data.TensorDataset(torch.ones(6, 1), torch.zeros(6, 1))
    stock = torch.utils.data.DataLoader(data, batch_size=2)
    learn = Learner(DataLoaders(stock, stock), nn.Identity(), MSELossFlat())
    interp = Interpretation.from_learner(learn)
    assert interp.losses.tolist() == [1] * 6
    with raises_with(TypeError, "cannot be fetched by index", "TfmdDL"):
        interp[[0]]


def test_a_loader_that_cannot_decode_is_named():
    data = [(torch.ones(1), torch.zeros(1)) for _ in range(4)]
    dls = DataLoaders(DataLoader(data, bs=2), DataLoader(data, bs=2))
    interp = Interpretation.from_learner(Learner(dls, nn.Identity(), MSELossFlat()))
    with raises_with(TypeError, "DataLoader cannot decode", "TfmdDL"):
        interp.show_results([0])


def test_losses_that_no_longer_tell_their_item_are_not_used(numbers):
    interp = Interpretation.from_learner(numbers)
    interp.losses = interp.losses[1:]
    with raises_with(ValueError, "3 losses for 4 items", "skipped"):
        interp[[0]]
