"""Train on real pictures of handwritten digits, and show what was learnt.

    make demo

Everything it draws goes to `demo-output/`. At the end the model is saved, and a fresh process
loads it and classifies pictures that training has not seen.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import matplotlib as mpl

from layerwise.core.callback.lr_find import SuggestionMethod
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.download import untar_data
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.data.readers import parent_label
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import GrandparentSplitter
from layerwise.core.data.urls import URLs
from layerwise.core.display.table import Table
from layerwise.core.interpret import ClassificationInterpretation
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.sized import cnn_for
from layerwise.core.random import set_seed
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.types import PILImageBW

HERE = Path(__file__).resolve().parent
OUTPUT = Path(os.environ.get("LAYERWISE_DEMO_OUTPUT", HERE.parent / "demo-output"))
GOAL = 0.98


def load_data() -> DataLoaders:
    """Loaders for the threes and sevens of MNIST; no network is needed."""
    os.environ.setdefault("LAYERWISE_MIRROR", str(HERE / "data"))
    digits = DataBlock(
        blocks=(ImageBlock(cls=PILImageBW), CategoryBlock),
        get_items=get_image_files,
        splitter=GrandparentSplitter(train_name="train", valid_name="valid"),
        get_y=parent_label,
    )
    return digits.dataloaders(untar_data(URLs.MNIST_SAMPLE, base=OUTPUT / "cache"), bs=64)


def make_learner() -> Learner:
    """A convolutional net as large as 28 x 28 pixels warrant, with what it needs for training."""
    dls = load_data()
    return Learner(dls, cnn_for(dls), metrics=accuracy, path=OUTPUT)


def draw(name: str) -> None:
    """Keep the current figure as a file."""
    import matplotlib.pyplot as plt

    plt.savefig(OUTPUT / f"{name}.png", dpi=100, bbox_inches="tight")
    plt.close("all")
    print(f"  wrote {OUTPUT.name}/{name}.png")


def train() -> float:
    """Train, draw, save. Returns the accuracy in validation."""
    set_seed(42)
    print("1. Data: what the network will see")
    learn = make_learner()
    learn.dls.show_batch()
    draw("1-batch")

    print("2. Learning rate: a short mock training with a growing rate")
    rates = learn.lr_find(suggest_funcs=(SuggestionMethod.Valley, SuggestionMethod.Slide))
    draw("2-learning-rate")

    print(f"3. Training at {rates.valley:.1e}")
    learn.fit_one_cycle(3, rates.valley)
    learn.recorder.plot_loss(show_epochs=True)
    draw("3-loss")
    learn.recorder.plot_sched()
    draw("4-schedule")

    print("4. Results: predictions, errors in red, and what it confuses")
    learn.show_results()
    draw("5-results")
    meaning = ClassificationInterpretation.from_learner(learn)
    meaning.plot_confusion_matrix()
    draw("6-confusion-matrix")
    meaning.plot_top_losses(9)
    draw("7-top-losses")

    learn.save("digits")
    return float(learn.validate()[1])


def predict(files: list[str]) -> None:
    """Load what `train` saved and print a prediction for each file."""
    learn = make_learner()
    learn.load("digits", with_opt=False)
    rows = []
    for file in files:
        label, index, probabilities = learn.predict(file)
        folder = Path(file).parent.name
        rows.append({"file": Path(file).name, "truly": folder, "predicted": label,
                     "certain": f"{probabilities[index]:.1%}"})  # fmt: skip
    print(Table(rows))


def main() -> int:
    """Run it all; 0 when the goal is reached."""
    mpl.use("agg")
    if sys.argv[1:2] == ["--predict"]:
        predict(sys.argv[2:])
        return 0
    start = time.perf_counter()
    OUTPUT.mkdir(exist_ok=True)
    reached = train()
    print("5. A fresh process loads the model and predicts")
    unseen = get_image_files(OUTPUT / "cache/data/mnist_sample/valid")[::250]
    subprocess.run(  # noqa: S603 - this very script
        [sys.executable, __file__, "--predict", *map(str, unseen)], check=True
    )
    print()
    seconds = time.perf_counter() - start
    row = {"task": "classify digits", "data": "MNIST 3 and 7", "accuracy": f"{reached:.2%}",
           "seconds": f"{seconds:.0f}", "pictures": f"{OUTPUT.name}/"}  # fmt: skip
    print(Table([row]))
    if reached < GOAL:
        print(f"That is below {GOAL:.0%}, so something is wrong here.")
    return int(reached < GOAL)


if __name__ == "__main__":
    sys.exit(main())
