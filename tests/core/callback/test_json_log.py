import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from layerwise.core.callback.csv_log import CSVLogger
from layerwise.core.callback.json_log import JSONLogger, json_clean
from layerwise.core.display.table import Table
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


def test_every_step_is_a_line_in_full_precision(make_learner):
    learn = make_learner(cbs=JSONLogger())
    learn.fit_one_cycle(2)
    lines = learn.json_logger.read_log()
    batches = [line for line in lines if "loss" in line]
    assert [line["step"] for line in batches] == [*range(1, 9)]
    assert [line["smooth_loss"] for line in batches] == learn.recorder.losses
    assert [line["lr_0"] for line in batches] == learn.recorder.hps["lr"]
    assert [line["mom_0"] for line in batches] == learn.recorder.hps["mom"]
    valid = [line["valid_loss"] for line in lines if "valid_loss" in line]
    assert valid == [row[1] for row in learn.recorder.values]


def test_a_frame_reads_it(make_learner):
    learn = make_learner(cbs=JSONLogger("deep/er/run.jsonl"))
    learn.fit(3)
    frame = pd.read_json(learn.json_logger.file, lines=True, precise_float=True)
    assert frame.valid_loss.dropna().tolist() == [row[1] for row in learn.recorder.values]


def test_texts_tables_and_many_values_have_a_line_of_their_own(make_learner):
    def told():
        learn.log("say", "hello")
        learn.log("rows", Table([{"a": 1, "b": torch.tensor(2.5)}]))
        learn.log("weights", torch.tensor([1.0, 3.0]))
        learn.log("none", torch.tensor([]))
        learn.log("picture", Figure())

    learn = make_learner(cbs=[JSONLogger(), Callback(before_epoch=told)])
    learn.json_logger
    learn.fit(2)
    found = {k: v for line in learn.json_logger.read_log() for k, v in line.items()}
    assert found["say"] == "hello"
    assert found["rows"] == [{"a": 1, "b": 2.5}]
    assert found["weights"] == {"count": 2, "mean": 2.0, "std": 1.0, "min": 1.0, "max": 3.0}
    assert found["none"] == {"count": 0}
    assert "picture" not in found


@pytest.mark.parametrize(("append", "count"), [(False, 8), (True, 12)])
def test_a_new_learner_replaces_the_file_or_goes_on(make_learner, append, count):
    make_learner(cbs=JSONLogger()).fit(1)
    learn = make_learner(cbs=JSONLogger(append=append))
    learn.fit(1)
    learn.fit(1)
    assert sum("loss" in line for line in learn.json_logger.read_log()) == count


@pytest.mark.parametrize("kind", [JSONLogger, CSVLogger])
def test_a_training_that_goes_on_replaces_what_came_after_its_checkpoint(make_learner, kind):
    keep = []

    class Keep(Callback):
        order = 100

        def after_epoch(self):
            keep.append((logger.state_dict(), logger.file.read_text()))

    first = make_learner(cbs=[kind(), Keep()])
    name = "json_logger" if kind is JSONLogger else "csv_logger"
    logger = getattr(first, name)
    first.fit(3)
    state, text = keep[1]
    assert len(logger.file.read_text()) > len(text)
    other = make_learner(cbs=kind())
    again = getattr(other, name)
    again.load_state_dict(state)
    assert again.file.read_text() == text
    again.load_state_dict({"size": 10**9})  # of another file: nothing to go on with
    assert again.state_dict() == {"size": 0}
    assert again.file.read_text() == text


def test_the_second_process_cuts_nothing(make_learner, monkeypatch):
    learn = make_learner(cbs=[JSONLogger(), CSVLogger()])
    learn.fit(1)
    texts = [cb.file.read_text() for cb in (learn.json_logger, learn.csv_logger)]
    monkeypatch.setattr("layerwise.core.callback.logger.rank_distrib", lambda: 1)
    monkeypatch.setattr("layerwise.core.callback.csv_log.rank_distrib", lambda: 1)
    learn.json_logger.load_state_dict({"size": 1})
    learn.csv_logger.load_state_dict({"size": 1})
    learn.fit(1)
    assert [cb.file.read_text() for cb in (learn.json_logger, learn.csv_logger)] == texts


def test_validation_prediction_and_search_write_nothing(make_learner, tmp_path):
    learn = make_learner(cbs=JSONLogger())
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=10, show_plot=False)
    assert list(tmp_path.iterdir()) == []


def test_numbers_that_are_not_finite_are_text_that_float_reads(make_learner):
    learn = make_learner(cbs=[JSONLogger(), Callback(before_step=lambda: learn.log("x", math.inf))])
    learn.fit(1)
    assert "Infinity" not in learn.json_logger.file.read_text()
    assert float(learn.json_logger.read_log()[0]["x"]) == math.inf


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(PLAIN)
def test_what_is_clean_can_be_written_and_clean_again_is_the_same(value):
    clean = json_clean(value)
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean
    assert json_clean(clean) == clean


def test_other_objects_become_what_json_has():
    found = json_clean({"a": np.arange(3), "b": np.float64(0.5), "c": {1}, "d": torch.float32})
    assert found == {"a": [0, 1, 2], "b": 0.5, "c": [1], "d": "torch.float32"}


@pytest.mark.parametrize("kind", [JSONLogger, CSVLogger])
def test_it_leaves_no_trace(kind):
    check_callback(kind())
