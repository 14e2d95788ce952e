"""What data looks like: pictures on axes, tables, titles, and the functions that choose."""

from layerwise.core.display.answers import *
from layerwise.core.display.axes import *
from layerwise.core.display.generic import *
from layerwise.core.display.heat import *
from layerwise.core.display.table import *
from layerwise.core.display.titled import *
