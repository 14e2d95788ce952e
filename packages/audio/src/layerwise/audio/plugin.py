"""The record of `layerwise-audio`: the names that users and exports find it by."""

from layerwise.core.registry import Plugin

__all__ = ["plugin"]

plugin = Plugin(name="audio", api=1)
"""Its names by kind, for `layerwise.core.registry`."""
