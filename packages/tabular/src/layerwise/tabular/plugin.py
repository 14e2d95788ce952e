"""The record of `layerwise-tabular`: the names that users and exports find it by."""

from layerwise.core.registry import Plugin

__all__ = ["plugin"]

plugin = Plugin(name="tabular", api=1)
"""Its names by kind, for `layerwise.core.registry`."""
