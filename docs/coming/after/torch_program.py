"""python torch_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.clip import GradientClip
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed


class Pictures(Dataset):
    """The pictures of a folder with a folder for each class."""

    def __init__(self, folder):
        self.files = sorted(folder.glob("*/*.png"))
        self.classes = sorted({file.parent.name for file in self.files})

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        pixels = np.array(Image.open(self.files[i]).convert("L"))
        x = torch.from_numpy(pixels).float().div(255).unsqueeze(0)
        return x, self.classes.index(self.files[i].parent.name)


set_seed(42)
folder = Path(sys.argv[1])
train = DataLoader(Pictures(folder / "train"), batch_size=64, shuffle=True)
valid = DataLoader(Pictures(folder / "valid"), batch_size=256)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 2),
)
learn = Learner(
    DataLoaders(train, valid), model, nn.CrossEntropyLoss(), torch.optim.AdamW, metrics=accuracy,
    cbs=[GradientClip(1.0), Checkpoint("1ep")],
)
learn.fit_one_cycle(3, 1e-2, resume=True)
print(f"accuracy: {learn.validate()[1]:.4f}")
