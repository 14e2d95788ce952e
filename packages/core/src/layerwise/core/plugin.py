"""The record of `layerwise-core`: the names that users and exports find it by."""

from layerwise.core.registry import Plugin

__all__ = ["plugin"]

plugin = Plugin(name="core", api=1, entries={})
"""Its names by kind, for `layerwise.core.registry`."""
