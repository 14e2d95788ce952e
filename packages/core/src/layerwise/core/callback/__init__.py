"""Callbacks, and what they make possible: schedules, the learning-rate finder."""

from layerwise.core.callback.csv_log import *
from layerwise.core.callback.lr_find import *
from layerwise.core.callback.schedule import *
from layerwise.core.callback.show_graph import *
from layerwise.core.callback.skip import *
