"""Helpers for tests: comparing batches, made-up data, and the checks that extensions run."""

from layerwise.core.testing.checks import *
from layerwise.core.testing.compare import *
from layerwise.core.testing.fakes import *
from layerwise.core.testing.install import *
from layerwise.core.testing.kinds import *
from layerwise.core.testing.public_names import *
