"""Make `digit_scenes.tgz`: handwritten digits in coloured scenes, and a mask of each.

    python examples/data/make_scenes.py MNIST

MNIST is a folder with the pictures as PNG files in `training/0` to `training/9` and in `testing/0`
to `testing/9`. A scene is a ground of two colours that run into each other, with noise, and three
to five digits from zero to four in sizes, places and colours of their own, which do not overlap.
Its mask has 0 for ground and 1 to 5 for zero to four, where there is ink. Scenes that train have
digits of `training`, scenes that validate have digits of `testing`, by other writers.
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64  # pixels of a scene
SIZES = (24, 37)  # of a digit, from and below
DIGITS = 5
PARTS = {"train": ("training", 400), "valid": ("testing", 100)}

Array = NDArray[np.float64]


def ground(rng: np.random.Generator) -> Array:
    """(SIDE, SIDE, 3) two light colours, one running into the other in some direction."""
    first, second = rng.integers(120, 256, (2, 3))
    angle, steps = rng.uniform(0, 2 * np.pi), np.linspace(0, 1, SIDE)
    ramp = np.add.outer(np.sin(angle) * steps, np.cos(angle) * steps)
    ramp = (ramp - ramp.min()) / np.ptp(ramp)
    mixed: Array = first + (second - first) * ramp[..., None]
    return mixed


def scene(rng: np.random.Generator, files: list[Path]) -> tuple[Image.Image, Image.Image]:
    """A picture and its mask."""
    picture, mask = ground(rng), np.zeros((SIDE, SIDE), np.uint8)
    taken = np.zeros((SIDE, SIDE), bool)
    wanted, placed = int(rng.integers(3, 6)), 0
    for _ in range(60):  # tries; a crowded scene has fewer digits than wanted
        file, size = files[rng.integers(len(files))], int(rng.integers(*SIZES))
        top, left = rng.integers(0, SIDE - size + 1, 2)
        place = np.s_[top : top + size, left : left + size]
        small = Image.open(file).resize((size, size), Image.Resampling.BILINEAR)
        ink = np.asarray(small, dtype=float) / 255
        if placed == wanted or (taken[place] & (ink > 0.1)).any():
            continue
        colour = rng.integers(0, 110, 3)
        picture[place] += (colour - picture[place]) * ink[..., None]
        mask[place][ink > 0.4] = int(file.parent.name) + 1
        taken[place] |= ink > 0.1
        placed += 1
    picture += rng.normal(0, 6, (SIDE, SIDE, 1))
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8)), Image.fromarray(mask)


def encoded(image: Image.Image, **settings: object) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, **settings)  # type: ignore[arg-type]  # settings of either format
    return file.getvalue()


def main() -> None:
    """Write the file beside this one; each run with the same library gives the same bytes."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "training").is_dir():
        raise SystemExit("name the folder of MNIST, with training/0 and so on in it")
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for part, (folder, count) in PARTS.items():
            digits = (Path(sys.argv[1], folder, str(digit)) for digit in range(DIGITS))
            files = [file for digit in digits for file in sorted(digit.glob("*.png"))]
            for number in range(count):
                rng = np.random.default_rng([42, part == "valid", number])
                picture, mask = scene(rng, files)
                members = {
                    f"images/{number:03}.jpg": encoded(picture, format="JPEG", quality=85),
                    f"masks/{number:03}.png": encoded(mask, format="PNG", optimize=True),
                }
                for name, data in members.items():
                    info = tarfile.TarInfo(f"digit_scenes/{part}/{name}")
                    info.size = len(data)
                    archive.addfile(info, io.BytesIO(data))
    file = Path(__file__).with_name("digit_scenes.tgz")
    file.write_bytes(gzip.compress(made.getvalue(), mtime=0))


if __name__ == "__main__":
    main()
