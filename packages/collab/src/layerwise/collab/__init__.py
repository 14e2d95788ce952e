"""Recommendations for layerwise: its version is checked against core on import."""

from layerwise.collab._version import __version__
from layerwise.core.registry import check_version

check_version("collab", __version__)
