"""The command `layerwise`: its own words, and those that installed packages add."""

from layerwise.core.cli.command import *
from layerwise.core.cli.deploy import *
from layerwise.core.cli.evaluate import *
from layerwise.core.cli.info import *
from layerwise.core.cli.predict import *
from layerwise.core.cli.published import *
from layerwise.core.cli.training import *
