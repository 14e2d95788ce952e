"""Models of Hugging Face behind our calls; the library is imported when one is asked for."""

from layerwise.text.hugging_face.adapter import *
from layerwise.text.hugging_face.groups import *
from layerwise.text.hugging_face.loading import *
from layerwise.text.hugging_face.writer import *
