"""Files: what is written whole, read strictly, and holds no pickle."""

from layerwise.core.files.bundle import *
