"""Which words of a text speak for a class, and how much: weights from gradients, drawn as HTML.

The embedding of each word takes the place of the pixels of a picture: how much the score of the
class grows with it is the weight of the word.

Shapes: N points between two texts, T tokens, D features of an embedding, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import names_nearest, nearest
from layerwise.core.interpret.attribution import input_gradients
from layerwise.core.nn.module import Module, get_model
from layerwise.core.train.engine import split_batch
from layerwise.core.train.predict import activation_of
from layerwise.core.train.predictor import Predictor
from layerwise.text.data_facts import (
    is_backwards,
    labels_of,
    special_tokens_of,
    vocab_of,
)
from layerwise.text.hugging_face.adapter import HuggingFaceModel
from layerwise.text.models.classifier import SentenceEncoder
from layerwise.text.models.encoder import TextEncoder
from layerwise.text.models.language_model import SequentialRNN
from layerwise.text.tokens import BOS, EOS, PAD

__all__ = ["Highlights", "highlight"]

_METHODS = ("integrated_gradients", "gradient")
_AT_ONCE = 10  # points of the way that are read in one batch
_FRAME = frozenset({BOS, EOS, PAD})  # stand around texts, and say nothing of one
_FOR, _AGAINST = "30, 120, 210", "230, 120, 20"  # blue and orange, which all eyes tell apart


@dataclass(frozen=True)
class Highlights:
    """The tokens of a text, each with its weight; coloured in a notebook, a line in a terminal.

    Attributes:
        words: the tokens in the order of the text.
        weights: a number for each; above 0 it speaks for the class, below against it.
        label: the class; None where the model gives one number.
        score: the probability of the class, or the number.

    Example:
        >>> print(Highlights(["so", "good", "<b>"], [0.0, 1.5, -0.25], "positive", 0.9))
        positive 0.9: for it good +1.5; against it <b> -0.25
    """

    words: list[str]
    weights: list[float]
    label: Any
    score: float

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(zip(self.words, self.weights, strict=True))

    def __len__(self) -> int:
        return len(self.words)

    def top(self, n: int = 5) -> list[tuple[str, float]]:
        """The `n` words with the largest weights on either side, largest first."""
        return sorted(self, key=lambda pair: -abs(pair[1]))[:n]

    def __str__(self) -> str:
        def listed(sign: int) -> str:
            found = [pair for pair in self.top(10) if pair[1] * sign > 0]
            return ", ".join(f"{word} {weight:+.3g}" for word, weight in found) or "nothing"

        return f"{self._told()}: for it {listed(1)}; against it {listed(-1)}"

    def _told(self) -> str:
        return f"{self.score:.4g}" if self.label is None else f"{self.label} {self.score:.4g}"

    def to_html(self) -> str:
        """The text on a coloured ground: blue speaks for the class, orange against it."""
        largest = max(map(abs, self.weights), default=0.0) or 1.0
        spans = " ".join(_span(word, weight, weight / largest) for word, weight in self)
        told = escape(self._told())
        legend = f"{_ground('speaks for it', 0.6)} {_ground('against it', -0.6)}"
        return (
            f'<div style="line-height: 1.9"><div><b>{told}</b> <small>{legend}</small></div>\n'
            f"<div>{spans}</div></div>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()


def _span(word: str, weight: float, share: float) -> str:
    return _ground(word, share, f' title="{weight:+.4g}"')


def _ground(text: str, share: float, more: str = "") -> str:
    colour = _FOR if share > 0 else _AGAINST
    style = f"background: rgba({colour}, {0.75 * abs(share):.2f}); border-radius: 3px"
    return f'<span style="{style}; padding: 0 2px"{more}>{escape(text)}</span>'


@names_nearest
def highlight(
    learn: Any,
    text: Any,
    target: Any = None,
    *,
    method: str = "integrated_gradients",
    steps: int = 30,
) -> Highlights:
    """The words of a text with what each adds to the score of a class.

    The score is the output for that class; where the loss makes probabilities of outputs that sum
    to 1, it is the log odds of the class against all others. A text is compared with one of which
    no word is known: each has the mean of all embeddings, but for special tokens, which therefore
    have no weight.

    Args:
        learn: a learner with a classifier of texts, ours or one of transformers, or a model of your
            own with one embedding; from `load_learner` too.
        text: what `learn.predict` takes.
        target: the label of the class, its number where there are no labels; the predicted one when
            None.
        method: "integrated_gradients", whose weights sum to how much higher the score is than
            for that text (Sundararajan et al., 2017); "gradient", gradient times embedding
            (Simonyan et al., 2014), less the mean: one pass, exact where the model is linear.
        steps: points between the two texts where gradients are taken.

    Raises:
        ValueError: if there is no such label or method, no step, or no token in the text.
        TypeError: if the model has no embedding for the vocabulary, or gives no scores of a text as
            a whole.
    """
    if method not in _METHODS:
        raise ValueError(
            f"method={method!r}; give one of {', '.join(_METHODS)}.{nearest(method, _METHODS)}"
        )
    if steps < 1:
        raise ValueError(f"steps={steps}; give how many points to take gradients at, 1 or more")
    vocab = vocab_of(learn.dls)
    tokens, probs = _read(learn, text)
    count = probs.shape[1]
    table = _embedding(learn.model, len(vocab))
    tokens = tokens.to(table.weight.device)
    model = _FromEmbeddings(_in_one_piece(learn.model, tokens.shape[1]), table, learn.loss_func)
    labels = labels_of(learn.dls)
    labels = labels if labels is not None and len(labels) == count else None
    number = int(probs[0].argmax()) if target is None else _number(target, labels, count)
    # cuDNN has no backward pass of recurrent layers in evaluation.
    with torch.backends.cudnn.flags(enabled=False):
        special = _is_special(tokens, vocab, _FRAME | special_tokens_of(learn.dls))
        words, nothing = _ends(table, tokens, special)
        gradients = _gradients(model, tokens, words, nothing, number, method, steps)
    weights = (gradients * (words - nothing)).sum(2)[0].tolist()  # (1, T, D) -> T numbers
    named = [vocab[i] for i in tokens[0].tolist()]
    if is_backwards(learn.dls):
        named, weights = named[::-1], weights[::-1]
    is_number = labels is None and count == 1
    label = None if is_number else number if labels is None else labels[number]
    return Highlights(named, weights, label, float(probs[0, number]))


def _read(learn: Any, text: Any) -> tuple[Tensor, Tensor]:
    """(1, T) the tokens of a text as the model gets them, and (1, C) what it predicts."""
    predictor = Predictor(learn)
    if predictor.takes_list(text):
        raise ValueError(
            f"{len(text)} texts came, and words are weighed in one: give each by itself"
        )
    batch = next(iter(predictor.loader([text], 1)))
    (tokens, *_), _ = split_batch(learn, batch)
    if not tokens.shape[1]:
        raise ValueError(f"{text!r:.60} has no tokens to weigh; give a text with a word")
    probs = predictor.outputs(batch)[0]
    if not isinstance(probs, Tensor) or probs.ndim != 2:
        told = tuple(probs.shape) if isinstance(probs, Tensor) else type(probs).__name__
        raise TypeError(
            f"the model gives {told}, and words are weighed for the scores (1, classes) of a text "
            "as a whole; give the learner of a classifier"
        )
    return torch.where(tokens < 0, ~tokens, tokens), probs


def _number(target: Any, labels: list[Any] | None, count: int) -> int:
    known = list(range(count)) if labels is None else labels
    if target not in known:
        raise ValueError(
            f"there is no class {target!r}.{nearest(str(target), map(str, known))} There are: "
            f"{', '.join(map(str, known[:20]))}"
        )
    return known.index(target)


# -- the model behind its embedding ------------------------------------------------------------


def _embedding(model: nn.Module, count: int) -> nn.Embedding:
    """The embedding of the tokens."""
    inner = get_model(model)
    if isinstance(inner, HuggingFaceModel):
        return inner.model.get_input_embeddings()  # type: ignore[no-any-return]  # any
    found = [m for m in inner.modules() if isinstance(m, TextEncoder)]
    tables = [m.encoder for m in found] or [
        m for m in inner.modules() if isinstance(m, nn.Embedding) and m.num_embeddings == count
    ]
    if not tables:
        raise TypeError(
            f"{type(inner).__name__} has no nn.Embedding with {count} rows, one for each token of "
            "the vocabulary, so that its words cannot be weighed"
        )
    return tables[0]


def _in_one_piece(model: nn.Module, length: int) -> nn.Module:
    """The model without chunks, between which no gradient passes; it has the same weights."""
    inner = get_model(model)
    if isinstance(inner, SequentialRNN) and isinstance(inner[0], SentenceEncoder):
        own = inner[0]
        whole = SentenceEncoder(length, own.module, own.pad_idx, own.max_len)
        whole.training = own.training
        return SequentialRNN(whole, *list(inner)[1:])
    return inner


class _FromEmbeddings(Module):
    """A model that takes embeddings: (N, T, D), and the (N, T) tokens they stand for, to (N, C)."""

    def __init__(self, model: nn.Module, table: nn.Embedding, loss_func: Any) -> None:
        self.model, self.table = model, table
        self.activation = activation_of(loss_func)

    def forward(self, embedded: Tensor, tokens: Tensor) -> Tensor:
        """(N, C) scores, log odds among classes of which one is right."""
        place = 0

        def replaced(_module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
            nonlocal place
            start, place = place, place + inputs[0].shape[1]
            return embedded[:, start:place]  # a chunk, where the model reads in chunks

        with self.table.register_forward_hook(replaced):
            output = self.model(tokens)
        scores: Tensor = output[0] if isinstance(output, tuple) else output
        # A softmax is what does not care how high all scores are together.
        if scores.shape[1] > 1 and torch.allclose(
            self.activation(scores), self.activation(scores + 1), atol=1e-5
        ):
            scores = _log_odds(scores)
        return scores


def _log_odds(scores: Tensor) -> Tensor:
    """(N, C) the logarithm of p / (1 - p) of each class."""
    own = torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    return scores - scores[:, None].masked_fill(own, -torch.inf).logsumexp(2)


def _ends(table: nn.Embedding, tokens: Tensor, special: Tensor) -> tuple[Tensor, Tensor]:
    """(1, T, D) the embeddings of the text, and of one of which no word is known.

    Of all points the mean tells least of a word. Zeros tell something to a norm, which gives them a
    direction, and the token for unknown words may never have been trained.
    """
    with torch.no_grad():
        words: Tensor = table(tokens)
        mean = table.weight.mean(0).expand_as(words)
        return words, torch.where(special[..., None], words, mean)


def _is_special(tokens: Tensor, vocab: list[str], names: Collection[str]) -> Tensor:
    """(1, T) whether a token stands for no text."""
    return torch.tensor([[vocab[i] in names for i in tokens[0].tolist()]], device=tokens.device)


def _gradients(
    model: nn.Module,
    tokens: Tensor,
    words: Tensor,
    nothing: Tensor,
    target: int,
    method: str,
    steps: int,
) -> Tensor:
    """(1, T, D) the gradient of the score at the text, or its mean on the way there."""
    if method == "gradient":
        return input_gradients(model, (words, tokens), target)
    total = torch.zeros_like(words)
    # The middle of each of `steps` equal stretches of the way.
    for start in range(0, steps, _AT_ONCE):
        places = (torch.arange(start, min(start + _AT_ONCE, steps)).to(words) + 0.5) / steps
        points = nothing.lerp(words, places[:, None, None])  # (N, T, D)
        read = (points, tokens.expand(len(points), -1))
        total = total + input_gradients(model, read, target).sum(0, keepdim=True)
    return total / steps
