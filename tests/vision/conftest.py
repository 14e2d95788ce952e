"""Pictures for the tests of vision, made here."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Soft shapes with some grain: what a lens leaves of the world."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (height // 40 + 2, width // 40 + 2, 3), dtype=np.uint8)
    soft = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(soft, np.float32) + rng.normal(0, 2, (height, width, 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def jpeg(tmp_path_factory):
    """A JPEG of 1200 x 800 pixels."""
    path = tmp_path_factory.mktemp("jpeg") / "photo.jpg"
    photograph(1200, 800).save(path, quality=92)
    return path


@pytest.fixture(scope="session")
def pets(tmp_path_factory):
    """A folder of 24 red and blue pictures: train and valid, cat and dog, and a table."""
    root = tmp_path_factory.mktemp("pets")
    rows = ["name,label,tags,is_valid"]
    for part, count in (("train", 8), ("valid", 4)):
        for label, tint in (("cat", (220, 40, 40)), ("dog", (40, 40, 220))):
            folder = root / part / label
            folder.mkdir(parents=True)
            for i in range(count):
                name = f"{part}/{label}/{label}_{i}.jpg"
                picture = Image.blend(
                    photograph(60, 48, seed=i), Image.new("RGB", (60, 48), tint), 0.7
                )
                picture.save(root / name)
                rows.append(f"{name},{label},{label};animal,{part == 'valid'}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture
def shared_weights():
    """The folder with trained weights; a test that needs it is skipped where it is absent."""
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("LAYERWISE_WEIGHTS", root.parent / "shared" / "weights"))
    if not folder.is_dir():
        pytest.skip(f"no weights in {folder}; set LAYERWISE_WEIGHTS to a folder of .safetensors")
    return folder
