"""Text for layerwise: from words to tokens, language models and classifiers, transformers."""

import layerwise.text.show
from layerwise.core.registry import check_version
from layerwise.text._version import __version__

check_version("text", __version__)
