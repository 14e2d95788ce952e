import pytest
import torch

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.csv_log import CSVLogger
from layerwise.core.callback.json_log import JSONLogger
from layerwise.core.callback.logger import LoggerCallback
from layerwise.core.callback.tensorboard import TensorBoardCallback
from layerwise.core.testing.fakes import synth_learner
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


class Listed(LoggerCallback):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.found, self.shown = [], []

    def scalars(self, step, epoch, split, values):
        self.found.append((step, epoch, split, values))

    def show(self, entry):
        self.shown.append(entry)


def test_the_numbers_of_a_step_come_together(make_learner):
    learn = make_learner(cbs=Listed())
    learn.fit(2)
    found = learn.listed.found
    by_batch = [values for *_, values in found if "loss" in values]
    assert [step for step, *_ in found if step] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert [v["smooth_loss"] for v in by_batch] == learn.recorder.losses
    assert [set(v) for v in by_batch[:3]] == [{"loss", "smooth_loss", "lr_0"}] * 3
    # What is measured over an epoch stands with the batch that ended it, and with its own split.
    assert set(by_batch[3]) == {"loss", "smooth_loss", "lr_0", "train_loss"}
    assert found[4] == (4, 0, "valid", {"valid_loss": learn.recorder.values[0][1]})


def test_validation_prediction_and_search_are_not_heard(make_learner):
    learn = make_learner(cbs=[Listed(), Callback(after_loss=lambda: learn.log("x", 1.0))])
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=10, show_plot=False)
    assert learn.listed.found == []
    assert not learn.log_bus
    learn.fit(1)
    assert not learn.log_bus
    assert [v["x"] for *_, v in learn.listed.found if "x" in v] == [1.0] * 5  # 4 steps and valid


def test_what_is_logged_before_an_error_is_written(make_learner):
    def fail():
        if learn.train_iter == 2:
            raise ValueError("no more")

    learn = make_learner(cbs=[Listed(), Callback(before_step=fail)])
    with pytest.raises(ValueError, match="no more"):
        learn.fit(1)
    assert [step for step, *_ in learn.listed.found] == [1, 2]
    assert not learn.log_bus


def test_a_long_epoch_is_written_in_parts_of_whole_steps(make_learner):
    learn = make_learner(bs=1, n=1000, n_valid=1, cbs=Listed())
    seen = []
    learn.add_cb(Callback(after_batch=lambda: seen.append(len(learn.listed.found))))
    learn.fit(1)
    assert 0 < seen[500] <= 500
    steps = [step for step, _, split, _ in learn.listed.found if split == "train"]
    assert steps == [*range(1, 1001)]


@pytest.mark.parametrize("rank", [0, 1])
def test_only_the_first_process_writes(make_learner, monkeypatch, rank):
    learn = make_learner(cbs=Listed())
    monkeypatch.setattr("layerwise.core.callback.logger.rank_distrib", lambda: rank)
    learn.fit(1)
    assert bool(learn.listed.found) is (rank == 0)


def test_numbers_of_all_kinds_and_types_are_read(make_learner):
    def told():
        learn.log("half", torch.tensor(0.5, dtype=torch.bfloat16))
        learn.log("count", torch.tensor([3]))
        learn.log("python", 2)

    learn = make_learner(cbs=[Listed(), Callback(before_step=told)], n=8)
    learn.fit(1)
    values = learn.listed.found[0][-1]
    assert (values["half"], values["count"], values["python"]) == (0.5, 3.0, 2.0)


def test_what_is_no_number_is_shown_at_once(make_learner):
    learn = make_learner(cbs=[Listed(), Callback(before_step=lambda: learn.log("say", "hello"))])
    learn.fit(1)
    assert [(e.step, e.value) for e in learn.listed.shown] == [(n, "hello") for n in range(1, 5)]


def test_a_logger_that_writes_nothing_says_what_it_lacks():
    class Bare(LoggerCallback):
        pass

    with pytest.raises(TypeError, match=r"abstract class Bare .* scalars"):
        Bare()  # type: ignore[abstract]  # which is what is tested


def test_a_logger_leaves_no_trace():
    check_callback(Listed())


class Killed(BaseException):
    """As far as a test can go without a process of its own: nothing is tidied up on purpose."""


def trained(path, stop=None, resume=False):
    """The files of a training of 30 batches with a checkpoint every 7."""
    loggers = [JSONLogger(), CSVLogger(), TensorBoardCallback("board", log_preds=False)]
    torch.manual_seed(0)
    learn = synth_learner(path=path, cbs=[*loggers, Checkpoint(every="7ba", background=False)])

    class Stop(Callback):
        order = 2000

        def after_batch(self):
            if self.learn.training and self.learn.train_iter == stop:
                raise Killed

    torch.manual_seed(99 if resume else 3)
    with learn.no_logging(), learn.added_cbs(Stop()):
        if stop:
            with pytest.raises(Killed):
                learn.fit_one_cycle(3)
        else:
            learn.fit_one_cycle(3, resume=resume)
    return path


def test_files_of_a_resumed_training_are_those_of_one_that_never_stopped(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    whole = trained(tmp_path / "whole")
    parts = trained(tmp_path / "parts", stop=19)  # the last checkpoint is that of batch 14
    assert parts.joinpath("log.jsonl").read_text() != whole.joinpath("log.jsonl").read_text()
    trained(parts, resume=True)
    assert parts.joinpath("log.jsonl").read_text() == whole.joinpath("log.jsonl").read_text()
    tables = [path.joinpath("history.csv").read_text().splitlines() for path in (whole, parts)]
    without_time = [[line.rpartition(",")[0] for line in table] for table in tables]
    assert without_time[0] == without_time[1]
    assert len(without_time[0]) == 4
    first, second = (
        EventAccumulator(str(path / "board"), size_guidance={"scalars": 0}).Reload()
        for path in (whole, parts)
    )
    assert first.Tags()["scalars"] == second.Tags()["scalars"]
    for name in first.Tags()["scalars"]:
        points = [[(e.step, e.value) for e in run.Scalars(name)] for run in (first, second)]
        assert points[0] == points[1], name
