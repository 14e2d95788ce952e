"""Time series for layerwise: a type, files, augmentation, padding, two models, a learner."""

import layerwise_timeseries.show
