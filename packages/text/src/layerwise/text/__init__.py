"""Text for layerwise: tokens, data blocks, models and learners."""

import layerwise.text.show
from layerwise.core.registry import check_version
from layerwise.text._version import __version__

check_version("text", __version__)
