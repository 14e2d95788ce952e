"""One word, as it stands between white space, cut into tokens the way spaCy cuts English.

Marks come off both ends while there are any, but for words that need theirs (`e.g.`, `:-)`); so do
endings such as `n't` and `'s`. What is left is cut where marks join words (`well-known`). The time
this takes is in proportion to the length of the word.
"""

from __future__ import annotations

import re
from string import ascii_lowercase

__all__ = ["split_word"]

_MARKS = (
    "\"'“”‘’`´«»„‚()[]{}<>!?,;:*_&#–—…·¿¡"  # noqa: RUF001 - marks of many languages
    "。，、！？；：「」『』（）【】《》"  # noqa: RUF001 - as above
)
_FRONT = frozenset(_MARKS + "%§=$£€¥₹¢")
_END = frozenset(_MARKS)

# Abbreviations that keep their full stop, besides single letters.
_ABBREVIATIONS = (
    "Adm. Ala. Apr. Ariz. Ark. Aug. Bros. Calif. Co. Colo. Conn. Corp. D.C. Dec. Dr. E.g. Feb. "
    "Fla. Gen. Gov. I.e. Ill. Inc. Jan. Jr. Jul. Jun. Ltd. Mass. Messrs. Mich. Minn. Miss. Mr. "
    "Mrs. Ms. Mt. N.J. N.Y. Nov. Oct. Ph.D. Prof. Rep. Rev. Sen. Sep. Sept. St. Tenn. a.m. co. "
    "e.g. i.e. p.m. vs."
)
_CLIPPED = "'bout 'cause 'cos 'd 'em 'll 'm 'nuff 're 's 've n't '' doin' goin' havin' lovin' ol'"
_WHOLE = frozenset(
    f"{_ABBREVIATIONS} {_CLIPPED} nothin' nuthin' somethin' C++ w/o and/or".split()
    + [letter + "." for letter in ascii_lowercase]
)

_NEGATED = (
    "ai are ca could dare did do does had has have is may might must need sha should was were wo "
    "would"
)
_CONTRACTED = (
    "can-not gon-na got-ta he-s how-s i-m i-ve she-s that-s there-s they-re they-ve we-ve what-s "
    "where-s who-s y-all you-re you-ve"
)
# Contractions without an apostrophe: what of them is the first token.
_FIRST_PART = {
    **{stem + "nt": len(stem) for stem in _NEGATED.split()},
    **{pair.replace("-", ""): pair.index("-") for pair in _CONTRACTED.split()},
}

_EMOTICON = re.compile(
    r"""[:;=8xX]['^o-]{0,2}(?:[()\[\]|}*>3/\\]{1,3}|[DPpOoXx0])  # eyes on the left
    | [()\[\]|][o-]?[:;=8]  # on the right
    | <\/?3{1,3} | [xX]D+ | [oO0@v V][_.][oO0@vV] | \^_{1,3}\^ | -_{1,2}- | [<>]\.[<>] | :'-?[()]
    """,
    re.VERBOSE,
)
# What emoticons begin and end with: a look at two characters spares most words the pattern.
_FACE_FROM, _FACE_TO = (
    frozenset(":;=8xX'()[]|<>oO0@vV^-"),
    frozenset("()[]|}*>/\\38DPpOoXx0:;=@vV^-<"),
)
_FACE = 7  # characters of the longest
_WEB = re.compile(
    r"(?:https?|ftp)://|www\.|[\w.+-]++@\w|(?:[\w-]++\.)+(?:com|edu|gov|net|org|uk)(?:[/:?]|$)"
)
_ENDING = re.compile(r"(?:n['’]t|['’](?:s|d|m|ll|re|ve))$", re.IGNORECASE)
_UNIT = re.compile(
    r"(?<=\d)(?:[kcm]?m|k?g|mg|ft|in|lbs?|oz|mph|km/h|k?hz|[kmgt]b|[$£€¥%°+])$",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(1[0-2]|[1-9])([ap]m|[ap]\.m\.)", re.IGNORECASE)
_DOTS = re.compile(r"\.{2,}+|…")
_JOINTS = re.compile(
    r"(\.{2,}+|…|[\u2190-\u2bff\U0001f000-\U0001faff©®™]"
    r"|(?<=[^\W\d_])(?:-{1,3}|[–—~,])(?=[^\W\d_])|(?<=\d)-(?=[^\W\d_])"
    r"|(?<=[^\W_])[:<>=/](?=[^\W\d_])"
    r"|(?<=[a-zà-öø-ÿ\"'])\.(?=[A-ZÀ-ÖØ-Þ\"'])"
    r"|(?<=\d)[+*^-](?=[\d-]))"
)
_LONGEST = 12  # characters of what has a meaning as a whole


def split_word(word: str) -> list[str]:
    r"""The tokens of a word without white space; joined, they are the word.

    Args:
        word: of any length and any characters.

    Example:
        >>> split_word('"don\'t!"'), split_word("well-known,"), split_word("(e.g.")
        (['"', 'do', "n't", '!', '"'], ['well', '-', 'known', ','], ['(', 'e.g.'])
    """
    if word.isalpha():
        first = _FIRST_PART.get(word.lower()) if len(word) <= _LONGEST else None
        return [word[:first], word[first:]] if first else [word]
    body, last = word[:-1], word[-1:]
    # By far the most frequent of the others: a word and the mark behind it.
    if body.isalpha() and (last in ",;!?" or (last == "." and len(body) > 4 and body.islower())):
        return [*split_word(body), last]
    front: list[str] = []
    end: list[str] = []
    start, stop = 0, len(word)
    while start < stop:
        part = word[start:stop] if stop - start <= _LONGEST else ""
        if part in _WHOLE or (part[-1:] in _FACE_TO and _is_face(part)):
            return [*front, part, *reversed(end)]
        if word[start].isdigit() and (clock := _CLOCK.fullmatch(word, start, stop)):
            return [*front, *clock.groups(), *reversed(end)]
        if word[start] in _FRONT:
            size = 2 if word.startswith("''", start, stop) else 1
            front.append(word[start : start + size])
            start += size
        elif word[start] == "." and (dots := _DOTS.match(word, start, stop)):
            front.append(dots[0])
            start = dots.end()
        elif size := _end_size(word, start, stop):
            end.append(word[stop - size : stop])
            stop -= size
        else:
            return [*front, *_joined(word[start:stop]), *reversed(end)]
    return [*front, *reversed(end)]


def _is_face(part: str) -> bool:
    if len(part) > _FACE or part[:1] not in _FACE_FROM:
        return False
    return _EMOTICON.fullmatch(part) is not None


def _end_size(word: str, start: int, stop: int) -> int:
    """How many characters at the end of `word[start:stop]` are a token of their own, 0 if none."""
    last = word[stop - 1]
    if last in _END:
        return 2 if last == "'" and word.endswith("''", start, stop) else 1
    if last == ".":
        first = stop - 1
        while first > start and word[first - 1] == ".":
            first -= 1
        return stop - first if stop - first > 1 or not _is_initial(word, start, first) else 0
    found = None
    nearby = word[max(start + 1, stop - 3) : stop]
    if "'" in nearby or "’" in nearby:
        found = _ENDING.search(word, max(start + 1, stop - 3), stop)
    elif word[start].isdigit():
        found = _UNIT.search(word, max(start + 1, stop - 4), stop)
    return stop - found.start() if found else 0


def _is_initial(word: str, start: int, dot: int) -> bool:
    """Whether the full stop at `dot` stands behind a single capital, as in `J.` and `U.S.`."""
    before = word[max(start, dot - 2) : dot]
    return before[-1:].isupper() and not before[:-1].isupper()


def _joined(word: str) -> list[str]:
    if word.isalpha():
        return split_word(word)
    if _WEB.match(word):
        return [word]
    return [part for part in _JOINTS.split(word) if part]
