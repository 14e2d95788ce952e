"""Widgets for notebooks that put the labels of pictures right."""

from layerwise.vision.widgets.basic import *
from layerwise.vision.widgets.classifier import *
from layerwise.vision.widgets.cleaner import *
