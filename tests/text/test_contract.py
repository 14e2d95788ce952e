"""Whatever the record of text names keeps the contract of its kind."""

import pytest
import torch

from layerwise.core.items import L
from layerwise.core.testing.checks import Example, plugin_checks
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.classifier import get_text_classifier
from layerwise.text.models.language_model import get_language_model
from layerwise.text.models.recurrent import GRUEncoder, LSTMEncoder
from layerwise.text.models.transformer import TextTransformer
from layerwise.text.padding import Pad_Chunk
from layerwise.text.tagging.metrics import EntityF1
from layerwise.text.types import TensorText
from layerwise.text.vocab import Numericalize

TOKENS = torch.randint(2, 20, (4, 7), generator=torch.Generator().manual_seed(0))
SCORES = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(1))
LABELS = torch.randint(3, (6, 5), generator=torch.Generator().manual_seed(2))
TEXTS = ["so good a film", "so bad", "it is a film", "a film", "good", "bad"]
SHORT, LONG = TensorText([5, 6]), TensorText([7, 8, 9])
LIBRARY = "made of a model of transformers; tests/text/hugging_face and tagging try it on one"
EXAMPLES = {
    "block": {
        "TagBlock": Example(skip=LIBRARY),
        "TextBlock": Example((TEXTS,)),
        "TokenBlock": Example(skip=LIBRARY),
    },
    "metric": {
        "EntityF1": Example((SCORES, LABELS), lambda: EntityF1(["B-X", "I-X", "O"])),
        "tag_accuracy": Example((SCORES, LABELS)),
        "token_accuracy": Example((SCORES, LABELS)),
    },
    "model": {
        "AWD_LSTM": Example((TOKENS,), lambda: AWD_LSTM(20, 6, 8, 2)),
        "GRUEncoder": Example((TOKENS,), lambda: GRUEncoder(20, 6, 8)),
        "LSTMEncoder": Example((TOKENS,), lambda: LSTMEncoder(20, 6, 8)),
        "TextTransformer": Example((TOKENS,), lambda: TextTransformer(20, 16, 2, 2)),
        "get_language_model": Example(
            (TOKENS,), lambda: get_language_model(AWD_LSTM, 20, {"emb_sz": 6, "n_hid": 8})
        ),
        "get_text_classifier": Example(
            (TOKENS,),
            lambda: get_text_classifier(AWD_LSTM, 20, 3, config={"emb_sz": 6, "n_hid": 8}),
        ),
        "HuggingFaceModel": Example(skip=LIBRARY),
        "HuggingFaceWriter": Example(skip=LIBRARY),
        "hugging_face_classifier": Example(skip=LIBRARY),
        "hugging_face_writer": Example(skip=LIBRARY),
    },
    "transform": {
        "Numericalize": Example(
            (L("so", "good"),), lambda: Numericalize(["xxunk", "xxpad", "so", "good"])
        ),
        "Pad_Chunk": Example(([(SHORT, 0), (LONG, 1)],), lambda: Pad_Chunk(seq_len=2)),
        "Pad_Input": Example(([(SHORT, 0), (LONG, 1)],)),
        "PadPieces": Example(skip=LIBRARY),
        "ReverseText": Example((LONG,)),
        "TagPieces": Example(skip=LIBRARY),
        "Tokenizer": Example(("So good.",), options={"decoded": "xxbos xxmaj so good ."}),
        "WordPieces": Example(skip=LIBRARY),
    },
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("text", EXAMPLES)]
)
def test_the_record(case):
    case()
