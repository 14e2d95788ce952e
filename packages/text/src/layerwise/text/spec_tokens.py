"""Tokens that stand for a change of case or a repetition, turned back into what they stand for."""

from __future__ import annotations

from collections.abc import Iterable

from layerwise.text.tokens import TK_MAJ, TK_REP, TK_UP, TK_WREP

__all__ = ["decode_spec_tokens"]


def decode_spec_tokens(tokens: Iterable[str]) -> list[str]:
    """The tokens with capitals and repetitions as they were written.

    A repetition without a whole number behind it, as models may write one, stays as it is; so does
    a mark of case at the end.

    Args:
        tokens: of a text.

    Example:
        >>> decode_spec_tokens(["xxmaj", "hello", "xxup", "you", "xxrep", "3", "!"])
        ['Hello', 'YOU', '!!!']
        >>> decode_spec_tokens(["xxwrep", "3", "xxmaj", "no"])
        ['No', 'No', 'No']
    """
    # From the end, where what a mark belongs to is decoded already: marks stand before each other.
    done: list[str] = []
    for token in reversed(list(tokens)):
        if token == TK_MAJ and done:
            done[-1] = done[-1][:1].upper() + done[-1][1:]
        elif token == TK_UP and done:
            done[-1] = done[-1].upper()
        elif token in (TK_REP, TK_WREP) and _is_count(done):
            count, repeated = int(done.pop()), done.pop()
            done += [repeated * count] if token == TK_REP else [repeated] * count
        else:
            done.append(token)
    return done[::-1]


_LONGEST = 1000  # of a repetition: a model may write any number


def _is_count(done: list[str]) -> bool:
    """Whether the last of `done` is a number, and something to repeat stands behind it."""
    is_number = len(done) > 1 and done[-1].isascii() and done[-1].isdecimal()
    return is_number and len(done[-1]) < 5 and int(done[-1]) <= _LONGEST
