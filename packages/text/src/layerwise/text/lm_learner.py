"""`LMLearner`: a learner for language models, which goes on with a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from layerwise.core.errors import names_nearest
from layerwise.core.items import L
from layerwise.core.nn.module import get_model
from layerwise.core.train.data_config import inference_loader
from layerwise.text.data_facts import is_backwards, special_tokens_of, steps_of, vocab_of
from layerwise.text.generate import generate
from layerwise.text.spec_tokens import decode_spec_tokens
from layerwise.text.text_learner import TextLearner
from layerwise.text.tokenizer import Tokenizer
from layerwise.text.tokens import BOS, PAD, UNK

__all__ = ["LMLearner", "continue_text"]

_NEVER = frozenset({PAD, "xxfake"})  # what fills up a batch or a vocabulary is in no text


class LMLearner(TextLearner):
    """A `TextLearner` whose model predicts the next token; arguments as for `TextLearner`."""

    @names_nearest
    def predict(  # type: ignore[override]  # what it predicts is no target of an item
        self,
        text: str | Sequence[str],
        n_words: int = 1,
        no_unk: bool = True,
        temperature: float = 1.0,
        min_p: float | None = None,
        only_last_word: bool = False,  # noqa: ARG002 - callers know it
        *,
        top_k: int | None = None,
        top_p: float | None = None,
        no_repeat: int | None = None,
        beam: int | None = None,
        seed: int | None = None,
        decoder: Callable[[Iterable[str]], Sequence[str]] = decode_spec_tokens,
    ) -> Any:
        """The text with `n_words` tokens behind it; arguments as for `continue_text`.

        `only_last_word` is there for callers who know it from fastai: each new token costs one
        step of the model here anyway.
        """
        return continue_text(
            self, text, n_words, no_unk, temperature, min_p, top_k=top_k, top_p=top_p,
            no_repeat=no_repeat, beam=beam, seed=seed, decoder=decoder,
        )  # fmt: skip


@names_nearest
def continue_text(
    learn: Any,
    text: str | Sequence[str],
    n_words: int = 1,
    no_unk: bool = True,
    temperature: float = 1.0,
    min_p: float | None = None,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    no_repeat: int | None = None,
    beam: int | None = None,
    seed: int | None = None,
    decoder: Callable[[Iterable[str]], Sequence[str]] = decode_spec_tokens,
) -> Any:
    """A text, and what the language model of `learn` writes behind it.

    A model that reads backwards writes what stands before it.

    Args:
        learn: an `LMLearner`, or what `load_learner` made of an export of one.
        text: how it begins; or several such texts.
        n_words: how many tokens are added.
        no_unk: never write the token of unknown words; a tokeniser of Hugging Face never writes any
            of its special tokens.
        temperature: below 1 likely tokens become likelier, at 0 the likeliest comes.
        min_p: only tokens with this share of the probability of the likeliest.
        top_k: only so many of the likeliest tokens.
        top_p: only the likeliest that together have this probability.
        no_repeat: of this many tokens in a row none comes twice.
        beam: search for the likeliest text, following so many beginnings, and draw nothing.
        seed: equal seeds give equal texts; from torch's generator when None.
        decoder: turns tokens into those that are shown; marks of capitals and repetitions into what
            they stand for.

    Returns:
        A text; a list of texts for a list.

    Raises:
        TypeError: if the loaders are none of texts.
        ValueError: for numbers that make no sense, or settings of drawing with `beam`.
    """
    vocab = vocab_of(learn.dls)
    if not isinstance(text, Iterable):
        raise TypeError(
            f"{text!r:.60} is a {type(text).__name__} and no text to go on with; give a text, or a "
            "list of texts"
        )
    prompts = [text] if isinstance(text, str) else list(text)
    before = [_numbers(learn.dls, prompt, vocab) for prompt in prompts]
    never = _NEVER | special_tokens_of(learn.dls) | ({UNK} if no_unk else set())
    banned = [i for i, token in enumerate(vocab) if token in never]
    banned += range(len(vocab), getattr(get_model(learn.model), "n_out", len(vocab)))
    new = generate(
        learn.model, before, n_words, temperature=temperature, top_k=top_k, top_p=top_p,
        min_p=min_p, no_repeat=no_repeat, beam=beam, banned=banned, seed=seed,
    )  # fmt: skip
    written = [
        _written(learn.dls, [vocab[i] for i in [*old, *added]], decoder)
        for old, added in zip(before, new, strict=True)
    ]
    return written[0] if isinstance(text, str) else written


def _numbers(dls: Any, text: str, vocab: Sequence[str]) -> list[int]:
    """The tokens of a text in the order in which the model reads them."""
    dataset = inference_loader(dls).dataset
    numbers: list[int] = getattr(dataset, "tls", [dataset])[0].infer(text).tolist()
    if is_backwards(dls) and len(numbers) > 1 and vocab[numbers[-1]] == BOS:
        numbers.pop()  # else the model would go on with the end of another text
    special = special_tokens_of(dls)
    while len(numbers) > 1 and vocab[numbers[-1]] in special:
        numbers.pop()  # such as [SEP], behind which nothing comes
    return numbers


def _written(dls: Any, tokens: list[str], decoder: Callable[[Iterable[str]], Sequence[str]]) -> str:
    """The text that tokens stand for."""
    ordered = tokens[::-1] if is_backwards(dls) else tokens
    shown = L(decoder([token for token in ordered if token not in (BOS, PAD)]))
    tokenizer = next((step for step in steps_of(dls) if isinstance(step, Tokenizer)), None)
    return " ".join(shown) if tokenizer is None else str(tokenizer.decode(shown))
