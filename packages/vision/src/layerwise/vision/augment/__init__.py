"""Augmentation: of one picture at a time (`item`), of batches (`flip`)."""

from layerwise.vision.augment.flip import *
from layerwise.vision.augment.item import *
