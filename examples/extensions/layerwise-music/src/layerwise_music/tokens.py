"""Scores to tokens and back.

| token | means |
|---|---|
| `xxbos` | a score begins |
| `m6/8` | its meter |
| `bar` | a bar begins here; no time passes |
| `n60` | a note of MIDI pitch 60 begins here; of several at once the highest comes first |
| `d12` | the note before it lasts 12 steps; several add up |
| `t12` | 12 steps pass; several add up |

Any row of tokens means something, so that whatever a model writes can be read: a note without a
length is left out, as is a length without a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.items import L
from layerwise.core.transforms.transform import Transform
from layerwise.text.tokens import BOS, PAD, UNK

from layerwise_music.score import Note, Score

__all__ = [
    "BAR",
    "FIRST_NOTE",
    "METERS",
    "MusicTokenizer",
    "music_vocab",
    "numbers_of",
    "score_of_tokens",
]

BAR = "bar"
"""The token at which a bar begins."""

FIRST_NOTE = 4
"""The number of `n0` in every vocabulary of music; the other notes follow, in order of pitch."""

METERS = (
    (2, 2), (3, 2), (2, 4), (3, 4), (4, 4), (5, 4), (6, 4), (7, 4), (3, 8), (5, 8), (6, 8), (7, 8),
    (9, 8), (12, 8),
)  # fmt: skip
"""Meters that the vocabulary has; of others a model knows that they are unknown."""

_DIGITS = 8  # of a number in a token: no music is longer


def music_vocab(steps: int = 12) -> list[str]:
    """The tokens by their numbers: lengths and times are up to a whole note.

    Args:
        steps: of a quarter.

    Example:
        >>> vocab = music_vocab(12)
        >>> vocab[:5], vocab.index("n60"), len(vocab)
        (['xxunk', 'xxpad', 'xxbos', 'bar', 'n0'], 64, 242)
    """
    lengths = range(1, 4 * steps + 1)
    return [
        UNK,
        PAD,
        BOS,
        BAR,
        *(f"n{pitch}" for pitch in range(128)),
        *(f"m{beats}/{unit}" for beats, unit in METERS),
        *(f"d{length}" for length in lengths),
        *(f"t{length}" for length in lengths),
    ]


class MusicTokenizer(Transform):
    """A `Score` to its tokens, and tokens to a score. Lists pass: they are tokens already.

    Notes, bars, length and meter come back as they were, on the grid of `steps`; tempo and title
    are not among the tokens.

    Args:
        steps: of a quarter.

    Example:
        >>> tokenize = MusicTokenizer(steps=4)
        >>> tokens = tokenize(Score([(0, 2, 60), (2, 6, 67)], bars=[0], steps=4))
        >>> print(*tokens)
        xxbos m4/4 bar n60 d2 t2 n67 d6 t6
        >>> tokenize.decode(tokens).notes[1]
        Note(start=2, length=6, pitch=67)
    """

    encodes = Dispatch(unchanged)
    decodes = Dispatch(unchanged)

    def __init__(self, steps: int = 12) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"steps={steps}; give how many steps a quarter has, 1 or more")
        self.steps = steps

    @encodes.register
    def _(self, o: Score) -> L:
        return L(_tokens_of(o.on_grid(self.steps)))

    @decodes.register
    def _(self, o: list) -> Score:  # type: ignore[type-arg]  # dispatch is by the class alone
        return score_of_tokens(o, self.steps)

    def settings(self) -> dict[str, int]:
        """The keywords that make an equal one."""
        return {"steps": self.steps}

    def __repr__(self) -> str:
        return f"MusicTokenizer(steps={self.steps})"


def _tokens_of(score: Score) -> list[str]:
    beats, unit = score.meter
    longest, time = 4 * score.steps, 0
    tokens = [BOS, f"m{beats}/{unit}"]
    bars, starts = set(score.bars), {note.start for note in score.notes}
    notes = iter(score.notes)
    note = next(notes, None)
    for place in sorted({*bars, *starts, score.length}):
        tokens += _pieces("t", place - time, longest)
        time = place
        if place in bars:
            tokens.append(BAR)
        while note is not None and note.start == place:
            tokens += [f"n{note.pitch}", *_pieces("d", note.length, longest)]
            note = next(notes, None)
    return tokens


def _pieces(kind: str, length: int, longest: int) -> list[str]:
    """The tokens that add up to a length."""
    whole, rest = divmod(length, longest)
    return [f"{kind}{longest}"] * whole + ([f"{kind}{rest}"] if rest else [])


def score_of_tokens(tokens: Iterable[str], steps: int = 12) -> Score:
    """The score that tokens mean; the first meter among them is its meter.

    Args:
        tokens: as `MusicTokenizer` makes them; those that it does not make are passed over.
        steps: of a quarter.

    Example:
        >>> score_of_tokens(["n60", "d6", "d6", "t6", "d9", "bar", "n62"]).notes
        (Note(start=0, length=12, pitch=60),)
    """
    notes: list[Note] = []
    bars: list[int] = []
    meter: tuple[int, int] | None = None
    time, is_open = 0, False  # whether the last of `notes` may still get longer
    for token in tokens:
        kind, number = token[:1], token[1:]
        count = int(number) if number.isdecimal() and len(number) < _DIGITS else None
        if kind == "d" and count is not None:
            if is_open:
                start, length, pitch = notes[-1]
                notes[-1] = Note(start, length + count, pitch)
            continue
        is_open = False
        if token == BAR:
            bars.append(time)
        elif kind == "n" and count is not None and count < 128:
            notes.append(Note(time, 0, count))
            is_open = True
        elif kind == "t" and count is not None:
            time += count
        elif kind == "m" and meter is None:
            meter = _meter(number)
    kept = [note for note in notes if note.length]
    end = max([time, *(note.start + note.length for note in kept)])
    return Score(kept, [bar for bar in bars if bar < end], end, steps=steps, meter=meter or (4, 4))


def _meter(written: str) -> tuple[int, int] | None:
    beats, _, unit = written.partition("/")
    is_meter = all(n.isdecimal() and len(n) < _DIGITS and int(n) > 0 for n in (beats, unit))
    return (int(beats), int(unit)) if is_meter else None


def numbers_of(tokens: Sequence[str], vocab: Sequence[str]) -> list[int]:
    """The numbers of tokens; that of `xxunk` for those that the vocabulary does not have.

    Example:
        >>> numbers_of(["bar", "n0", "m4/17"], music_vocab())
        [3, 4, 0]
    """
    number = {token: i for i, token in enumerate(vocab)}
    unknown = number[UNK]
    return [number.get(token, unknown) for token in tokens]
