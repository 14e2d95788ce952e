"""Small sounds to test with: two classes of tones, as files in folders."""

from pathlib import Path

import pytest
import torch

from layerwise.audio.types import AudioTensor


def _tone(hz: float, size: int, sr: int, generator: torch.Generator) -> AudioTensor:
    times = torch.arange(size) / sr
    noise = 0.02 * torch.randn(1, size, generator=generator)
    return AudioTensor(0.3 * torch.sin(2 * torch.pi * hz * times)[None] + noise, sr=sr)


@pytest.fixture(scope="session")
def tones(tmp_path_factory) -> Path:
    """`train` and `valid` with folders `high` and `low`: 0.1 to 0.3 s at 8 kHz, a table beside."""
    pytest.importorskip("soundfile")
    root = tmp_path_factory.mktemp("tones")
    generator = torch.Generator().manual_seed(0)
    rows = ["name,label,fold"]
    for part, count in (("train", 12), ("valid", 4)):
        for label, hz in (("low", 300.0), ("high", 2000.0)):
            folder = root / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                size = 800 + 133 * i
                name = f"{label}_{i}.wav"
                _tone(hz * (1 + 0.02 * i), size, 8000, generator).save(folder / name)
                rows.append(f"{part}/{label}/{name},{label},{1 + i % 3}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root
