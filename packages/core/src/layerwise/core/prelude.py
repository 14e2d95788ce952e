"""The six names that a star import passes on: those of torch, numpy and Python in every script."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that scripts on torch give it
from torch import nn

__all__ = ["F", "Path", "nn", "np", "partial", "torch"]
