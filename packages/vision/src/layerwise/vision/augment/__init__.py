"""Augmentation: of one picture at a time (`crop`, `item`), of batches (`recipe` and the others)."""

from layerwise.vision.augment.affine import *
from layerwise.vision.augment.color import *
from layerwise.vision.augment.crop import *
from layerwise.vision.augment.crop_batch import *
from layerwise.vision.augment.draw import *
from layerwise.vision.augment.erase import *
from layerwise.vision.augment.functions import *
from layerwise.vision.augment.geometry import *
from layerwise.vision.augment.hsv import *
from layerwise.vision.augment.item import *
from layerwise.vision.augment.matrix import *
from layerwise.vision.augment.one_pass import *
from layerwise.vision.augment.plan import *
from layerwise.vision.augment.recipe import *
from layerwise.vision.augment.sampling import *
