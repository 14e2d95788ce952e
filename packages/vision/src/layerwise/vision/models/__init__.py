"""Models for pictures: our own (`xresnet`), those of other libraries (`zoo`), bodies and heads."""

from layerwise.vision.models.bodies import *
from layerwise.vision.models.head import *
from layerwise.vision.models.layout import *
from layerwise.vision.models.listing import *
from layerwise.vision.models.mapped_body import *
from layerwise.vision.models.meta import *
from layerwise.vision.models.network import *
from layerwise.vision.models.stages import *
from layerwise.vision.models.timm_models import *
from layerwise.vision.models.torchvision_models import *
from layerwise.vision.models.torchvision_more import *
from layerwise.vision.models.unet import *
from layerwise.vision.models.xresnet import *
from layerwise.vision.models.xse_resnet import *
from layerwise.vision.models.zoo import *
