"""Train a network that makes large pictures of small, badly compressed ones, and then a GAN.

    python examples/vision/super_resolution.py PATH --weights squeezenet1_1.safetensors

`PATH` is a folder with photographs. They are cropped to `--size` pixels, and made small and bad:
`--low` pixels and a JPEG quality between 10 and 70, written on some of them. Then, in stages:

1. a U-Net learns to undo that, by the difference of pixels;
2. it goes on with `FeatureLoss`, what a trained network sees in the pictures;
3. a critic learns to tell its pictures from real ones;
4. both are trained in turns.

`OUT/stages.png` has pictures after each stage, `OUT/generator.lw` the network for `load_learner`.
With `--small` the script does all that in less than a minute, with pictures that it draws.
"""

import argparse
import io
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import parent_label
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import FuncSplitter
from layerwise.core.learner import Learner
from layerwise.core.metrics.loss import LossMetrics
from layerwise.core.metrics.metric import mk_metric
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.nn.norm import NormType
from layerwise.core.optim.algorithms import Adam
from layerwise.core.random import set_seed
from layerwise.core.registry import register
from layerwise.core.transforms.numeric import Normalize
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.feature_loss import FeatureLoss
from layerwise.vision.gan import (
    AdaptiveGANSwitcher,
    AdaptiveLoss,
    GANDiscriminativeLR,
    GANLearner,
    accuracy_thresh_expand,
    gan_critic,
)
from layerwise.vision.models.zoo import torchvision_model
from layerwise.vision.types import imagenet_stats
from layerwise.vision.unet_learner import unet_learner


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, help="folder of photographs")
    parser.add_argument("--arch", default="squeezenet1_1", help="body of the U-Net, of torchvision")
    parser.add_argument("--weights", help="file of weights of it; by default torchvision's own")
    parser.add_argument("--from-scratch", action="store_true", help="start without weights")
    parser.add_argument("--layers", nargs="+", default=["features.1", "features.4", "features.7"],
                        help="modules of it that FeatureLoss compares")  # fmt: skip
    parser.add_argument("--shares", nargs="+", type=float, default=[0.3, 0.1, 0.03],
                        help="what each of them counts; deep ones have large numbers")  # fmt: skip
    parser.add_argument("--size", type=int, default=128, help="side of the real pictures")
    parser.add_argument("--low", type=int, default=64, help="side of the bad ones")
    parser.add_argument("--epochs", type=int, default=3, help="of each stage")
    parser.add_argument("--gan-epochs", type=int, default=10, help="of the last stage")
    parser.add_argument("--bs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=Path("super-resolution"))
    parser.add_argument("--small", action="store_true", help="all stages on drawn pictures")
    options = parser.parse_args()
    if options.path is None and not options.small:
        parser.error("name a folder of photographs, or pass --small")
    if len(options.shares) != len(options.layers):
        parser.error(f"{len(options.layers)} --layers and {len(options.shares)} --shares")
    if options.small:
        options.size, options.low, options.bs, options.from_scratch = 48, 24, 4, True
        options.epochs = options.gan_epochs = 1
    return options


# -- pictures --------------------------------------------------------------------------------


def draw_pictures(folder: Path, count: int = 16) -> Path:
    """`folder` with pictures of coloured shapes, for `--small`."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for number in range(count):
        colours = draw.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        picture = Image.fromarray(colours).resize((80, 72), Image.Resampling.BICUBIC)
        pencil = ImageDraw.Draw(picture)
        for _ in range(6):
            (x, y), (width, height) = draw.integers(0, 52, 2), draw.integers(8, 30, 2)
            shape = pencil.ellipse if draw.random() < 0.5 else pencil.rectangle
            shape((x, y, x + width, y + height), fill=tuple(draw.integers(0, 256, 3).tolist()))
        picture.save(folder / f"{number:03}.png")
    return folder


def crappify(source: Path, real: Path, low: Path, size: int, low_size: int) -> None:
    """Write the middle of `source` to `real`, and a bad version of it to `low`.

    What becomes of a picture depends on its name alone.
    """
    draw = np.random.default_rng(zlib.crc32(source.name.encode()))
    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    cropped = picture.crop((left, top, left + side, top + side)).resize(
        (size, size), Image.Resampling.LANCZOS, reducing_gap=2.0
    )
    cropped.save(real, quality=95)
    small = cropped.resize((low_size, low_size), Image.Resampling.BILINEAR)
    quality = int(draw.integers(10, 71))
    if draw.random() < 0.3:
        at = tuple(draw.integers(0, low_size // 2, 2).tolist())
        ImageDraw.Draw(small).text(at, str(quality), fill=(255, 255, 255))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    # As large as the real one, so that the network has only to mend it.
    with Image.open(file) as opened:
        opened.resize((size, size), Image.Resampling.BILINEAR).save(low, quality=95)


def crappify_all(options: argparse.Namespace) -> Path:
    """The folder with bad pictures, beside `real` with those that they are of."""
    source = draw_pictures(options.out / "drawn") if options.small else options.path
    real, low = options.out / "real", options.out / "low"
    for folder in (real, low):
        folder.mkdir(parents=True, exist_ok=True)
    files = sorted(get_image_files(source))
    names = [f"{number:05}.jpg" for number in range(len(files))]
    make_bad = partial(crappify, size=options.size, low_size=options.low)
    with ThreadPoolExecutor() as pool:
        list(pool.map(make_bad, files, [real / n for n in names], [low / n for n in names]))
    return low


def validates(file: Path) -> bool:
    """Every tenth picture, whatever folder it is in."""
    return int(file.stem) % 10 == 0


def real_of(file: Path) -> Path:
    """The real picture of the bad one in `file`."""
    return file.parent.parent / "real" / file.name


# An export names it, so a program that loads one has to register it too.
register("function", "example/real_of", real_of)


def pair_loaders(low: Path, bs: int) -> DataLoaders:
    """Loaders of (bad picture, real picture)."""
    block = DataBlock(
        blocks=(ImageBlock, ImageBlock),
        get_items=get_image_files,
        get_y=real_of,
        splitter=FuncSplitter(validates),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
    )
    return block.dataloaders(low, bs=bs, num_workers=0)


def real_and_generated(folder: Path) -> list[Path]:
    """The pictures for the critic."""
    return list(get_image_files(folder, folders=["generated", "real"]))


def critic_loaders(folder: Path, bs: int) -> DataLoaders:
    """Loaders of (picture, 1 where it is in `real` and 0 where it is in `generated`)."""
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock(["generated", "real"], sort=False)),
        get_items=real_and_generated,
        get_y=parent_label,
        splitter=FuncSplitter(validates),
        batch_tfms=Normalize.from_stats(*imagenet_stats),
    )
    return block.dataloaders(folder, bs=bs, num_workers=0)


def save_generated(learn: Learner, folder: Path) -> None:
    """Write what the generator makes of every bad picture to `folder`."""
    folder.mkdir(exist_ok=True)
    for number, loader in enumerate(learn.dls.loaders):
        made, _ = learn.get_preds(ds_idx=number)
        for file, pixels in zip(loader.items, pictures_of(made), strict=True):
            Image.fromarray(pixels).save(folder / file.name, quality=95)


def pictures_of(normalised: Tensor) -> Iterator[np.ndarray]:
    """(B, 3, H, W) normalised pictures as arrays (H, W, 3) of bytes."""
    mean, std = (torch.tensor(s).view(3, 1, 1) for s in imagenet_stats)
    for picture in normalised:
        pixels = (picture * std + mean).clamp(0, 1) * 255
        yield pixels.round().byte().permute(1, 2, 0).numpy()


# -- stages ----------------------------------------------------------------------------------


def make_generator(dls: DataLoaders, options: argparse.Namespace) -> Learner:
    """A U-Net that is to give normalised pictures."""
    return unet_learner(
        dls,
        options.arch,
        n_out=3,
        pretrained=not options.from_scratch,
        weights=options.weights,
        loss_func=MSELossFlat(),
        blur=True,
        norm_type=NormType.Weight,
        self_attention=True,
        y_range=(-3.0, 3.0),
        path=options.out,
    )


def make_feature_loss(options: argparse.Namespace) -> FeatureLoss:
    """What the network that the U-Net stands on sees, besides pixels.

    Pixels count most: where a deep layer does, edges get halos and colours drift.
    """
    weights = None if options.from_scratch else options.weights or "DEFAULT"
    network = torchvision_model(options.arch, weights)
    return FeatureLoss(network, options.layers, options.shares, gram_wgt=10.0)


def make_critic(dls: DataLoaders, options: argparse.Namespace) -> Learner:
    """A critic, to be trained as a classifier first."""
    return Learner(
        dls,
        gan_critic(nf=16, n_blocks=2) if options.small else gan_critic(nf=64),
        AdaptiveLoss(nn.BCEWithLogitsLoss()),
        metrics=accuracy_thresh_expand,
        path=options.out,
    )


def make_gan(generator: Learner, critic: Learner, options: argparse.Namespace) -> GANLearner:
    """Both in turns; the critic has to be good before the generator learns of it."""
    return GANLearner.from_learners(
        generator,
        critic,
        weights_gen=(1.0, 50.0),
        show_img=False,
        switcher=AdaptiveGANSwitcher(critic_thresh=0.65),
        opt_func=partial(Adam, mom=0.0, sqr_mom=0.99),
        cbs=GANDiscriminativeLR(mult_lr=5.0),
        path=options.out,
    )


def main() -> None:
    """Make pictures bad, and train in four stages."""
    options = read_arguments()
    set_seed(options.seed)
    dls = pair_loaders(crappify_all(options), options.bs)
    bad, good = (x.detach().clone() for x in dls.valid.one_batch())
    rows = [bad]

    print("1. difference of pixels")
    generator = make_generator(dls, options)
    generator.fit_one_cycle(options.epochs, 1e-3)
    generator.unfreeze()
    generator.fit_one_cycle(options.epochs, slice(1e-5, 1e-3))
    rows.append(generator.get_preds(dl=[(bad, good)])[0])

    print("2. what a trained network sees")
    pixel_loss, generator.loss_func = generator.loss_func, make_feature_loss(options)
    generator.metrics = [mk_metric(m) for m in LossMetrics(generator.loss_func.metric_names)]
    generator.fit_one_cycle(options.epochs, slice(1e-5, 1e-3))
    rows.append(generator.get_preds(dl=[(bad, good)])[0])

    print("3. the critic")
    save_generated(generator, options.out / "generated")
    critic = make_critic(critic_loaders(options.out, options.bs), options)
    critic.fit_one_cycle(2 * options.epochs, 1e-3)

    print("4. in turns")
    generator.loss_func = pixel_loss
    learn = make_gan(generator, critic, options)
    learn.fit(options.gan_epochs, 1e-4)
    rows.append(learn.get_preds(dl=[(bad, good)])[0])

    save_stages([*rows, good], options.out / "stages.png")
    print(f"pictures after each stage: {options.out / 'stages.png'}")
    print(f"the generator: {learn.export('generator.lw')}")


def save_stages(rows: Sequence[Tensor], file: Path, count: int = 6) -> None:
    """Write a picture with a column for each item: bad, after each stage, real."""
    lines = [np.concatenate(list(pictures_of(row[:count].cpu())), axis=1) for row in rows]
    Image.fromarray(np.concatenate(lines, axis=0)).save(file)


if __name__ == "__main__":
    main()
