"""Training: events, state, callbacks, the loop, and what it records and predicts."""

from layerwise.core.train.callback import *
from layerwise.core.train.checkpoint import *
from layerwise.core.train.deploy import *
from layerwise.core.train.events import *
from layerwise.core.train.export import *
from layerwise.core.train.log import *
from layerwise.core.train.outputs import *
from layerwise.core.train.parts import *
from layerwise.core.train.predict import *
from layerwise.core.train.predictor import *
from layerwise.core.train.progress import *
from layerwise.core.train.recorder import *
from layerwise.core.train.run_config import *
from layerwise.core.train.snapshot import *
from layerwise.core.train.state import *
from layerwise.core.train.strategy import *
from layerwise.core.train.timer import *
