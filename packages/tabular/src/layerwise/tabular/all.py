"""Every public name of tabular and of core, for `from layerwise.tabular.all import *`."""

from layerwise.core.all import *
from layerwise.tabular.frames import *
from layerwise.tabular.dates import *
from layerwise.tabular.series import *
from layerwise.tabular.procs import *
from layerwise.tabular.quantiles import *
from layerwise.tabular.target_encoding import *
from layerwise.tabular.several_losses import *
from layerwise.tabular.loader import *
from layerwise.tabular.table import *
from layerwise.tabular.pandas_table import *
from layerwise.tabular.data import *
from layerwise.tabular.models.inputs import *
from layerwise.tabular.models.outputs import *
from layerwise.tabular.models.mlp import *
from layerwise.tabular.models.resnet import *
from layerwise.tabular.models.ft_transformer import *
from layerwise.tabular.learner import *
from layerwise.tabular.importance import *
