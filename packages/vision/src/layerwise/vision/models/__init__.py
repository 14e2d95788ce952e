"""Models for pictures: our own (`xresnet`), those of other libraries (`zoo`), bodies and heads."""

from layerwise.vision.models.head import *
from layerwise.vision.models.meta import *
from layerwise.vision.models.timm_models import *
from layerwise.vision.models.torchvision_models import *
from layerwise.vision.models.xresnet import *
from layerwise.vision.models.zoo import *
