"""Loaders: what is read, how it is transposed, how it shows."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch
from layerwise.core.data.block import DataBlock
from layerwise.core.errors import DataError
from layerwise.text.corpus import Corpus

from layerwise_music.blocks import MusicBlock
from layerwise_music.data import MusicDataLoaders
from layerwise_music.loader import MusicDataLoader, transpose_documents
from layerwise_music.midi import save_midi
from layerwise_music.score import Score
from layerwise_music.tokens import FIRST_NOTE, MusicTokenizer, music_vocab, numbers_of
from layerwise_music.types import TensorMusic

TUNE = Score([(12 * i, 12, 60 + i) for i in range(8)], bars=[0, 48], meter=(4, 4))
OTHER = Score([(6 * i, 6, 40) for i in range(8)], bars=[0, 36], meter=(6, 8))


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def numbers(score: Score) -> torch.Tensor:
    return torch.tensor(numbers_of(MusicTokenizer()(score), music_vocab()))


def test_batches_are_tokens_of_scores_and_of_what_comes_next() -> None:
    dls = MusicDataLoaders.from_scores([TUNE] * 9, [OTHER] * 9, bs=2, seq_len=16)
    x, y = dls.one_batch()
    assert (type(x), type(y), x.shape) == (TensorMusic, TensorMusic, (2, 16))
    assert x[:, 1:].equal(y[:, :-1])
    row = torch.cat([numbers(OTHER)] * 9)
    assert dls.valid.one_batch()[0][0].as_plain().equal(row[:16])


def test_transposing_documents_is_that_of_scores() -> None:
    corpus = Corpus(
        torch.cat([numbers(TUNE), numbers(OTHER)]),
        torch.tensor([len(numbers(TUNE)), len(numbers(OTHER))]),
    )
    moved = transpose_documents(corpus, torch.tensor([5, -3]))
    assert moved[0].equal(numbers(TUNE.transposed(5)))
    assert moved[1].equal(numbers(OTHER.transposed(-3)))
    # 60 half tones up, the highest of the first would be 127: it goes so far and no further.
    moved = transpose_documents(corpus, torch.tensor([99, -99]))
    assert moved[0].equal(numbers(TUNE.transposed(60)))
    assert moved[1].equal(numbers(OTHER.transposed(-40)))


def test_tunes_without_notes_are_not_moved() -> None:
    corpus = Corpus(torch.tensor([2, 3, 3]), torch.tensor([3, 0]))
    assert transpose_documents(corpus, torch.tensor([3, 3])).tokens.tolist() == [2, 3, 3]


def lowest(dl: MusicDataLoader, epoch: int) -> list[int]:
    """The first pitch of each tune of an epoch, which is 60 where nothing is transposed."""
    dl.set_epoch(3, epoch)
    rows = torch.cat([x.as_plain() for x, _ in dl], 1).flatten().tolist()
    begins = [i for i, token in enumerate(rows) if token == 2]
    return [rows[i + 3] - FIRST_NOTE for i in begins if i + 3 < len(rows)]


def test_tunes_are_transposed_anew_each_epoch_in_training_alone() -> None:
    dls = MusicDataLoaders.from_scores([TUNE] * 30, [TUNE] * 6, bs=1, seq_len=200, transpose=2)
    first, second, again = (lowest(dls.train, epoch) for epoch in (0, 1, 0))
    assert first == again != second
    assert {*first, *second} == {58, 59, 60, 61, 62}
    assert set(lowest(dls.valid, 0)) == {60}


def test_workers_transpose_as_one_process_does() -> None:
    alone, together = (
        MusicDataLoaders.from_scores(
            [TUNE] * 30, [TUNE] * 6, bs=1, seq_len=40, transpose=6, num_workers=n
        )
        for n in (0, 2)
    )
    assert lowest(alone.train, 5) == lowest(together.train, 5)


def test_folders_train_and_validate(tmp_path: Path) -> None:
    for folder, score in (("train", TUNE), ("valid", OTHER)):
        (tmp_path / folder).mkdir()
        for i in range(6):
            save_midi(score, tmp_path / folder / f"{i}.mid")
    dls = MusicDataLoaders.from_folder(tmp_path, bs=2, seq_len=8)
    assert (len(dls.train_ds), len(dls.valid_ds)) == (6, 6)
    assert dls.valid_ds[0][0].as_plain().equal(numbers(OTHER))
    by_share = MusicDataLoaders.from_folder(tmp_path, valid_pct=0.25, seed=1, bs=2, seq_len=8)
    assert (len(by_share.train_ds), len(by_share.valid_ds)) == (9, 3)
    files = sorted(tmp_path.rglob("*.mid"))
    by_file = MusicDataLoaders.from_files(files, valid_pct=0.5, seed=1, bs=2, seq_len=8)
    assert len(by_file.train_ds) == 6


def test_no_music_is_told(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match=r"no music in .*train"):
        MusicDataLoaders.from_folder(tmp_path)


def test_a_block_opens_files_of_one_tune_each(tmp_path: Path) -> None:
    files = [save_midi(TUNE, tmp_path / f"{i}.mid") for i in range(6)]
    dls = DataBlock(MusicBlock(seq_len=8)).dataloaders(files, bs=1)
    assert dls.train_ds[0][0].as_plain().equal(numbers(TUNE))
    book = tmp_path / "two.abc"
    book.write_text("X:1\nK:C\nC\n\nX:2\nK:C\nD\n")
    with pytest.raises(DataError, match="2 tunes, and an item is one"):
        DataBlock(MusicBlock()).dataloaders([book] * 6, bs=1).one_batch()


def test_unknown_settings_are_refused_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="Did you mean 'transpose'"):
        MusicBlock(transposed=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Did you mean 'drop_last'"):
        MusicDataLoaders.from_scores([TUNE] * 20, bs=2, drop_lst=True)
    with pytest.raises(ValueError, match="transpose=-1"):
        MusicDataLoader([torch.arange(20)], bs=1, transpose=-1)


def test_batches_show_as_piano_rolls() -> None:
    dls = MusicDataLoaders.from_scores([TUNE] * 30, bs=4, seq_len=48)
    axes = dls.show_batch(max_n=3)
    assert len(axes) == 3
    assert all(
        len([p for p in ax.patches if p.get_height() == pytest.approx(0.8)]) > 3 for ax in axes
    )
    (shown,) = dls.train.decode_batch(dls.one_batch(), max_n=1)
    assert isinstance(shown[0], Score)
