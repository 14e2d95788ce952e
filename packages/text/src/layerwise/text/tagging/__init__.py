"""Labels of words: names of people and places, parts of speech, by a model of transformers."""

from layerwise.text.tagging.blocks import *
from layerwise.text.tagging.data import *
from layerwise.text.tagging.learner import *
from layerwise.text.tagging.metrics import *
from layerwise.text.tagging.pieces import *
from layerwise.text.tagging.sentences import *
from layerwise.text.tagging.types import *
