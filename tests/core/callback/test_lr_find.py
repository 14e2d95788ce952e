import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.utils.data as torch_data
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.lr_find import (
    LRFinder,
    SuggestionMethod,
    lr_find,
    minimum,
    plot_lr_find,
    slide,
    steep,
    valley,
)
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.optim.algorithms import Adam
from layerwise.core.random import get_random_states
from layerwise.core.train.callback import Callback


@pytest.fixture(autouse=True)
def _no_window():
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


def net():
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1)
    )


class Inputs(Callback):
    """Keeps what the model is given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def before_batch(self):
        self.seen.append(self.learn.x)


class Counts(Callback):
    """A callback with a state that training changes."""

    def __init__(self):
        super().__init__()
        self.seen, self.nested = 0, {"losses": [torch.zeros(2)]}

    def after_batch(self):
        self.seen += 1
        self.nested["losses"].append(self.learn.loss)


@pytest.fixture
def learn(make_learner):
    made = make_learner(net(), opt_func=Adam, n=64, cbs=Counts())
    made.fit_one_cycle(2, 0.01)
    return made


# -- nothing is changed --------------------------------------------------------------------


def frozen(x, seen=None):
    """Everything reachable in `x` as plain values that can be compared bit by bit."""
    seen = {} if seen is None else seen
    if id(x) in seen:
        return f"<{seen[id(x)]}>"
    if isinstance(x, torch.Tensor):
        return (
            str(x.dtype),
            tuple(x.shape),
            x.detach().contiguous().numpy().tobytes(),
            x.requires_grad,
        )
    if isinstance(x, np.ndarray):
        return x.tobytes()
    if isinstance(x, dict):
        return [(frozen(k, seen), frozen(v, seen)) for k, v in x.items()]
    if isinstance(x, list | tuple | set):
        return [frozen(m, seen) for m in x]
    if hasattr(x, "__dict__") and not callable(x):
        seen[id(x)] = f"{type(x).__name__} {len(seen)}"
        return seen[id(x)], frozen(vars(x), seen)
    return repr(x)


def photo(learn):
    states = get_random_states()
    return {
        "model": frozen(learn.model.state_dict()),
        "grads": [p.grad is None for p in learn.model.parameters()],
        "training": [m.training for m in learn.model.modules()],
        "opt": frozen(learn.opt.state_dict()),
        "frozen": learn.opt.frozen_idx,
        "cbs": [(type(cb), id(cb), frozen({k: v for k, v in vars(cb).items() if k != "learn"}))
                for cb in learn.cbs],
        "learner": sorted(vars(learn)),
        "counts": (learn.epoch, learn.n_epoch, learn.train_iter, learn.pct_train),
        "random": frozen(states["random_state"]),
        "numpy": frozen(states["numpy_state"]),
        "torch": frozen(states["torch_state"]),
        "loss": frozen(learn.loss_func),
    }  # fmt: skip


def test_nothing_is_changed(learn):
    before = photo(learn)
    learn.lr_find(num_it=30)
    after = photo(learn)
    for part in before:
        assert before[part] == after[part], part


def test_the_next_training_is_what_it_would_have_been(make_learner):
    """Weights after it are bit-equal, so the order of the data and dropout are too."""
    found = []
    for search in (False, True):
        learn = make_learner(net(), opt_func=Adam, cbs=Inputs())
        torch.manual_seed(9)
        random.seed(9)
        np.random.seed(9)
        if search:
            learn.lr_find(num_it=10, show_plot=False)
        learn.fit(2)
        found.append((learn.inputs.seen, learn.model.state_dict()))
    (order, weights), (other_order, other_weights) = found
    assert all(torch.equal(a, b) for a, b in zip(order, other_order, strict=True))
    assert all(torch.equal(weights[k], other_weights[k]) for k in weights)


def test_stock_loaders_with_a_generator_of_their_own_give_the_order_they_would_have(samples):
    orders = []
    for search in (False, True):
        seeded = torch.Generator().manual_seed(3)
        train = torch_data.DataLoader(samples(32), 8, shuffle=True, generator=seeded)
        torch.manual_seed(0)
        learn = Learner(DataLoaders(train, train), nn.Linear(3, 1), nn.MSELoss())
        learn.logger = lambda row: None
        if search:
            learn.lr_find(num_it=10, show_plot=False)
        orders.append(torch.cat([x for x, _ in train]))
    assert torch.equal(*orders)


def test_an_optimizer_is_not_made_for_the_learner(make_learner):
    learn = make_learner()
    learn.lr_find(num_it=10, show_plot=False)
    assert learn._opt is None


def test_an_error_in_the_search_leaves_everything_too(learn):
    learn.add_cb(Callback(after_pred=lambda: 1 / 0))
    before = photo(learn)
    with pytest.raises(ZeroDivisionError):
        learn.lr_find()
    after = photo(learn)
    for part in before:
        assert before[part] == after[part], part


def test_no_file_is_written(learn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learn.lr_find(num_it=20)
    assert list(tmp_path.rglob("*")) == []


def test_a_folder_that_cannot_be_written_does_not_matter(make_learner, tmp_path, monkeypatch):
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o500)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("pathlib.Path.open", None)  # root may write anywhere
    try:
        make_learner(path=folder).lr_find(num_it=20)
    finally:
        folder.chmod(0o700)


def test_frozen_groups_stay_frozen_in_the_search(make_learner):
    learn = make_learner(
        net(), splitter=lambda m: [list(m[:2].parameters()), list(m[2:].parameters())]
    )
    learn.freeze()
    before = photo(learn)
    learn.lr_find(num_it=10, show_plot=False)
    assert photo(learn)["frozen"] == before["frozen"] == 1
    assert [p.requires_grad for p in learn.model.parameters()] == [False] * 2 + [True] * 4


# -- the search ----------------------------------------------------------------------------


class Keep(Callback):
    """Keeps what the search saw in a list that its copies share."""

    class Shared(list):
        def __deepcopy__(self, memo):
            return self

    order = 100

    def __init__(self):
        super().__init__()
        self.kept = self.Shared()

    def after_batch(self):
        self.kept.append((self.learn.opt.hypers[-1]["lr"], self.learn.recorder.lrs[-1]))


@pytest.mark.parametrize("num_it", [7, 20])
def test_the_rate_grows_by_equal_factors_over_exactly_so_many_batches(make_learner, num_it):
    keep = Keep()
    learn = make_learner(cbs=keep)
    learn.lr_find(1e-6, 1.0, num_it=num_it, stop_div=False, show_plot=False)
    used = [lr for lr, _ in keep.kept]
    np.testing.assert_allclose(used, [1e-6 * 10 ** (6 * i / num_it) for i in range(len(used))])
    assert len(used) in (num_it - 1, num_it)  # the last ends the search before this callback


def test_every_batch_of_the_search_is_on_the_curve(make_learner):
    seen: dict[str, Any] = {}

    def look(lrs, losses, num_it):
        seen.update(lrs=lrs, losses=losses)
        return 0.1, (0.1, 0.1)

    make_learner(lr=1e-9).lr_find(num_it=20, stop_div=False, show_plot=False, suggest_funcs=look)
    assert len(seen["lrs"]) == len(seen["losses"]) == 18  # without the first tenth


def test_the_search_stops_when_the_loss_has_gone_up(make_learner):
    keep = Keep()
    make_learner(cbs=keep).lr_find(1e-2, 1e4, num_it=100, show_plot=False)
    assert 10 < len(keep.kept) < 90


def test_one_bad_batch_does_not_stop_the_search(make_learner):
    """The smoothed loss decides: a batch with a tiny loss makes no later one look like an end."""

    class OneLuckyBatch(Callback):
        def after_loss(self):
            if self.learn.train_iter == 5:
                self.learn.loss = self.learn.loss * 1e-6

    keep = Keep()
    make_learner(cbs=[keep, OneLuckyBatch()]).lr_find(1e-7, 1e-5, num_it=40, show_plot=False)
    assert len(keep.kept) >= 39


def test_the_search_runs_over_several_epochs_of_a_small_set(make_learner):
    keep = Keep()
    make_learner(n=8, cbs=keep).lr_find(1e-7, 1e-3, num_it=30, show_plot=False)
    assert len(keep.kept) >= 29


def test_a_stream_of_unknown_length_is_searched(make_learner, samples):
    class Stream(torch_data.IterableDataset):
        def __iter__(self):
            return iter(samples(32))

    loader = DataLoader(Stream(), 8)
    learn = make_learner(dls=DataLoaders(loader, loader))
    assert learn.lr_find(num_it=20, show_plot=False).valley > 0


def test_a_learner_without_the_usual_callbacks_is_searched(make_learner):
    learn = make_learner(default_cbs=False)
    assert learn.lr_find(num_it=20, show_plot=False).valley > 0
    assert learn.cbs == []


def test_a_network_gets_a_rate_at_which_it_learns(make_learner):
    learn = make_learner(net(), opt_func=Adam, n=256)
    (untrained,) = learn.validate()
    learn.fit(2, lr=learn.lr_find(show_plot=False).valley)
    assert learn.recorder.values[-1][1] < untrained / 2


def test_losses_that_are_no_numbers_say_what_to_do(make_learner):
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x) * float("nan")

    with pytest.raises(ValueError, match=r"was no number.*summary"):
        make_learner(Broken(3, 1)).lr_find()


def test_what_cannot_be_copied_is_explained(make_learner, tmp_path):
    class Diary(Callback):
        def __init__(self, path):
            super().__init__()
            self.file = path.open("w")

    log = Diary(tmp_path / "log.txt")
    learn = make_learner(cbs=log)
    with pytest.raises(TypeError) as caught:
        learn.lr_find()
    assert any("in_search = False" in note for note in caught.value.__notes__)
    with learn.removed_cbs(Diary):
        learn.lr_find(num_it=10, show_plot=False)
    Diary.in_search = False
    learn.lr_find(num_it=10, show_plot=False)
    assert learn.diary is log
    log.file.close()


def test_data_are_not_copied(make_learner, samples):
    class Data(list):
        def __deepcopy__(self, memo):
            raise AssertionError("the data were copied")

    class Holds(Callback):
        def __init__(self, loader):
            super().__init__()
            self.loader = loader

    loader = DataLoader(Data(samples(32)), 8)
    dls = DataLoaders(loader, DataLoader(Data(samples(8)), 8))
    make_learner(dls=dls, cbs=Holds(loader)).lr_find(num_it=10, show_plot=False)


# -- suggestions ---------------------------------------------------------------------------


def curve(count=100):
    """Flat, then down a slope centred on 1e-3, then up."""
    lrs = np.logspace(-7, 1, count)
    at = np.log10(lrs)
    return lrs, 2 - 1.5 / (1 + np.exp(-3 * (at + 3))) + np.exp(4 * (at - 0.2))


@pytest.mark.parametrize("function", [valley, slide, minimum, steep])
def test_each_suggestion_lies_on_the_falling_side(function):
    lrs, losses = curve()
    rate, (at, loss) = function(lrs, losses, 100)
    assert rate == at
    assert 1e-5 < rate < lrs[losses.argmin()] * 1.001
    assert losses.min() <= loss <= losses.max()


def test_valley_is_two_thirds_down_the_longest_fall():
    lrs = np.arange(1.0, 13.0)
    losses = np.array([9, 9, 9, 8, 7, 6, 5, 4, 3, 2, 9, 9.0])
    # It falls over eight points that end at place 9; from place 1, 8/3 and half of that further.
    assert valley(lrs, losses, 12)[0] == lrs[1 + 2 + 1]


def test_minimum_is_a_tenth_of_the_best():
    lrs, losses = curve()
    assert minimum(lrs, losses, 100)[0] == pytest.approx(lrs[losses.argmin()] / 10)


def test_steep_is_where_the_slope_is_largest():
    lrs = np.array([1e-4, 1e-3, 1e-2, 1e-1])
    assert steep(lrs, np.array([4.0, 3.5, 1.0, 0.9]), 4)[0] == 1e-3


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=60),
    st.sampled_from(["Valley", "Slide", "Minimum", "Steep"]),
)
def test_any_curve_gives_a_rate_of_the_search_or_a_tenth_of_one(values, name):
    losses = np.array(values)
    lrs = np.logspace(-6, 0, len(losses))
    rate, _ = getattr(SuggestionMethod, name)(lrs, losses, len(losses))
    assert np.isclose(lrs, rate).any() or np.isclose(lrs / 10, rate).any()


def test_several_suggestions_come_by_name(make_learner):
    found = make_learner().lr_find(
        num_it=40, show_plot=False, suggest_funcs=(SuggestionMethod.Steep, minimum, valley)
    )
    assert found._fields == ("steep", "minimum", "valley")


def test_the_function_equals_the_method(make_learner):
    found = []
    for search in (lr_find, Learner.lr_find):
        learn = make_learner()
        torch.manual_seed(1)
        found.append(search(learn, num_it=20, show_plot=False))
    assert found[0] == found[1]


# -- the picture ---------------------------------------------------------------------------


def test_the_picture_has_the_curve_and_the_points():
    lrs, losses = curve()
    ax = plot_lr_find(lrs, losses, {"valley": (1e-3, 1.0), "steep": (1e-2, 0.5)})
    line, *points = ax.get_lines()
    assert line.get_ydata().tolist() == losses.tolist()
    assert ax.get_xscale() == "log"
    assert [p.get_label() for p in points] == ["valley: 1.0e-03", "steep: 1.0e-02"]


def test_the_picture_can_do_without_points():
    assert plot_lr_find(*curve()).get_legend() is None


def test_no_picture_is_drawn_where_none_is_wanted(make_learner):
    import matplotlib.pyplot as plt

    make_learner().lr_find(num_it=10, show_plot=False)
    assert plt.get_fignums() == []
    make_learner().lr_find(num_it=10)
    assert len(plt.get_fignums()) == 1


def test_a_finder_can_be_copied_and_starts_anew(make_learner):
    finder = LRFinder(num_it=5)
    learn = make_learner()
    for _ in range(2):
        learn.fit(5, cbs=copy.deepcopy(finder))
        assert len(learn.recorder.losses) == 5


def test_a_batch_without_loss_by_chance_does_not_end_the_search(make_learner):
    class Lucky(Callback):
        """The first batch of the search seems to have hardly any loss."""

        def after_loss(self):
            if self.learn.train_iter == 0:
                self.learn.loss = self.learn.loss * 1e-6

    learn = make_learner(cbs=Lucky())
    suggested = learn.lr_find(num_it=60, show_plot=False)
    assert 1e-6 < suggested.valley < 10


def test_a_search_that_ends_early_says_so(make_learner):
    learn = make_learner()
    with pytest.raises(ValueError, match="start with a smaller rate"):
        learn.lr_find(start_lr=1e4, end_lr=1e12, show_plot=False)
