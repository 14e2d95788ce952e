"""Numbers to report: right for any batch size, with and without a training loop."""

from layerwise.core.metrics.classification import *
from layerwise.core.metrics.collected import *
from layerwise.core.metrics.counts import *
from layerwise.core.metrics.curves import *
from layerwise.core.metrics.loss import *
from layerwise.core.metrics.loss_weight import *
from layerwise.core.metrics.metric import *
from layerwise.core.metrics.multilabel import *
from layerwise.core.metrics.multilabel_probability import *
from layerwise.core.metrics.pooled import *
from layerwise.core.metrics.probability import *
from layerwise.core.metrics.regression import *
from layerwise.core.metrics.segmentation import *
from layerwise.core.metrics.sizes import *
from layerwise.core.metrics.state import *
from layerwise.core.metrics.text import *
from layerwise.core.metrics.weighted import *
