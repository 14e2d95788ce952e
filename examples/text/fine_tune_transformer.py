"""Fine-tune a model of Hugging Face on texts with labels.

    python examples/text/fine_tune_transformer.py models/distilbert REVIEWS.csv --epochs 2

The model is a folder that `save_pretrained` wrote, with its tokeniser; `--fetch` takes a name
instead, and gets what is not on this computer. The texts are a column of a table, or files in
folders that are named after labels. A random share of them validates. `--export` names the file for
`load_learner`. With `--small` the script trains for seconds, offline: a tokeniser on made-up
reviews that come with the repository, and a small BERT whose weights are drawn.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from layerwise.core.data.source import get_text_files
from layerwise.core.errors import nearest
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed
from layerwise.text.data import TextDataLoaders
from layerwise.text.highlight import highlight
from layerwise.text.hugging_face.loading import Pretrained
from layerwise.text.learner import text_classifier_learner
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer

EXAMPLES = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("model", nargs="?", help="folder of a model, or a name with --fetch")
    parser.add_argument("texts", nargs="?", type=Path, help="file of separated values, or a folder")
    parser.add_argument("--fetch", action="store_true", help="get the model from its hub")
    parser.add_argument("--text", default="text", metavar="COLUMN")
    parser.add_argument("--label", default="label", metavar="COLUMN")
    parser.add_argument("--max-len", type=int, default=256, help="tokens of a text at most")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, help="default: 5e-5, as such models are trained with")
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--predict", nargs="+", default=[], metavar="TEXT")
    parser.add_argument("--export", type=Path, help="file for the trained learner")
    parser.add_argument("--small", action="store_true", help="train a small model on what is here")
    options = parser.parse_args()
    if options.small:
        options.texts = EXAMPLES / "data" / "hotel_reviews.csv.gz"
        options.epochs, options.lr = 4, options.lr or 2e-3
        options.predict = options.predict or ["The room was cramped and the staff was rude."]
    elif options.model is None or options.texts is None:
        parser.error("name a model and a table or folder of texts, or pass --small")
    return options


def read_texts(options: argparse.Namespace) -> pd.DataFrame:
    """A frame of `text` and `label`."""
    if options.texts.is_dir():
        files = sorted(get_text_files(options.texts))
        labels = [f.parent.name for f in files]
        return pd.DataFrame({"text": [f.read_text("utf8") for f in files], "label": labels})
    df = pd.read_csv(options.texts)
    for name in (options.text, options.label):
        if name not in df:
            raise SystemExit(f"{options.texts} has no column {name!r}.{nearest(name, df)}")
    df = df[[options.text, options.label]].set_axis(["text", "label"], axis=1)
    return df.dropna(ignore_index=True)


def small_model(texts: "pd.Series[str]") -> tuple[Any, Any]:
    """A tokeniser that is trained on the texts, and the configuration of a model."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig

    pieces = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    pieces.normalizer = normalizers.BertNormalizer(lowercase=True)
    pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    pieces.train_from_iterator(texts, trainer)
    pieces.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128
    )
    return pieces, config


def named_model(options: argparse.Namespace) -> tuple[Any, Any]:
    """Tokeniser and model by folder or name."""
    if not options.fetch:
        return options.model, options.model
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    return tokenizer, Pretrained(options.model, local_files_only=False)


def main() -> None:
    """Read, train, predict, export."""
    options = read_arguments()
    set_seed(options.seed)
    df = read_texts(options)
    if options.small:
        df = df[:1500]
    tokenizer, model = small_model(df["text"]) if options.small else named_model(options)
    with tempfile.TemporaryDirectory() as folder:
        dls = TextDataLoaders.from_df(
            df, text_col="text", label_col="label", valid_pct=options.valid_pct, seed=options.seed,
            tok_tfm=HuggingFaceTokenizer(tokenizer, max_len=options.max_len), bs=options.bs,
            path=Path(folder).resolve(),
        )  # fmt: skip
        learn = text_classifier_learner(dls, model, metrics=accuracy)
        print(f"{len(dls.train_ds)} texts train, {len(dls.valid_ds)} validate")
        learn.fit_one_cycle(options.epochs, options.lr)
        print(f"accuracy {learn.validate()[1]:.4f}")
        common = df["label"].value_counts(normalize=True)
        print(f"the commonest label: share {common.max():.4f}")
        for text in options.predict:
            print(f"{text} -> {highlight(learn, text)}")
        if options.export:
            print(f"exported {learn.export(options.export.resolve())}")


if __name__ == "__main__":
    main()
