"""Every public name of vision and of core, for `from layerwise.vision.all import *`."""

from layerwise.core.all import *
from layerwise.vision.io import *
from layerwise.vision.resample import *
from layerwise.vision.types import *
from layerwise.vision.augment.flip import *
from layerwise.vision.augment.item import *
from layerwise.vision.show import *
from layerwise.vision.blocks import *
from layerwise.vision.data import *
from layerwise.vision.models.head import *
from layerwise.vision.models.meta import *
from layerwise.vision.models.timm_models import *
from layerwise.vision.models.torchvision_models import *
from layerwise.vision.models.xresnet import *
from layerwise.vision.models.zoo import *
from layerwise.vision.learner import *
