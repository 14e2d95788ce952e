"""Building blocks of models: layers, their starting values, losses, and hooks that look inside."""

from layerwise.core.nn.activations import *
from layerwise.core.nn.attention import *
from layerwise.core.nn.base_loss import *
from layerwise.core.nn.by_ndim import *
from layerwise.core.nn.conv import *
from layerwise.core.nn.embedding import *
from layerwise.core.nn.embedding_sizes import *
from layerwise.core.nn.hooks import *
from layerwise.core.nn.init import *
from layerwise.core.nn.linear import *
from layerwise.core.nn.losses import *
from layerwise.core.nn.module import *
from layerwise.core.nn.norm import *
from layerwise.core.nn.plumbing import *
from layerwise.core.nn.pool import *
from layerwise.core.nn.residual import *
from layerwise.core.nn.running_norm import *
from layerwise.core.nn.sized import *
from layerwise.core.nn.summary import *
from layerwise.core.nn.time_distributed import *
from layerwise.core.nn.walk import *
