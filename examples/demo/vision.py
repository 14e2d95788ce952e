"""Pictures: handwritten digits, told apart by a small convolutional net."""

from score import Score, share_of_commonest
from section import Section

from layerwise.vision.all import *

TITLE = "Pictures: which digit is it?"
TASK, DATA = "classify pictures", "MNIST, 3 and 7"

ELSEWHERE = """
import sys
from layerwise.core.all import *

learn = load_learner("digits.lw")
for file in sys.argv[1:]:
    label, index, chances = learn.predict(file)
    print(f"a {Path(file).parent.name} is taken for a {label}, {chances[index]:.1%} certain")
"""


def train(section: Section) -> Learner:
    """From a folder of pictures to a trained net."""
    set_seed(42)
    path = untar_data(URLs.MNIST_SAMPLE, base=section.work)
    dls = ImageDataLoaders.from_folder(path, img_cls=PILImageBW, bs=64)
    dls.show_batch(max_n=12, nrows=2, figsize=(10, 3.8))
    section.picture(
        "batch", "A batch, with the label of each picture.", "Twelve handwritten threes and sevens"
    )
    learn = Learner(dls, cnn_for(dls), metrics=accuracy, path=section.work)
    rates = learn.lr_find()
    section.picture(
        "learning-rate",
        f"A mock training while the rate grows; {rates.valley:.1e} is proposed, and taken.",
        "Curve of the loss over the learning rate: it falls, then rises steeply",
    )
    learn.fit_one_cycle(3, rates.valley)
    return learn


def run(section: Section) -> Score:
    """Train, look at it, export."""
    learn = train(section)
    section.program(train)
    section.losses(learn)
    meaning = ClassificationInterpretation.from_learner(learn)
    meaning.plot_top_losses(12, nrows=2, figsize=(11, 4.2))
    section.picture(
        "results",
        "Where it is most wrong: prediction, truth, loss, probability. Errors are red.",
        "Twelve digits that are hard to read, with what was predicted above each",
    )
    meaning.plot_confusion_matrix(figsize=(4, 4))
    section.picture(
        "confusion",
        "What it takes for what, over all pictures of validation.",
        "Confusion matrix of threes and sevens: nearly all lie on the diagonal",
    )
    learn.export("digits.lw")
    files = get_image_files(learn.dls.valid.items[0].parents[1])[::250]
    section.fresh_process(ELSEWHERE, *files)
    guess = share_of_commonest(learn.get_preds()[1])
    return Score("accuracy", learn.validate()[1], guess, goal=0.98)
