"""Train a language model on folk tunes or chorales, and let it go on with one.

    python examples/train_music.py folk_tunes/abc --epochs 12
    python examples/train_music.py jsb_chorales --bars 8

The folder has files of music, or folders `train` and `valid` of them. Written to `--out` are the
learner, and the tune as picture, MIDI and sound.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from layerwise.core.data.loaders import DataLoaders
from layerwise.core.random import set_seed
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.transformer import TextTransformer

from layerwise_music.data import MusicDataLoaders
from layerwise_music.learner import continue_melody, music_learner
from layerwise_music.measure import (
    key_name,
    key_of,
    ngram_perplexity,
    share_in_key,
    share_of_whole_bars,
)
from layerwise_music.midi import save_midi
from layerwise_music.picture import draw_score
from layerwise_music.reading import get_music_files, read_scores
from layerwise_music.score import Score
from layerwise_music.sound import save_wav

ARCHS = {"transformer": TextTransformer, "lstm": AWD_LSTM}


def main() -> None:
    """Train, measure, write on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--arch", choices=sorted(ARCHS), default="transformer")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--bs", type=int, default=32)
    parser.add_argument("--transpose", type=int, default=5, help="half tones; 0 for none")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--bars", type=int, default=8, help="bars to add")
    parser.add_argument("--tunes", type=int, default=20, help="tunes to go on with, and to measure")
    parser.add_argument("--out", type=Path, default=Path("music-output"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--small", action="store_true", help="a tiny model for one epoch")
    args = parser.parse_args()
    set_seed(args.seed)

    train, valid = read(args.folder, args.seed)
    dls = MusicDataLoaders.from_scores(
        train, valid, transpose=args.transpose, bs=4 if args.small else args.bs, path=args.out,
        seq_len=64 if args.small else 128,
    )  # fmt: skip
    tell_baselines(dls)
    width, layers = (16, 1) if args.small else (args.width, args.layers)
    learn = music_learner(dls, ARCHS[args.arch], {"emb_sz": width, "n_layers": layers})
    start = time.perf_counter()
    learn.fit_one_cycle(1 if args.small else args.epochs, args.lr)
    print(f"{args.arch}: trained in {time.perf_counter() - start:.0f} s")
    args.out.mkdir(parents=True, exist_ok=True)
    learn.export("music.lw")

    chosen = [score for score in valid if len(score.bars) > 5][: 2 if args.small else args.tunes]
    begun = [score.first_bars(4) for score in chosen]
    made = [continue_melody(learn, each, args.bars, 0.8, min_p=0.02, seed=i)
            for i, each in enumerate(begun)]  # fmt: skip
    tell_shares(begun, made, chosen)
    write(made[0], begun[0].length, args.out)


def read(folder: Path, seed: int) -> tuple[list[Score], list[Score]]:
    """Scores for training and validation: by folder, or every tenth of them validates."""
    if (folder / "train").is_dir():
        first, second = (get_music_files(folder / name) for name in ("train", "valid"))
        return read_scores(first), read_scores(second)
    scores = read_scores(get_music_files(folder), on_bad="skip")
    return [s for i, s in enumerate(scores) if i % 10 != seed % 10], scores[seed % 10 :: 10]


def tell_baselines(dls: DataLoaders) -> None:
    """Print what counts of tokens and of pairs of tokens come to."""
    train, valid = ([doc.tolist() for (doc,) in loader.dataset] for loader in dls)
    print(f"{sum(map(len, train))} tokens train, {sum(map(len, valid))} validate")
    for name, context in (("tokens", 0), ("pairs", 1), ("triples", 2)):
        found = ngram_perplexity(train, valid, len(dls.vocab), context=context)
        print(f"perplexity by counts of {name}: {found:.2f}")


def tell_shares(begun: list[Score], made: list[Score], real: list[Score]) -> None:
    """Print how well what was written keeps to the key of its beginning, and to bars."""
    added = [new.cut(old.length, new.length) for old, new in zip(begun, made, strict=True)]
    rest = [score.cut(old.length, score.length) for old, score in zip(begun, real, strict=True)]
    for told, scores in (("written", added), ("by composers", rest)):
        kept = [(old, new) for old, new in zip(begun, scores, strict=True) if new.notes]
        in_key = [share_in_key(new, key_of(old)) for old, new in kept]
        bars = [share_of_whole_bars(new) for new in scores if len(new.bars) > 2]
        if in_key and bars:
            print(f"{told}: {sum(in_key) / len(in_key):.1%} of notes in the key of the beginning, "
                  f"{sum(bars) / len(bars):.1%} of bars whole")  # fmt: skip


def write(score: Score, split: int, folder: Path) -> None:
    """The tune as picture, MIDI and sound."""
    import matplotlib.pyplot as plt

    key = f", {key_name(key_of(score))}" if score.notes else ""
    ax = draw_score(score, title=f"{score}{key}", split=split)
    ax.figure.savefig(folder / "continued.png", dpi=120)
    plt.close(ax.figure)
    save_midi(score, folder / "continued.mid")
    save_wav(score, folder / "continued.wav")
    print(f"written to {folder}: continued.png, continued.mid, continued.wav, music.lw")


if __name__ == "__main__":
    main()
