"""Answers over the web: what a bundle takes, what it says of that as JSON, and the server."""

from layerwise.core.serve.answers import *
from layerwise.core.serve.png import *
