"""The record of `layerwise-collab`: the names that users and exports find it by."""

from layerwise.core.registry import Plugin

__all__ = ["plugin"]

plugin = Plugin(name="collab", api=1)
"""Its names by kind, for `layerwise.core.registry`."""
