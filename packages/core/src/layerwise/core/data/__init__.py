"""Data: where items come from, how they are read, split, transformed and batched."""

from layerwise.core.data.archive import *
from layerwise.core.data.array_loader import *
from layerwise.core.data.block import *
from layerwise.core.data.collate import *
from layerwise.core.data.csv_check import *
from layerwise.core.data.dataset import *
from layerwise.core.data.download import *
from layerwise.core.data.explain import *
from layerwise.core.data.fetch import *
from layerwise.core.data.filtered import *
from layerwise.core.data.from_files import *
from layerwise.core.data.loader import *
from layerwise.core.data.loaders import *
from layerwise.core.data.members import *
from layerwise.core.data.parallel import *
from layerwise.core.data.partial import *
from layerwise.core.data.readers import *
from layerwise.core.data.source import *
from layerwise.core.data.split import *
from layerwise.core.data.stratify import *
from layerwise.core.data.urls import *
from layerwise.core.data.weighted import *
