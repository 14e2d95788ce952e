"""Callbacks, and what they make possible: schedules, the learning-rate finder."""

from layerwise.core.callback.lr_find import *
from layerwise.core.callback.schedule import *
