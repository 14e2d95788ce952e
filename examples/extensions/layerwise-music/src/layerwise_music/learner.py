"""`music_learner`, and `continue_melody`: a model of music that writes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from layerwise.core.errors import names_nearest
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.text import Perplexity
from layerwise.core.types import PathLike
from layerwise.text.generate import stream
from layerwise.text.learner import language_model_learner
from layerwise.text.lm_learner import LMLearner
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.transformer import TextTransformer
from layerwise.text.tokens import BOS, PAD, UNK

from layerwise_music.reading import read_scores
from layerwise_music.score import Score
from layerwise_music.tokens import BAR, MusicTokenizer, numbers_of

__all__ = ["continue_melody", "music_learner"]

# Sizes for hundreds of tunes and a computer without a GPU; those of text are for books.
_SMALL: dict[Any, dict[str, Any]] = {
    AWD_LSTM: {"emb_sz": 128, "n_hid": 256, "n_layers": 2},
    TextTransformer: {"emb_sz": 128, "n_layers": 3, "n_heads": 4},
}


def music_learner(
    dls: Any,
    arch: Any = TextTransformer,
    config: Mapping[str, Any] | None = None,
    *,
    metrics: Any = None,
    **kwargs: Any,
) -> LMLearner:
    """A learner with a language model for the music of `dls`.

    Args:
        dls: of `MusicDataLoaders`, or of a `MusicBlock`.
        arch: an encoder of layerwise-text, such as `TextTransformer` and `AWD_LSTM`, or its name.
        config: settings that differ from those here, which suit hundreds of tunes: width 128, and
            2 layers of an `AWD_LSTM` or 3 of a `TextTransformer`. Other encoders have their own.
        metrics: accuracy and perplexity of tokens when None.
        kwargs: the other arguments of `language_model_learner`.

    Raises:
        TypeError: for loaders of another kind, or an unknown setting.

    Example:
        >>> from layerwise_music.data import MusicDataLoaders
        >>> tune = Score([(12 * i, 12, 60 + i) for i in range(8)], bars=[0, 48])
        >>> dls = MusicDataLoaders.from_scores([tune] * 20, bs=2, seq_len=16)
        >>> learn = music_learner(dls, config={"emb_sz": 16, "n_layers": 1})
        >>> scores, *_ = learn.model(dls.one_batch()[0].as_plain())
        >>> scores.shape
        torch.Size([2, 16, 242])
    """
    _tokenizer_of(dls)
    settings = {**_SMALL.get(arch, {}), **(config or {})}
    shown = [accuracy, Perplexity()] if metrics is None else metrics
    return language_model_learner(
        dls, arch, settings, **{"pretrained": False, "metrics": shown, **kwargs}
    )


@names_nearest
def continue_melody(
    learn: Any,
    start: Score | PathLike,
    n_bars: int = 8,
    temperature: float = 1.0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int | None = None,
    most_tokens: int = 4000,
) -> Score:
    """A score, and what the language model of `learn` writes behind it.

    Where `start` ends within a bar, the model ends that bar before it writes `n_bars` more. It may
    end a tune earlier. No notes are corrected: bars are as long as the model makes them.

    Args:
        learn: of `music_learner`, or what `load_learner` made of an export of one.
        start: how the tune begins; a score, or a file of one.
        n_bars: how many bars are added at most.
        temperature: below 1 likely tokens become likelier, at 0 the likeliest comes.
        top_k: only so many of the likeliest tokens.
        top_p: only the likeliest that together have this probability.
        min_p: only tokens with this share of the probability of the likeliest.
        seed: equal seeds give equal tunes; from torch's generator when None.
        most_tokens: tokens after which it stops in any case, for a model that draws no bars.

    Returns:
        The whole, with the tempo and the title of `start`; what was added begins at
        `start.on_grid(score.steps).length`.

    Raises:
        TypeError: if the loaders of `learn` are none of music.
        ValueError: for numbers that make no sense.
    """
    if n_bars < 1 or most_tokens < 1:
        raise ValueError(f"n_bars={n_bars}, most_tokens={most_tokens}; give one or more of each")
    tokenize = _tokenizer_of(learn.dls)
    given = start if isinstance(start, Score) else _one(start, tokenize.steps)
    vocab: list[str] = list(learn.dls.vocab)
    tokens = list(tokenize(given))
    never = [i for i, token in enumerate(vocab) if token in (UNK, PAD) or token[:1] == "m"]
    written = stream(
        learn.model, numbers_of(tokens, vocab), most_tokens, temperature=temperature, top_k=top_k,
        top_p=top_p, min_p=min_p, stop=[vocab.index(BOS)], banned=never, seed=seed,
    )  # fmt: skip
    with closing(written):  # type: ignore[type-var]  # a generator, which says it is an iterator
        for number in written:
            n_bars -= vocab[number] == BAR
            if n_bars < 0:
                break
            tokens.append(vocab[number])
    made: Score = tokenize.decode(tokens)
    return Score(
        made.notes, made.bars, made.length, steps=made.steps, meter=given.meter, tempo=given.tempo,
        title=given.title,
    )  # fmt: skip


def _one(path: PathLike, steps: int) -> Score:
    found: Sequence[Score] = read_scores(Path(path), steps)
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} tunes; give one of read_scores({str(path)!r})")
    return found[0]


def _tokenizer_of(dls: Any) -> MusicTokenizer:
    """The step of the loaders that makes tokens of a score."""
    for loader in getattr(dls, "loaders", ()):
        dataset = getattr(loader, "dataset", None)
        for step in getattr(getattr(dataset, "tls", [dataset])[0], "tfms", ()):
            if isinstance(step, MusicTokenizer):
                return step
    raise TypeError(
        f"these {type(dls).__name__} are none of music, since no MusicTokenizer stands among their "
        "transforms; make them with MusicDataLoaders or a MusicBlock"
    )
