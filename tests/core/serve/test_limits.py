"""Limits are numbers above zero."""

import pytest

from layerwise.core.serve.limits import Limits


def test_megabytes_are_of_two_to_the_twenty():
    assert Limits(max_mb=0.5).max_bytes == 524288


@pytest.mark.parametrize("name", ["max_mb", "max_items", "max_waiting", "timeout"])
def test_a_limit_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}=0; give a number above zero"):
        Limits(**{name: 0})
