"""`TokenizeWithRules`: rules, a tokeniser, and rules for its tokens, over a stream of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import reduce
from itertools import islice
from operator import eq
from typing import Any

from layerwise.core.data.parallel import parallel_gen
from layerwise.core.items import L
from layerwise.text.rules import (
    Rule,
    fix_html,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_wrep,
    spec_add_spaces,
    text_postproc_rules,
    text_proc_rules,
)
from layerwise.text.tokenizers.base import TextTokenizer
from layerwise.text.tokenizers.regex import Cuts, RegexTokenizer
from layerwise.text.tokens import BOS

__all__ = ["TokenizeWithRules", "parallel_tokenize", "tokenize1"]

_LONG = 1 << 20  # characters after which a text is parted, so that no copies of it are needed
# Where no rule sees what stands on the other side: between different words without marks, the first
# of which does not end in a letter three times, of which one is left.
_GAP = re.compile(r" (?!\w*?(\w)\1\1 )([^\W\d_]++) (?!\2)(?=[^\W\d_])")


class TokenizeWithRules:
    """Texts through rules, a tokeniser, and rules for each token.

    Args:
        tok: the tokeniser.
        rules: what is done to each text before; when None those that the tokeniser asks for with an
            attribute `default_rules`, otherwise `text_proc_rules`.
        post_rules: what is done to each token; when None those that the tokeniser asks for with
            `default_post_rules`, otherwise `text_postproc_rules`.

    Raises:
        TypeError: while it runs, if an item is no text.

    Example:
        >>> list(TokenizeWithRules(RegexTokenizer())(["This isn't MINE"]))
        [['xxbos', 'xxmaj', 'this', 'is', "n't", 'xxup', 'mine']]
    """

    def __init__(
        self,
        tok: TextTokenizer,
        rules: Sequence[Rule] | None = None,
        post_rules: Sequence[Rule] | None = None,
    ) -> None:
        self.tok = tok
        self.rules = rules_for(tok, rules)
        own = getattr(tok, "default_post_rules", text_postproc_rules)
        self.post_rules: list[Rule] = list(own if post_rules is None else post_rules)
        is_usual = self.rules == text_proc_rules and self.post_rules == text_postproc_rules
        self._by_word = _ByWord(tok) if isinstance(tok, RegexTokenizer) and is_usual else None

    def __call__(self, batch: Iterable[str]) -> Iterator[list[str]]:
        """The tokens of each text, in their order."""
        if self._by_word is not None:
            return map(self._by_word, map(_checked, batch))
        return map(self._finished, self.tok(map(self._prepared, batch)))

    def _prepared(self, text: str) -> str:
        return reduce(lambda so_far, rule: rule(so_far), self.rules, _checked(text))

    def _finished(self, tokens: Iterable[str]) -> list[str]:
        for rule in self.post_rules:
            tokens = map(rule, tokens)
        return list(tokens)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.tok, self.rules, self.post_rules

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        TokenizeWithRules.__init__(self, *state)


def rules_for(tok: TextTokenizer, rules: Sequence[Rule] | None) -> list[Rule]:
    """`rules`, or when None those that `tok` is used with."""
    return list(getattr(tok, "default_rules", text_proc_rules) if rules is None else rules)


def _checked(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(
            f"{text!r:.80} is a {type(text).__name__} and no text; leave such items out, or turn "
            "them into texts first (an empty one is '')"
        )
    return text


class _ByWord:
    """The usual rules and `RegexTokenizer` at once, each word worked on when it first comes up.

    All rules but two look at one word at a time. `fix_html` is done to the text before. Texts in
    which words are repeated (`replace_wrep`), or might be once repeated characters are replaced, go
    the way of all rules.
    """

    def __init__(self, tok: RegexTokenizer) -> None:
        self.tok = tok
        self._cuts = Cuts(self._cut)

    def __call__(self, text: str) -> list[str]:
        if len(text) <= _LONG:
            return self._part(text)
        tokens = [BOS]
        for part in _parts(text):
            tokens += self._part(part)[1:]
        return tokens

    def _part(self, text: str) -> list[str]:
        plain = fix_html(text)
        if not _repeats_words(plain):
            try:
                return [BOS, *self._cuts.of(plain.strip())]
            except _MightRepeatError:
                pass
        for rule in text_proc_rules:
            text = rule(text)
        return next(iter(self.tok([text])))

    def _cut(self, word: str) -> list[str]:
        plain = replace_rep(word)
        if plain != word and not _only_marks_repeat(word):
            raise _MightRepeatError
        if not plain.isalpha():
            plain = spec_add_spaces(plain)
        if plain != plain.lower():
            plain = replace_maj(replace_all_caps(plain)).lower()
        if " " not in plain:
            return self.tok.cut(plain)
        return [token for part in plain.split(" ") for token in self.tok.cut(part)]


class _MightRepeatError(Exception):
    """A letter or digit comes three times in a row."""


def _repeats_words(text: str) -> bool:
    words = text.split()
    # Comparing neighbours is far cheaper than the rule itself, and few texts have equal ones.
    return any(map(eq, words, islice(words, 1, None))) and replace_wrep(text) != text


def _parts(text: str) -> Iterator[str]:
    """`text` in parts that rules and tokeniser may see one by one."""
    start = 0
    while gap := _GAP.search(text, start + _LONG):
        yield text[start : gap.end() - 1]
        start = gap.end()
    yield text[start:]


_MARKS_AT_END = re.compile(r"([^\w\s])\1{2,}+(?!\w)")


def _only_marks_repeat(word: str) -> bool:
    """Whether `replace_rep` leaves nothing in `word` that begins a word or is one."""
    return replace_rep(_MARKS_AT_END.sub("", word)) == _MARKS_AT_END.sub("", word)


def tokenize1(
    text: str,
    tok: TextTokenizer | None = None,
    *,
    rules: Sequence[Rule] | None = None,
    post_rules: Sequence[Rule] | None = None,
) -> L[str]:
    """The tokens of one text.

    Args:
        text: the text.
        tok: the tokeniser; `RegexTokenizer()` when None.
        rules: see `TokenizeWithRules`.
        post_rules: see there.

    Example:
        >>> tokenize1("Hello World!")
        (#6) ['xxbos', 'xxmaj', 'hello', 'xxmaj', 'world', '!']
    """
    run = TokenizeWithRules(RegexTokenizer() if tok is None else tok, rules, post_rules)
    return L(next(iter(run([text]))))


def parallel_tokenize(
    items: Iterable[str],
    tok: TextTokenizer | None = None,
    rules: Sequence[Rule] | None = None,
    n_workers: int | None = None,
    *,
    post_rules: Sequence[Rule] | None = None,
) -> Iterator[list[str]]:
    """The tokens of each text, in their order, made by several processes as they are asked for.

    Args:
        items: texts; may be a stream, unless `tok` has to learn from them first.
        tok: the tokeniser; `RegexTokenizer()` when None. If it has a method `setup`, that is called
            with `items` and the rules before.
        rules: see `TokenizeWithRules`.
        post_rules: see there.
        n_workers: processes; 0 does the work here, None takes one for each core.

    Example:
        >>> list(parallel_tokenize(["One", "two"], n_workers=0))
        [['xxbos', 'xxmaj', 'one'], ['xxbos', 'two']]
    """
    tok = RegexTokenizer() if tok is None else tok
    set_up(tok, items, rules)
    # By the time that processes have started, and seen their first words, few texts are cut here.
    few = n_workers is None and isinstance(items, Sized) and len(items) < _FEW
    return parallel_gen(
        TokenizeWithRules,
        items,
        0 if few else n_workers,
        tok=tok,
        rules=rules,
        post_rules=post_rules,
    )


_FEW = 1000


def set_up(tok: TextTokenizer, items: Iterable[str], rules: Sequence[Rule] | None) -> None:
    """Let `tok` learn from the texts, if it is one that does."""
    setup = getattr(tok, "setup", None)
    if setup is None:
        return
    if isinstance(items, Iterator):
        raise TypeError(
            f"{type(tok).__name__} reads all texts before it cuts them, and a "
            f"{type(items).__name__} can be read once; give a list, or something else that can be "
            "read again"
        )
    setup(items, rules_for(tok, rules))
