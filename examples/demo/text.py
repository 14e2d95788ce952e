"""Texts: a language model, and on top of it a classifier."""

from score import Score, share_of_commonest
from section import Section

from layerwise.text.all import *

TITLE = "Texts: what did they think of the hotel?"
TASK, DATA = "classify texts", "hotel reviews (made up)"

SMALL = {"emb_sz": 64, "n_hid": 128, "n_layers": 2}

ELSEWHERE = """
import sys
from layerwise.core.all import *

learn = load_learner("reviews.lw")
for text in sys.argv[1:]:
    label, index, chances = learn.predict(text)
    print(f"{label}, {chances[index]:.1%} certain: {text}")
"""


def train_language_model(section: Section) -> LMLearner:
    """From texts without labels to a model that goes on with any of them."""
    set_seed(42)
    reviews = pd.read_csv(section.data / "hotel_reviews.csv.gz")
    dls = TextDataLoaders.from_df(
        reviews[:2500], text_col="text", is_lm=True, valid_pct=0.1, seed=42, bs=32
    )
    learn = language_model_learner(
        dls, AWD_LSTM, config=SMALL, drop_mult=0.3, pretrained=False,
        metrics=[accuracy, Perplexity()], path=section.work,
    )  # fmt: skip
    learn.fit_one_cycle(8, 1e-2)
    learn.save_encoder("reader")
    return learn


def train(section: Section, vocab: list[str]) -> TextLearner:
    """From 400 texts with labels, and what the language model knows, to a classifier."""
    reviews = pd.read_csv(section.data / "hotel_reviews.csv.gz")
    labelled = pd.concat([reviews[:400], reviews[2500:]])
    labelled["is_valid"] = labelled.index >= 2500
    dls = TextDataLoaders.from_df(
        labelled, text_col="text", label_col="label", valid_col="is_valid", text_vocab=vocab, bs=32
    )
    learn = text_classifier_learner(
        dls, AWD_LSTM, config=SMALL, drop_mult=0.3, pretrained=False, metrics=accuracy,
        path=section.work,
    )  # fmt: skip
    learn.load_encoder("reader")
    learn.fit_one_cycle(2, 2e-2)  # the head alone
    learn.freeze_to(-2)
    learn.fit_one_cycle(1, slice(1e-2 / 2.6, 1e-2))
    learn.unfreeze()
    learn.fit_one_cycle(10, slice(5e-3, 1e-2))
    return learn


def show_language_model(section: Section, writer: LMLearner) -> None:
    """How good it is, and what it writes."""
    section.program(train_language_model)
    section.paragraph(
        f"The language model hesitates among {writer.validate()[2]:.1f} of {len(writer.dls.vocab)} "
        "words on average (perplexity), in reviews that it has not read."
    )
    section.text(
        "\n\n".join(
            writer.predict(start, 25, temperature=0.7, seed=3)
            for start in ("The breakfast", "I have to complain", "We stayed")
        ),
        "What the language model writes when it is given the first words.",
    )


def show_words(section: Section, learn: TextLearner) -> None:
    """Which words speak for a class."""
    for text in (
        "The pool was icy, but I have to praise the staff, helpful as it was. Worth every cent.",
        "The bed was lumpy and the internet was patchy. Never again.",
    ):
        section.html(highlight(learn, text).to_html(), "Which words decided?")


def run(section: Section) -> Score:
    """Train both, look at them, export."""
    section.paragraph(
        "A grammar of a few hundred words made up these reviews, so that a small net learns them "
        "in a minute; nobody stayed in these hotels."
    )
    writer = train_language_model(section)
    show_language_model(section, writer)
    learn = train(section, writer.dls.vocab)
    section.table(
        learn.dls.show_batch(max_n=3, ctxs=get_empty_df(3)),
        "A batch for the classifier: words and marks, of which xxmaj stands before a capital.",
    )
    section.program(train)
    section.losses(learn)
    meaning = ClassificationInterpretation.from_learner(learn)
    names = ["text", "truth", "prediction", "probability", "loss"]
    section.table(
        [dict(zip(names, row.values(), strict=True)) for row in meaning.plot_top_losses(5)],
        "Where it is most wrong, over reviews that it has not seen. Errors are red.",
        is_wrong=lambda row: row["truth"] != row["prediction"],
    )
    show_words(section, learn)
    meaning.plot_confusion_matrix(figsize=(4, 4))
    section.picture(
        "confusion",
        "What it takes for what, over all reviews of validation.",
        "Confusion matrix of good and bad reviews: most lie on the diagonal",
    )
    learn.export("reviews.lw")
    section.fresh_process(
        ELSEWHERE,
        "The staff was anything but rude. Worth every cent.",
        "The pool was icy and murky.",
    )
    guess = share_of_commonest(learn.get_preds()[1])
    return Score("accuracy", learn.validate()[1], guess, goal=0.85)
