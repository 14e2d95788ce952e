"""How the weights of networks for pictures lie in memory: channels last."""

from typing import TypeVar

import torch
from torch import nn

__all__: list[str] = []

Model = TypeVar("Model", bound=nn.Module)


def channels_last(model: Model) -> Model:
    """`model`, the weights of its 2d convolutions laid out with channels as the fastest axis.

    Convolutions then work in that layout and hand it on, which is faster on CPUs and on GPUs with
    tensor cores; shapes and values stay. Weights of other convolutions are left as they are.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch
    return model
