"""python lightning_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import sys
from pathlib import Path

from torch import nn

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.clip import GradientClip
from layerwise.core.callback.tracker import EarlyStoppingCallback
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.types import PILImageBW

set_seed(42)
dls = ImageDataLoaders.from_folder(Path(sys.argv[1]), img_cls=PILImageBW, bs=64)
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 2),
)
learn = Learner(
    dls, net, metrics=accuracy, path=".",
    cbs=[
        GradientClip(1.0), Checkpoint("1ep", best="valid_loss"),
        EarlyStoppingCallback("valid_loss", patience=3),
    ],
)
learn.fit_one_cycle(3, 1e-2)
print(f"accuracy: {learn.validate()[1]:.4f}")
