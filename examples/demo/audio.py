"""Sounds: spoken digits, told apart by their spectrograms."""

from score import Score, share_of_commonest
from section import Section

from layerwise.audio.all import *

TITLE = "Sounds: which digit was spoken?"
TASK, DATA = "classify sounds", "spoken digits"

ELSEWHERE = """
import sys
from layerwise.core.all import *

learn = load_learner("sounds.lw")
for file in sys.argv[1:]:
    label, index, chances = learn.predict(file)
    print(f"{Path(file).name}: {label}, {chances[index]:.1%} certain")
"""


def train(section: Section) -> Learner:
    """From a folder of clips to a trained net."""
    set_seed(42)
    path = section.unpacked("spoken_digits.tgz")
    mel = AudioConfig.BasicMelSpectrogram(n_fft=512, hop_length=128, n_mels=40)
    dls = AudioDataLoaders.from_name_re(
        path, get_audio_files(path), r"^(\d)_", seed=42, bs=16, sample_rate=8000, spectrogram=mel
    )
    learn = audio_learner(dls, metrics=accuracy, path=section.work)
    learn.fit_one_cycle(6, 5e-3)
    return learn


def run(section: Section) -> Score:
    """Train, look at it, export."""
    learn = train(section)
    learn.dls.train.show_batch(max_n=9, figsize=(11, 7))
    section.picture(
        "batch",
        "A batch: spectrograms, which say how loud each pitch is at each time.",
        "Nine spectrograms of spoken digits, each with its digit above",
    )
    for file in learn.dls.valid.items[:2]:
        section.clip(file, f"A clip: {file.name}")
    section.program(train)
    section.losses(learn)
    meaning = ClassificationInterpretation.from_learner(learn)
    meaning.plot_top_losses(9, figsize=(11, 7.5))
    section.picture(
        "results",
        "Where it is most wrong: prediction, truth, loss, probability. Errors are red.",
        "Nine spectrograms with what was predicted above each",
    )
    meaning.plot_confusion_matrix(figsize=(6, 6))
    section.picture(
        "confusion",
        "What it takes for what, over all clips of validation.",
        "Confusion matrix of ten spoken digits: most lie on the diagonal",
    )
    learn.export("sounds.lw")
    section.fresh_process(ELSEWHERE, *learn.dls.valid.items[:5])
    guess = share_of_commonest(learn.get_preds()[1])
    return Score("accuracy", learn.validate()[1], guess, goal=0.85)
