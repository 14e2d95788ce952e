"""Medical pictures: DICOM files read, windowed, tabulated, and as blocks for training."""

from layerwise.vision.medical.blocks import *
from layerwise.vision.medical.blur import *
from layerwise.vision.medical.channels import *
from layerwise.vision.medical.data import *
from layerwise.vision.medical.dataset import *
from layerwise.vision.medical.histogram import *
from layerwise.vision.medical.pictures import *
from layerwise.vision.medical.reading import *
from layerwise.vision.medical.table import *
from layerwise.vision.medical.tags import *
from layerwise.vision.medical.tensors import *
from layerwise.vision.medical.volumes import *
from layerwise.vision.medical.windows import *
