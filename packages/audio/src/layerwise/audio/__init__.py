"""Sound for layerwise: its version is checked against core when it is imported."""

from layerwise.audio._version import __version__
from layerwise.core.registry import check_version

check_version("audio", __version__)
