"""Rules that make a text plainer before it is cut into tokens, and tokens after it.

What they take away (capitals, repetitions) they say in words of their own, which stand in
`layerwise.text.tokens`. All take time in proportion to the text, whatever is in it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from layerwise.text.tokens import BOS, EOS, TK_MAJ, TK_REP, TK_UP, TK_WREP, UNK

__all__ = [
    "Rule",
    "fix_html",
    "lowercase",
    "replace_all_caps",
    "replace_maj",
    "replace_rep",
    "replace_space",
    "replace_wrep",
    "rm_useless_spaces",
    "spec_add_spaces",
    "text_postproc_rules",
    "text_proc_rules",
]

Rule = Callable[[str], str]
"""From a text to a text, or from a token to a token."""

# Entities that were written without their ampersand, or with it once too often.
_ENTITY = re.compile(r"&?(?:\b(amp|nbsp|quot)|#(36|39|146));")
_MEANT = {"amp": "&", "nbsp": " ", "quot": "'", "36": "$", "39": "'", "146": "'"}
_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
_SPLIT_BY_AT = re.compile(r" @([.,-])@ ")

_REPEATED = re.compile(r"(\S)\1{2,}+")
_REPEATED_WORD = re.compile(r"(?: |(?<!\S))(\w++)(?:\s++\1(?!\w)){2,}+")
_APART = re.compile(r"([/#\\])")
_SPACES = re.compile(r" {2,}")
# Looked for before anything is replaced: most texts have words like these, most words are none.
_CAPITALISED = re.compile(r"(?<!\S)[^\W\d_]\S*+")


def fix_html(t: str) -> str:
    r"""`t` with the remains of HTML, and of corpora that were tokenised before, as plain text.

    Example:
        >>> fix_html("Some HTML &lt;b&gt;<br />Sarah amp; Duck... 3 @.@ 5")
        'Some HTML <b>\nSarah & Duck … 3.5'
    """
    # Looking for one character costs next to nothing, and most texts have none of these.
    if ";" in t:
        t = _ENTITY.sub(lambda found: _MEANT[found[1] or found[2]], t)
    if "<" in t:
        t = _BREAK.sub("\n", t).replace("<unk>", UNK)
    if "\\" in t:
        t = t.replace("\\n", "\n").replace('\\"', '"')
    if "@" in t:
        t = _SPLIT_BY_AT.sub(r"\1", t)
    return html.unescape(t.replace("...", " …"))


def replace_rep(t: str) -> str:
    """`t` with each character that comes three times or more as `xxrep`, the count, and it once.

    Example:
        >>> replace_rep("cccc")
        ' xxrep 4 c '
    """
    return _REPEATED.sub(lambda found: f" {TK_REP} {len(found[0])} {found[1]} ", t)


def replace_wrep(t: str) -> str:
    """`t` with each word that comes three times or more as `xxwrep`, the count, and it once.

    Example:
        >>> replace_wrep("word word word word.")
        ' xxwrep 4 word .'
    """
    return _REPEATED_WORD.sub(lambda found: f" {TK_WREP} {len(found[0].split())} {found[1]} ", t)


def spec_add_spaces(t: str) -> str:
    r"""`t` with spaces around `/`, `#` and `\`.

    Example:
        >>> spec_add_spaces("and/or")
        'and / or'
    """
    if "/" not in t and "#" not in t and "\\" not in t:  # far cheaper than the pattern
        return t
    return _APART.sub(r" \1 ", t)


def rm_useless_spaces(t: str) -> str:
    """`t` with one space where there were several.

    Example:
        >>> rm_useless_spaces("a  b   c")
        'a b c'
    """
    return _SPACES.sub(" ", t)


def replace_all_caps(t: str) -> str:
    """`t` with words all in capitals in small letters behind `xxup`; single letters without it.

    A word is what stands between white space, and has to begin with a letter.

    Example:
        >>> replace_all_caps("I'M SHOUTING, I am")
        "xxup i'm xxup shouting, i am"
    """
    return _CAPITALISED.sub(_without_capitals, t)


def _without_capitals(found: re.Match[str]) -> str:
    word = found[0]
    if not (word[0].isupper() and word.isupper()):
        return word
    return word.lower() if len(word) == 1 else f"{TK_UP} {word.lower()}"


def replace_maj(t: str) -> str:
    """`t` with words that begin with their only capital in small letters behind `xxmaj`.

    Single letters become small without it.

    Example:
        >>> replace_maj("Jeremy Howard and I")
        'xxmaj jeremy xxmaj howard and i'
    """
    return _CAPITALISED.sub(_without_capital, t)


def _without_capital(found: re.Match[str]) -> str:
    word = found[0]
    if not word[0].isupper():
        return word
    if len(word) == 1:
        return word.lower()
    # Where nothing is left to lower, the first was the only capital.
    return f"{TK_MAJ} {word.lower()}" if word[1:] == word[1:].lower() else word


def lowercase(t: str, add_bos: bool = True, add_eos: bool = False) -> str:
    """`t` in small letters, without white space around it, and marked where it begins.

    Args:
        t: the text.
        add_bos: put `xxbos` before it.
        add_eos: put `xxeos` behind it.

    Example:
        >>> lowercase("Hello ")
        'xxbos hello'
    """
    return (f"{BOS} " if add_bos else "") + t.lower().strip() + (f" {EOS}" if add_eos else "")


def replace_space(t: str) -> str:
    """The token `t` with `▁` in place of spaces, so that tokens can be joined by spaces.

    Example:
        >>> replace_space("New York")
        'New▁York'
    """
    return t.replace(" ", "▁")


text_proc_rules: list[Rule] = [
    fix_html, replace_rep, replace_wrep, spec_add_spaces, rm_useless_spaces, replace_all_caps,
    replace_maj, lowercase,
]  # fmt: skip
"""What is done to a text before it is cut into tokens, in this order."""

text_postproc_rules: list[Rule] = [replace_space]
"""What is done to each token."""
