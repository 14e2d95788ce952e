r"""Train a classifier of sounds, and say what it is worth.

    python examples/audio/train_sounds.py CLIPS --augment --export clips.lw --pictures pictures

Clips lie in folders that are named after labels; or `--label` is a regular expression whose first
group is the label in a file's name. A random share validates. With `--apart`, another such
expression, whole groups do: those of a speaker or a place, which training then has never heard.
`--arch` is a model: audio_resnet, CRNN, M5, which reads waveforms, or another name of the registry,
or one of pictures, such as vision/xresnet18. `--pictures` names a folder for pictures of a batch,
of results and of the confusion matrix, `--export` the file for `load_learner`. With `--small` the
script trains for seconds on the spoken digits that come with the repository.
"""

import argparse
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from layerwise.audio.augment.recipe import audio_aug_transforms
from layerwise.audio.config import AudioConfig
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.files import get_audio_files
from layerwise.audio.learner import audio_learner
from layerwise.core.data.archive import extract_archive
from layerwise.core.data.readers import OfName, RegexLabeller, parent_label
from layerwise.core.data.split import IndexSplitter
from layerwise.core.errors import RegistryError
from layerwise.core.interpret import ClassificationInterpretation
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.random import set_seed
from layerwise.core.registry import facts_of

EXAMPLES = Path(__file__).resolve().parents[1]


def read_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clips", nargs="?", type=Path, help="folder of sounds")
    parser.add_argument("--label", metavar="REGEX", help="of names; folders are labels without")
    parser.add_argument("--apart", metavar="REGEX", help="of names; such groups stay together")
    parser.add_argument("--arch", default="audio_resnet", help="a model by its name")
    parser.add_argument("--sample-rate", type=int, default=16000)
    parser.add_argument("--crop", type=float, metavar="MS", help="of every clip; all without")
    parser.add_argument("--n-mels", type=int, default=64, help="bands of the spectrogram")
    parser.add_argument("--hop", type=int, default=256, help="samples from frame to frame")
    parser.add_argument("--augment", action="store_true", help="vary the training clips")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--bs", type=int, default=32)
    parser.add_argument("--valid-pct", type=float, default=0.2, help="share that validates")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--pictures", type=Path, help="folder for pictures")
    parser.add_argument("--export", type=Path, help="file for the trained model")
    parser.add_argument("--small", action="store_true", help="train on digits that are here")
    options = parser.parse_args()
    if options.small:
        options.label, options.sample_rate = r"^(\d)_", 8000
        options.n_mels, options.hop, options.bs, options.epochs = 40, 128, 16, 4
    elif options.clips is None:
        parser.error("name a folder of sounds, or pass --small")
    elif not options.clips.is_dir():
        parser.error(f"{str(options.clips)!r} is no folder; name one of sounds, or pass --small")
    if not 0 < options.valid_pct < 1:
        parser.error(f"--valid-pct {options.valid_pct} is no share; give a number from 0 to 1")
    for name in ("label", "apart"):
        pattern = getattr(options, name)
        try:
            if pattern is not None and re.compile(pattern).groups == 0:
                parser.error(f"--{name} {pattern!r} has no group; put ( ) around what is wanted")
        except re.error as error:
            parser.error(f"--{name} {pattern!r} is no regular expression: {error}")
    name = options.arch if "/" in options.arch else f"audio/{options.arch}"
    try:  # of timm all read pictures, and none is in a record
        facts = {} if name.startswith("timm/") else facts_of("model", name)
    except RegistryError as error:
        parser.error(f"--arch {options.arch}: {error}")
    options.on_waves = facts.get("takes") == "signals"
    return options


def groups_of(files: Sequence[Path], pattern: str | None, flag: str) -> list[str]:
    """What the pattern finds in the name of each file; its folder without a pattern."""
    if pattern is None:
        return [file.parent.name for file in files]
    found = [re.search(pattern, file.name) for file in files]
    if None in found:
        name = files[found.index(None)].name
        raise SystemExit(f"--{flag} {pattern!r} finds nothing in {name!r}; change it or the name")
    return [match[1] for match in found if match]


def held_out(files: Sequence[Path], options: argparse.Namespace) -> list[int]:
    """Positions of the clips that validate: whole groups where there are some."""
    if options.apart is None:
        groups = list(map(str, range(len(files))))
    else:
        groups = groups_of(files, options.apart, "apart")
    names = sorted(set(groups))
    if len(names) < 2:
        raise SystemExit(f"there is one group, {names[0]!r}; two at least are needed to hold out")
    random.Random(options.seed).shuffle(names)  # noqa: S311 - no secret
    chosen = set(names[: min(len(names) - 1, max(1, round(options.valid_pct * len(names))))])
    if options.apart:
        print("validate:", *sorted(chosen))
    return [i for i, group in enumerate(groups) if group in chosen]


def load_data(path: Path, options: argparse.Namespace) -> Any:
    """Loaders for the clips below `path`."""
    files = list(get_audio_files(path))
    if len(files) < 2:
        raise SystemExit(f"{len(files)} sounds below {str(path)!r}; two at least are needed")
    labels = groups_of(files, options.label, "label")
    valid = held_out(files, options)
    spectrogram = AudioConfig.BasicMelSpectrogram(
        n_fft=4 * options.hop, hop_length=options.hop, n_mels=options.n_mels
    )
    on_waves = options.on_waves
    augmentation = audio_aug_transforms(spectrograms=not on_waves) if options.augment else None
    # Labellers of the library have names that an export can hold; a function of ours has none.
    label_func = parent_label if options.label is None else OfName(RegexLabeller(options.label))
    dls = AudioDataLoaders.from_path_func(
        path, files, label_func, splitter=IndexSplitter(valid),
        bs=options.bs, sample_rate=options.sample_rate, crop_signal_to=options.crop,
        spectrogram=None if on_waves else spectrogram, batch_tfms=augmentation,
    )  # fmt: skip
    print(f"{len(files)} clips of {len(set(labels))} classes, {len(valid)} validate")
    commonest = Counter(labels[i] for i in valid).most_common(1)[0][1]
    print(f"the commonest class: accuracy {commonest / len(valid):.4f}")
    return dls


def draw(learn: Learner, folder: Path) -> None:
    """Write pictures of a batch, of results and of the confusion matrix."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[], Any]] = {
        "batch": lambda: learn.dls.train.show_batch(max_n=9),
        "results": lambda: learn.show_results(max_n=9),
        "confusion": lambda: ClassificationInterpretation.from_learner(
            learn
        ).plot_confusion_matrix(),
    }
    for name, show in pictures.items():
        show()
        plt.savefig(folder / f"{name}.png", bbox_inches="tight")
        plt.close("all")
        print(f"drawn {folder / name}.png")


def main() -> None:
    """Read, train, draw, export."""
    options = read_arguments()
    set_seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = options.clips
        if options.small:
            archive = EXAMPLES / "data" / "spoken_digits.tgz"
            path = extract_archive(archive, Path(folder).resolve() / "digits")
        learn = audio_learner(load_data(path, options), options.arch, metrics=accuracy)
        learn.fit_one_cycle(options.epochs, options.lr)
        print(f"{options.arch}: accuracy {learn.validate()[1]:.4f}")
        if options.pictures:
            draw(learn, options.pictures)
        if options.export:
            print(f"exported {learn.export(options.export.resolve())}")


if __name__ == "__main__":
    main()
