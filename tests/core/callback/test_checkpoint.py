"""`Checkpoint`: when it writes, what stays, and what every failure of the disk leaves behind."""

import errno
import json
import os
import pathlib
import signal
import threading
import zipfile
from typing import Any

import pytest
import torch
from torch import nn

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.ema import EMA
from layerwise.core.callback.tracker import EarlyStoppingCallback
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.errors import BundleError
from layerwise.core.files import atomic
from layerwise.core.train.callback import Callback
from layerwise.core.train.checkpoint_folder import CheckpointFolder, read_checkpoint
from layerwise.core.train.recorder import Recorder
from layerwise.core.train.snapshot import CheckpointError


def places(folder):
    """Where the checkpoints of a folder stand, oldest first."""
    names = [entry.path.name for entry in CheckpointFolder(folder).entries()]
    return [name.split("-", 2)[2].removesuffix(".ckpt") for name in names]


@pytest.fixture
def quick(make_learner, tmp_path):
    """A learner of four batches an epoch that writes at once."""

    def make(every="1ep", *cbs, **settings):
        writer = Checkpoint(every, **{"background": False, **settings})
        return make_learner(cbs=[writer, *cbs])

    return make


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


class Stop(Callback):
    """Ends the training with an error after so many batches."""

    order = 2000

    def __init__(self, at):
        super().__init__()
        self.at = at

    def after_batch(self):
        if self.learn.training and self.learn.train_iter == self.at:
            raise RuntimeError("stopped by the test")


# -- when ------------------------------------------------------------------------------------


def test_it_writes_every_so_many_batches(quick, folder):
    quick("3ba", keep=None).fit(2)
    assert places(folder) == [
        "fit1-epoch0-batch3", "fit1-epoch1-batch2", "fit1-finished",
    ]  # fmt: skip


def test_it_writes_every_so_many_epochs(quick, folder):
    quick("2ep", keep=None).fit(5)
    assert places(folder) == ["fit1-epoch2-batch0", "fit1-epoch4-batch0", "fit1-finished"]


def test_it_writes_by_the_clock(quick, folder, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("layerwise.core.callback.checkpoint.time.monotonic", lambda: now[0])

    class Clock(Callback):
        def before_batch(self):
            now[0] += 25.0 * self.learn.training

    quick("1min", Clock(), keep=None).fit(2)  # 25 s a batch: after the third, the sixth
    assert places(folder) == ["fit1-epoch0-batch3", "fit1-epoch1-batch2", "fit1-finished"]


@pytest.mark.parametrize("text", ["", "ten", "0ba", "1.5ep", "3 weeks", "-2ba", "5"])
def test_a_text_that_does_not_say_how_often_is_refused(text):
    with pytest.raises(ValueError, match=r"such as '100ba'|whole number above 0"):
        Checkpoint(text)


def test_a_slow_disk_makes_checkpoints_rarer_not_training_slower(make_learner, folder, monkeypatch):
    free = threading.Event()
    real = atomic.write_whole
    started = []

    def slow(path, parts):
        started.append(path)
        if len(started) == 1:
            free.wait(20)
        real(path, parts)

    monkeypatch.setattr("layerwise.core.files.bundle.write_whole", slow)

    class Free(Callback):
        order = 2000

        def after_batch(self):
            if self.learn.training and self.learn.train_iter == 3:
                free.set()
                self.learn.checkpoint._writer.wait()

    make_learner(cbs=[Checkpoint("1ba", keep=None), Free()]).fit(1)
    # The second and third were due while the first was written; the fourth comes in time.
    assert places(folder) == ["fit1-epoch0-batch1", "fit1-epoch0-batch4", "fit1-finished"]


def test_validation_and_predictions_write_nothing(quick, folder):
    learn = quick("1ba")
    learn.validate()
    learn.get_preds()
    assert not folder.exists()


# -- what stays: R10 -------------------------------------------------------------------------


class Worse(Callback):
    """Writes a validation loss by hand, the least of all in epoch 2."""

    after = (Recorder,)
    order = 55

    def after_epoch(self):
        recorder = self.learn.recorder
        column = recorder.metric_names.index("valid_loss") - 1
        recorder.values[-1][column] = abs(self.learn.epoch - 2.0)


def test_r10_of_100_saves_the_last_three_and_the_best_stay(quick, folder):
    most = []

    class Count(Callback):
        order = 3000

        def after_batch(self):
            most.append(len(list(folder.glob("*"))) if folder.exists() else 0)

        after_epoch = after_batch

    learn = quick("1ba", Worse(), Count(), keep=3, best="valid_loss")
    learn.fit(25)
    assert learn.train_iter == 100
    assert max(most) <= 4
    assert places(folder) == [
        "fit1-epoch3-batch0", "fit1-epoch24-batch3", "fit1-epoch24-batch4", "fit1-finished",
    ]  # fmt: skip
    assert learn.checkpoint.best_value == 0.0
    assert read_checkpoint(learn.checkpoint.best_path)["fit"]["epoch"] == 3


def test_r10_killed_between_any_two_removals_a_whole_one_is_left(quick, folder, monkeypatch):
    removed = []

    def dies(path, missing_ok=False):
        if path.suffix == ".ckpt":
            removed.append(path)
            raise KeyboardInterrupt  # as an end of the process would: nothing after it is done

    quick("1ba", keep=None).fit(1)
    before = places(folder)
    learn = quick("1ba", keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            learn.fit(1, resume=str(CheckpointFolder(folder).entries()[0].path))
    assert len(removed) == 1
    assert len(places(folder)) == len(before) + 1
    assert CheckpointFolder(folder).newest()[1]["fit"]["batches"] == 2


def test_the_best_of_an_earlier_process_stays_after_resume(quick, folder):
    with pytest.raises(RuntimeError, match="stopped by the test"):
        quick("1ba", Worse(), Stop(20), keep=1, best="valid_loss").fit(8)
    again = quick("1ba", Worse(), keep=1, best="valid_loss")
    again.fit(8, resume=True)
    assert places(folder) == ["fit1-epoch3-batch0", "fit1-finished"]
    assert again.checkpoint.best_path.name.endswith("fit1-epoch3-batch0.ckpt")


def test_another_run_in_the_same_folder_removes_no_file_of_the_first(quick, folder):
    quick("1ba", keep=2).fit(1)
    first = places(folder)
    quick("1ba", keep=1).fit(1)
    assert places(folder) == [*first, "fit1-finished"]


def test_best_has_to_be_a_column(quick):
    with pytest.raises(ValueError, match=r"no such column.* Did you mean 'valid_loss'"):
        quick(best="val_loss").fit(1)


def test_keep_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one checkpoint has to stay"):
        Checkpoint(keep=0)


# -- R4: every failure of the disk -----------------------------------------------------------


def failing(monkeypatch, name, number, error):
    """Let the `number`-th call of a function of the disk, of those for checkpoints, fail."""
    count = [0]
    owner, attribute = {
        "write": (os, "write"), "fsync": (os, "fsync"),
        "replace": (pathlib.Path, "replace"), "open": (pathlib.Path, "open"),
    }[name]  # fmt: skip
    real = getattr(owner, attribute)

    def call(*args, **kwargs):
        if name in ("replace", "open") and ".ckpt" not in str(args[0]):
            return real(*args, **kwargs)
        if name == "open" and "x" not in (args[1] if len(args) > 1 else ""):
            return real(*args, **kwargs)
        count[0] += 1
        if count[0] == number:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, attribute, call)
    return count


class Dies(BaseException):
    """Made when it is raised, and then the process is gone."""

    def __init__(self):
        os._exit(9)


def calls_of_one_save(quick, monkeypatch, name):
    with monkeypatch.context() as patch:
        count = failing(patch, name, -1, OSError())
        learn = quick("4ba")
        learn.fit(1, cbs=Stop(99))
    return count[0] // 2  # the fourth batch and the end


@pytest.mark.parametrize("name", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "Input/output error")],
    ids=["full", "broken"],
)
def test_r4_whatever_call_fails_the_checkpoint_before_is_chosen(
    quick, make_learner, folder, tmp_path, monkeypatch, name, error
):
    number = calls_of_one_save(quick, monkeypatch, name)
    assert number >= 1
    for failed in range(1, number + 1):
        for path in folder.glob("*"):
            path.unlink()
        learn = quick("3ba", keep=None)
        with pytest.raises(RuntimeError, match="stopped by the test"):
            learn.fit(2, cbs=Stop(5))
        assert places(folder) == ["fit1-epoch0-batch3"]
        again = quick("2ba", keep=None)
        with monkeypatch.context() as patch:
            failing(patch, name, failed, error)
            with pytest.raises(OSError, match=error.strerror) as told:
                again.fit(2, resume=True)
        assert "batch4" in f"{told.value} {told.value.__notes__}"  # which file it was
        whole = [p for p in places(folder) if p != "fit1-epoch0-batch3"]
        # Only what fails after the rename leaves the new one, and then it is whole.
        assert whole == ([] if (name, failed) != ("fsync", 2) else ["fit1-epoch0-batch4"])
        assert CheckpointFolder(folder).newest() is not None
        assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", ["write", "fsync", "replace"])
def test_r4_a_process_that_dies_in_a_save_leaves_no_checkpoint_and_the_next_removes_the_rest(
    quick, folder, monkeypatch, name
):
    number = calls_of_one_save(quick, monkeypatch, name)
    for failed in range(1, number + 1):
        for path in [*folder.glob("*"), *folder.glob(".*")]:
            path.unlink()
        learn = quick("3ba", keep=None)
        pid = os.fork()
        if pid == 0:  # the child dies like by SIGKILL, in the second save
            failing(monkeypatch, name, number + failed, Dies)
            learn.fit(2)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        after_rename = (name, failed) == ("fsync", 2)
        newest = CheckpointFolder(folder).newest()[1]["fit"]
        assert (newest["epoch"], newest["batches"]) == ((1, 2) if after_rename else (0, 3))
        assert len(list(folder.glob(".*.tmp"))) == (not after_rename)
        again = quick("3ba", keep=None)
        again.fit(2, resume=True)
        assert not list(folder.glob(".*"))


def test_r4_a_folder_that_cannot_be_written_is_named(make_learner, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    learn = make_learner(cbs=Checkpoint("1ba", dir="taken/here"))
    with pytest.raises(OSError, match="taken"):
        learn.fit(1)


def test_r4_a_read_only_folder_is_named(make_learner, tmp_path, monkeypatch):
    def refused(self, *args, **kwargs):  # tests may run as root, whom no mode stops
        if self.suffix == ".tmp":
            raise PermissionError(errno.EROFS, "Read-only file system", str(self))
        return real(self, *args, **kwargs)

    real = pathlib.Path.open
    monkeypatch.setattr(pathlib.Path, "open", refused)
    with pytest.raises(OSError, match="Read-only file system") as told:
        make_learner(cbs=Checkpoint("1ba")).fit(1)
    assert "checkpoints" in str(told.value)


def test_an_error_of_the_writing_thread_comes_out(make_learner, monkeypatch):
    failing(monkeypatch, "replace", 1, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left on device"):
        make_learner(cbs=Checkpoint("1ba")).fit(1)


# -- damaged and foreign files ---------------------------------------------------------------


def damaged(quick, how):
    """A folder whose newest checkpoint was damaged; the one before."""
    with pytest.raises(RuntimeError, match="stopped by the test"):
        quick("1ba", keep=None).fit(2, cbs=Stop(6))
    *_, before, newest = CheckpointFolder(quick("1ba").checkpoint.folder.path).entries()
    content = newest.path.read_bytes()
    newest.path.write_bytes(how(content))
    return before.path, newest.path


@pytest.mark.parametrize(
    "how",
    [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: c[:900] + b"\0" * 99 + c[999:]],
    ids=["torn", "empty", "zeroed"],
)
def test_a_damaged_newest_one_is_passed_over_with_a_warning(quick, how):
    before, newest = damaged(quick, how)
    again = quick("1ba")
    with pytest.warns(UserWarning, match=f"goes on from {before}.*{newest.name}"):
        again.fit(2, resume=True)
    assert again.train_iter == 8


def test_where_all_are_damaged_nothing_is_begun_anew(quick, folder):
    quick("1ba").fit(1)
    for path in folder.iterdir():
        path.write_bytes(b"PK")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be read"):
        quick("1ba").fit(1, resume=True)


def test_a_named_file_that_is_damaged_is_refused(quick):
    _, newest = damaged(quick, lambda c: c[:-30])
    with pytest.raises(BundleError, match=newest.name):
        quick().fit(2, resume=newest)


# -- does it fit -----------------------------------------------------------------------------


def interrupted(quick, *cbs):
    with pytest.raises(RuntimeError, match="stopped by the test"):
        quick("1ba").fit(2, cbs=[Stop(3), *cbs])


def test_resume_without_checkpoints_says_what_to_add(make_learner):
    with pytest.raises(ValueError, match=r"add the callback .* cbs=Checkpoint"):
        make_learner().fit(1, resume=True)


def test_another_model_is_refused_and_nothing_is_changed(quick, make_learner):
    interrupted(quick)
    other = make_learner(nn.Linear(3, 1, bias=False), cbs=Checkpoint())
    weight = other.model.weight.detach().clone()
    with pytest.raises(CheckpointError, match=r"weights of the model that are not here: bias"):
        other.fit(2, resume=True)
    assert torch.equal(other.model.weight, weight)


def test_a_callback_that_is_missing_or_new_is_named(quick):
    interrupted(quick, EMA())
    with pytest.raises(CheckpointError, match="'ema' has a state in it; add it here too"):
        quick("1ba").fit(2, resume=True)
    again = quick("1ba")
    with pytest.raises(CheckpointError, match="no state of the callback 'early_stopping'"):
        again.fit(2, cbs=[EMA(), EarlyStoppingCallback()], resume=True)


def test_other_data_are_refused(quick, make_learner, samples):
    interrupted(quick)
    dls = DataLoaders(DataLoader(samples(40), 8), DataLoader(samples(8), 8))
    with pytest.raises(
        CheckpointError, match="4 batches an epoch when it was written, and gives 5"
    ):
        make_learner(dls=dls, cbs=Checkpoint()).fit(2, resume=True)


def test_a_fit_that_was_refused_is_the_same_fit_once_it_is_put_right(quick, make_learner, samples):
    interrupted(quick)
    dls = DataLoaders(DataLoader(samples(40), 8), DataLoader(samples(8), 8))
    again = make_learner(dls=dls, cbs=Checkpoint())
    with pytest.raises(CheckpointError, match="and gives 5"):
        again.fit(2, resume=True)
    with pytest.raises(ValueError, match="1 parameter groups"):
        again.fit(2, [0.1, 0.2], resume=True)
    again.dls = quick().dls
    steps = []
    again.fit(2, cbs=Callback(after_step=lambda: steps.append(again.train_iter)), resume=True)
    assert steps == [3, 4, 5, 6, 7]  # it has gone on after the three of before


@pytest.mark.parametrize(("step", "place"), [(6, "epoch 1, batch 2"), (9, "epoch 2")], ids=str)
def test_a_checkpoint_behind_the_end_of_the_fit_is_refused(quick, step, place):
    with pytest.raises(RuntimeError, match="stopped by the test"):
        quick("1ba" if step == 6 else "1ep").fit(3, cbs=Stop(step))
    again = quick()
    with pytest.raises(CheckpointError, match=f"stands at {place} .* of 3 epochs.* fit of 1"):
        again.fit(1, resume=True)
    again.fit(3, resume=True)
    assert len(again.recorder.values) == 3


def test_a_finished_run_is_loaded_and_not_trained(quick, folder, capsys):
    whole = quick()
    whole.fit(2)
    before = places(folder)
    again = quick()
    again.fit(2, resume=True)
    assert "is loaded and not trained again. To train on, ask for more" in capsys.readouterr().err
    assert torch.equal(again.model.weight, whole.model.weight)
    assert again.recorder.losses == whole.recorder.losses
    assert again.recorder.values == whole.recorder.values
    assert places(folder) == before


def test_a_finished_run_goes_on_for_more_epochs(quick):
    quick().fit(2)
    more = quick()
    more.fit(3, resume=True)
    assert len(more.recorder.values) == 3
    assert more.train_iter == 12


def test_a_script_with_several_fits_goes_on_in_the_one_that_was_interrupted(quick, capsys):
    def script(learn, stop=None):
        learn.fit(1, resume=True)
        learn.fit(3, cbs=stop, resume=True)
        return learn

    whole = quick("1ba", dir="whole")
    whole.fit(1)
    whole.fit(3)
    with pytest.raises(RuntimeError, match="stopped by the test"):
        script(quick("1ba"), Stop(6))
    again = script(quick("1ba"))
    assert "fit 1 (1 epochs) was done" in capsys.readouterr().err
    assert torch.equal(again.model.weight, whole.model.weight)
    assert again.recorder.losses == whole.recorder.losses


def test_a_new_session_that_calls_only_the_interrupted_fit_goes_on_with_a_warning(quick):
    learn = quick("1ba")
    learn.fit(1)
    with pytest.raises(RuntimeError, match="stopped by the test"):
        learn.fit(3, cbs=Stop(6))
    again = quick("1ba")
    with pytest.warns(UserWarning, match="is of fit 2 of its learner and this is fit 1"):
        again.fit(3, resume=True)
    assert len(again.recorder.values) == 3
    other = quick("1ba")
    with pytest.raises(CheckpointError, match="this is fit 1, of 7 epochs, and there was none"):
        other.fit(7, resume=True)


def test_a_learner_whose_fit_was_interrupted_goes_on_itself(quick):
    learn = quick("1ba")
    with pytest.raises(RuntimeError, match="stopped by the test"):
        learn.fit(2, cbs=Stop(5))
    learn.fit(2, resume=True)
    assert learn.train_iter == 8
    whole = quick("1ba", dir="whole")
    whole.fit(2)
    assert torch.equal(learn.model.weight, whole.model.weight)


# -- signals: R5 within the process ----------------------------------------------------------


class Signal(Callback):
    """Sends a signal to this process in the middle of a step, or of validation."""

    def __init__(self, number, at=2, training=True):
        super().__init__()
        self.number, self.at, self.of = number, at, training

    def after_pred(self):
        if self.learn.training == self.of and self.learn.iter + 1 == self.at:
            signal.raise_signal(self.number)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 138)],
    ids=["term", "int", "usr1"],
)
def test_r5_handlers_are_put_back_and_the_users_is_called(quick, folder, number, code):
    heard = []
    before = signal.signal(number, lambda *args: heard.append(args[0]))
    mine = signal.getsignal(number)
    try:
        with pytest.raises(SystemExit) as told:
            quick("1ep", Signal(number)).fit(2)
        assert told.value.code == code
        assert signal.getsignal(number) is mine
        assert heard == [number]
        assert places(folder) == ["fit1-epoch0-batch2"]
    finally:
        signal.signal(number, before)


def test_r5_in_validation_averaged_weights_are_not_what_is_saved(quick, folder):
    learn = quick("1ep", EMA(0.5), Signal(signal.SIGTERM, 1, training=False))
    before = signal.signal(signal.SIGTERM, lambda *args: None)
    try:
        with pytest.raises(SystemExit):
            learn.fit(2)
    finally:
        signal.signal(signal.SIGTERM, before)
    again = quick("1ep", EMA(0.5))
    again.fit(2, resume=True)
    whole = quick("1ep", EMA(0.5), dir="whole")
    whole.fit(2)
    assert torch.equal(again.model.weight, whole.model.weight)
    assert again.recorder.values == whole.recorder.values


@pytest.fixture
def keyboard():
    """Python's own handler of SIGINT, which a job in the background would ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("keyboard")
def test_r5_a_second_interrupt_leaves_at_once_and_damages_nothing(quick, folder):
    class Twice(Callback):
        def after_pred(self):
            if self.learn.training and self.learn.train_iter == 5:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(SystemExit, match="130"):
        quick("2ba", Twice()).fit(2)
    assert CheckpointFolder(folder).newest()[1]["fit"]["train_iter"] == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_r5_outside_of_the_main_thread_nothing_is_installed(quick):
    seen = []

    class Look(Callback):
        def after_batch(self):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=lambda: quick("1ep", Look()).fit(1))
    thread.start()
    thread.join()
    assert set(seen) == {signal.getsignal(signal.SIGTERM)}


def test_an_unknown_signal_is_refused():
    with pytest.raises(ValueError, match=r"'SIGTERN' is no signal to stop at. Did you mean"):
        Checkpoint(signals=["SIGTERN"])


# -- R11 -------------------------------------------------------------------------------------


def test_r11_a_newer_version_is_refused_naming_both(quick, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("layerwise.core.train.checkpoint_folder.VERSION", 2)
        quick().fit(1)
    with pytest.raises(CheckpointError, match=r"version 2; layerwise-core \S+ reads version 1"):
        quick().fit(1, resume=True)


STORED = pathlib.Path(__file__).parent / "files" / "checkpoint-1.ckpt"


def test_r11_a_checkpoint_of_version_1_still_goes_on(make_learner):
    """Written by `make_learner(cbs=Checkpoint("3ba")).fit_one_cycle(2)`, after its sixth batch."""
    from safetensors.torch import load

    with zipfile.ZipFile(STORED) as bundle:  # read by others than us
        tensors = load(bundle.read("state.safetensors"))
        version = json.loads(bundle.read("state.json"))["version"]
    assert version == 1
    seen: list[Any] = []

    class First(Callback):
        def before_batch(self):
            if self.learn.training and not seen:
                seen.extend(
                    [
                        self.learn.epoch,
                        self.learn.iter,
                        self.learn.model.state_dict()["weight"].clone(),
                    ]
                )

    learn = make_learner()
    learn.fit_one_cycle(2, cbs=First(), resume=STORED)
    assert seen[:2] == [1, 2]
    assert torch.equal(seen[2], tensors[".state.model.weights.weight"])
    assert learn.train_iter == 8
    assert len(learn.recorder.losses) == 8
