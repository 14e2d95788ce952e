"""Models for tables, called as `model(x_cat, x_cont)`: perceptron, residual net, transformer."""

from layerwise.tabular.models.ft_transformer import *
from layerwise.tabular.models.inputs import *
from layerwise.tabular.models.mlp import *
from layerwise.tabular.models.outputs import *
from layerwise.tabular.models.resnet import *
