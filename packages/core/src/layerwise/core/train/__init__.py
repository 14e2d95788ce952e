"""Training: events, state, callbacks, the loop, and what it records and predicts."""

from layerwise.core.train.callback import *
from layerwise.core.train.checkpoint import *
from layerwise.core.train.events import *
from layerwise.core.train.predict import *
from layerwise.core.train.progress import *
from layerwise.core.train.recorder import *
from layerwise.core.train.state import *
