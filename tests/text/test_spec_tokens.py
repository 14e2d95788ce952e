"""Tokens of case and repetition turned back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.text.spec_tokens import decode_spec_tokens
from layerwise.text.tokens import text_spec_tok


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("xxbos xxmaj this is xxup great", "xxbos This is GREAT"),
        ("so xxrep 4 ! then", "so !!!! then"),
        ("xxwrep 3 very good", "very very very good"),
        ("xxwrep 3 xxmaj no", "No No No"),
        ("xxmaj xxwrep 2 no way", "No no way"),
        ("xxwrep 2 xxrep 3 a", "aaa aaa"),
        ("xxmaj", "xxmaj"),
        ("xxrep 3", "xxrep 3"),
        ("xxrep many a", "xxrep many a"),
        ("xxrep 99999999999 a", "xxrep 99999999999 a"),
        ("xxmaj xxunk", "Xxunk"),
        ("xxmaj iPhone", "IPhone"),
        ("", ""),
    ],
)
def test_marks_become_what_they_stand_for(tokens, expected):
    assert " ".join(decode_spec_tokens(tokens.split())) == expected


@given(st.lists(st.sampled_from([*text_spec_tok, "2", "³", "word"]), max_size=30))
def test_whatever_a_model_writes_is_decoded(tokens):
    decoded = decode_spec_tokens(tokens)
    assert all(isinstance(token, str) for token in decoded)


def test_long_rows_of_marks_are_no_trouble():
    assert decode_spec_tokens(["xxmaj"] * 50_000 + ["a"]) == ["A"]
