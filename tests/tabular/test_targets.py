"""Targets of every kind: coded for their loss, and back to what the columns held."""

import numpy as np
import pandas as pd
import pytest
import torch

from layerwise.core.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from layerwise.core.nn.losses import BCEWithLogitsLossFlat, CrossEntropyLossFlat, MSELossFlat
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify
from layerwise.tabular.several_losses import SeveralLosses


def table(y_block=None, y_names="y", splits=None, **columns):
    frame = pd.DataFrame({"x": np.arange(len(next(iter(columns.values())))) / 4, **columns})
    return TabularPandas(frame, [Categorify], None, "x", y_names, y_block, splits)


def targets(to):
    return to.dataloaders(bs=len(to), shuffle=False).one_batch()[2]


def test_a_column_of_numbers_is_a_number_to_predict():
    to = table(y=[1.5, 2.0, -3.0])
    assert (to.c, to.vocab) == (1, None)
    assert isinstance(to.loss_func, MSELossFlat)
    torch.testing.assert_close(targets(to), torch.tensor([[1.5], [2], [-3]]))
    assert to.y.tolist() == [1.5, 2, -3]


def test_several_columns_of_numbers_are_predicted_together():
    to = table(y_names=["a", "b"], a=[1.5, 2.0], b=pd.array([3, 4], dtype="Int64"))
    assert to.c == 2
    torch.testing.assert_close(targets(to), torch.tensor([[1.5, 3], [2, 4]]))
    assert to.decode().ys.to_numpy().tolist() == [[1.5, 3], [2, 4]]


@pytest.mark.parametrize(
    ("values", "vocab"),
    [
        (["yes", "no", "yes"], ["no", "yes"]),
        (pd.Categorical(["low", "high", "low"], ["low", "high"]), ["low", "high"]),
        ([True, False, True], [False, True]),
        (pd.array([True, False, True], dtype="boolean"), [False, True]),
        (pd.array(["b", "a", "b"], dtype="string"), ["a", "b"]),
    ],
)
def test_texts_and_truth_values_are_classes(values, vocab):
    to = table(y=values)
    assert isinstance(to.loss_func, CrossEntropyLossFlat)
    assert (to.c, to.vocab) == (2, vocab)
    expected = [vocab.index(value) for value in values]
    assert targets(to).tolist() == expected == to.y.tolist()
    assert to.decode().y.tolist() == list(values)


def test_whole_numbers_are_classes_where_that_is_said():
    to = table(CategoryBlock(), y=[7, 3, 5, 3])
    assert (to.c, to.vocab) == (3, [3, 5, 7])
    assert targets(to).tolist() == [2, 0, 1, 0]
    assert to.decode().y.tolist() == [7, 3, 5, 3]


def test_few_whole_numbers_as_targets_are_remarked_upon():
    with pytest.warns(UserWarning, match=r"'y' has only the whole numbers 0, 1, 2 .*CategoryBlock"):
        table(y=[0, 1, 2] * 20)
    table(RegressionBlock(), y=[0, 1, 2] * 20)
    table(y=range(60))


def test_a_block_may_be_given_as_what_makes_it():
    assert table(CategoryBlock, y=[1, 2]).vocab == [1, 2]


def test_labels_in_columns_of_zeros_and_ones():
    block = MultiCategoryBlock(encoded=True, vocab=["a", "b"])
    to = table(block, ["a", "b"], a=[True, False, True], b=[1, 0, 0])
    assert isinstance(to.loss_func, BCEWithLogitsLossFlat)
    assert (to.c, to.vocab) == (2, ["a", "b"])
    assert targets(to).tolist() == [[1, 1], [0, 0], [1, 0]]
    assert to.decode().ys.to_numpy().tolist() == [[True, True], [False, False], [True, False]]


def test_labels_in_lists():
    to = table(MultiCategoryBlock(), y=[["red"], [], ["blue", "red"]])
    assert (to.c, to.vocab) == (2, ["blue", "red"])
    assert targets(to).tolist() == [[0, 1], [0, 0], [1, 1]]
    assert to.decode().y.tolist() == [["red"], [], ["blue", "red"]]


def test_lists_of_one_label_are_still_lists():
    to = table(MultiCategoryBlock(), y=[["red"], []])
    assert to.decode().y.tolist() == [["red"], []]
    assert to.decode_row(to.items.iloc[0])["y"] == ["red"]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("values", [[1.0, 2.0], ["a", "b"]])
def test_missing_targets_are_named_with_the_first_row(values, missing):
    with pytest.raises(
        ValueError, match=r"'y' is missing in 2 rows, the first of them row 1; .*dro"
    ):
        table(y=pd.Series([values[0], missing, values[1], missing], dtype=object),
              y_block=CategoryBlock() if values[0] == "a" else RegressionBlock())  # fmt: skip


def test_missing_targets_are_counted_in_the_whole_table():
    with pytest.raises(ValueError, match="'y' is missing in 2 rows, the first of them row 1;"):
        table(y=["a", None, "b", "a", None], splits=([2, 3, 4], [0, 1]))


def test_a_class_of_validation_alone_is_named_with_its_row():
    with pytest.raises(
        ValueError, match=r"column 'y', row 2: label 'astronaut' is not among the 2"
    ):
        table(y=["cook", "clerk", "astronaut"], splits=([0, 1], [2]))
    block = CategoryBlock(add_na=True)
    to = table(block, y=["cook", "clerk", "astronaut"], splits=([0, 1], [2]))
    assert to.vocab == ["#na#", "clerk", "cook"]
    assert to.valid.y.tolist() == [0]
    to = table(CategoryBlock(other="else"), y=["cook", "clerk", "x"], splits=([0, 1], [2]))
    assert (to.vocab, to.valid.y.tolist()) == (["clerk", "cook", "else"], [2])


def test_a_given_vocabulary_is_kept():
    to = table(CategoryBlock(vocab=["x", "b", "a"]), y=["a", "b"])
    assert to.vocab == ["x", "b", "a"]
    assert targets(to).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("y_block", "columns", "said"),
    [
        (RegressionBlock(), {"y": ["a", "b"]}, "'y' is to hold numbers, and row 0 has 'a'"),
        (RegressionBlock(), {"y": [1.0, np.inf]}, "column 'y' has 1 infinite values"),
        (RegressionBlock(n_out=2), {"y": [1.0, 2.0]}, r"n_out=2\) for 1 target columns"),
        (MultiCategoryBlock(), {"y": ["a;b", "b"]}, r"lists of labels, and has 'a;b'; split text"),
        (
            MultiCategoryBlock(encoded=True, vocab=["a", "b"]), {"y": [1, 0]},
            "2 labels in the vocab of MultiCategoryBlock for 1 target columns",
        ),
    ],
)  # fmt: skip
def test_targets_that_do_not_fit_their_block_are_named(y_block, columns, said):
    with pytest.raises(ValueError, match=said):
        table(y_block, list(columns), **columns)


@pytest.mark.parametrize(
    ("y_block", "said"),
    [
        (3, "y_block=3 is no block; give CategoryBlock"),
        (TransformBlock(), "y_block with no transform says nothing of columns"),
        ("category", "y_block='category' is no block"),
        (DataBlock, "is no block; give"),
    ],
)
def test_what_is_no_block_of_columns_is_refused(y_block, said):
    with pytest.raises(TypeError, match=said):
        table(y_block, y=["a", "b"])


def test_lists_are_no_classes():
    with pytest.raises(TypeError, match="which cannot be a label; for several labels per item use"):
        table(y=[["a"], ["b"]])


# -- several of different kinds ------------------------------------------------------------

BLOCKS = [CategoryBlock(), RegressionBlock(), CategoryBlock]
KINDS = {"job": ["cook", "clerk", "cook"], "pay": [1.5, 2.0, 3.0], "size": [7, 3, 5]}


def test_each_target_may_have_a_block_of_its_own():
    to = table(BLOCKS, list(KINDS), **KINDS)
    assert to.c == 2 + 1 + 3
    assert targets(to).tolist() == [[1, 1.5, 2], [0, 2, 0], [1, 3, 1]]
    for name, values in KINDS.items():
        assert to.decode().items[name].tolist() == values


def test_blocks_of_several_targets_are_chosen_by_their_columns():
    to = table(None, ["job", "pay"], job=KINDS["job"], pay=KINDS["pay"])
    assert to.c == 3
    assert targets(to).tolist() == [[1, 1.5], [0, 2], [1, 3]]
    assert table(None, ["a", "b"], a=["x", "y"], b=["x", "z"]).c == 4


def test_the_loss_of_several_targets_is_the_sum_of_those_of_torch():
    torch.manual_seed(0)
    pred, targ = torch.randn(3, 6), torch.tensor([[1, 1.5, 2], [0, 2, 0], [1, 3, 1]])
    loss = table(BLOCKS, list(KINDS), **KINDS).loss_func
    jobs = torch.nn.functional.cross_entropy(pred[:, :2], targ[:, 0].long(), reduction="none")
    pay = (pred[:, 2] - targ[:, 1]) ** 2
    sizes = torch.nn.functional.cross_entropy(pred[:, 3:], targ[:, 2].long(), reduction="none")
    torch.testing.assert_close(loss(pred, targ), jobs.mean() + pay.mean() + sizes.mean())
    scaled = SeveralLosses(loss.losses, loss.sizes, [1, 0.5, 0])
    torch.testing.assert_close(scaled(pred, targ), jobs.mean() + 0.5 * pay.mean())
    loss.reduction = "none"
    assert loss.reduction == "none"
    torch.testing.assert_close(loss(pred, targ), jobs + pay + sizes)


def test_outputs_of_several_targets_are_decoded_each_by_its_loss():
    loss = SeveralLosses([CrossEntropyLossFlat(), MSELossFlat(), CrossEntropyLossFlat()], [2, 1, 3])
    pred = torch.tensor([[0.0, 1, 2.5, 3, 0, 0]])
    act = loss.activation(pred)
    torch.testing.assert_close(act[:, :2], pred[:, :2].softmax(1))
    torch.testing.assert_close(act[:, 3:], pred[:, 3:].softmax(1))
    assert loss.decodes(act).tolist() == [[1, 2.5, 0]]
    assert [part.shape for part, _ in loss.parts(pred, torch.zeros(1, 3))] == [
        (1, 2),
        (1, 1),
        (1, 3),
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: table([CategoryBlock()], ["job", "pay"], **KINDS), "1 blocks in y_block for 2"),
        (
            lambda: table(CategoryBlock(), ["job", "size"], **KINDS),
            "for one column of classes, and y_names has 2; give a list of blocks, one for each",
        ),
        (
            lambda: table([MultiCategoryBlock(), RegressionBlock()], ["t", "pay"],
                          t=[["a"], ["b"]], pay=[1.0, 2.0]),
            "MultiCategoryBlock cannot be one of several blocks",
        ),
        (lambda: SeveralLosses([MSELossFlat()], [1, 2]), "1 losses, 2 sizes and 1 scales"),
        (
            lambda: SeveralLosses([MSELossFlat()], [2])(torch.zeros(1, 3), torch.zeros(1, 2)),
            r"outputs of shape \(1, 3\) for targets that need \[2\] of them; give",
        ),
    ],
)  # fmt: skip
def test_blocks_that_do_not_fit_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
