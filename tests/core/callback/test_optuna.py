import pytest

from layerwise.core.callback.optuna import OptunaPruningCallback
from layerwise.core.metrics.regression import mae
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.recorder import Recorder

optuna = pytest.importorskip("optuna")


class Trial:
    """Prunes after the epochs in `ends`."""

    def __init__(self, *ends):
        self.ends, self.told = ends, []

    def report(self, value, step):
        self.told.append((step, value))

    def should_prune(self):
        return self.told[-1][0] in self.ends


def test_a_study_prunes_what_has_no_prospects(make_learner):
    rows = {}

    def objective(trial):
        learn = make_learner(lr=trial.suggest_categorical("lr", [0.1, 1e-6]))
        rows[trial.number] = learn.recorder
        learn.fit(4, cbs=OptunaPruningCallback(trial))
        return learn.recorder.values[-1][1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=1))
    for lr in (0.1, 1e-6, 0.1):
        study.enqueue_trial({"lr": lr})
    study.optimize(objective, n_trials=3)
    states = [trial.state.name for trial in study.trials]
    assert states[:2] == ["COMPLETE", "PRUNED"]
    assert study.best_params == {"lr": 0.1}
    for trial in study.trials:
        reported = [row[1] for row in rows[trial.number].values]
        assert list(trial.intermediate_values.values()) == reported
    assert len(study.trials[1].intermediate_values) == 1


def test_any_column_is_reported_and_the_learner_can_go_on(make_learner):
    trial = Trial(1)
    learn = make_learner(metrics=mae)
    with pytest.raises(optuna.TrialPruned, match="after epoch 1: mae is"):
        learn.fit(5, cbs=OptunaPruningCallback(trial, "mae"))
    assert trial.told == [(n, row[2]) for n, row in enumerate(learn.recorder.values)]
    assert len(trial.told) == 2
    learn.fit(1)


def test_a_column_that_is_not_there_is_refused_before_training(make_learner):
    learn = make_learner()
    with pytest.raises(ValueError, match=r"no column 'valid_los'.* Did you mean 'valid_loss'"):
        learn.fit(1, cbs=OptunaPruningCallback(Trial(), "valid_los"))
    assert learn.train_iter == 0


def test_the_second_process_reports_nothing(make_learner, monkeypatch):
    monkeypatch.setattr("layerwise.core.callback.optuna.rank_distrib", lambda: 1)
    trial = Trial(0)
    make_learner().fit(1, cbs=OptunaPruningCallback(trial))
    assert trial.told == []


def test_without_a_recorder_it_says_what_is_missing(make_learner):
    learn = make_learner(cbs=OptunaPruningCallback(Trial()))
    learn.remove_cb(Recorder)
    with pytest.raises(ValueError, match="this learner has none"):
        learn.fit(1)


def test_it_leaves_no_trace():
    check_callback(OptunaPruningCallback(Trial()))
