"""Where a model is wrong: the items with the largest losses, the classes that are confused."""

from layerwise.core.interpret.attribution import *
from layerwise.core.interpret.captum import *
from layerwise.core.interpret.classes import *
from layerwise.core.interpret.interpretation import *
