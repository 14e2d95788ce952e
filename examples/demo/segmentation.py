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


def draw_results(learn: Learner, count: int) -> None:
    """A column for each of the first scenes that validate, errors in the lowest row."""
    _, axes = plt.subplots(4, count, figsize=(1.7 * count, 6.9), layout="constrained")
    for (file, mask), column in zip(learn.dls.valid.items[:count], axes.T, strict=True):
        found = learn.predict(file)[0]
        truth = TensorMask(np.array(PILMask.create(mask)), codes=CODES)
        PILImage.create(file).show(ctx=column[0])
        truth.show(ctx=column[1], alpha=1)
        found.show(ctx=column[2], alpha=1)
        column[3].imshow(found != truth, cmap="Reds", vmin=0, vmax=1.2)
        column[3].axis("off")


def run(section: Section) -> Score:
    """Train, look at it, export."""
    section.paragraph(
        "The digits were written by hand; a small program put them into scenes, so that it is "
        "known to the pixel where each of them is."
    )
    learn = train(section)
    learn.dls.show_batch(max_n=8, nrows=2, figsize=(9, 4.5))
    section.picture(
        "batch",
        "A batch: each picture under its mask, a colour for each class.",
        "Eight scenes with coloured digits, their masks laid over them",
    )
    section.program(train)
    section.losses(learn)
    draw_results(learn, 6)
    section.picture(
        "results",
        "Scenes that it has not seen: the picture, the true mask, what is predicted, and errors "
        "in red.",
        "Six scenes with their masks, what was predicted for them, and a few wrong pixels in red",
    )
    learn.export("scenes.lw")
    section.fresh_process(ELSEWHERE, *(picture for picture, _ in learn.dls.valid.items[:3]))
    _, targets = learn.get_preds()
    ground = float((targets == 0).float().mean())
    guess = ground / len(
        CODES
    )  # all is ground: no digit is found, and ground where there is ground
    return Score("mean overlap", learn.validate()[2], guess, goal=0.6)
