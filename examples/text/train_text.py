"""Train a classifier of texts, on top of a language model of the same texts.

    python examples/text/train_text.py REVIEWS.csv --text review --label stars --predict "So good."

The texts are a column of a table, or files in folders that are named after labels. Rows without a
label, and files in a folder `unsup`, train the language model alone. A random share of the texts
with a label validates, and neither model has seen it. `--alone` leaves out the language model.
`--arch` names the encoder (AWD_LSTM, GRUEncoder, LSTMEncoder, TextTransformer) and `--config` what
of it is to differ. `--export` names the file for `load_learner`. With `--small` the script trains
for seconds on made-up reviews that come with the repository, as `make examples` does.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from layerwise.core.data.source import get_text_files
from layerwise.core.errors import nearest
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.text import Perplexity
from layerwise.core.random import set_seed
from layerwise.text.data import TextDataLoaders
from layerwise.text.highlight import highlight
from layerwise.text.learner import language_model_learner, text_classifier_learner
from layerwise.text.text_learner import TextLearner

EXAMPLES = Path(__file__).resolve().parents[1]
SMALL = ["emb_sz=64", "n_hid=128", "n_layers=2"]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("texts", nargs="?", type=Path, help="file of separated values, or a folder")
    parser.add_argument("--text", default="text", metavar="COLUMN")
    parser.add_argument("--label", default="label", metavar="COLUMN")
    parser.add_argument("--alone", action="store_true", help="train no language model before")
    parser.add_argument("--arch", default="AWD_LSTM", help="an encoder, or one that is registered")
    parser.add_argument("--config", nargs="+", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--lm-epochs", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5, help="of the whole classifier")
    parser.add_argument("--lr", type=float, help="default: what suits the arch")
    parser.add_argument("--bs", type=int, default=32)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--predict", nargs="+", default=[], metavar="TEXT")
    parser.add_argument("--export", type=Path, help="file for the trained classifier")
    parser.add_argument("--small", action="store_true", help="train on reviews that are here")
    options = parser.parse_args()
    if options.small:
        options.texts = EXAMPLES / "data" / "hotel_reviews.csv.gz"
        options.config, options.epochs = options.config or SMALL, 8
        options.predict = options.predict or ["The room was anything but gloomy."]
    if options.texts is None:
        parser.error("name a table or a folder of texts, or pass --small")
    pairs = [pair.partition("=") for pair in options.config]
    if any(not number.replace(".", "", 1).isdigit() for _, _, number in pairs):
        parser.error("--config takes pairs such as emb_sz=64 output_p=0.2")
    numbers = {name: float(n) if "." in n else int(n) for name, _, n in pairs}
    options.config = numbers
    return options


def read_texts(options: argparse.Namespace) -> pd.DataFrame:
    """A frame of `text`, `label` (missing for some) and `is_valid`, which is drawn."""
    if options.texts.is_dir():
        files = sorted(get_text_files(options.texts))
        labels = [None if f.parent.name == "unsup" else f.parent.name for f in files]
        df = pd.DataFrame({"text": [f.read_text("utf8") for f in files], "label": labels})
    else:
        df = pd.read_csv(options.texts)
        for name in (options.text, options.label):
            if name not in df:
                raise SystemExit(f"{options.texts} has no column {name!r}.{nearest(name, df)}")
        df = df.rename(columns={options.text: "text", options.label: "label"}).dropna(
            subset=["text"], ignore_index=True
        )
    if options.small:  # as if most of them had no label
        df.loc[1000:, "label"] = None
    drawn = np.random.default_rng(options.seed).random(len(df)) < options.valid_pct
    return df[["text", "label"]].assign(is_valid=df["label"].notna() & drawn)


def train_language_model(df: pd.DataFrame, rate: float, options: argparse.Namespace) -> TextLearner:
    """A language model of all texts but those that validate the classifier."""
    dls = TextDataLoaders.from_df(
        df[~df["is_valid"]], text_col="text", is_lm=True, valid_pct=0.1, seed=options.seed,
        bs=options.bs,
    )  # fmt: skip
    learn = language_model_learner(
        dls, options.arch, options.config, drop_mult=0.5, pretrained=False,
        metrics=[accuracy, Perplexity()],
    )  # fmt: skip
    learn.fit_one_cycle(options.lm_epochs, rate)
    print("it writes:", learn.predict(df["text"][0].split()[0], 30, temperature=0.7, seed=1))
    return learn


def train_classifier(
    df: pd.DataFrame, lm: TextLearner | None, rate: float, options: argparse.Namespace
) -> TextLearner:
    """A classifier with the encoder of a language model, thawed from the top, or with a new one."""
    dls = TextDataLoaders.from_df(
        df.dropna(subset=["label"]), text_col="text", label_col="label", valid_col="is_valid",
        text_vocab=None if lm is None else lm.dls.vocab, bs=options.bs,
    )  # fmt: skip
    learn = text_classifier_learner(
        dls, options.arch, config=options.config, pretrained=False, metrics=accuracy
    )
    if lm is None:
        learn.fit_one_cycle(options.epochs, rate)
        return learn
    with tempfile.TemporaryDirectory() as folder:
        learn.load_encoder(lm.save_encoder(Path(folder).resolve() / "encoder"))
    learn.fit_one_cycle(2, 2 * rate)  # the head alone
    learn.freeze_to(-2)
    learn.fit_one_cycle(1, slice(rate / 2.6, rate))
    learn.unfreeze()
    learn.fit_one_cycle(options.epochs, slice(rate / 2.6**3, rate))
    return learn


def main() -> None:
    """Read, train, predict, export."""
    options = read_arguments()
    set_seed(options.seed)
    df = read_texts(options)
    counts = df.dropna(subset=["label"]).groupby("is_valid")["label"].value_counts()
    print(f"{len(df)} texts, {df['label'].notna().sum()} with a label")
    rate = options.lr or (2e-3 if "transformer" in options.arch.lower() else 1e-2)
    lm = None if options.alone else train_language_model(df, rate, options)
    learn = train_classifier(df, lm, rate, options)
    print(f"{options.arch}: accuracy {learn.validate()[1]:.4f}")
    print(f"the commonest label: accuracy {counts[True].max() / counts[True].sum():.4f}")
    for text in options.predict:
        print(f"{text} -> {highlight(learn, text)}")
    if options.export:
        print(f"exported {learn.export(options.export)}")


if __name__ == "__main__":
    main()
