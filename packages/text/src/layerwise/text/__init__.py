"""Text for layerwise: its version is checked against core when it is imported."""

from layerwise.core.registry import check_version
from layerwise.text._version import __version__

check_version("text", __version__)
