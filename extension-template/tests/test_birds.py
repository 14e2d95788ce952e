"""Songs are read, shown, learnt, exported, and learnt from the command line."""

import csv
import os
import re
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"  # a test opens no window

import matplotlib.pyplot as plt
import pytest
import torch
from layerwise.core.cli import main
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import ItemGetter
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import keyed
from layerwise.core.restore import load_learner

from layerwise_birds.blocks import SongBlock
from layerwise_birds.learner import song_learner
from layerwise_birds.songs import made_up_songs, read_songs
from layerwise_birds.transforms import OctavePitch, RandomPitch
from layerwise_birds.types import TensorSong

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def dls(tmp_path):
    torch.manual_seed(0)
    block = DataBlock((SongBlock, CategoryBlock), getters=[ItemGetter(0), ItemGetter(1)])
    return block.dataloaders(made_up_songs(90), bs=16, path=tmp_path)


@pytest.fixture(autouse=True)
def _no_figures():
    yield
    plt.close("all")


def test_an_octave_is_twice_the_pitch():
    assert OctavePitch(base=2.0)(TensorSong([2.0, 8.0])).tolist() == [0.0, 2.0]


def test_a_random_pitch_is_one_for_each_song_and_the_same_for_the_same_key():
    songs = TensorSong(torch.ones(3, 5))
    with keyed(1):
        first = RandomPitch()(songs, split_idx=0)
    with keyed(1):
        again = RandomPitch()(songs, split_idx=0)
    assert torch.equal(first, again)
    assert [len(set(row)) for row in first.tolist()] == [1, 1, 1]
    assert len(set(first[:, 0].tolist())) == 3
    assert torch.equal(RandomPitch()(songs, split_idx=1), songs)


def test_songs_are_learnt_and_an_export_says_the_same(dls):
    learn = song_learner(dls, metrics=accuracy)
    with learn.no_logging():
        learn.fit_one_cycle(8)
    assert learn.validate()[1] > 0.9
    learn.export("birds.lw")
    song, singer = made_up_songs(3)[2]
    assert learn.predict(song)[0] == singer
    loaded = load_learner(learn.path / "birds.lw")
    torch.testing.assert_close(loaded.predict(song)[2], learn.predict(song)[2])


def test_batches_and_results_are_drawn(dls):
    axes = dls.show_batch(max_n=4)
    assert [len(ax.lines) for ax in axes] == [1] * 4
    assert {ax.get_title() for ax in axes} <= {"wren", "owl", "cuckoo"}
    axes = song_learner(dls).show_results(max_n=2)
    assert all("\n" in ax.get_title() for ax in axes)


def test_the_command_learns_from_a_table(tmp_path, capsys):
    with (tmp_path / "songs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([singer, *song] for song, singer in made_up_songs(40))
    words = ["--data", str(tmp_path / "songs.csv"), "--out", str(tmp_path / "run")]
    assert main(["train", "birds", *words, "--epochs", "1"]) == 0
    assert set(load_learner(tmp_path / "run" / "model.lw").dls.vocab) == {"wren", "owl", "cuckoo"}


def test_a_table_with_a_song_of_another_length_is_refused(tmp_path, capsys):
    (tmp_path / "songs.csv").write_text("owl,2,3\nwren,2,3,4\n")
    with pytest.raises(ValueError, match="row 2 has 3 pitches and the first row 2"):
        read_songs(tmp_path / "songs.csv")
    assert main(["train", "birds", "--data", str(tmp_path / "songs.csv")]) == 1
    assert "row 2 has 3 pitches" in capsys.readouterr().err


def test_the_first_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code[1], str(README), "exec"), {})
