"""Sound for layerwise: clips and spectrograms, models of them, learners."""

import layerwise.audio.show
from layerwise.audio._version import __version__
from layerwise.core.registry import check_version

check_version("audio", __version__)
