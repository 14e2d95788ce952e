"""Learners of music: they learn, write on, and do so after loading."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.transformer import TextTransformer

from layerwise_music.data import MusicDataLoaders
from layerwise_music.learner import continue_melody, music_learner
from layerwise_music.midi import save_midi
from layerwise_music.score import Score

# A tune that says the same in each bar, four quarters: what comes next depends on the last note.
RISING = Score(
    [(12 * i, 12, 60 + (0, 4, 7, 9)[i % 4]) for i in range(32)],
    bars=range(0, 384, 48), tempo=96, title="Rising",
)  # fmt: skip
ARCHS = [
    (TextTransformer, {"emb_sz": 32, "n_layers": 2, "n_heads": 2}),
    (AWD_LSTM, {"emb_sz": 24, "n_hid": 32, "n_layers": 1}),
]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def learner(arch: Any, config: dict[str, Any], folder: Path, transpose: int = 0) -> Any:
    set_seed(0)
    dls = MusicDataLoaders.from_scores(
        [RISING] * 80, [RISING] * 8, bs=4, seq_len=80, transpose=transpose, path=folder
    )
    return music_learner(dls, arch, config, drop_mult=0.1)


@pytest.mark.parametrize(("arch", "config"), ARCHS)
def test_a_model_learns_a_tune_and_goes_on_with_it(
    tmp_path: Path, arch: Any, config: dict[str, Any]
) -> None:
    learn = learner(arch, config, tmp_path)
    learn.fit_one_cycle(10, 1e-2)
    _, _, perplexity = learn.validate()
    assert perplexity < 2
    begun = RISING.first_bars(2)
    made = continue_melody(learn, begun, n_bars=3, temperature=0)
    assert made == Score(RISING.notes[:20], RISING.bars[:5], 240, tempo=96, title="Rising")


@pytest.mark.parametrize(("arch", "config"), ARCHS)
def test_a_loaded_learner_writes_the_same(
    tmp_path: Path, arch: Any, config: dict[str, Any]
) -> None:
    learn = learner(arch, config, tmp_path, transpose=2)
    learn.fit(1, 1e-2)
    begun = RISING.first_bars(1)
    before = continue_melody(learn, begun, 2, seed=7, top_k=20)
    loaded = load_learner(learn.export("music.lw"))
    assert continue_melody(loaded, begun, 2, seed=7, top_k=20) == before
    assert before.notes[:4] == begun.notes
    file = save_midi(begun, tmp_path / "begun.mid")
    assert continue_melody(loaded, file, 2, seed=7, top_k=20).notes == before.notes


def test_a_tune_ends_at_the_latest_after_so_many_tokens(tmp_path: Path) -> None:
    learn = learner(*ARCHS[0], tmp_path)  # it knows nothing, and draws few bars
    made = continue_melody(learn, RISING.first_bars(1), 500, seed=1, most_tokens=30)
    assert len(made.notes) <= 4 + 15


def test_results_show_as_pairs_of_piano_rolls(tmp_path: Path) -> None:
    learn = learner(*ARCHS[0], tmp_path)
    learn.fit(1, 1e-2)
    learn.show_results(max_n=2)
    titles = [ax.get_title() for ax in plt.gcf().axes]
    assert titles == ["target", "prediction"] * 2


def test_what_makes_no_sense_is_told(tmp_path: Path) -> None:
    learn = learner(*ARCHS[0], tmp_path)
    with pytest.raises(ValueError, match="n_bars=0"):
        continue_melody(learn, RISING, 0)
    with pytest.raises(TypeError, match="Did you mean 'temperature'"):
        continue_melody(learn, RISING, temprature=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Did you mean 'metrics'"):
        music_learner(learn.dls, metric=None)
    with pytest.raises(TypeError, match="Did you mean 'n_layers'"):
        music_learner(learn.dls, TextTransformer, {"n_layer": 1})


def test_other_loaders_are_refused() -> None:
    words = DataBlock((CategoryBlock, CategoryBlock)).dataloaders([0, 1] * 9, bs=2)
    with pytest.raises(TypeError, match="none of music"):
        music_learner(words)
