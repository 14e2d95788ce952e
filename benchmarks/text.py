"""Texts: documents a second, from text to tokens.

1. tokenize: the reviews of imdb_sample through rules and tokeniser, by one process and by two:
   layerwise's default, spaCy, SentencePiece and Hugging Face through layerwise, and fastai, which
   uses spaCy. Each round starts with tokenisers that have seen nothing; every text comes once.
   Then the tokenisers alone, without rules, and how the default does where words have been seen.
2. scaling: the default over 1, 2, 4, ... processes, on the reviews of imdb, from files to files.
3. long: one line of 100 MB, time and memory.

    python benchmarks/text.py [--only tokenize scaling long] [--rounds 5]

Sides alternate; medians of the time on the clock are printed, and the fastest. Data are taken from
archives in the folder that `LAYERWISE_MIRROR` names; without them, texts are made up.
"""

import argparse
import csv
import io
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import peers

from layerwise.core.devices import available_cores
from layerwise.text.tokenized_folder import load_lengths, tokenize_folder
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.tokenizers.spacy_words import SpacyTokenizer
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer
from layerwise.text.tokenizers.with_rules import TokenizeWithRules, parallel_tokenize

PARTS = ("tokenize", "scaling", "long")


def archive(name: str) -> Path | None:
    found = Path(os.environ.get("LAYERWISE_MIRROR", ".")) / f"{name}.tgz"
    return found if found.is_file() else None


def reviews() -> list[str]:
    """The 1,000 reviews of imdb_sample, or made-up texts."""
    packed = archive("imdb_sample")
    if packed is None:
        return made_up(1000)
    with tarfile.open(packed) as opened:
        file = opened.extractfile("imdb_sample/texts.csv")
        assert file is not None
        return [row["text"] for row in csv.DictReader(io.TextIOWrapper(file, "utf8"))]


def made_up(count: int) -> list[str]:
    """Texts whose words are as frequent as those of a language are."""
    draw = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(draw.choice(letters, draw.integers(1, 10))) for _ in range(30_000)]
    chosen = np.minimum(draw.zipf(1.2, (count, 230)), len(words)) - 1
    return [" ".join(words[i] for i in row).capitalize() + ".\n" for row in chosen]


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def used_up(results: Iterable[Any]) -> int:
    return sum(1 for _ in results)


def measure(
    name: str, texts: int, sides: Mapping[str, Callable[[], Callable[[], Any]]], rounds: int
) -> None:
    """Print documents a second of each side; what it needs is made before its clock starts."""
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, make in sides.items():
            spent = seconds(make())
            if number:  # the first round warms up
                taken[side].append(spent)
    best, first = next(iter(taken.items()))
    for side, spents in taken.items():
        ratio = statistics.median(a / b for a, b in zip(spents, first, strict=True))
        print(
            f"{name}, {side}: {texts / statistics.median(spents):,.0f} documents a second "
            f"(fastest {texts / min(spents):,.0f}), {best} is {ratio:.1f} times as fast",
            flush=True,
        )


def through_layerwise(texts: list[str], make: Callable[[], Any], workers: int) -> Any:
    tok = make()
    return lambda: used_up(parallel_tokenize(texts, tok, n_workers=workers))


def alone(texts: list[str], make: Callable[[], Any]) -> Any:
    tok = make()
    used_up(tok(["to load what it needs"]))
    return lambda: used_up(tok(texts))


def through_fastai(texts: list[str], workers: int) -> Any:
    from fastai.text.core import SpacyTokenizer as FastaiSpacy
    from fastai.text.core import parallel_tokenize as fastai_parallel

    tok = FastaiSpacy()
    return lambda: used_up(fastai_parallel(texts, tok, n_workers=workers))


def tokenisers(texts: list[str]) -> dict[str, Callable[[], Any]]:
    """How each is made; those that learn have learnt already."""
    found: dict[str, Callable[[], Any]] = {"default": RegexTokenizer}
    if peers.is_installed("spacy"):
        found["spaCy"] = SpacyTokenizer
    if peers.is_installed("sentencepiece"):
        trained = SentencePieceTokenizer(vocab_sz=8000)
        trained.setup(texts)
        found["SentencePiece"] = partial(SentencePieceTokenizer, sp_model=trained.sp_model)
    if peers.is_installed("tokenizers"):
        from tokenizers import Tokenizer
        from tokenizers.models import BPE
        from tokenizers.pre_tokenizers import ByteLevel
        from tokenizers.trainers import BpeTrainer

        bpe: Any = Tokenizer(BPE())
        bpe.pre_tokenizer = ByteLevel()
        bpe.train_from_iterator(texts, BpeTrainer(vocab_size=8000, show_progress=False))
        found["Hugging Face BPE"] = partial(HuggingFaceTokenizer, bpe)
    return found


def measure_tokenize(rounds: int) -> None:
    texts = reviews()
    kinds = tokenisers(texts)
    for workers in (0, 2):
        sides = {
            name: partial(through_layerwise, texts, make, workers) for name, make in kinds.items()
        }
        if peers.is_installed("fastai"):
            sides["fastai"] = partial(through_fastai, texts, workers)
        told = "in this process" if workers == 0 else f"{workers} processes"
        measure(f"rules and tokens, {told}", len(texts), sides, rounds)
    sides = {name: partial(alone, texts, make) for name, make in kinds.items()}
    measure("tokens alone", len(texts), sides, rounds)
    seen = {name: make() for name, make in kinds.items()}
    for tok in seen.values():
        used_up(tok(texts))
    again = {name: lambda tok=tok: lambda: used_up(tok(texts)) for name, tok in seen.items()}
    measure("tokens alone, texts seen before", len(texts), again, rounds)


def measure_scaling(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packed = archive("imdb")
        if packed is None:
            (folder / "imdb").mkdir()
            for i, text in enumerate(made_up(5000)):
                (folder / "imdb" / f"{i}.txt").write_text(text)
        else:
            with tarfile.open(packed) as opened:
                opened.extractall(folder, filter="data")
        done = len(load_lengths(tokenize_folder(folder / "imdb")))
        counts = [n for n in (1, 2, 4, 8) if n <= max(2, available_cores())]
        taken: dict[int, list[float]] = {n: [] for n in counts}
        for _ in range(rounds):
            for n in counts:
                run = partial(tokenize_folder, folder / "imdb", skip_if_exists=False, n_workers=n)
                taken[n].append(seconds(run))
        for n, spents in taken.items():
            median = statistics.median(spents)
            print(
                f"scaling, {n} process(es), {done} files: {done / median:,.0f} documents a second, "
                f"{statistics.median(taken[1]) / median:.2f} times one"
            )
        spent = seconds(partial(tokenize_folder, folder / "imdb"))
        print(f"scaling, nothing left to do: {spent:.2f} s")


def measure_long() -> None:
    subprocess.run([sys.executable, __file__, "--line"], check=True)


def one_long_line() -> None:
    texts = reviews()
    line = " ".join(" ".join(texts).split())
    line = (line + " ") * (100_000_000 // len(line) + 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    tokens: Iterator[list[str]] = TokenizeWithRules(RegexTokenizer())([line])
    count = len(next(iter(tokens)))
    spent = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"long, a line of {len(line) / 1e6:.0f} MB: {count:,} tokens in {spent:.0f} s, "
        f"{before:.0f} MiB before, {peak:.0f} MiB at most"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--line", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.line:
        one_long_line()
        return
    print(peers.versions())
    if "tokenize" in args.only:
        measure_tokenize(args.rounds)
    if "scaling" in args.only:
        measure_scaling(args.rounds)
    if "long" in args.only:
        measure_long()


if __name__ == "__main__":
    main()
