"""python torch_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset


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


torch.manual_seed(42)
device = "cuda" if torch.cuda.is_available() else "cpu"
folder = Path(sys.argv[1])
train = DataLoader(Pictures(folder / "train"), batch_size=64, shuffle=True)
valid = DataLoader(Pictures(folder / "valid"), batch_size=256)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 2),
).to(device)
loss_func = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
epochs = 3
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, epochs * len(train))

for epoch in range(epochs):
    model.train()
    for x, y in train:
        loss = loss_func(model(x.to(device)), y.to(device))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    model.eval()
    right = count = 0
    with torch.no_grad():
        for x, y in valid:
            right += (model(x.to(device)).argmax(1) == y.to(device)).sum().item()
            count += len(y)
    print(f"epoch {epoch}: accuracy {right / count:.4f}")
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "last.pt")
print(f"accuracy: {right / count:.4f}")
