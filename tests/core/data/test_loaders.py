"""Loaders with transforms decode and show what they load; `DataLoaders` hold those of a task."""

import pickle
from collections import namedtuple
from typing import Any

import pandas as pd
import pytest
import torch
import torch.utils.data as torch_data

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders, TfmdDL, get_show_batch_func
from layerwise.core.dispatch import Dispatch
from layerwise.core.display.generic import show_batch
from layerwise.core.random import set_seed
from layerwise.core.tensors import TensorBase, TensorCategory, TensorImage, TensorMask
from layerwise.core.transforms.category import Categorize, Category
from layerwise.core.transforms.numeric import IntToFloatTensor, Normalize, RegressionSetup
from layerwise.core.transforms.random import RandTransform
from layerwise.core.transforms.transform import Transform


class ToImage(Transform):
    """A number to a picture of that brightness."""

    def encodes(self, x: int) -> TensorImage:
        return TensorImage(torch.full((3, 2, 2), x, dtype=torch.uint8), source=f"{x}.png")


def parity(x):
    return "even" if x % 2 == 0 else "odd"


def pictures(n=8, **settings):
    """Pictures of brightness 0 to n - 1 with the class even or odd, the last two to validate."""
    splits = [list(range(n - 2)), [n - 2, n - 1]]
    dsets = Datasets(list(range(n)), [[ToImage()], [parity, Categorize()]], splits=splits)
    defaults = {"bs": 3, "num_workers": 0, "after_batch": [IntToFloatTensor(div=10.0)]}
    return dsets.dataloaders(**{**defaults, **settings})


# -- TfmdDL ---------------------------------------------------------------------------------


def test_transforms_run_after_the_item_before_and_after_the_batch():
    heard = []

    def note(name):
        def step(x):
            heard.append((name, type(x).__name__))
            return x

        return step

    dl = TfmdDL(
        [1, 2],
        2,
        num_workers=0,
        after_item=note("item"),
        before_batch=note("before"),
        after_batch=note("after"),
    )
    dl.one_batch()
    assert heard == [("item", "int"), ("item", "int"), ("before", "list"), ("after", "Tensor")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_batches_are_typed(num_workers):
    x, y = next(iter(pictures(num_workers=num_workers, shuffle=False).train))
    assert (type(x), x.dtype, tuple(x.shape)) == (TensorImage, torch.float32, (3, 3, 2, 2))
    assert x.source == "0.png"
    assert (type(y), y.tolist()) == (TensorCategory, [0, 1, 0])
    torch.testing.assert_close(x[:, 0, 0, 0].as_plain(), torch.tensor([0.0, 0.1, 0.2]))


def test_the_split_decides_which_transforms_act():
    class Brighten(RandTransform):
        def encodes(self, x: TensorImage):
            return x + 100

    dls = pictures(after_batch=[Brighten()])
    assert dls.train.one_batch()[0].min() >= 100
    assert dls.valid.one_batch()[0].max() < 100


def test_the_number_of_inputs_comes_from_the_data_or_the_batch():
    assert pictures().train.n_inp == 1
    assert TfmdDL([(1, 2, 3)], 1, num_workers=0).n_inp == 2
    assert TfmdDL([1], 1, num_workers=0).n_inp == 1
    assert TfmdDL([(1, 2, 3)], 1, num_workers=0, n_inp=1).n_inp == 1
    assert TfmdDL([(1, 2, 3)], 1, num_workers=0, n_inp=1).new().n_inp == 1


def test_looking_at_a_batch_for_its_types_draws_nothing_and_loses_no_epoch():
    dl = TfmdDL([(i, i) for i in range(20)], 4, shuffle=True, num_workers=0)
    set_seed(0)
    expected = [b[0].tolist() for b in dl]
    set_seed(0)
    assert dl.new().n_inp == 1
    assert len(dl.new().types) == 2
    assert [b[0].tolist() for b in dl] == expected
    dl.set_epoch(1, 1)
    expected = [b[0].tolist() for b in dl]
    fresh = TfmdDL([(i, i) for i in range(20)], 4, shuffle=True, num_workers=0)
    fresh.set_epoch(1, 1)
    assert fresh.n_inp == 1
    assert [b[0].tolist() for b in fresh] == expected


def test_measuring_statistics_does_not_move_the_seed():
    def order(dls):
        return [b[1].tolist() for _ in range(2) for b in dls.train]

    def make():
        return pictures(40, after_batch=[IntToFloatTensor(), Normalize()])

    set_seed(0)
    before = order(make())
    dls = make()
    set_seed(0)
    assert order(dls) == before
    set_seed(1)
    assert torch.equal(make().train.after_batch[1].mean, dls.train.after_batch[1].mean)


def test_types_of_a_batch_dress_plain_tensors_again():
    dl = pictures(shuffle=False).train
    x, y = dl.one_batch()
    decoded = dl.decode((x.as_plain() + 5, y.as_plain()))
    assert (type(decoded[0]), decoded[0].source) == (TensorImage, "0.png")
    assert decoded[0].max() == 1  # clamped for showing
    assert type(decoded[1]) is TensorCategory


def test_a_batch_decodes_to_samples():
    dls = pictures(shuffle=False, after_batch=[IntToFloatTensor(), Normalize()])
    samples = dls.train.decode_batch(dls.train.one_batch())
    assert len(samples) == 3
    for i, (x, y) in enumerate(samples):
        assert type(x) is TensorImage
        torch.testing.assert_close(x.as_plain(), torch.full((3, 2, 2), i / 255))
        assert (type(y), y) == (Category, parity(i))
    assert len(dls.train.decode_batch(dls.train.one_batch(), max_n=2)) == 2


def test_item_transforms_are_decoded_sample_by_sample():
    dl = TfmdDL([1.5, 2.5], 2, num_workers=0, after_item=[RegressionSetup()])
    assert dl.decode_batch(dl.one_batch()) == [1.5, 2.5]


def test_new_keeps_transforms_state_types_and_settings():
    norm = Normalize()
    dl = pictures(after_batch=[IntToFloatTensor(), norm]).train
    dl.one_batch()
    mean = norm.mean.clone()
    twin = dl.new(TfmdLists([200], [ToImage()]))
    assert torch.equal(norm.mean, mean)
    assert twin.after_batch[1] is norm
    assert twin._types is dl._types
    assert twin.n_inp == 1


def test_attributes_come_from_the_data_set_or_name_the_nearest():
    dls = pictures()
    assert dls.train.vocab == ["even", "odd"]
    assert dls.train.c == 2
    with pytest.raises(AttributeError) as caught:
        dls.train.decode_bach
    assert "Did you mean 'decode_batch'" in caught.value.__notes__[0]


# -- showing --------------------------------------------------------------------------------


def test_show_batch_without_showing_gives_what_would_be_drawn():
    x, y, samples = pictures(shuffle=False).train.show_batch(show=False)
    assert (type(x), type(y), len(samples)) == (TensorImage, TensorCategory, 3)
    assert [label for _, label in samples] == ["even", "odd", "even"]


def test_show_batch_of_a_given_batch_and_number():
    dl = pictures(shuffle=False).train
    *_, samples = dl.show_batch(b=dl.one_batch(), max_n=1, show=False)
    assert len(samples) == 1


def test_show_batch_draws_by_the_types_of_input_and_target(capsys):
    Datasets(["so good", "bad"], [[str.upper], [len]]).dataloaders(
        bs=2, num_workers=0, shuffle=False
    ).show_batch()
    out = capsys.readouterr().out
    assert "SO GOOD" in out
    assert "7" in out
    assert isinstance(show_batch, Dispatch)
    assert get_show_batch_func(TensorBase, TensorBase) is show_batch.function_for(
        TensorBase, TensorBase
    )


def test_one_sample_can_be_shown_as_augmentation_varies_it():
    class Noise(RandTransform):
        def before_call(self, b, split_idx):
            from layerwise.core.random import uniform

            super().before_call(b, split_idx)
            self.by = uniform()

        def encodes(self, x: TensorImage):
            return x + self.by

    dl = pictures(after_item=[Noise()], after_batch=None).train
    *_, samples = dl.show_batch(unique=True, max_n=5, show=False)
    assert len(samples) == 5
    assert len({label for _, label in samples}) == 1
    brightness = [x.mean().item() for x, _ in samples]
    assert len(set(brightness)) == 5
    assert max(brightness) - min(brightness) < 1


def test_a_batch_without_targets_shows_too():
    x, y, samples = TfmdDL([1, 2], 2, num_workers=0).show_batch(show=False)
    assert x.tolist() == [1, 2]
    assert y is None
    assert [s[0].item() for s in samples] == [1, 2]


def test_results_show_beside_what_was_predicted():
    dls = pictures(shuffle=False)
    batch = dls.train.one_batch()
    out = torch.tensor([1, 1, 0])
    x, _y, samples, outs = dls.train.show_results(batch, out, show=False)
    assert type(x) is TensorImage
    assert [label for _, label in samples] == ["even", "odd", "even"]
    assert [tuple(o) for o in outs] == [("odd",), ("odd",), ("even",)]


def test_masks_as_predictions_are_dressed_as_masks():
    data = [(TensorImage(torch.zeros(3, 2, 2)), TensorMask(torch.ones(2, 2))) for _ in range(2)]
    dl = TfmdDL(data, 2, num_workers=0)
    *_, outs = dl.show_results(dl.one_batch(), torch.zeros(2, 2, 2), show=False)
    assert type(outs[0][0]) is TensorMask


# -- DataLoaders ----------------------------------------------------------------------------


def test_loaders_are_found_by_name_and_place():
    dls = pictures()
    assert dls.train is dls[0]
    assert dls.valid is dls[1]
    assert len(dls) == 2
    assert list(dls) == [dls.train, dls.valid]
    assert dls.train_ds.split_idx == 0
    assert dls.valid_ds.split_idx == 1
    assert dls.vocab == ["even", "odd"]


def test_a_missing_loader_is_named():
    with pytest.raises(IndexError, match="no training loader; there are 0"):
        DataLoaders().train


def test_the_device_of_all_loaders_is_one():
    dls = pictures(device="cpu")
    assert dls.device == torch.device("cpu")
    assert dls.to("meta") is dls
    assert dls.valid.device == torch.device("meta")
    assert dls.one_batch()[0].device.type == "meta"
    dls.device = "cpu"
    assert dls.train.device == torch.device("cpu")
    assert dls.cpu().device == torch.device("cpu")
    assert DataLoaders().device is None


def test_stock_loaders_and_iterables_are_taken():
    data = torch_data.TensorDataset(torch.arange(4.0), torch.arange(4))
    dls = DataLoaders(torch_data.DataLoader(data, 2), [(torch.zeros(1), torch.ones(1))])
    x, _y = dls.one_batch()
    assert x.tolist() == [0, 1]
    assert dls.n_inp == 1
    assert dls.device is None
    assert len(list(dls.valid)) == 1
    assert dls.to("meta").one_batch()[0].device.type == "meta"


def test_transforms_can_be_added_to_chosen_loaders():
    dls = pictures(after_batch=None)
    dls.add_tfms([lambda x: -x], "after_batch", loaders=["valid"])
    assert dls.valid.one_batch()[0][0].max() == 250  # -6 in whole numbers of one byte
    assert dls.train.one_batch()[0].max() < 10
    norm = Normalize()
    dls.add_tfms([IntToFloatTensor(), norm], "after_batch", loaders=[0])
    assert norm.mean.shape == (1, 3, 1, 1)
    with pytest.raises(
        ValueError, match="no pipeline 'before_item'; there are after_item, before_batch"
    ):
        dls.add_tfms([], "before_item")


def test_a_test_loader_has_new_items_and_validation_transforms():
    dls = pictures()
    test = dls.test_dl([5, 6, 7, 8], bs=2)
    assert [tuple(b[0].shape) for b in test] == [(2, 3, 2, 2)] * 2
    assert all(len(b) == 1 for b in test)
    assert not test.shuffle
    x, y = dls.test_dl([5, 6], with_labels=True).one_batch()
    assert y.tolist() == [1, 0]
    assert type(x) is TensorImage
    image = TensorImage(torch.zeros(3, 2, 2, dtype=torch.uint8))
    assert dls.test_dl([image]).one_batch()[0].shape == (1, 3, 2, 2)
    assert list(DataLoaders(DataLoader([1]), DataLoader([2])).test_dl([3, 4]))[1] == 4


def test_a_test_loader_decodes_and_shows():
    dls = pictures(after_batch=[IntToFloatTensor(), Normalize()])
    test = dls.test_dl([5, 6])
    *_, samples = test.show_batch(show=False)
    torch.testing.assert_close(samples[0][0].as_plain(), torch.full((3, 2, 2), 5 / 255))


def test_the_same_loaders_over_nothing():
    empty = pictures().new_empty()
    assert [len(dl) for dl in empty] == [0, 0]
    assert empty.vocab == ["even", "odd"]
    assert list(empty.train) == []


def test_loaders_from_data_sets(tmp_path):
    dls = DataLoaders.from_dsets(
        list(range(10)), [1, 2], bs=4, path=tmp_path, device="cpu", num_workers=0
    )
    assert [len(dl) for dl in dls] == [2, 1]
    assert (dls.train.shuffle, dls.valid.shuffle) == (True, False)
    assert dls.path == tmp_path
    assert type(dls.train) is TfmdDL
    with pytest.raises(TypeError, match=r"'shufle'.*'shuffle'"):
        DataLoaders.from_dsets([1], shufle=False)


def test_added_transforms_learn_once_from_the_first_loader():
    class Mean(Transform):
        heard: list[Any] = []

        def setups(self, dl):
            self.heard.append(dl)

    dls = pictures()
    dls.add_tfms([Mean], "after_batch")
    assert Mean.heard == [dls.train]
    assert dls.train.after_batch[0] is dls.valid.after_batch[0]


def test_types_in_mappings_and_named_tuples_are_put_back():
    Pair = namedtuple("Pair", "x y")
    image = TensorImage(torch.zeros(1, 2, 2))
    dl = TfmdDL([Pair({"image": image}, 1)] * 2, 2, num_workers=0)
    batch = dl.one_batch()
    assert type(batch) is Pair
    decoded = dl.decode(Pair({"image": batch.x["image"].as_plain()}, batch.y))
    assert type(decoded) is Pair
    assert type(decoded.x["image"]) is TensorImage


class Both(tuple):
    """A kind of tuple that a user writes."""

    __slots__ = ()


def test_kinds_of_tuples_stay_what_they_are_from_item_to_decoded_sample():
    image = TensorImage(torch.zeros(1, 2, 2))
    dl = TfmdDL([(Both((image, image)), 1)] * 2, 2, num_workers=0)
    batch = dl.one_batch()
    assert type(batch[0]) is Both
    plain = Both(member.as_plain() for member in batch[0])
    decoded = dl.decode((plain, batch[1]))
    assert type(decoded[0]) is Both
    assert type(decoded[0][1]) is TensorImage
    assert type(dl.decode_batch(batch)[0][0]) is Both


def test_batches_of_mappings_and_nested_tuples():
    data = [{"x": (torch.zeros(2), [torch.ones(1), "text"]), "y": i} for i in range(3)]
    dl = TfmdDL(data, 3, num_workers=0, device="meta")
    batch = dl.one_batch()
    assert batch["x"][0].device.type == "meta"
    assert batch["x"][1][1] == ["text"] * 3
    assert batch["y"].shape == (3,)
    assert dl.n_inp == 1


def test_loaders_pickle():
    dls = DataLoaders.from_dsets(TfmdLists(["b", "a"], [Categorize()]), bs=2, num_workers=0)
    twin = pickle.loads(pickle.dumps(dls))
    assert twin.vocab == ["a", "b"]
    assert twin.train.n_inp == 1


def test_frames_make_batches():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    dsets = Datasets(frame, [[lambda r: r["a"]], [lambda r: r["b"], Categorize()]])
    x, y = dsets.dataloaders(bs=2, shuffle=False, num_workers=0).one_batch()
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0], [0, 1])
