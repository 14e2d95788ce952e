import re
import sys
from types import SimpleNamespace

import pytest

from layerwise.core.data.loader import DataLoader
from layerwise.core.metrics.regression import mae
from layerwise.core.train.callback import Callback
from layerwise.core.train.progress import (
    EpochTable,
    ProgressCallback,
    no_bar,
    no_logging,
    replacing_yield,
)


@pytest.fixture
def terminal(capsys, monkeypatch):
    """A function that reads what was written to standard error, which says it is a terminal."""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda stream: True)
    return lambda: capsys.readouterr().err


# -- the table -----------------------------------------------------------------------------


def columns(line):
    """The places where words begin."""
    return [found.start() for found in re.finditer(r"\S+", line)]


def test_columns_are_aligned_under_their_names(make_learner, capsys):
    learn = make_learner(quiet=False, metrics=[mae, lambda_with_a_long_name])
    learn.fit(2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "epoch", "train_loss", "valid_loss", "mae", "lambda_with_a_long_name", "time",
    ]  # fmt: skip
    assert len(lines) == 3
    assert columns(lines[0]) == columns(lines[1]) == columns(lines[2])


def lambda_with_a_long_name(pred, targ):
    return (pred - targ).mean()


@pytest.mark.parametrize(
    "value", [0.0, -0.5, 123.456789, -123.456789, 1e5, -1e5, 6e6, 1e-7, 1e30, float("nan"), 17]
)
def test_any_number_leaves_the_columns_aligned(capsys, value):
    table = EpochTable()
    table(["epoch", "train_loss", "valid_loss", "time"])
    table([0, value, value, "00:01"])
    head, row = capsys.readouterr().out.splitlines()
    assert columns(head) == columns(row)
    assert float(row.split()[1]) == pytest.approx(value, rel=1e-4, nan_ok=True)


def test_what_was_not_measured_is_blank(capsys):
    table = EpochTable()
    table(["epoch", "train_loss", "valid_loss", "time"])
    table([0, 0.5, None, "00:01"])
    head, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["0", "0.500000", "00:01"]
    assert columns(row) == [c for i, c in enumerate(columns(head)) if i != 2]


# -- bars ----------------------------------------------------------------------------------


def test_without_a_terminal_only_the_table_is_written(make_learner, capsys):
    make_learner(quiet=False).fit(2)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert len(captured.out.splitlines()) == 3
    assert "\r" not in captured.out


def test_in_a_terminal_there_are_bars(make_learner, terminal):
    make_learner().fit(2)
    written = terminal()
    assert [name for name in ("train", "valid", "epochs") if name not in written] == []


def test_bars_can_be_asked_for(make_learner, capsys):
    learn = make_learner()
    learn.progress.show = True
    learn.fit(2)
    written = capsys.readouterr().err
    assert "0/4" in written  # the batches of training
    assert "0/2" in written  # those of validation, and the epochs


def test_bars_can_be_switched_off_in_a_terminal(make_learner, terminal):
    learn = make_learner()
    learn.progress.show = False
    learn.fit(2)
    assert terminal() == ""


def test_bars_are_gone_after_a_fit(make_learner, terminal):
    learn = make_learner()
    learn.fit(2)
    assert learn.progress._batches is None
    assert learn.progress._epochs is None
    assert re.search(r"\r\s*\r$", terminal())  # the last one is wiped


def test_bars_of_a_fit_that_failed_are_closed(make_learner, terminal):
    learn = make_learner()
    bars = []

    def fail():
        bars.append(learn.progress._epochs)
        raise RuntimeError("once")

    with learn.added_cbs(Callback(after_pred=fail)), pytest.raises(RuntimeError):
        learn.fit(2)
    assert bars[0].disable  # what tqdm sets on closing
    assert learn.progress._epochs is None


def test_a_bar_for_a_stream_counts_without_an_end(make_learner, samples, terminal):
    import torch.utils.data as torch_data

    class Stream(torch_data.IterableDataset):
        def __iter__(self):
            return iter(samples(32))

    learn = make_learner()
    learn.dls.loaders[0] = DataLoader(Stream(), 8)
    learn.fit(1)
    assert re.search(r"train: \d+it", terminal())


def test_bars_run_over_validation_and_predictions(make_learner, terminal):
    learn = make_learner()
    learn.get_preds()
    written = terminal()
    assert "valid" in written
    assert "epochs" not in written


# -- contexts ------------------------------------------------------------------------------


def test_no_bar_hides_bars_and_puts_them_back(make_learner, terminal):
    learn = make_learner()
    learn.progress.show = True
    with no_bar(learn) as same:
        learn.fit(2)
        assert same is learn
    assert terminal() == ""
    assert learn.progress.show is True


def test_no_logging_hides_the_table_and_puts_it_back(make_learner, capsys):
    learn = make_learner(quiet=False)
    logger = learn.logger
    with no_logging(learn):
        learn.fit(1)
    assert capsys.readouterr().out == ""
    assert learn.logger is logger


def test_contexts_put_back_after_an_error(make_learner):
    learn = make_learner(quiet=False)
    logger, show = learn.logger, learn.progress.show
    with pytest.raises(KeyError), learn.no_logging(), learn.no_mbar():
        raise KeyError
    assert learn.logger is logger
    assert learn.progress.show is show


def test_progress_comes_after_the_recorder(make_learner):
    kinds = [type(cb).__name__ for cb in make_learner().cbs]
    assert kinds.index("ProgressCallback") > kinds.index("Recorder")
    assert ProgressCallback().name == "progress"


def test_an_attribute_is_replaced_inside_only():
    o = SimpleNamespace(a=1)
    with replacing_yield(o, "a", 2) as same:
        assert same is o
        assert o.a == 2
    assert o.a == 1


def test_an_attribute_is_put_back_after_an_error():
    o = SimpleNamespace(a=1)
    with pytest.raises(KeyError), replacing_yield(o, "a", 2):
        raise KeyError
    assert o.a == 1
