import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from layerwise.core.callback.tensorboard import (
    TensorBoardBaseCallback,
    TensorBoardCallback,
    TensorBoardProjectorCallback,
    projector_word_embeddings,
    tensorboard_log,
)
from layerwise.core.display.table import Table
from layerwise.core.errors import MissingDependencyError
from layerwise.core.testing.fakes import synth_learner
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback

pytest.importorskip("tensorboard")


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


def test_the_events_read_back_are_the_numbers_of_the_recorder(make_learner, tmp_path):
    learn = make_learner(cbs=TensorBoardCallback("board"))
    learn.fit_one_cycle(2)
    events = read(tmp_path / "board")
    found = {name: events.Scalars(name) for name in events.Tags()["scalars"]}
    for name, values in {
        "smooth_loss": learn.recorder.losses,
        "lr_0": learn.recorder.hps["lr"],
        "mom_0": learn.recorder.hps["mom"],
    }.items():
        assert [e.step for e in found[name]] == [*range(1, 9)], name
        assert [e.value for e in found[name]] == pytest.approx(values, rel=1e-6), name
    assert [e.step for e in found["valid_loss"]] == [4, 8]
    assert [e.value for e in found["valid_loss"]] == pytest.approx(
        [row[1] for row in learn.recorder.values], rel=1e-6
    )


def test_predictions_and_the_graph_are_there_and_change_nothing(tmp_path):
    runs = []
    for number, cbs in enumerate([None, TensorBoardCallback("board", trace_model=True)]):
        torch.manual_seed(0)
        learn = synth_learner(path=tmp_path, model=nn.Sequential(nn.Dropout(0.3), nn.Linear(1, 1)))
        with learn.no_logging(), learn.added_cbs(cbs):
            torch.manual_seed(5)
            learn.fit(2)
        runs.append(learn.model[1].weight.item())
        assert learn.model.training is False, number
    assert runs[0] == runs[1]
    tags = read(tmp_path / "board").Tags()
    assert tags["graph"]
    assert "predictions/text_summary" in tags["tensors"]


def test_predictions_are_left_out_where_other_processes_would_be_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.core.callback.shown_preds.num_distrib", lambda: 2)
    learn = synth_learner(path=tmp_path, cbs=TensorBoardCallback("board"))
    with learn.no_logging():
        learn.fit(1)
    tags = read(tmp_path / "board").Tags()
    assert tags["scalars"]
    assert not tags["tensors"]


def test_without_a_folder_each_run_has_its_own(make_learner, tmp_path):
    make_learner(cbs=TensorBoardBaseCallback()).fit(1)
    (folder,) = (tmp_path / "runs").iterdir()
    assert read(folder).Tags()["scalars"]


def test_validation_prediction_and_search_write_nothing(make_learner, tmp_path):
    learn = make_learner(cbs=[TensorBoardCallback(), TensorBoardProjectorCallback()])
    learn.validate()
    learn.get_preds()
    learn.lr_find(num_it=10, show_plot=False)
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_goes_on_hides_what_came_after_its_checkpoint(make_learner, tmp_path):
    first = make_learner(cbs=TensorBoardBaseCallback("board"))
    states = []

    class Keep(Callback):
        order = 100

        def after_epoch(self):
            states.append(self.learn.tensor_board_base.state_dict())

    first.add_cb(Keep())
    first.fit(3)
    assert states[0] == {"log_dir": "board"}
    again = make_learner(cbs=TensorBoardBaseCallback())
    again.tensor_board_base.load_state_dict(states[0])
    again.log_bus.step = 4  # as the checkpoint after the first epoch says
    again.fit(1)
    steps = [event.step for event in read(tmp_path / "board").Scalars("loss")]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]


def test_all_kinds_are_written(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, 1])
    with SummaryWriter(str(tmp_path)) as writer:
        tensorboard_log(writer, "number", torch.tensor(0.5), 3)
        tensorboard_log(writer, "text", "hello", 3)
        tensorboard_log(writer, "table", Table([{"a": 1, "b": 2}]), 3)
        tensorboard_log(writer, "figure", figure, 3)
        tensorboard_log(writer, "values", np.arange(5.0), 3)
    found = read(tmp_path)
    (scalar,) = found.Scalars("number")
    assert (scalar.step, scalar.value) == (3, 0.5)
    texts = {
        name: found.Tensors(f"{name}/text_summary")[0].tensor_proto.string_val[0]
        for name in ("text", "table")
    }
    assert texts == {"text": b"hello", "table": b"| a | b |\n| --- | --- |\n| 1 | 2 |"}
    assert found.Images("figure")[0].encoded_image_string.startswith(b"\x89PNG")
    histogram = found.Histograms("values")[0].histogram_value
    assert (histogram.num, histogram.sum, histogram.max) == (5, 10, 4)


def test_the_projector_shows_what_the_last_layer_gets(make_learner, tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    learn = make_learner(model, cbs=TensorBoardProjectorCallback())
    learn.fit(2)
    (file,) = (tmp_path / "runs/projector").rglob("tensors.tsv")
    inputs = torch.stack([x for x, _ in learn.dls.valid.dataset])
    torch.testing.assert_close(
        torch.from_numpy(np.loadtxt(file, dtype=np.float32)), model[:2](inputs).detach()
    )
    assert not model[2]._forward_pre_hooks


def test_the_projector_shows_a_layer_that_is_given(make_learner, tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    learn = make_learner(model, cbs=TensorBoardProjectorCallback("here", model[0]))
    learn.fit(1)
    (file,) = (tmp_path / "here").rglob("tensors.tsv")
    inputs = torch.stack([x for x, _ in learn.dls.valid.dataset])
    torch.testing.assert_close(
        torch.from_numpy(np.loadtxt(file, dtype=np.float32)), model[0](inputs).detach()
    )
    assert not model[0]._forward_hooks


def test_words_stand_beside_their_points(tmp_path):
    layer = nn.Embedding(4, 3)
    words = ["the", "a", "wren", "owl"]
    folder = projector_word_embeddings(layer, words, tmp_path / "words", limit=2, start=1)
    (points,) = folder.rglob("tensors.tsv")
    (names,) = folder.rglob("metadata.tsv")
    found = torch.from_numpy(np.loadtxt(points, dtype=np.float32))
    torch.testing.assert_close(found, layer.weight.detach()[1:3])
    assert names.read_text().split() == ["a", "wren"]
    with pytest.raises(ValueError, match=r"2 words for 4 rows of Embedding\.weight"):
        projector_word_embeddings(layer, words[:2], tmp_path)


def test_a_model_without_a_linear_layer_shows_its_output(make_learner, tmp_path):
    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * x[:, :2]

    make_learner(Mean(), cbs=TensorBoardProjectorCallback(), loss_func=lambda p, y: p.mean()).fit(1)
    (file,) = (tmp_path / "runs/projector").rglob("tensors.tsv")
    assert np.loadtxt(file).shape == (16, 2)


def test_without_the_library_the_extra_is_named(make_learner, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'layerwise-core\[tensorboard\]"):
        make_learner(cbs=TensorBoardBaseCallback()).fit(1)


@pytest.mark.parametrize(
    "kind", [TensorBoardBaseCallback, TensorBoardCallback, TensorBoardProjectorCallback]
)
def test_it_leaves_no_trace(kind):
    check_callback(kind())
