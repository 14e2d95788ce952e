"""What a star import passes on besides our names: names that nearly every script begins with.

`pd` and `plt` are imported when they are first used: they take longer than all of core, and not
every program needs them.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that scripts on torch give it
from torch import Tensor, nn

__all__ = ["F", "Path", "Tensor", "nn", "np", "partial", "pd", "plt", "torch"]


class _FirstUse(ModuleType):
    """A module that is imported when one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        try:
            module = import_module(self.__name__)
        except ModuleNotFoundError as error:
            if name.startswith("__"):  # whoever asks what kind of object this is
                raise AttributeError(name) from error
            raise
        return getattr(module, name)

    def __dir__(self) -> list[str]:
        return dir(import_module(self.__name__))


if TYPE_CHECKING:
    import matplotlib.pyplot as plt
    import pandas as pd
else:
    pd, plt = _FirstUse("pandas"), _FirstUse("matplotlib.pyplot")
