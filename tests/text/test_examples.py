"""The programs in examples/text, run as a reader would."""

import gzip
import os
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from layerwise.core.restore import load_learner

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = ("--config", "emb_sz=12", "n_hid=16", "n_layers=1")


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )


def number_after(words, text):
    """The first number behind `words`."""
    return float(text.split(words, 1)[1].split()[0].rstrip(","))


@pytest.fixture
def films():
    """Texts of which one word says what they are."""
    rng = random.Random(0)  # noqa: S311 - no secret
    words = ["the", "film", "was", "and", "so", "very", "plot"]
    rows = []
    for i in range(120):
        text = [*rng.choices(words, k=rng.randint(2, 8)), "good" if i % 2 else "bad"]
        rng.shuffle(text)
        rows.append((" ".join(text), "up" if i % 2 else "down"))
    return pd.DataFrame(rows, columns=["review", "thumb"])


@pytest.mark.parametrize("script", ["text/train_text.py", "text/fine_tune_transformer.py"])
def test_it_says_what_it_takes_and_what_is_missing(script):
    told = run(script, "--help")
    assert told.returncode == 0, told.stderr
    assert "--small" in told.stdout
    refused = run(script)
    assert refused.returncode == 2
    assert "or pass --small" in refused.stderr


def test_a_table_is_learnt_and_the_export_answers(films, tmp_path):
    films.loc[::6, "thumb"] = None
    films.to_csv(tmp_path / "films.csv", index=False)
    done = run(
        "text/train_text.py", tmp_path / "films.csv", "--text", "review", "--label", "thumb",
        *SMALL, "--lm-epochs", 2, "--epochs", 8, "--lr", 0.02, "--bs", 8,
        "--predict", "a good plot", "--export", tmp_path / "films.lw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "120 texts, 100 with a label" in done.stdout
    assert "it writes: " in done.stdout
    assert number_after("AWD_LSTM: accuracy", done.stdout) > 0.9
    assert number_after("the commonest label: accuracy", done.stdout) < 0.75
    assert "a good plot -> up 0." in done.stdout
    assert load_learner(tmp_path / "films.lw").predict("so very bad")[0] == "down"


def test_a_folder_is_learnt_without_a_language_model(films, tmp_path):
    for i, (text, label) in enumerate(films.itertuples(index=False)):
        folder = tmp_path / "films" / ("unsup" if i % 10 == 0 else label)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.txt").write_text(text)
    done = run(
        "text/train_text.py", tmp_path / "films", "--alone", "--arch", "GRUEncoder", *SMALL,
        "--epochs", 10, "--lr", 0.03, "--bs", 8,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "120 texts, 108 with a label" in done.stdout
    assert "it writes" not in done.stdout
    assert number_after("GRUEncoder: accuracy", done.stdout) > 0.9


def test_a_column_that_is_not_there_is_told(films, tmp_path):
    films.to_csv(tmp_path / "films.csv", index=False)
    refused = run("text/train_text.py", tmp_path / "films.csv", "--text", "reviews")
    assert refused.returncode == 1
    assert "has no column 'reviews'. Did you mean 'review'?" in refused.stderr
    refused = run("text/train_text.py", tmp_path / "films.csv", "--config", "emb_sz:12")
    assert refused.returncode == 2
    assert "pairs such as emb_sz=64" in refused.stderr


def test_the_folder_of_a_transformer_is_fine_tuned(films, tmp_path, transformers, wordpiece):
    films.to_csv(tmp_path / "films.csv", index=False)
    config = transformers.BertConfig(
        vocab_size=wordpiece.get_vocab_size(), hidden_size=16, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=16, max_position_embeddings=32,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    wordpiece.save(str(tmp_path / "bert" / "tokenizer.json"))
    done = run(
        "text/fine_tune_transformer.py", tmp_path / "bert", tmp_path / "films.csv", "--text",
        "review", "--label", "thumb", "--max-len", 32, "--epochs", 8, "--lr", 0.01, "--bs", 8,
        "--export", tmp_path / "films.lw",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "96 texts train, 24 validate" in done.stdout
    assert number_after("\naccuracy", done.stdout) > 0.9
    assert load_learner(tmp_path / "films.lw").predict("so very bad")[0] == "down"


def test_the_reviews_are_what_their_grammar_makes(tmp_path):
    script = tmp_path / "make_reviews.py"
    script.write_bytes((EXAMPLES / "data" / "make_reviews.py").read_bytes())
    subprocess.run([sys.executable, script], check=True)
    made, kept = (
        gzip.decompress((folder / "hotel_reviews.csv.gz").read_bytes())
        for folder in (tmp_path, EXAMPLES / "data")
    )
    assert made == kept


@pytest.mark.slow
def test_reviews_are_learnt_better_than_by_guessing():
    for script in ("text/train_text.py", "text/fine_tune_transformer.py"):
        done = run(script, "--small")
        assert done.returncode == 0, done.stderr
        told = "AWD_LSTM: accuracy" if "train_text" in script else "\naccuracy"
        assert number_after(told, done.stdout) > 0.7
