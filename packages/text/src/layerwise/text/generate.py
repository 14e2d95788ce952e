"""Texts that a language model writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import names_nearest
from layerwise.core.random import draw_seed, mix_key
from layerwise.text.beam import beam_search
from layerwise.text.sampling import Sampling, draw_tokens
from layerwise.text.stepping import as_prompts, next_scores, reading

__all__ = ["generate", "stream"]

Prompt = Sequence[int] | Tensor
"""(T,) tokens."""


@names_nearest
def generate(
    model: nn.Module,
    tokens: Prompt | Sequence[Prompt],
    n: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    no_repeat: int | None = None,
    beam: int | None = None,
    stop: Collection[int] = (),
    banned: Collection[int] = (),
    seed: int | None = None,
) -> list[list[int]]:
    """What the model writes behind each prompt: a list of new tokens for each.

    What is drawn for a prompt depends on the seed and on its place in the list, not on the others.
    The model forgets what it read before and during this.

    Args:
        model: of `get_language_model`.
        tokens: one prompt or several, of any lengths.
        n: new tokens at most.
        temperature: scores are divided by it; below 1 likely tokens become likelier, at 0 the
            likeliest comes.
        top_k: only so many of the likeliest tokens.
        top_p: only the likeliest that together have this probability.
        min_p: only tokens with this share of the probability of the likeliest.
        no_repeat: of this many tokens in a row none comes twice.
        beam: search for the likeliest text, following so many beginnings, and draw nothing.
        stop: tokens that end a text; they are left out of it.
        banned: tokens that never come, such as the one for unknown words.
        seed: equal seeds give equal texts; from torch's generator when None.

    Raises:
        ValueError: for numbers that make no sense, an empty prompt, or settings of drawing with
            `beam`.

    Example:
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> from layerwise.text.models.language_model import get_language_model
        >>> model = get_language_model(AWD_LSTM, 20, {"emb_sz": 4, "n_hid": 6})
        >>> one, two = generate(model, [[2, 5], [2, 7, 8]], 6, temperature=0.8, seed=1)
        >>> len(one), one == generate(model, [2, 5], 6, temperature=0.8, seed=1)[0]
        (6, True)
    """
    prompts = as_prompts(tokens)
    if n < 0:
        raise ValueError(f"n={n}; give how many tokens to write, from 0 on")
    if beam is not None:
        heat = None if temperature == 1 else temperature
        _refuse_drawing(temperature=heat, top_k=top_k, top_p=top_p, min_p=min_p, seed=seed)
        rules: dict[str, Any] = {"stop": stop, "banned": banned, "no_repeat": no_repeat}
        return [beam_search(model, prompt, n, beam, **rules)[0].tokens for prompt in prompts]
    sampling = Sampling(banned, no_repeat, temperature, top_k, top_p, min_p)
    seed = draw_seed() if seed is None else seed
    made: list[list[int]] = [[] for _ in prompts]
    for places in _by_length(prompts):
        rows = [prompts[place] for place in places]
        generators = [_generator(seed, place) for place in places]
        for step in _steps(model, rows, n, sampling, stop, generators):
            for row, token in step:
                made[places[row]].append(token)
    return made


@names_nearest
def stream(
    model: nn.Module,
    tokens: Prompt,
    n: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    no_repeat: int | None = None,
    stop: Collection[int] = (),
    banned: Collection[int] = (),
    seed: int | None = None,
) -> Iterator[int]:
    """The tokens of `generate` for one prompt, each as soon as it is drawn.

    Until the last one, or until the iterator is closed, the model remembers this text: it should
    not be used for another in between.

    Args:
        model: of `get_language_model`.
        tokens: the prompt.
        n: new tokens at most.
        temperature: as of `generate`, and so are all others.
        top_k: likewise.
        top_p: likewise.
        min_p: likewise.
        no_repeat: likewise.
        stop: likewise.
        banned: likewise.
        seed: likewise.

    Raises:
        ValueError: at once, for numbers that make no sense, or if `tokens` is not one prompt.

    Example:
        >>> from layerwise.text.models.awd_lstm import AWD_LSTM
        >>> from layerwise.text.models.language_model import get_language_model
        >>> model = get_language_model(AWD_LSTM, 20, {"emb_sz": 4, "n_hid": 6})
        >>> list(stream(model, [2, 5], 6, seed=1)) == generate(model, [2, 5], 6, seed=1)[0]
        True
    """
    prompts = as_prompts(tokens)
    if len(prompts) > 1:
        raise ValueError(f"{len(prompts)} prompts; give one, or call generate")
    sampling = Sampling(banned, no_repeat, temperature, top_k, top_p, min_p)
    generators = [_generator(draw_seed() if seed is None else seed, 0)]
    steps = _steps(model, prompts, n, sampling, stop, generators)
    return (token for step in steps for _, token in step)


def _refuse_drawing(**settings: Any) -> None:
    given = [name for name, value in settings.items() if value is not None]
    if given:
        raise ValueError(
            f"beam searches for the likeliest text and draws nothing, so {', '.join(given)} has no "
            "meaning with it; leave it out"
        )


def _generator(seed: int, place: int) -> torch.Generator:
    return torch.Generator().manual_seed(mix_key(seed, place))


def _by_length(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Places of prompts that are equally long, which need no padding beside each other."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        found[len(prompt)].append(place)
    return list(found.values())


def _steps(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    n: int,
    sampling: Sampling,
    stop: Collection[int],
    generators: Sequence[torch.Generator],
) -> Iterator[list[tuple[int, int]]]:
    """Row and new token of each text that goes on, step by step."""
    texts = [list(row) for row in rows]
    alive = list(range(len(rows)))
    with reading(model) as encoder:
        read: list[list[int]] = texts
        for _ in range(n):
            scores = next_scores(model, read)
            probabilities = sampling.probabilities(scores, [texts[row] for row in alive])
            drawn = draw_tokens(probabilities, [generators[row] for row in alive])
            going = [place for place, token in enumerate(drawn) if token not in stop]
            if len(going) < len(alive):
                encoder.select_rows(torch.tensor(going, device=scores.device, dtype=torch.long))
            alive = [alive[place] for place in going]
            read = [[drawn[place]] for place in going]
            for row, (token,) in zip(alive, read, strict=True):
                texts[row].append(token)
            if not alive:
                return
            yield [(row, token) for row, (token,) in zip(alive, read, strict=True)]
