"""Tables for layerwise: preprocessing, loaders, models and learner for rows of columns."""

import layerwise.tabular.show
from layerwise.core.registry import check_version
from layerwise.tabular._version import __version__

check_version("tabular", __version__)
