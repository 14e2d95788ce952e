"""python loop_program.py FOLDER: layers of layerwise in a loop of your own."""

import sys
from pathlib import Path

import torch

from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.optim.algorithms import Adam
from layerwise.core.random import set_seed
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.models.xresnet import xresnet18
from layerwise.vision.types import PILImageBW

set_seed(42)
dls = ImageDataLoaders.from_folder(Path(sys.argv[1]), img_cls=PILImageBW, bs=64)
model = xresnet18(c_in=1, n_out=2, stem_szs=(8, 8, 16), widen=0.25)
loss_func = CrossEntropyLossFlat()
optimizer = Adam(model.parameters(), lr=3e-3)

for x, y in dls.train:
    loss = loss_func(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

model.eval()
with torch.no_grad():
    right = [model(x).argmax(1) == y for x, y in dls.valid]
print(f"accuracy: {torch.cat(right).float().mean():.4f}")
