"""Answers over the web: what a bundle takes, what it says of that as JSON, and the server."""

from layerwise.core.serve.answers import *
from layerwise.core.serve.app import *
from layerwise.core.serve.bodies import *
from layerwise.core.serve.command import *
from layerwise.core.serve.intake import *
from layerwise.core.serve.limits import *
from layerwise.core.serve.openapi import *
from layerwise.core.serve.page import *
from layerwise.core.serve.page_guard import *
from layerwise.core.serve.png import *
from layerwise.core.serve.worker import *
