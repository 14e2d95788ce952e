"""From texts to lists of tokens."""

from layerwise.text.tokenizers.base import *
from layerwise.text.tokenizers.hugging_face import *
from layerwise.text.tokenizers.regex import *
from layerwise.text.tokenizers.spacy_words import *
from layerwise.text.tokenizers.subwords import *
from layerwise.text.tokenizers.with_rules import *
from layerwise.text.tokenizers.words import *
