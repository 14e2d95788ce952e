from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch

from layerwise.core.callback.comet import CometCallback
from layerwise.core.display.table import Table
from layerwise.core.errors import MissingDependencyError
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


class Experiment:
    """Stands in for `comet_ml.Experiment`, by the methods that its manual documents."""

    def __init__(self):
        self.metrics, self.others, self.parameters, self.ended = [], {}, {}, False

    def log_parameters(self, parameters):
        self.parameters = parameters

    def log_metrics(self, dic, prefix=None, step=None, epoch=None):
        self.metrics.append((step, epoch, dic))

    def log_text(self, text, step=None, metadata=None):
        self.others["text"] = text, step

    def log_table(self, filename, tabular_data=None, headers=False):
        self.others["table"] = filename, tabular_data, headers

    def log_figure(self, figure_name=None, figure=None, overwrite=False, step=None):
        self.others["figure"] = figure_name, step

    def log_histogram_3d(self, values, name=None, step=None, epoch=None):
        self.others["values"] = list(values), name, step

    def log_model(self, name, file_or_folder):
        with Path(file_or_folder).open("rb") as opened:
            self.others["model"] = name, len(opened.read()) > 0

    def end(self):
        self.ended = True


def test_an_experiment_gets_the_numbers_of_the_recorder(make_learner):
    experiment = Experiment()
    learn = make_learner(cbs=CometCallback(experiment=experiment, log_model_weights=True))
    learn.fit(2)
    batches = [(step, dic["smooth_loss"]) for step, _, dic in experiment.metrics if "loss" in dic]
    assert batches == list(enumerate(learn.recorder.losses, 1))
    rows = [(epoch, d["valid_loss"]) for _, epoch, d in experiment.metrics if "valid_loss" in d]
    assert rows == [(n, row[1]) for n, row in enumerate(learn.recorder.values)]
    assert experiment.parameters["model"] == "Linear"
    assert experiment.others["model"] == ("model", True)
    assert not experiment.ended  # it is the user's


def test_all_kinds_are_passed_on(make_learner):
    def told():
        learn.log("say", "hello")
        learn.log("rows", Table([{"a": 1}]))
        figure = plt.figure(figsize=(1, 1))
        learn.log("picture", figure)
        plt.close(figure)
        learn.log("weights", torch.arange(2.0))

    experiment = Experiment()
    callbacks = [CometCallback(experiment=experiment), Callback(before_validate=told)]
    learn = make_learner(cbs=callbacks)
    learn.fit(1)
    assert experiment.others == {
        "text": ("say: hello", 4), "table": ("rows-4.csv", [[1]], ["a"]), "figure": ("picture", 4),
        "values": ([0.0, 1.0], "weights", 4),
    }  # fmt: skip


def test_validation_and_prediction_are_not_logged(make_learner):
    experiment = Experiment()
    learn = make_learner(cbs=CometCallback(experiment=experiment))
    learn.validate()
    learn.get_preds()
    assert experiment.metrics == []
    assert experiment.parameters == {}


def test_it_wants_a_name_or_an_experiment():
    with pytest.raises(ValueError, match="give either project_name="):
        CometCallback()
    with pytest.raises(ValueError, match="give either project_name="):
        CometCallback("name", Experiment())


def test_without_the_library_the_extra_is_named(make_learner, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "comet_ml", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[comet\]'"):
        make_learner(cbs=CometCallback("name")).fit(1)


def test_it_leaves_no_trace():
    check_callback(CometCallback(experiment=Experiment()))
