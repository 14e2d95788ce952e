"""Counts and scores of classes equal those of scikit-learn; the drawing can be read."""

import numpy as np
import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.interpret import ClassificationInterpretation, SegmentationInterpretation
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, DiceLoss
from layerwise.core.nn.losses import MSELossFlat as MSE
from layerwise.core.testing import assert_equal, raises_with, synth_classifier

sklearn_metrics = pytest.importorskip("sklearn.metrics")


class WithVocab(DataLoaders):
    vocab: list


def learner_of(outputs, targets, loss_func, vocab=None, bs=7):
    """A learner whose model passes `outputs` through."""
    data = list(zip(outputs, targets, strict=True))
    dls = WithVocab(DataLoader(data, bs=bs), DataLoader(data, bs=bs))
    if vocab is not None:
        dls.vocab = vocab
    return Learner(dls, nn.Identity(), loss_func)


def outputs_of(predicted, classes):
    """Outputs whose largest value says `predicted`."""
    return torch.nn.functional.one_hot(torch.as_tensor(predicted), classes).float()


def random_classes(n, classes, seed=0, right=0.6):
    draw = np.random.default_rng(seed)
    true = draw.integers(0, classes, n)
    predicted = np.where(draw.random(n) < right, true, draw.integers(0, classes, n))
    return predicted, true


def interpretation_of(predicted, true, classes, vocab=None):
    learn = learner_of(
        outputs_of(predicted, classes), torch.as_tensor(true), CrossEntropyLossFlat(), vocab
    )
    return ClassificationInterpretation.from_learner(learn)


@pytest.fixture
def plt():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_the_matrix_equals_that_of_sklearn(classes):
    predicted, true = random_classes(300, classes)
    found = interpretation_of(predicted, true, classes).confusion_matrix()
    expected = sklearn_metrics.confusion_matrix(true, predicted, labels=range(classes))
    assert_equal(found, expected)


def test_changing_the_matrix_does_not_change_the_interpretation():
    interp = interpretation_of([0, 1], [0, 1], 2)
    interp.confusion_matrix()[:] = 9
    assert interp.confusion_matrix().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("predicted", "true", "classes"),
    [
        (*random_classes(500, 4), 4),
        (*random_classes(5000, 12, seed=1), 12),
        ([0, 0, 1, 1], [0, 2, 2, 2], 3),  # class 1 is never true
        ([0, 0, 0], [0, 1, 2], 3),  # classes 1 and 2 are never predicted
    ],
)
def test_the_report_is_that_of_sklearn_to_the_letter(predicted, true, classes, capsys):
    vocab = ["a", "a class with a long name", *"cdefghijkl"][:classes]
    interpretation_of(predicted, true, classes, vocab).print_classification_report()
    expected = sklearn_metrics.classification_report(
        true, predicted, labels=range(classes), target_names=vocab, zero_division=0
    )
    assert capsys.readouterr().out == expected + "\n"


def test_the_most_confused_pairs_come_first():
    predicted = [0, 1, 1, 2, 2, 2, 0, 1]
    true = [0, 0, 0, 1, 1, 1, 2, 2]
    interp = interpretation_of(predicted, true, 3, ["ape", "bee", "cat"])
    assert interp.most_confused() == [
        ("bee", "cat", 3),
        ("ape", "bee", 2),
        ("cat", "ape", 1),
        ("cat", "bee", 1),
    ]
    assert interp.most_confused(min_val=2) == [("bee", "cat", 3), ("ape", "bee", 2)]


def test_the_mean_loss_of_each_class_is_that_of_torch():
    outputs = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    true = torch.arange(50) % 3  # the fourth class never occurs
    learn = learner_of(outputs, true, CrossEntropyLossFlat(), list("abcd"))
    found = ClassificationInterpretation.from_learner(learn).class_losses()
    expected = {
        name: nn.functional.cross_entropy(outputs[true == i], true[true == i]).item()
        for i, name in enumerate("abc")
    }
    assert found == pytest.approx(expected)


def test_names_come_from_the_data_and_otherwise_are_numbers():
    interp = ClassificationInterpretation.from_learner(synth_classifier())
    assert interp.vocab == ["circle", "square", "triangle"]
    assert interpretation_of([0, 1], [0, 1], 2).vocab == [0, 1]
    assert interpretation_of([0, 1], [0, 1], 2, ["one name too", "many", "here"]).vocab == [0, 1]


def test_of_several_vocabularies_the_last_is_that_of_the_target():
    interp = interpretation_of([0, 1], [0, 1], 2, [["words", "of", "a", "text"], ["no", "yes"]])
    assert interp.vocab == ["no", "yes"]


def test_losses_of_torch_are_taken_with_classes_second():
    predicted, true = random_classes(30, 3)
    learn = learner_of(outputs_of(predicted, 3), torch.as_tensor(true), nn.CrossEntropyLoss())
    found = ClassificationInterpretation.from_learner(learn).confusion_matrix()
    assert_equal(found, sklearn_metrics.confusion_matrix(true, predicted))


def test_a_loss_function_that_takes_its_reduction_is_taken_too():
    def loss_func(pred, targ, reduction="mean"):
        return nn.functional.cross_entropy(pred, targ, reduction=reduction)

    predicted, true = random_classes(30, 3)
    learn = learner_of(outputs_of(predicted, 3), torch.as_tensor(true), loss_func)
    found = ClassificationInterpretation.from_learner(learn).confusion_matrix()
    assert_equal(found, sklearn_metrics.confusion_matrix(true, predicted))


def test_one_output_is_two_classes():
    logits = torch.tensor([[2.0], [-1.0], [3.0], [-2.0]])
    targets = torch.tensor([1, 1, 0, 0])
    learn = learner_of(logits, targets, BCEWithLogitsLossFlat())
    found = ClassificationInterpretation.from_learner(learn).confusion_matrix()
    assert found.tolist() == [[1, 1], [1, 1]]


def test_an_interpretation_made_by_hand_counts_when_it_is_asked():
    learn = synth_classifier(n_valid=30)
    whole = ClassificationInterpretation.from_learner(learn)
    by_hand = ClassificationInterpretation(learn, whole.dl, whole.losses)
    assert_equal(by_hand.confusion_matrix(), whole.confusion_matrix())
    assert_equal(by_hand.losses, whole.losses)


def test_losses_and_counts_come_from_one_pass():
    learn = synth_classifier(n_valid=30)
    calls = []
    learn.model.register_forward_hook(lambda *_: calls.append(1))
    ClassificationInterpretation.from_learner(learn).print_classification_report()
    assert len(calls) == 2  # batches of 16 and 14


def test_several_classes_an_item_are_refused_with_a_way_out():
    learn = learner_of(torch.zeros(4, 3), torch.zeros(4, 3), BCEWithLogitsLossFlat())
    with raises_with(ValueError, "several of these 3 classes", "F1ScoreMulti"):
        ClassificationInterpretation.from_learner(learn)


def test_numbers_to_predict_are_refused_with_a_way_out():
    learn = learner_of(torch.zeros(4, 1), torch.zeros(4, 1), MSE())
    with raises_with(ValueError, "MSELossFlat does not say which class", "CrossEntropyLossFlat"):
        ClassificationInterpretation.from_learner(learn)


# -- masks ---------------------------------------------------------------------------------


def masks(seed=0):
    draw = torch.Generator().manual_seed(seed)
    outputs = torch.randn(9, 3, 4, 5, generator=draw)
    return outputs, torch.randint(0, 3, (9, 4, 5), generator=draw)


def test_pixels_are_counted_as_sklearn_counts_them():
    outputs, targets = masks()
    learn = learner_of(outputs, targets, CrossEntropyLossFlat(axis=1), list("abc"), bs=4)
    interp = SegmentationInterpretation.from_learner(learn)
    true, predicted = targets.flatten(), outputs.argmax(1).flatten()
    assert_equal(interp.confusion_matrix(), sklearn_metrics.confusion_matrix(true, predicted))
    expected = sklearn_metrics.jaccard_score(true, predicted, average=None)
    assert list(interp.class_ious().values()) == pytest.approx(expected)
    losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
    assert interp.losses.tolist() == pytest.approx(losses.mean((1, 2)).tolist())
    by_class = {name: losses[targets == i].mean().item() for i, name in enumerate("abc")}
    assert interp.class_losses() == pytest.approx(by_class)


def test_pixels_that_the_loss_ignores_do_not_count():
    outputs, targets = masks()
    targets[:, 0] = 255
    learn = learner_of(outputs, targets, CrossEntropyLossFlat(axis=1, ignore_index=255))
    found = SegmentationInterpretation.from_learner(learn).confusion_matrix()
    kept = targets != 255
    expected = sklearn_metrics.confusion_matrix(targets[kept], outputs.argmax(1)[kept])
    assert_equal(found, expected)


def test_a_loss_by_picture_has_no_mean_by_class():
    outputs, targets = masks()
    interp = SegmentationInterpretation.from_learner(learner_of(outputs, targets, DiceLoss()))
    assert interp.confusion_matrix().sum() == targets.numel()
    with raises_with(ValueError, "not one value for each target", "CrossEntropyLossFlat"):
        interp.class_losses()


# -- the drawing ---------------------------------------------------------------------------


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def test_counts_and_names_are_drawn(plt):
    interp = interpretation_of([0, 1, 1, 1], [0, 0, 1, 1], 2, ["cat", "dog"])
    ax = interp.plot_confusion_matrix()
    assert texts_of(ax) == ["1", "1", "0", "2"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog"]
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == (
        "Confusion matrix",
        "Predicted",
        "Actual",
    )


def test_shares_are_of_rows_and_a_class_that_never_occurs_has_none(plt):
    interp = interpretation_of([0, 1, 1, 2], [0, 0, 1, 1], 3)
    ax = interp.plot_confusion_matrix(normalize=True, norm_dec=1, title="Shares")
    assert texts_of(ax) == ["0.5", "0.5", "0.0", "0.0", "0.5", "0.5", "0.0", "0.0", "0.0"]
    assert ax.get_title() == "Shares"


def test_settings_of_the_figure_are_used(plt):
    interp = interpretation_of([0, 1], [0, 1], 2)
    ax = interp.plot_confusion_matrix(figsize=(3, 5), dpi=50, plot_txt=False, cmap="Greens")
    assert tuple(ax.figure.get_size_inches()) == (3, 5)
    assert ax.figure.get_dpi() == 50
    assert texts_of(ax) == []
    assert ax.images[0].get_cmap().name == "Greens"


@pytest.mark.parametrize(("classes", "normalize"), [(2, False), (10, True), (40, True)])
def test_no_number_is_wider_than_its_cell(plt, classes, normalize):
    predicted, true = random_classes(100 * classes, classes)
    names = [f"class number {i}" for i in range(classes)]
    ax = interpretation_of(predicted, true, classes, names).plot_confusion_matrix(normalize)
    figure = ax.figure
    figure.canvas.draw()
    cell = ax.get_window_extent().width / classes
    assert max(text.get_window_extent().width for text in ax.texts) < cell
    assert ax.texts[0].get_fontsize() >= 5
    inside = figure.bbox.padded(1)
    for label in [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.title]:
        box = label.get_window_extent()
        assert inside.contains(box.x0, box.y0)
        assert inside.contains(box.x1, box.y1)


def test_the_figure_of_few_classes_is_large_enough_to_read(plt):
    figure = interpretation_of([0, 1], [0, 1], 2).plot_confusion_matrix().figure
    width, height = figure.get_size_inches()
    assert width >= 5
    assert height >= 4
