"""Signals in plain torch: functions of tensors of any leading shape, on any device."""

from layerwise.audio.dsp.cepstrum import *
from layerwise.audio.dsp.decibels import *
from layerwise.audio.dsp.derivative import *
from layerwise.audio.dsp.fourier import *
from layerwise.audio.dsp.mel import *
from layerwise.audio.dsp.noise import *
from layerwise.audio.dsp.resampling import *
from layerwise.audio.dsp.stretching import *
