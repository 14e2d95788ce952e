"""python keras_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import sys
from pathlib import Path

from torch import nn

from layerwise.core.callback.tracker import EarlyStoppingCallback
from layerwise.core.data.source import get_image_files
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.types import PILImageBW

set_seed(42)
folder = Path(sys.argv[1])
dls = ImageDataLoaders.from_folder(folder, img_cls=PILImageBW, bs=64)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 2),
)
learn = Learner(dls, model, metrics=accuracy, cbs=EarlyStoppingCallback(patience=2))
learn.fit(3, 3e-3)
learn.export(Path("digits.lw").resolve())
print(learn.predict(get_image_files(folder / "valid")[0]))
print(f"accuracy: {learn.validate()[1]:.4f}")
