"""Pictures for layerwise: types, augmentation, data blocks, models and learner."""

import layerwise.vision.show
import layerwise.vision.show_several
from layerwise.core.registry import check_version
from layerwise.vision._version import __version__

check_version("vision", __version__)
