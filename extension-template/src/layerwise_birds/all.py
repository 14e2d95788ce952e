"""Everything of layerwise-birds, and of core: `from layerwise_birds.all import *`."""

from layerwise.core.all import *

from layerwise_birds.blocks import *
from layerwise_birds.learner import *
from layerwise_birds.models import *
from layerwise_birds.songs import *
from layerwise_birds.transforms import *
from layerwise_birds.types import *
