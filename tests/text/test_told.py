"""What is the same is told the same."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from layerwise.text.rules import fix_html, lowercase
from layerwise.text.tokenizers.base import BaseTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.told import told


class Own:
    def __init__(self, at):
        self.at = at


class Silent:
    def __init__(self, at):
        pass


def test_equal_objects_are_told_alike_and_others_differently():
    same: list[Callable[[], object]] = [
        RegexTokenizer, lambda: BaseTokenizer("-"), lambda: [fix_html, lowercase],
        lambda: partial(lowercase, add_eos=True), lambda: str.lower, lambda: Own(3),
        nn.ReLU, lambda: np.arange(3), lambda: {"a": torch.ones(2)},
    ]  # fmt: skip
    made = [told(make()) for make in same]
    assert made == [told(make()) for make in same]
    assert len({repr(one) for one in made}) == len(made)
    assert told(Own(3)) != told(Own(4))
    assert told(np.arange(3)) != told(np.arange(1, 4))
    assert told(BaseTokenizer("-")) != told(BaseTokenizer("+"))
    assert told(partial(lowercase, add_eos=True)) != told(partial(lowercase, add_eos=False))


def test_what_cannot_be_told_is_never_the_same():
    rule = lambda text: text
    assert told(rule) != told(rule)
    assert told(Silent(1)) != told(Silent(1))
