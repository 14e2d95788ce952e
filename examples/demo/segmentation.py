"""Segmentation: which pixels belong to which digit?"""

from score import Score
from section import Section

from layerwise.vision.all import *

TITLE = "Segmentation: a class for each pixel"
TASK, DATA = "classify pixels", "MNIST digits in scenes"

CODES = ["ground", "zero", "one", "two", "three", "four"]

ELSEWHERE = """
import sys
from layerwise.core.all import *

learn = load_learner("scenes.lw")
for file in sys.argv[1:]:
    mask, _, _ = learn.predict(file)
    shares = mask.flatten().bincount(minlength=len(mask.codes)) / mask.numel()
    found = [f"{name} {share:.0%}" for name, share in zip(mask.codes, shares) if share > 0.01]
    print(f"{Path(file).name}: {', '.join(found)}")
"""


def pairs(path: Path) -> list[tuple[Path, Path]]:
    """Each picture below `path` with its mask."""
    pictures = sorted(path.glob("*/images/*.jpg"))
    return [(file, file.parents[1] / "masks" / f"{file.stem}.png") for file in pictures]


def is_valid(pair: tuple[Path, Path]) -> bool:
    """Whether a picture is there to validate."""
    return pair[0].parents[1].name == "valid"


def train(section: Section) -> Learner:
    """From pictures and masks to a trained U-Net."""
    set_seed(42)
    scenes = DataBlock(
        (ImageBlock, MaskBlock(CODES)),
        get_items=pairs,
        splitter=FuncSplitter(is_valid),
        get_x=ItemGetter(0),
        get_y=ItemGetter(1),
    )
    dls = scenes.dataloaders(section.unpacked("digit_scenes.tgz"), bs=8)
    small = partial(xresnet18, widen=0.25, stem_szs=(8, 8, 16))
    rare = torch.tensor([1.0] + [4.0] * 5)  # most pixels are ground; without it digits count little
    learn = unet_learner(
        dls, small, pretrained=False, loss_func=CrossEntropyLossFlat(axis=1, weight=rare),
        metrics=[foreground_acc, JaccardCoeffMulti()], path=section.work,
    )  # fmt: skip
    learn.fit_one_cycle(8, 1e-2)
    return learn


def run(section: Section) -> Score:
    """Train, look at it, export."""
    section.paragraph(
        "The digits were written by hand; a small program put them into scenes, so that it is "
        "known to the pixel where each of them is."
    )
    learn = train(section)
    learn.dls.show_batch(max_n=6, figsize=(9, 6.5))
    section.picture(
        "batch",
        "A batch: each picture under its mask, a colour for each class.",
        "Six scenes with coloured digits, their masks laid over them",
    )
    section.program(train)
    section.losses(learn)
    learn.show_results(max_n=4, figsize=(7, 13))
    section.picture(
        "results",
        "Scenes that it has not seen: left the true mask, right what is predicted.",
        "Four scenes, twice each: with the true mask and with the predicted one",
    )
    learn.export("scenes.lw")
    section.fresh_process(ELSEWHERE, *(picture for picture, _ in learn.dls.valid.items[:3]))
    _, targets = learn.get_preds()
    ground = float((targets == 0).float().mean())
    guess = ground / len(
        CODES
    )  # all is ground: no digit is found, and ground where there is ground
    return Score("mean overlap", learn.validate()[2], guess, goal=0.6)
