"""Generative adversarial networks: learner, callbacks, losses and nets."""

import layerwise.vision.gan.show
from layerwise.vision.gan.learner import *
from layerwise.vision.gan.losses import *
from layerwise.vision.gan.module import *
from layerwise.vision.gan.nets import *
from layerwise.vision.gan.noise import *
from layerwise.vision.gan.penalty import *
from layerwise.vision.gan.switchers import *
from layerwise.vision.gan.trainer import *
