"""Every public name of collab and of core, for `from layerwise.collab.all import *`."""

from layerwise.core.all import *
from layerwise.collab.types import *
from layerwise.collab.ids import *
from layerwise.collab.tables import *
from layerwise.collab.new_rows import *
from layerwise.collab.losses import *
from layerwise.collab.predictor import *
from layerwise.collab.metrics import *
from layerwise.collab.negatives import *
from layerwise.collab.ratings import *
from layerwise.collab.data import *
from layerwise.collab.models import *
from layerwise.collab.features import *
from layerwise.collab.feature_model import *
from layerwise.collab.unseen import *
from layerwise.collab.recommend import *
from layerwise.collab.ranking import *
from layerwise.collab.plot import *
from layerwise.collab.learner import *
