"""Models of text: encoders, and the heads that make language models and classifiers of them."""

from layerwise.text.models.archs import *
from layerwise.text.models.awd_lstm import *
from layerwise.text.models.classifier import *
from layerwise.text.models.dropout import *
from layerwise.text.models.encoder import *
from layerwise.text.models.language_model import *
from layerwise.text.models.match import *
from layerwise.text.models.recurrent import *
from layerwise.text.models.transformer import *
