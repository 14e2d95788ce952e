"""Every public name of music, of text and of core, for `from layerwise_music.all import *`."""

from layerwise.text.all import *
from layerwise_music.score import *
from layerwise_music.tokens import *
from layerwise_music.chorale import *
from layerwise_music.abc_notation import *
from layerwise_music.midi import *
from layerwise_music.reading import *
from layerwise_music.types import *
from layerwise_music.picture import *
from layerwise_music.sound import *
from layerwise_music.measure import *
from layerwise_music.loader import *
from layerwise_music.blocks import *
from layerwise_music.data import *
from layerwise_music.learner import *
