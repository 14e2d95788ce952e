"""Folders of pictures put in order: fetched, checked, made smaller, doubles found."""

from layerwise.vision.tools.download import *
from layerwise.vision.tools.duplicates import *
from layerwise.vision.tools.files import *
from layerwise.vision.tools.report import *
from layerwise.vision.tools.resize import *
from layerwise.vision.tools.threads import *
from layerwise.vision.tools.verify import *
