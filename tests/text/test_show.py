"""Batches of texts as rows of a table: what is in them, and how much of a long text."""

import pytest
import torch
from torch import nn

from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.dataset import Datasets
from layerwise.core.data.split import IndexSplitter
from layerwise.core.display.titled import TitledStr
from layerwise.core.interpret.classes import ClassificationInterpretation
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.transforms.transform import Transform
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.padding import Pad_Chunk
from layerwise.text.reverse import ReverseText
from layerwise.text.sorted_loader import SortedDL
from layerwise.text.types import TensorText

WORDS = ["xxunk", "xxpad", "good", "bad", "very", "film"]
FILMS = [
    ("very very very good film", "pos"), ("bad film", "neg"), ("very bad", "neg"), ("good", "pos"),
]  # fmt: skip


class ToNumbers(Transform):
    """Words to numbers, back to a text that shows itself."""

    def encodes(self, o: str) -> TensorText:
        return TensorText([WORDS.index(word) for word in o.split()])

    def decodes(self, o: TensorText) -> TitledStr:
        return TitledStr(" ".join(WORDS[i] for i in o.tolist()))


def loaders(*more):
    block = DataBlock(
        (TransformBlock(
            [ToNumbers, *more], dl_type=SortedDL, dls_kwargs={"before_batch": Pad_Chunk(seq_len=2)}
        ), CategoryBlock),
        get_x=lambda o: o[0], get_y=lambda o: o[1], splitter=IndexSplitter(list(range(4))),
    )  # fmt: skip
    return block.dataloaders(FILMS * 2, bs=4)


def test_texts_and_targets_are_columns(capsys):
    dls = loaders()
    rows = dls.valid.show_batch()
    assert rows[:2] == [
        {"text": "very very very good film", "category": "pos"},
        {"text": "bad film", "category": "neg"},
    ]
    assert capsys.readouterr().out.splitlines()[:2] == [
        "text                      category",
        "very very very good film  pos",
    ]


def test_long_texts_are_cut_after_so_many_words(capsys):
    rows = loaders().valid.show_batch(max_n=2, trunc_at=2)
    assert [row["text"] for row in rows] == ["very very", "bad film"]
    assert "very very very" not in capsys.readouterr().out


def test_a_language_model_shows_input_and_what_comes_next():
    dsets = Datasets([text for text, _ in FILMS], [[ToNumbers()]])
    dl = LMDataLoader(dsets, bs=2, seq_len=3)
    assert dl.show_batch() == [
        {"text": "very very very", "text_": "very very good"},
        {"text": "film bad film", "text_": "bad film very"},
    ]


def test_texts_read_backwards_are_shown_forwards():
    dls = loaders(ReverseText())
    x, _ = dls.valid.one_batch()
    assert x[0].tolist() == [5, 2, 4, 4, 4]
    assert dls.valid.show_batch(max_n=1)[0]["text"] == "very very very good film"


class Counts(nn.Module):
    """The first word says what it is."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        good = (x == 2).any(1).float() * self.weight
        return torch.stack([1 - good, good], 1)


def test_results_stand_beside_targets(capsys):
    learn = Learner(loaders(), Counts(), loss_func=CrossEntropyLossFlat())
    learn.show_results(max_n=2, trunc_at=1)
    assert capsys.readouterr().out.splitlines() == [
        "text  category  prediction",
        "very  pos       pos",
        "bad   neg       neg",
    ]


def test_results_of_a_language_model_are_texts(capsys):
    dsets = Datasets([text for text, _ in FILMS], [[ToNumbers()]])
    dl = LMDataLoader(dsets, bs=2, seq_len=3)
    x, y = dl.one_batch()
    rows = dl.show_results((x, y), torch.full((2, 3), 2), max_n=1, trunc_at=2)
    assert rows == [{"text": "very very", "text_": "very very", "prediction": "good good"}]


def test_top_losses_are_rows_with_their_loss(capsys):
    learn = Learner(loaders(), Counts(), loss_func=CrossEntropyLossFlat())
    interp = ClassificationInterpretation.from_learner(learn)
    with torch.no_grad():
        next(learn.model.parameters()).zero_()
    interp = ClassificationInterpretation.from_learner(learn)
    interp.plot_top_losses(2, trunc_at=3)
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["text", "category", "prediction", "probability", "loss"]
    assert first.split()[-4:] == ["pos", "neg", "0.731059", "1.31326"]


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(TypeError, match=r"trunc_to.*Did you mean 'trunc_at'"):
        loaders().valid.show_batch(trunc_to=3)
