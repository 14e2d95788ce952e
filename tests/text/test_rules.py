"""Rules: examples of the fastai documentation, worked-out cases, and hostile texts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwise.text.rules import (
    fix_html,
    lowercase,
    replace_all_caps,
    replace_maj,
    replace_rep,
    replace_space,
    replace_wrep,
    rm_useless_spaces,
    spec_add_spaces,
    text_postproc_rules,
    text_proc_rules,
)


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (fix_html, "Some HTML<br />text", "Some HTML\ntext"),
        (fix_html, "#39;bli#146;", "'bli'"),
        (fix_html, "Sarah amp; Duck...   ", "Sarah & Duck …   "),
        (fix_html, "a nbsp; #36;", "a   $"),
        (fix_html, '\\" <unk>', '" xxunk'),
        (fix_html, "1 @.@ 5, a @-@ b, 2 @,@ 000", "1.5, a-b, 2,000"),
        (fix_html, "text\\n<BR/>&lt;b&gt; &eacute;", "text\n\n<b> é"),
        (fix_html, "champ; salt", "champ; salt"),
        (replace_rep, "aa", "aa"),
        (replace_rep, "cccc", " xxrep 4 c "),
        (replace_rep, "baaaac", "b xxrep 4 a c"),
        (replace_rep, "aaabbb", " xxrep 3 a  xxrep 3 b "),
        (replace_rep, "no   \n\n\n\n", "no   \n\n\n\n"),
        (replace_wrep, "ah ah", "ah ah"),
        (replace_wrep, "word word word word", " xxwrep 4 word "),
        (replace_wrep, "ah ah ah ah ", " xxwrep 4 ah  "),
        (replace_wrep, "ah ah ah.", " xxwrep 3 ah ."),
        (replace_wrep, "ah ah ahi", "ah ah ahi"),
        (replace_wrep, "a ah ah ah b", "a xxwrep 3 ah  b"),
        (replace_wrep, "a\na\na", " xxwrep 3 a "),
        (replace_wrep, "(a a a", "(a a a"),
        (replace_wrep, "a a a b b b", " xxwrep 3 a  xxwrep 3 b "),
        (spec_add_spaces, "#fastai and/or a\\b", " # fastai and / or a \\ b"),
        (rm_useless_spaces, "a  b   c \n  d", "a b c \n d"),
        (replace_all_caps, "I'M SHOUTING", "xxup i'm xxup shouting"),
        (replace_all_caps, "I am speaking (HELLO)", "i am speaking (HELLO)"),
        (replace_all_caps, "U.S. X-MEN R2D2 1A ÉTÉ", "xxup u.s. xxup x-men xxup r2d2 1A xxup été"),
        (replace_maj, "Jeremy Howard", "xxmaj jeremy xxmaj howard"),
        (replace_maj, "I don't think A dog", "i don't think a dog"),
        (replace_maj, "McDonald Ab-cd École (Hello)", "McDonald xxmaj ab-cd xxmaj école (Hello)"),
        (lowercase, " Hello\n", "xxbos hello"),
        (replace_space, "New York", "New▁York"),
    ],
)
def test_a_rule_does_what_is_known_of_it(rule, text, expected):
    assert rule(text) == expected


def test_lowercase_marks_the_ends_that_are_asked_for():
    assert lowercase("A", add_eos=True) == "xxbos a xxeos"
    assert lowercase("A", add_bos=False) == "a"


def test_the_lists_hold_the_rules_in_the_order_of_the_family():
    assert [rule.__name__ for rule in text_proc_rules] == [
        "fix_html", "replace_rep", "replace_wrep", "spec_add_spaces", "rm_useless_spaces",
        "replace_all_caps", "replace_maj", "lowercase",
    ]  # fmt: skip
    assert text_postproc_rules == [replace_space]


@given(st.text())
def test_rules_take_any_text(text):
    for rule in text_proc_rules:
        text = rule(text)
    assert text.startswith("xxbos ")
    assert "  " not in text.removeprefix("xxbos ")


@pytest.mark.parametrize("rule", text_proc_rules)
@pytest.mark.parametrize("part", ["a", "a ", "A", "&", ";", " ", "\n", "<br", "@ ", "&#", "\u202e"])
def test_time_is_in_proportion_to_the_text_whatever_is_in_it(rule, part):
    size = 200_000
    start = time.process_time()
    rule(part * (size // len(part)))
    assert time.process_time() - start < 2  # what backtracks takes hours
