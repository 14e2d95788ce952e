"""Detection: boxes and their classes, learnt on any body (RetinaNet; Lin et al., 2017)."""

from layerwise.vision.detect.anchors import *
from layerwise.vision.detect.boxes import *
from layerwise.vision.detect.found import *
from layerwise.vision.detect.learner import *
from layerwise.vision.detect.loss import *
from layerwise.vision.detect.metric import *
from layerwise.vision.detect.model import *
