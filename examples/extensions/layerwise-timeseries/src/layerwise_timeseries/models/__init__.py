"""Models of series."""

from layerwise_timeseries.models.inception_time import *
from layerwise_timeseries.models.rocket import *
