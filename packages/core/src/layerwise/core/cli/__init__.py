"""The command `layerwise`: its own words, and those that installed packages add."""

from layerwise.core.cli.command import *
from layerwise.core.cli.info import *
from layerwise.core.cli.published import *
