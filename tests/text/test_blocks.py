"""Text blocks: from texts, frames and folders to batches, and back."""

import pytest
import torch

from layerwise.core.data.block import CategoryBlock, DataBlock, RegressionBlock
from layerwise.core.data.readers import ColReader, ItemGetter, parent_label
from layerwise.core.data.source import get_text_files
from layerwise.core.data.split import GrandparentSplitter, IndexSplitter
from layerwise.core.items import L
from layerwise.core.transforms.transform import Transform
from layerwise.text.blocks import TextBlock
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.sorted_loader import SortedDL
from layerwise.text.tokenizer import Tokenizer
from layerwise.text.tokenizers.base import BaseTokenizer
from layerwise.text.types import LMTensorText, TensorText

FILMS = [("so very good", "pos"), ("bad", "neg"), ("good", "pos"), ("very bad film", "neg")] * 2


def classes(block, **settings):
    made = DataBlock(
        (block, CategoryBlock), get_x=ItemGetter(0), get_y=ItemGetter(1),
        splitter=IndexSplitter([0, 1]),
    )  # fmt: skip
    return made.dataloaders(FILMS, bs=2, **settings)


def test_texts_become_padded_numbers_of_their_tokens():
    dls = classes(TextBlock(min_freq=1))
    assert type(dls.train) is SortedDL
    x, y = dls.valid.one_batch()
    words, labels = dls.vocab
    assert [[words[i] for i in row] for row in x.tolist()] == [
        ["xxbos", "so", "very", "good"], ["xxbos", "bad", "xxpad", "xxpad"],
    ]  # fmt: skip
    assert [labels[i] for i in y.tolist()] == ["pos", "neg"]
    assert type(x) is TensorText


def test_the_vocabulary_is_that_of_training():
    dls = classes(TextBlock(min_freq=1))
    assert "so" in dls.vocab[0]  # also in the sample 4, which trains
    words = [("a b", "pos"), ("c", "neg")]
    block = DataBlock((TextBlock(min_freq=1), CategoryBlock), get_x=ItemGetter(0),
                      get_y=ItemGetter(1), splitter=IndexSplitter([1]))  # fmt: skip
    with pytest.raises(Exception, match="label 'neg' is not among"):
        block.dataloaders(words, bs=1).valid.one_batch()
    given = classes(TextBlock(vocab=["xxunk", "xxpad", "good"]))
    assert list(given.vocab[0]) == ["xxunk", "xxpad", "good"]


def test_settings_of_the_vocabulary_are_passed_on():
    vocab = classes(TextBlock(min_freq=3, max_vocab=11)).vocab[0]
    assert [w for w in vocab if not w.startswith("xx")] == ["bad", "good"]
    assert classes(TextBlock(min_freq=1, special_toks=["xxunk", "xxpad"])).vocab[0][2] == "xxbos"


def test_a_language_model_reads_one_text_in_rows():
    block = DataBlock(TextBlock(is_lm=True, min_freq=1, seq_len=3), splitter=IndexSplitter([3]))
    dls = block.dataloaders([text for text, _ in FILMS], bs=2, val_bs=1)
    assert type(dls.train) is LMDataLoader
    assert (dls.train.seq_len, dls.valid.seq_len) == (3, 3)
    x, y = dls.one_batch()
    assert x.shape == (2, 3)
    assert torch.equal(x[:, 1:], y[:, :-1])
    assert (type(x), type(y)) == (LMTensorText, TensorText)
    assert block.dataloaders([text for text, _ in FILMS], bs=2, val_bs=1, seq_len=5).seq_len == 5


def test_the_length_of_chunks_can_be_given_to_the_loaders():
    dls = classes(TextBlock(min_freq=1, seq_len=72), seq_len=2)
    x, _ = dls.valid.one_batch()
    pad, bos = (dls.vocab[0].index(w) for w in ("xxpad", "xxbos"))
    assert x[1, :3].tolist() == [pad, pad, bos]


def test_texts_can_be_read_from_their_end():
    dls = classes(TextBlock(min_freq=1, backwards=True))
    x, _ = dls.valid.one_batch()
    assert [dls.vocab[0][i] for i in x[0].tolist()] == ["good", "very", "so", "xxbos"]
    assert dls.valid.show_batch(max_n=1)[0]["text"] == "xxbos so very good"


def test_any_function_from_texts_to_tokens_is_a_tokeniser():
    upper = classes(TextBlock(tok_tfm=BaseTokenizer(), min_freq=1))
    assert "xxbos" in upper.vocab[0]

    def letters(texts):
        return (list(text) for text in texts)

    dls = classes(TextBlock(Tokenizer(letters, rules=[]), min_freq=1))
    x, _ = dls.valid.one_batch()
    assert [dls.vocab[0][i] for i in x[1].tolist()][:3] == list("bad")


def test_a_tokeniser_of_hugging_face_brings_its_words_and_numbers():
    tokenizers = pytest.importorskip("tokenizers")
    from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

    words = ["[UNK]", "[PAD]", "so", "very", "good", "bad", "film"]
    numbers = {word: i for i, word in enumerate(words)}
    own = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, unk_token=words[0]))
    own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tok = HuggingFaceTokenizer(own)
    dls = classes(TextBlock(tok, vocab=tok.vocab))
    x, _ = dls.valid.one_batch()
    assert x.tolist()[0] == own.encode("so very good").ids
    assert dls.valid.show_batch(max_n=1)[0]["text"] == "so very good"


class Twice(Transform):
    def encodes(self, x: TensorText):
        return x.repeat(2)


class Last(Transform):
    def encodes(self, x: TensorText):
        return x[:, -1:]


def test_transforms_of_items_and_batches_are_done():
    block = DataBlock(
        (TextBlock(min_freq=1), CategoryBlock), get_x=ItemGetter(0), get_y=ItemGetter(1),
        splitter=IndexSplitter([0, 1]), item_tfms=Twice(), batch_tfms=Last(),
    )  # fmt: skip
    x, _ = block.dataloaders(FILMS, bs=2).valid.one_batch()
    assert x.shape == (2, 1)
    lm = DataBlock(
        TextBlock(is_lm=True, min_freq=1), splitter=IndexSplitter([0]), batch_tfms=Last(),
        item_tfms=Twice(),
    ).dataloaders([text for text, _ in FILMS], bs=1)  # fmt: skip
    assert lm.one_batch()[0].shape == (1, 1)
    assert lm.valid.corpus.size == 8


def test_a_text_may_be_one_of_several_inputs_and_have_a_number_as_target():
    block = DataBlock(
        (TextBlock(min_freq=1), TextBlock(min_freq=1), RegressionBlock), n_inp=2,
        getters=[ItemGetter(0), ItemGetter(1), lambda o: len(o[0])], splitter=IndexSplitter([0]),
    )  # fmt: skip
    a, b, y = block.dataloaders(FILMS, bs=2).train.one_batch()
    assert a.shape == b.shape  # padded to one length
    assert y.dtype is torch.float32


# -- whole sources ----------------------------------------------------------------------------


def make_folder(root):
    for part in ("train", "valid"):
        for i, (text, label) in enumerate(FILMS):
            file = root / part / label / f"{i}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return root


def test_files_are_cut_once_and_their_lengths_known(tmp_path):
    folder = make_folder(tmp_path / "films")
    block = DataBlock(
        (TextBlock.from_folder(folder, min_freq=1, n_workers=0), CategoryBlock),
        get_items=get_text_files, get_y=parent_label,
        splitter=GrandparentSplitter(valid_name="valid"),
    )  # fmt: skip
    dls = block.dataloaders(folder, bs=4)
    assert dls.valid.sizes.tolist() == [2, 4, 2, 4, 4, 2, 4, 2]
    x, y = dls.valid.one_batch()
    assert x.shape == (4, 4)
    assert len(y) == 4
    new = dls.test_dl(["so good"])
    assert [dls.vocab[0][i] for i in new.one_batch()[0][0].tolist()] == ["xxbos", "so", "good"]
    tokens = dls.test_dl([L("xxbos", "film")])
    assert [dls.vocab[0][i] for i in tokens.one_batch()[0][0].tolist()] == ["xxbos", "film"]


def test_frames_are_cut_once(tmp_path):
    pd = pytest.importorskip("pandas")
    df = pd.DataFrame(FILMS, columns=["review", "label"])
    df["title"] = "Film"
    block = DataBlock(
        (TextBlock.from_df(["title", "review"], min_freq=1, n_workers=0), CategoryBlock),
        get_x=ColReader("text"), get_y=ColReader("label"), splitter=IndexSplitter([0, 1]),
    )  # fmt: skip
    dls = block.dataloaders(df, bs=2)
    x, _ = dls.valid.one_batch()
    assert "text" not in df.columns
    assert [dls.vocab[0][i] for i in x[0].tolist()] == [
        "xxbos", "xxfld", "1", "xxmaj", "film", "xxfld", "2", "so", "very", "good",
    ]  # fmt: skip
    assert dls.valid.sizes.tolist() == [10, 8]


def test_wrong_settings_are_told(tmp_path):
    with pytest.raises(TypeError, match=r"unknown keyword 'seqlen'.*Did you mean 'seq_len'"):
        TextBlock(seqlen=3)  # type: ignore[call-arg]  # on purpose
    with pytest.raises(TypeError, match="min_frq"):
        TextBlock.from_folder(tmp_path, min_frq=3)
    with pytest.raises(ValueError, match="seq_len=3 is the length of chunks, by which nothing"):
        SortedDL([torch.arange(3)], seq_len=3)
