"""Training by several processes, on one machine or many."""

from layerwise.core.distributed.ddp import *
from layerwise.core.distributed.fsdp import *
from layerwise.core.distributed.group import *
from layerwise.core.distributed.launcher import *
from layerwise.core.distributed.loader import *
from layerwise.core.distributed.parallel import *
from layerwise.core.distributed.trainer import *
