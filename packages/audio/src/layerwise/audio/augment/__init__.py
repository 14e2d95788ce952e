"""Augmentation of signals and spectrograms, of items and of batches."""

from layerwise.audio.augment.batch_names import *
from layerwise.audio.augment.batched import *
from layerwise.audio.augment.convert import *
from layerwise.audio.augment.cut import *
from layerwise.audio.augment.masking import *
from layerwise.audio.augment.masks import *
from layerwise.audio.augment.noise import *
from layerwise.audio.augment.per_item import *
from layerwise.audio.augment.recipe import *
from layerwise.audio.augment.resize import *
from layerwise.audio.augment.shift import *
from layerwise.audio.augment.silence import *
from layerwise.audio.augment.stretch import *
from layerwise.audio.augment.volume import *
