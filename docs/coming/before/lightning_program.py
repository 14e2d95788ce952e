"""python lightning_program.py FOLDER: train on the pictures of FOLDER/train, by class."""

import sys
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
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


class Loaders(L.LightningDataModule):
    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)

    def train_dataloader(self):
        return DataLoader(Pictures(self.folder / "train"), batch_size=64, shuffle=True)

    def val_dataloader(self):
        return DataLoader(Pictures(self.folder / "valid"), batch_size=256)


class Digits(L.LightningModule):
    def __init__(self, lr=1e-2):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 2),
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        x, y = batch
        loss = nn.functional.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        scores = self(x)
        self.log("val_loss", nn.functional.cross_entropy(scores, y))
        self.log("val_acc", (scores.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


L.seed_everything(42, workers=True)
trainer = L.Trainer(
    max_epochs=3, gradient_clip_val=1.0, logger=False,
    callbacks=[ModelCheckpoint("checkpoints", monitor="val_loss"), EarlyStopping("val_loss")],
)
trainer.fit(Digits(), datamodule=Loaders(sys.argv[1]))
print(f"accuracy: {trainer.callback_metrics['val_acc'].item():.4f}")
