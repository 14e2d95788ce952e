"""The simplest tokeniser."""

import pytest

from layerwise.core.settings import settings_of
from layerwise.text.tokenizers.base import BaseTokenizer, TextTokenizer


def test_texts_are_cut_at_the_character():
    assert list(BaseTokenizer("-")(["a-b", "c"])) == [["a", "b"], ["c"]]


def test_it_is_a_tokeniser_and_told_by_its_settings():
    assert isinstance(BaseTokenizer(), TextTokenizer)
    assert settings_of(BaseTokenizer("-")) == {"split_char": "-"}
    assert repr(BaseTokenizer("-")) == "BaseTokenizer(split_char='-')"


def test_no_character_is_refused():
    with pytest.raises(ValueError, match="parts nothing"):
        BaseTokenizer("")
