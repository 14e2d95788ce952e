"""Optimizers as lists of statistics and steppers, schedules, and torch's optimizers as ours."""

from layerwise.core.optim.algorithms import *
from layerwise.core.optim.fused import *
from layerwise.core.optim.groups import *
from layerwise.core.optim.lists import *
from layerwise.core.optim.optimizer import *
from layerwise.core.optim.schedules import *
from layerwise.core.optim.several import *
from layerwise.core.optim.stats import *
from layerwise.core.optim.steppers import *
from layerwise.core.optim.wrap import *
