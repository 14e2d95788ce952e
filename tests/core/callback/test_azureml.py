import pytest
from matplotlib.figure import Figure

from layerwise.core.callback.azureml import AzureMLCallback
from layerwise.core.display.table import Table
from layerwise.core.errors import MissingDependencyError
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


class Run:
    """Stands in for `azureml.core.Run`, by the methods that its manual documents."""

    def __init__(self, parent=None):
        self.parent, self.logged, self.tags, self.others = parent, [], {}, {}

    def log(self, name, value, description="", step=None):
        self.logged.append((name, value))

    def log_table(self, name, value, description=""):
        self.others[name] = value

    def log_image(self, name, path=None, plot=None, description=""):
        self.others[name] = plot

    def tag(self, key, value=None):
        self.tags[key] = value


def of(run, name):
    return [value for key, value in run.logged if key == name]


@pytest.mark.parametrize("log_to_parent", [True, False])
def test_a_run_gets_all_numbers_and_its_parent_those_of_epochs(make_learner, log_to_parent):
    run = Run(Run())
    learn = make_learner(cbs=AzureMLCallback(run, log_to_parent))
    learn.fit(2)
    assert of(run, "smooth_loss") == learn.recorder.losses
    assert of(run, "valid_loss") == [row[1] for row in learn.recorder.values]
    names = {"train_loss", "valid_loss"} if log_to_parent else set()
    assert {name for name, _ in run.parent.logged} == names
    assert run.tags["model"] == "Linear"


def test_texts_tables_and_figures_are_passed_on(make_learner):
    figure = Figure()

    def told():
        learn.log("say", "hello")
        learn.log("rows", Table([{"a": 1, "b": 2}, {"a": 3, "b": 4}]))
        learn.log("picture", figure)

    run = Run()
    learn = make_learner(cbs=[AzureMLCallback(run), Callback(before_validate=told)])
    learn.fit(1)
    assert of(run, "say") == ["hello"]
    assert run.others == {"rows": {"a": [1, 3], "b": [2, 4]}, "picture": figure}


def test_without_the_library_the_extra_is_named(make_learner, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "azureml.core.run", None)
    monkeypatch.setitem(__import__("sys").modules, "azureml.core", None)
    monkeypatch.setitem(__import__("sys").modules, "azureml", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[azureml\]'"):
        make_learner(cbs=AzureMLCallback()).fit(1)


def test_it_leaves_no_trace():
    check_callback(AzureMLCallback(Run()))
