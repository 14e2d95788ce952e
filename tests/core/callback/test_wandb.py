import json
import struct

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from layerwise.core.callback.wandb import WandbCallback, log_dataset, log_model, wandb_process
from layerwise.core.display.table import Table
from layerwise.core.errors import MissingDependencyError
from layerwise.core.tensors import TensorCategory, TensorImage, TensorMask
from layerwise.core.testing.fakes import synth_learner
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback

wandb = pytest.importorskip("wandb")


def records(file):
    """What an offline run has written: a log in the format of LevelDB, of protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, part = file.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(part)
            part = b""
            yield record


def written(run, folder):
    """All records of a run, when the process that writes them has done so."""
    run.finish()
    wandb.teardown()
    return list(records(next(folder.glob("wandb/offline-run-*/*.wandb"))))


def history(found):
    """The rows of numbers in `records`."""
    return [
        {
            "/".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in r.history.item
        }
        for r in found
        if r.WhichOneof("record_type") == "history"
    ]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    made = wandb.init(
        project="test", mode="offline", dir=tmp_path,
        settings=wandb.Settings(x_disable_stats=True, x_disable_meta=True, console="off"),
    )  # fmt: skip
    yield made
    made.finish()


def test_an_offline_run_holds_the_numbers_of_the_recorder(run, tmp_path):
    learn = synth_learner(path=tmp_path)

    def told():
        learn.log("say", "hello")
        learn.log("rows", Table([{"a": 1, "b": 2.5}]))
        learn.log("weights", torch.arange(4.0))
        figure = plt.figure(figsize=(1, 1))
        learn.log("picture", figure)
        plt.close(figure)

    data = tmp_path / "data"
    data.mkdir()
    (data / "a.txt").write_text("one")
    wanted = WandbCallback(log="all", log_model=True, model_name="line", dataset=data)
    learn.add_cbs([wanted, Callback(before_validate=told)])
    with learn.no_logging():
        learn.fit_one_cycle(2)
    found = written(run, tmp_path)
    rows = history(found)
    batches = [row for row in rows if "loss" in row]
    assert [row["train_step"] for row in batches] == [*range(1, 21)]
    assert [row["smooth_loss"] for row in batches] == pytest.approx(learn.recorder.losses)
    assert [row["lr_0"] for row in batches] == pytest.approx(learn.recorder.hps["lr"])
    assert [row["valid_loss"] for row in rows if "valid_loss" in row] == pytest.approx(
        [row[1] for row in learn.recorder.values]
    )
    names = {name.split("/")[0] for row in rows for name in row}
    assert {"say", "rows", "weights", "picture", "predictions", "epoch"} <= names
    kinds = [r.artifact for r in found if r.WhichOneof("record_type") == "artifact"]
    assert {("dataset", "data"), ("model", "line")} <= {(a.type, a.name) for a in kinds}
    assert run.config["loss_func"] == "MSELossFlat"


def test_validation_and_prediction_are_not_logged(run, tmp_path):
    learn = synth_learner(path=tmp_path)
    learn.add_cb(WandbCallback())
    learn.validate()
    learn.get_preds()
    found = written(run, tmp_path)
    assert found
    assert history(found) == []


def test_it_leaves_no_trace(run):
    check_callback(WandbCallback(run, log="all"))


def test_what_is_not_there_is_not_uploaded(run, tmp_path):
    with pytest.raises(NotADirectoryError, match="is no folder"):
        log_dataset(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="is no file"):
        log_model(tmp_path / "none")


def test_without_a_run_it_says_how_to_begin_one(make_learner):
    with pytest.raises(RuntimeError, match=r"call wandb\.init\(project=\.\.\.\) before"):
        make_learner(cbs=WandbCallback()).fit(1)


def test_without_the_library_the_extra_is_named(make_learner, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[wandb\]'"):
        make_learner(cbs=WandbCallback()).fit(1)


def test_numbers_become_a_table():
    made = wandb_process(0, 0, [(1.5, 2), (2.5, 3)], [(2,), (4,)])["predictions"]
    assert made.columns == ["input", "target", "prediction"]
    assert made.data == [[1.5, 2, 2], [2.5, 3, 4]]


def test_pictures_keep_their_values_and_say_what_is_predicted():
    picture = TensorImage(torch.linspace(0, 1, 12).view(3, 2, 2))
    samples, outs = [(picture, TensorCategory(1))], [(TensorCategory(0),)]
    (made,) = wandb_process(picture, TensorCategory([1]), samples, outs)["predictions"]
    assert made._caption == "1 / 0"
    expected = (np.linspace(0, 1, 12).reshape(3, 2, 2).transpose(1, 2, 0) * 255).round()
    assert np.array_equal(np.asarray(made.image), expected)


def test_masks_lie_over_their_picture():
    picture, mask = TensorImage(torch.zeros(3, 2, 2)), TensorMask(torch.tensor([[0, 1], [2, 0]]))
    (made,) = wandb_process(picture, mask, [(picture, mask)], [(mask,)])["predictions"]
    assert set(made._masks) == {"target", "prediction"}


def test_pictures_of_pictures_stand_beside_each_other():
    picture = TensorImage(torch.zeros(3, 2, 2))
    found = wandb_process(picture, picture, [(picture, picture)], [(picture,)])
    assert {name: len(images) for name, images in found.items()} == {
        "inputs": 1, "targets": 1, "predictions": 1,
    }  # fmt: skip
