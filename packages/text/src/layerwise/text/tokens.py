"""Words that stand for what is no word: a gap, a beginning, a change of case, a repetition."""

__all__ = [
    "BOS",
    "EOS",
    "FLD",
    "PAD",
    "TK_MAJ",
    "TK_REP",
    "TK_UP",
    "TK_WREP",
    "UNK",
    "text_spec_tok",
]

UNK = "xxunk"
"""A token that the vocabulary does not have."""

PAD = "xxpad"
"""Fills the rows of a batch up to one length."""

BOS = "xxbos"
"""A text begins."""

EOS = "xxeos"
"""A text ends."""

FLD = "xxfld"
"""The next column of several that make up one text begins; its number follows."""

TK_REP = "xxrep"
"""A character comes several times: the count and the character follow."""

TK_WREP = "xxwrep"
"""A word comes several times: the count and the word follow."""

TK_UP = "xxup"
"""The next word was in capitals."""

TK_MAJ = "xxmaj"
"""The next word began with a capital."""

text_spec_tok: list[str] = [UNK, PAD, BOS, EOS, FLD, TK_REP, TK_WREP, TK_UP, TK_MAJ]
"""All of them, in the order in which they begin a vocabulary."""
