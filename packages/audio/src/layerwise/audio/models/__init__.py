"""Models of sound: of spectrograms and of waveforms, with clips of unequal length in one batch."""

from layerwise.audio.models.build import *
from layerwise.audio.models.crnn import *
from layerwise.audio.models.m5 import *
from layerwise.audio.models.masked import *
from layerwise.audio.models.resnet import *
