import sys
from types import ModuleType, SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from layerwise.core.callback.show_graph import ShowGraphCallback
from layerwise.core.train.callback import Callback


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_the_picture_has_both_curves_up_to_the_last_epoch(make_learner):
    learn = make_learner(cbs=ShowGraphCallback())
    learn.fit(3)
    train, valid = learn.show_graph.ax.get_lines()
    assert train.get_ydata().tolist() == learn.recorder.losses
    assert list(valid.get_ydata()) == [row[1] for row in learn.recorder.values]
    assert plt.get_fignums() == []


def test_the_picture_can_be_kept(make_learner, tmp_path):
    learn = make_learner(cbs=ShowGraphCallback())
    learn.fit(1)
    learn.show_graph.ax.figure.savefig(tmp_path / "losses.png")
    assert (tmp_path / "losses.png").stat().st_size > 1000


def test_the_width_is_that_of_the_whole_training(make_learner):
    seen = []

    class Look(Callback):
        after = (ShowGraphCallback,)

        def after_epoch(self):
            seen.append(self.learn.show_graph.ax.get_xlim())

    make_learner(cbs=[ShowGraphCallback(), Look()]).fit(3)
    assert seen == [(0, 12)] * 3


def test_each_fit_has_a_picture_of_its_own(make_learner):
    learn = make_learner(cbs=ShowGraphCallback())
    learn.fit(1)
    first = learn.show_graph.ax
    learn.fit(1)
    assert learn.show_graph.ax is not first


def test_validation_prediction_and_search_draw_nothing(make_learner):
    learn = make_learner(cbs=ShowGraphCallback())
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=10, show_plot=False)
    assert plt.get_fignums() == []
    learn.fit(1)
    ax = learn.show_graph.ax
    learn.validate()
    assert learn.show_graph.ax is ax


def test_in_a_notebook_the_picture_is_replaced_in_its_place(make_learner, monkeypatch):
    """With a stand-in for IPython, which tests do not need."""
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(("update", figure))

    def display(figure, *, display_id):
        shown.append(("display", figure))
        return Handle()

    shell = SimpleNamespace(config={"IPKernelApp": {}})
    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    package.get_ipython, module.display = lambda: shell, display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    learn = make_learner(cbs=ShowGraphCallback())
    learn.progress.show = False
    learn.fit(3)
    assert [what for what, _ in shown] == ["display", "update", "update"]
    assert len({id(figure) for _, figure in shown}) == 1
    assert plt.get_fignums() == []


def test_the_second_process_draws_nothing(make_learner, monkeypatch):
    monkeypatch.setattr("layerwise.core.callback.show_graph.rank_distrib", lambda: 1)
    learn = make_learner(cbs=ShowGraphCallback())
    learn.fit(1)
    assert learn.show_graph.ax is None
