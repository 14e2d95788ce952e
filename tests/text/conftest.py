"""Fixtures for models of Hugging Face: the library, no network, and a small tokeniser."""

import random

import pytest

from layerwise.core.torchvision_operators import stand_in_for_operators

_FILM = "a good bad dull film that nobody has seen so far is not very it was and the of plot"
WORDS = _FILM.split()


@pytest.fixture(scope="session")
def _importable():
    """transformers imports torchvision, whose own operators may not load."""
    stand_in_for_operators()
    return pytest.importorskip("transformers")


@pytest.fixture
def transformers(_importable, monkeypatch):
    """The library, which finds nothing outside of this computer."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return _importable


@pytest.fixture(scope="session")
def wordpiece():
    """A tokeniser like that of BERT: [PAD] is 0, texts stand between [CLS] and [SEP]."""
    library = pytest.importorskip("tokenizers")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*"abcdefghijklmnopqrstuvwxyz.,-'", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz")]
    tokens = dict.fromkeys([*special, *WORDS, *pieces])
    vocab = {token: i for i, token in enumerate(tokens)}
    made = library.Tokenizer(library.models.WordPiece(vocab, unk_token="[UNK]"))  # noqa: S106 - none
    made.normalizer = library.normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    made.decoder = library.decoders.WordPiece()
    made.add_special_tokens(special)
    ends = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    return made


@pytest.fixture
def films(tmp_path):
    """A folder of short films: those that are good are liked, those that are bad are not."""
    drawn = random.Random(0)  # noqa: S311 - no secret
    for split, count in (("train", 240), ("test", 40)):
        for i in range(count):
            words = drawn.choices(WORDS[4:], k=drawn.randint(3, 8))
            label = drawn.choice(["neg", "pos"])
            words.insert(drawn.randrange(len(words)), {"neg": "bad", "pos": "good"}[label])
            file = tmp_path / "films" / split / label / f"{i}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(" ".join(words))
    return tmp_path / "films"
