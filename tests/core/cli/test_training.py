"""`layerwise train`, `lr-find` and `resume` with a training that this file registers."""

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from layerwise.core.cli import main
from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.split import RandomSplitter
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.settings import built
from layerwise.core.train.callback import Callback

pytest.importorskip("tyro")


def a_row(number):
    """Three numbers of which the largest is the label."""
    drawn = torch.Generator().manual_seed(int(number))
    return torch.randn(3, generator=drawn)


def largest(number):
    return "abc"[int(a_row(number).argmax())]


@built
def small_net(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 3))


def numbers(data: Path, *, width: int = 8, bs: int = 16, seed: int = 42) -> Learner:
    """Learn which of three numbers is the largest.

    Args:
        data: a file with a number of rows.
        width: of the net.
        bs: rows in a batch.
        seed: of the split.
    """
    block = DataBlock(
        (TransformBlock, CategoryBlock), get_x=a_row, get_y=largest,
        splitter=RandomSplitter(seed=seed),
    )  # fmt: skip
    dls = block.dataloaders(range(int(data.read_text())), bs=bs)
    return Learner(dls, small_net(width), metrics=accuracy, lr=0.01)


class EndsInTheSecondEpoch(Callback):
    """A power cut."""

    def after_pred(self):
        if self.learn.training and self.learn.epoch == 1:
            raise ValueError("the lights went out")


class EndsAtOnce(Callback):
    """No power to begin with."""

    def before_batch(self):
        raise ValueError("no power")


class EndsByHand(Callback):
    """Ctrl-C."""

    def after_pred(self):
        raise KeyboardInterrupt


for kind, name, value in [
    ("function", "testcli/a_row", a_row),
    ("function", "testcli/largest", largest),
    ("model", "testcli/small_net", small_net),
    ("callback", "testcli/EndsInTheSecondEpoch", EndsInTheSecondEpoch),
    ("callback", "testcli/EndsAtOnce", EndsAtOnce),
    ("callback", "testcli/EndsByHand", EndsByHand),
    ("training", "testcli/numbers", numbers),
]:
    register(kind, name, value)


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "rows.txt"
    file.write_text("100")
    return file


def log_of(folder):
    with (folder / "log.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "time"} for row in csv.DictReader(file)]


def weights_of(folder):
    return load_learner(folder / "model.lw").model.state_dict()


def test_a_run_leaves_all_of_it_in_one_folder(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "numbers", "--data", str(data), "--epochs", "2", "--out", str(out)]) == 0
    assert {f.name for f in out.iterdir()} >= {
        "checkpoints", "config.json", "log.csv", "model.lw", "results.json",
    }  # fmt: skip
    config = json.loads((out / "config.json").read_text())
    assert config["training"] == "testcli/numbers"
    assert config["settings"]["data"] == str(data)
    assert (config["settings"]["width"], config["settings"]["epochs"]) == (8, 2)
    results = json.loads((out / "results.json").read_text())
    last = log_of(out)[-1]
    assert results == {
        name: pytest.approx(float(last[name]), abs=1e-6) for name in ("valid_loss", "accuracy")
    }
    assert load_learner(out / "model.lw").dls.vocab == ["a", "b", "c"]
    assert f"the run: {out}" in capsys.readouterr().out


def test_what_is_trained_is_what_a_program_would_train(data, tmp_path):
    from layerwise.core.random import set_seed

    out = tmp_path / "run"
    words = ["--epochs", "2", "--lr", "0.02", "--width", "5", "--seed", "3", "--out", str(out)]
    assert main(["train", "numbers", "--data", str(data), *words]) == 0
    set_seed(3)
    learn = numbers(data, width=5, seed=3)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(2, 0.02)
    found = weights_of(out)
    for key, value in learn.model.state_dict().items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


@pytest.mark.parametrize("again", ["resume", "train"])
def test_a_run_that_was_ended_goes_on_to_the_same_weights(data, tmp_path, capsys, again):
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    words = ["train", "numbers", "--data", str(data), "--epochs", "3"]
    assert main([*words, "--out", str(whole)]) == 0
    cut = [*words, "--callbacks", "EndsInTheSecondEpoch", "--out", str(ended)]
    assert main(cut) == 1
    assert "the lights went out" in capsys.readouterr().err
    assert not (ended / "model.lw").exists()
    config = json.loads((ended / "config.json").read_text())
    config["settings"]["callbacks"] = []
    (ended / "config.json").write_text(json.dumps(config))
    on = ["resume", str(ended)] if again == "resume" else [*words, "--out", str(ended)]
    assert main(on) == 0
    assert log_of(ended) == log_of(whole)
    for key, value in weights_of(whole).items():
        torch.testing.assert_close(weights_of(ended)[key], value, rtol=0, atol=0)


def test_more_epochs_are_trained_behind_a_finished_run(data, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "numbers", "--data", str(data), "--epochs", "1", "--out", str(out)]) == 0
    assert main(["resume", str(out), "--epochs", "2"]) == 0
    assert [row["epoch"] for row in log_of(out)] == ["0", "1"]
    assert json.loads((out / "config.json").read_text())["settings"]["epochs"] == 2
    assert main(["resume", str(out), "--epochs", "1"]) == 1
    assert "epochs=1, and" in capsys.readouterr().err
    assert json.loads((out / "config.json").read_text())["settings"]["epochs"] == 2


def test_another_run_in_the_same_folder_is_refused(data, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["train", "numbers", "--data", str(data), "--epochs", "1", "--out", str(out)]
    assert main(words) == 0
    before = (out / "config.json").read_bytes()
    assert main([*words, "--width", "9"]) == 1
    assert "width: 8 there, 9 now" in capsys.readouterr().err
    assert (out / "config.json").read_bytes() == before
    assert main([*words[:-1], str(tmp_path)]) == 1
    assert "holds files that are no run" in capsys.readouterr().err


def test_a_run_that_failed_before_it_wrote_anything_may_begin_with_other_settings(
    data, tmp_path, capsys
):
    out = tmp_path / "run"
    words = ["train", "numbers", "--data", str(data), "--epochs", "1", "--out", str(out)]
    assert main([*words, "--callbacks", "EndsAtOnce"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "layerwise train numbers: no power"
    assert "EndsAtOnce.before_batch" in told[1]  # the notes of an error are told too
    assert [file.name for file in out.iterdir()] == ["config.json"]
    assert main([*words, "--width", "9"]) == 0
    settings = json.loads((out / "config.json").read_text())["settings"]
    assert (settings["width"], settings["callbacks"]) == (9, [])


def test_who_ends_a_run_is_told_how_to_go_on(data, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["train", "numbers", "--data", str(data), "--callbacks", "EndsByHand"]
    with pytest.raises(KeyboardInterrupt):
        main([*words, "--out", str(out)])
    assert f"`layerwise resume {out}` goes on" in capsys.readouterr().err


@pytest.mark.parametrize("epochs", ["0", "-1"])
def test_fewer_epochs_than_one_are_refused(data, tmp_path, capsys, epochs):
    out = tmp_path / "run"
    words = ["train", "numbers", "--data", str(data), "--out", str(out), "--epochs"]
    assert main([*words, epochs]) == 1
    assert f"epochs={epochs}; give one or more" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "1"]) == 0
    before = (out / "config.json").read_bytes()
    assert main(["resume", str(out), "--epochs", epochs]) == 1
    assert f"epochs={epochs}" in capsys.readouterr().err
    assert (out / "config.json").read_bytes() == before


def test_rates_are_suggested_and_drawn(data, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "found" / "rates.png"
    words = ["--data", str(data), "--bs", "4", "--picture", str(picture)]
    assert main(["lr-find", "numbers", *words]) == 0
    assert "valley" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--callbacks", "EndsInTheSecondEpok"], "Did you mean 'EndsInTheSecondEpoch'"),
        (["--callbacks", "LRFinder", "Checkpont"], "there is no callback 'Checkpont'"),
        (["--checkpoint-every", "often"], "often"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_written(data, tmp_path, capsys, words, says):
    out = tmp_path / "run"
    assert main(["train", "numbers", "--data", str(data), "--out", str(out), *words]) == 1
    assert says in capsys.readouterr().err
    assert not out.exists()


def test_a_word_that_is_no_argument_ends_with_2(data, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", "numbers", "--data", str(data), "--widht", "3"])
    assert left.value.code == 2
    assert "--widht" in capsys.readouterr().err


def test_resume_says_what_is_wrong_with_a_folder(tmp_path, capsys):
    assert main(["resume", str(tmp_path)]) == 1
    assert "holds no config.json" in capsys.readouterr().err
    (tmp_path / "config.json").write_text("{}")
    assert main(["resume", str(tmp_path)]) == 1
    assert "is damaged" in capsys.readouterr().err
    newer = {"format": "layerwise-run-9", "training": "gone/numbers", "settings": {}}
    (tmp_path / "config.json").write_text(json.dumps(newer))
    assert main(["resume", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "is of the format 'layerwise-run-9'" in told
    assert "go on with the version that wrote it" in told
    assert "damaged" not in told
    known = {"format": "layerwise-run-1", "training": "gone/numbers", "settings": {}}
    (tmp_path / "config.json").write_text(json.dumps(known))
    assert main(["resume", str(tmp_path)]) == 1
    assert "'gone/numbers', which no installed package publishes" in capsys.readouterr().err


def test_help_lists_trainings_and_explains_their_arguments(capsys):
    assert main(["train", "--help"]) == 0
    assert "train numbers" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["train", "numbers", "--help"])
    assert left.value.code == 0
    told = capsys.readouterr().out
    for part in ("Learn which of three numbers", "--width INT", "of the net", "--epochs INT"):
        assert part in told
