import csv

import pandas as pd
import pytest

from layerwise.core.callback.csv_log import CSVLogger
from layerwise.core.metrics.regression import mae
from layerwise.core.train.callback import Callback
from layerwise.core.train.recorder import Recorder


def rows(path):
    with path.open(newline="") as opened:
        return list(csv.reader(opened))


def test_each_epoch_is_a_row_in_full_precision(make_learner, tmp_path):
    learn = make_learner(cbs=CSVLogger(), metrics=mae)
    learn.fit(2)
    head, *found = rows(tmp_path / "history.csv")
    assert head == ["epoch", "train_loss", "valid_loss", "mae", "time"]
    assert [[float(v) for v in row[1:4]] for row in found] == learn.recorder.values
    assert [row[0] for row in found] == ["0", "1"]
    assert [row[-1] for row in found] == ["00:00"] * 2


def test_a_frame_reads_it(make_learner):
    learn = make_learner(cbs=CSVLogger("deep/er/run.csv"))
    learn.fit(3)
    frame = pd.read_csv(learn.csv_logger.file)
    assert frame.valid_loss.tolist() == pytest.approx([row[1] for row in learn.recorder.values])


def test_the_log_reads_back_by_name(make_learner):
    learn = make_learner(cbs=CSVLogger())
    learn.fit(1)
    (row,) = learn.csv_logger.read_log()
    assert float(row["train_loss"]) == learn.recorder.values[0][0]


@pytest.mark.parametrize(("append", "count"), [(False, 2), (True, 4)])
def test_a_second_fit_replaces_or_goes_on(make_learner, append, count):
    learn = make_learner(cbs=CSVLogger(append=append))
    learn.fit(2)
    learn.fit(2)
    assert len(learn.csv_logger.read_log()) == count


def test_rows_are_there_while_training_goes_on(make_learner, tmp_path):
    seen = []

    class Look(Callback):
        def before_train(self):
            file = tmp_path / "history.csv"
            seen.append(len(rows(file)) if file.exists() else 0)

    make_learner(cbs=[CSVLogger(), Look()]).fit(3)
    assert seen == [0, 2, 3]


def test_validation_prediction_and_search_write_nothing(make_learner, tmp_path):
    learn = make_learner(cbs=CSVLogger())
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=10, show_plot=False)
    assert list(tmp_path.iterdir()) == []
    learn.fit(1)
    learn.validate()
    assert len(learn.csv_logger.read_log()) == 1


def test_what_was_not_measured_is_blank(make_learner, samples):
    from layerwise.core.data.loader import DataLoader
    from layerwise.core.data.loaders import DataLoaders

    learn = make_learner(dls=DataLoaders(DataLoader(samples(8), 4)), cbs=CSVLogger())
    learn.fit(1)
    assert learn.csv_logger.read_log()[0]["valid_loss"] == ""


def test_without_a_recorder_it_says_what_is_missing(make_learner):
    learn = make_learner(cbs=CSVLogger())
    learn.remove_cb(Recorder)
    with pytest.raises(ValueError, match="this learner has none"):
        learn.fit(1)
