"""Facts of registered names, and asking for them."""

import pytest

from layerwise.core import registry
from layerwise.core.facts import Fact, check_facts, facts_hold
from layerwise.core.registry import Entry, Plugin, facts_of, names, register

FACTS: dict[str, Fact] = {
    "params": 11,
    "pretrained": True,
    "licence": "MIT",
    "strides": (2, 4),
    "share": 0.5,
}


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({}, True),
        ({"params": 11}, True),
        ({"max_params": 11, "min_params": 11}, True),
        ({"max_params": 10.9}, False),
        ({"min_params": 11.1}, False),
        ({"pretrained": False}, False),
        ({"licence": "mit"}, True),
        ({"licence": "GPL"}, False),
        ({"strides": 4}, True),
        ({"strides": (2, 4)}, True),
        ({"strides": 8}, False),
        ({"min_share": 0.25, "pretrained": True}, True),
        ({"unknown": 1}, False),
        ({"max_unknown": 1}, False),
    ],
    ids=str,
)
def test_what_is_wanted_has_to_be_known(wanted, holds):
    assert facts_hold(FACTS, wanted) == holds


def test_a_misspelt_fact_is_refused_and_a_bound_of_a_truth_value_too():
    with pytest.raises(TypeError, match=r"'max_parms'\. Did you mean 'max_params'"):
        check_facts("names", [FACTS, {}], {"max_parms": 3})
    with pytest.raises(TypeError, match="max_pretrained"):
        check_facts("names", [FACTS], {"max_pretrained": 1})
    check_facts("names", [{}], {})


@pytest.fixture
def birds(monkeypatch):
    """A package with two models, one of which tells nothing."""
    entries = {
        "model": {"big": Entry("birds:big", "", {"wings": 2, "pretrained": True}),
                  "small": Entry("birds:small")},
    }  # fmt: skip
    record = Plugin("birds", 1, entries)
    monkeypatch.setattr(registry, "_records", {"birds": record})
    monkeypatch.setattr(registry, "_published", {"birds": ()})
    monkeypatch.setattr(registry, "_registered", {})
    return record


def test_names_of_other_packages_are_found_by_wildcards_and_facts(birds):
    assert names("model") == ["birds/big", "birds/small"]
    assert names("model", "*/b*") == ["birds/big"]
    assert names("model", pretrained=True, max_wings=2) == ["birds/big"]
    assert names("model", max_wings=1) == []
    with pytest.raises(TypeError, match=r"'wing'\. Did you mean 'wings'"):
        names("model", wing=2)
    assert facts_of("model", "birds/big")["wings"] == 2
    register("model", "mine/net", dict)
    assert facts_of("model", "mine/net") == {}
    assert "mine/net" in names("model")


def test_entries_with_facts_are_equal_and_have_a_hash():
    one, other = (Entry("a:b", "c", {"x": 1}) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Entry("a:b", "c")
