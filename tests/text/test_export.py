"""Learners of texts as files: what they predict and write is the same after loading."""

import pytest
import torch

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.readers import ColReader, ItemGetter
from layerwise.core.data.split import IndexSplitter
from layerwise.core.named import reference_to
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.text.blocks import TextBlock
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.lm_learner import continue_text
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.transformer import TextTransformer
from layerwise.text.tokenizer import Tokenizer

pytestmark = pytest.mark.skipif(
    reference_to(Tokenizer) is None, reason="the names of text are not in its record yet"
)

ARCHS = [
    (AWD_LSTM, {"emb_sz": 6, "n_hid": 8, "n_layers": 1}),
    (TextTransformer, {"emb_sz": 8, "n_layers": 1, "n_heads": 2}),
]
FILMS = [("A good film", "pos"), ("a bad and dull film", "neg")] * 10


@pytest.mark.parametrize(("arch", "config"), ARCHS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_classifier_predicts_the_same_after_loading(tmp_path, arch, config, backwards):
    set_seed(0)
    block = DataBlock(
        (TextBlock(min_freq=1, backwards=backwards, seq_len=5), CategoryBlock),
        get_x=ItemGetter(0), get_y=ItemGetter(1), splitter=IndexSplitter(range(8)),
    )  # fmt: skip
    learn = text_classifier_learner(
        block.dataloaders(FILMS, bs=4, path=tmp_path), arch, config=config, pretrained=False
    )
    texts = ["GOOD good good!", "bad", "a film that nobody has seen"]
    before = learn.predict(texts)
    loaded = load_learner(learn.export("films.lw"))
    for (label, _, old), (same, _, new) in zip(before, loaded.predict(texts), strict=True):
        assert label == same
        torch.testing.assert_close(old, new)
    preds, _ = loaded.get_preds(dl=loaded.dls.test_dl(texts))
    torch.testing.assert_close(preds, torch.stack([p for *_, p in before]))


@pytest.mark.parametrize(("arch", "config"), ARCHS)
def test_a_language_model_writes_the_same_after_loading(tmp_path, arch, config):
    set_seed(0)
    block = DataBlock(TextBlock(is_lm=True, min_freq=1), splitter=IndexSplitter(range(8)))
    texts = [text for text, _ in FILMS]
    dls = block.dataloaders(texts, bs=4, path=tmp_path, seq_len=7)
    learn = language_model_learner(dls, arch, config=config, pretrained=False)
    loaded = load_learner(learn.export("words.lw"))
    assert continue_text(loaded, "A good", 20, seed=1) == learn.predict("A good", 20, seed=1)
    assert loaded.dls.test_dl(texts).seq_len == 7


def test_a_classifier_of_frames_predicts_rows_and_texts(tmp_path):
    pd = pytest.importorskip("pandas")
    set_seed(0)
    df = pd.DataFrame(FILMS, columns=["review", "label"])
    block = DataBlock(
        (TextBlock.from_df("review", min_freq=1, n_workers=0), CategoryBlock),
        get_x=ColReader("text"), get_y=ColReader("label"), splitter=IndexSplitter(range(8)),
    )  # fmt: skip
    arch, config = ARCHS[0]
    learn = text_classifier_learner(
        block.dataloaders(df, bs=4, path=tmp_path), arch, config=config, pretrained=False
    )
    loaded = load_learner(learn.export("frame.lw"))
    torch.testing.assert_close(learn.predict("a film")[2], loaded.predict("a film")[2])
