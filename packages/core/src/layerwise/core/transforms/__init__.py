"""What turns an item or a batch into another, and back."""

from layerwise.core.transforms.category import *
from layerwise.core.transforms.numeric import *
from layerwise.core.transforms.pipeline import *
from layerwise.core.transforms.random import *
from layerwise.core.transforms.transform import *
