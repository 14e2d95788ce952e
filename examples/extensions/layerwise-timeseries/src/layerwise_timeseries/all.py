"""Everything of layerwise-timeseries, and of core: `from layerwise_timeseries.all import *`."""

from layerwise.core.all import *

from layerwise_timeseries.augment import *
from layerwise_timeseries.blocks import *
from layerwise_timeseries.data import *
from layerwise_timeseries.learner import *
from layerwise_timeseries.models import *
from layerwise_timeseries.padding import *
from layerwise_timeseries.reading import *
from layerwise_timeseries.scaling import *
from layerwise_timeseries.types import *
