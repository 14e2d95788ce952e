"""Vocabularies are learnt on the training split, labels come back, unknown ones are explained."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder, MultiLabelBinarizer

from layerwise.core.data.dataset import Datasets, TfmdLists
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.tensors import TensorCategory, TensorMultiCategory
from layerwise.core.transforms.category import (
    Categorize,
    Category,
    CategoryMap,
    EncodedMultiCategorize,
    MultiCategorize,
    MultiCategory,
    OneHotEncode,
    get_c,
)

labels = st.lists(st.text("abcxyzäß1 ", min_size=1, max_size=3), min_size=1, max_size=30)


def set_up(step, items):
    step.setup(items)
    return step


# -- CategoryMap ----------------------------------------------------------------------------


@given(labels)
def test_sorted_classes_and_indices_are_those_of_scikit_learn(given_labels):
    classes = CategoryMap(given_labels)
    encoder = LabelEncoder().fit(given_labels)
    assert list(classes) == encoder.classes_.tolist()
    assert classes.map_objs(given_labels) == encoder.transform(given_labels).tolist()
    assert classes.map_ids(classes.map_objs(given_labels)) == given_labels


@given(labels, st.booleans(), st.booleans())
def test_indices_and_classes_are_each_others_inverse(given_labels, sort, add_na):
    classes = CategoryMap(given_labels, sort=sort, add_na=add_na)
    assert [classes.index_of(c) for c in classes] == list(range(len(classes)))
    assert set(given_labels) <= set(classes)
    assert (classes[0] == "#na#") or not add_na


def test_without_sorting_the_order_is_that_of_first_appearance():
    assert list(CategoryMap(["b", "a", "b", "c"], sort=False)) == ["b", "a", "c"]


def test_labels_of_several_kinds_are_sorted_by_kind():
    assert list(CategoryMap(["b", 2, "a", 1])) == [1, 2, "a", "b"]


@pytest.mark.parametrize("missing", [float("nan"), np.nan, pd.NA, pd.NaT], ids=repr)
def test_missing_labels_are_no_class(missing):
    classes = CategoryMap(["a", missing, "b"], add_na=True)
    assert list(classes) == ["#na#", "a", "b"]
    assert classes.index_of(missing) == 0


def test_a_column_of_categories_keeps_its_own_order():
    column = pd.Series(pd.Categorical(["s", "l", None, "s"], categories=["s", "m", "l"]))
    assert list(CategoryMap(column)) == ["s", "l"]
    assert list(CategoryMap(column, strict=True)) == ["s", "m", "l"]
    assert list(CategoryMap(column, add_na=True)) == ["#na#", "s", "l"]


def test_rare_categories_of_a_column_are_folded_too():
    column = pd.Series(pd.Categorical(["s", "l", "s"], categories=["s", "m", "l"]))
    classes = CategoryMap(column, min_count=2, other="other")
    assert list(classes) == ["s", "other"]
    assert classes.index_of("l") == 1


def test_unseen_labels_go_to_na_or_other():
    assert CategoryMap(["a", "b"], add_na=True).index_of("x") == 0
    assert CategoryMap(["a", "b"], other="rest").index_of("x") == 2
    both = CategoryMap(["a", "b"], add_na=True, other="rest")
    assert (list(both), both.index_of("x")) == (["#na#", "a", "b", "rest"], 3)


def test_a_class_that_is_there_serves_as_other():
    classes = CategoryMap(["a", "other", "b", "b"], other="other", min_count=1)
    assert list(classes) == ["a", "b", "other"]
    assert classes.index_of("x") == 2


@given(st.lists(st.sampled_from("abcdef"), min_size=1), st.integers(1, 4))
def test_rare_labels_are_folded_and_frequent_ones_are_not(given_labels, least):
    classes = CategoryMap(given_labels, min_count=least, other="other")
    counts = pd.Series(given_labels).value_counts()
    kept = sorted(counts[counts >= least].index)
    assert list(classes) == [*kept, "other"]
    for label in given_labels:
        assert classes[classes.index_of(label)] == (label if label in kept else "other")


def test_rare_labels_need_somewhere_to_go():
    with pytest.raises(ValueError, match=r"min_count=2 leaves rare labels without a class.*other="):
        CategoryMap(["a", "b"], min_count=2)


def test_an_unknown_label_names_the_nearest_and_what_to_do():
    with pytest.raises(KeyError) as caught:
        CategoryMap(["cat", "dog", "emu", "fox", "gnu", "hen"]).index_of("gno")
    text = caught.value.args[0]
    assert "label 'gno' is not among the 6 classes" in text
    assert "(cat, dog, emu, fox, gnu, ...)" in text
    assert "Did you mean 'gnu'?" in text
    assert "other=" in text
    assert "add_na=True" in text


def test_a_label_that_cannot_be_one_is_refused():
    with pytest.raises(TypeError, match=r"\['a'\] is a list.*MultiCategorize"):
        CategoryMap([["a"], ["b"]])
    with pytest.raises(TypeError, match=r"\['a'\] is a list.*MultiCategorize"):
        CategoryMap(["a"]).index_of(["a"])


def test_a_vocabulary_is_a_sequence():
    classes = CategoryMap(["b", "a"])
    assert classes == ["a", "b"]
    assert classes != ["b", "a"]
    assert classes != 3
    assert "a" in classes
    assert "z" not in classes
    assert classes[-1] == "b"
    assert hash(classes) == hash(CategoryMap(["a", "b"]))
    assert repr(classes) == "['a', 'b']"
    assert pickle.loads(pickle.dumps(classes)) == classes


# -- Categorize -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:all .* labels are")
@given(labels)
def test_categorize_and_back(given_labels):
    step = set_up(Categorize(), given_labels)
    for label in given_labels:
        encoded = step(label)
        assert type(encoded) is TensorCategory
        assert encoded.dtype == torch.int64
        decoded = step.decode(encoded)
        assert decoded == label
        assert type(decoded) is Category


def test_the_vocabulary_is_that_of_the_training_split():
    step = Categorize()
    tl = TfmdLists(["b", "a", "zebra"], [step], splits=[[0, 1], [2]])
    assert step.vocab == ["a", "b"]
    with pytest.raises(DataError, match="label 'zebra' is not among the 2 classes") as caught:
        tl.valid[0]
    assert type(caught.value.__cause__) is KeyError


def test_a_given_vocabulary_is_kept_in_its_order_and_not_learnt_over():
    step = set_up(Categorize(vocab=["low", "high", "middle"]), ["a", "b"])
    assert step.vocab == ["low", "high", "middle"]
    assert int(step("high")) == 1
    assert step.c == 3


def test_what_was_learnt_first_stays():
    step = set_up(Categorize(), ["a"])
    assert set_up(step, ["b"]).vocab == ["a"]


def test_labels_may_stay_unsorted_and_have_na():
    step = set_up(Categorize(sort=False, add_na=True), ["b", "a"])
    assert step.vocab == ["#na#", "b", "a"]
    assert int(step("unknown")) == 0
    assert step.decode(step("unknown")) == "#na#"


def test_rare_and_unseen_labels_become_other():
    step = set_up(Categorize(min_count=2, other="other"), ["a", "a", "b"])
    assert [step.decode(step(label)) for label in ("a", "b", "never seen")] == [
        "a",
        "other",
        "other",
    ]
    assert step.c == 2


def test_before_it_has_classes_it_says_what_to_do():
    assert Categorize().c is None
    with pytest.raises(ValueError, match="Categorize has no vocabulary yet; call setup"):
        Categorize()("a")


def test_an_empty_training_split_is_named():
    with pytest.raises(DataError, match="training split that classes are learnt from is empty"):
        TfmdLists(["a", "b"], [Categorize()], splits=[[], [0, 1]])
    tl = TfmdLists(["a", "b"], [Categorize(vocab=["a", "b"])], splits=[[], [0, 1]])
    assert int(tl.valid[1]) == 1


def test_one_class_alone_is_said_aloud():
    many = ["cat"] * 12
    with pytest.warns(UserWarning, match=r"all 12 labels are 'cat'; .* nothing to learn"):
        Categorize().setup(many)
    with warnings.catch_warnings(action="error"):
        Categorize(add_na=True).setup(many)  # what is unknown is a class besides
        Categorize(vocab=["cat"]).setup(many)
        Categorize().setup(["cat"])


def test_labels_that_are_lists_point_to_multi_categorize():
    with pytest.raises(TypeError, match="MultiCategorize") as caught:
        TfmdLists([["a"], ["b"]], [Categorize()])
    assert "while Categorize was set up" in caught.value.__notes__


def test_numbers_are_labels_too():
    step = set_up(Categorize(), [30, 4, 30])
    assert step.vocab == [4, 30]
    assert int(step(np.int64(30))) == 1
    assert step.decode(step(4)) == "4"


def test_a_category_shows_as_title():
    assert Category("cat").show(ctx={}) == {"category": "cat"}


# -- several labels -------------------------------------------------------------------------

sets_of_labels = st.lists(st.lists(st.sampled_from("abcde"), unique=True), min_size=1, max_size=8)


@settings(deadline=None)
@given(sets_of_labels)
def test_several_labels_become_the_vectors_of_scikit_learn(items):
    assume(any(items))
    tl = TfmdLists(items, [MultiCategorize(), OneHotEncode()])
    binarizer = MultiLabelBinarizer()
    expected = torch.tensor(binarizer.fit_transform(items)).float()
    assert list(tl.vocab) == binarizer.classes_.tolist()
    for i, item in enumerate(items):
        assert type(tl[i]) is TensorMultiCategory
        assert torch.equal(tl[i].as_plain(), expected[i])
        decoded = tl.decode(tl[i])
        assert type(decoded) is MultiCategory
        assert list(decoded) == sorted(item)


def test_multi_categorize_learns_from_the_training_split_and_folds():
    step = MultiCategorize(min_count=2, other="other")
    TfmdLists([["a", "b"], ["a"], ["z"]], [step], splits=[[0, 1], [2]])
    assert step.vocab == ["a", "other"]
    assert step(["a", "z"]).tolist() == [0, 1]


def test_an_unknown_one_of_several_labels_is_named():
    step = MultiCategorize(vocab=["sunny", "cloudy"])
    assert step.vocab == ["sunny", "cloudy"]
    with pytest.raises(KeyError, match="Did you mean 'cloudy'"):
        step(["sunny", "cloudi"])


@pytest.mark.parametrize("wrong", ["a b", 3])
def test_one_label_where_several_are_expected_is_refused(wrong):
    with pytest.raises(TypeError, match=r"a list of labels is needed, not .*label_delim"):
        MultiCategorize(vocab=["a"])(wrong)


def test_a_multi_category_shows_joined():
    assert MultiCategory(["a", "b"]).show(ctx={}) == {"text": "a;b"}


def test_one_hot_needs_the_number_of_classes():
    with pytest.raises(ValueError, match="does not know the number of classes; pass c="):
        OneHotEncode()(TensorMultiCategory(torch.tensor([0])))
    hot = OneHotEncode(c=3)(TensorMultiCategory(torch.tensor([0, 2])))
    assert hot.tolist() == [1, 0, 1]
    assert OneHotEncode(c=3).decode(hot).tolist() == [0, 2]


def test_no_label_at_all_is_a_vector_of_zeros():
    tl = TfmdLists([["a"], []], [MultiCategorize(), OneHotEncode()])
    assert tl[1].tolist() == [0]
    assert list(tl.decode(tl[1])) == []


def test_encoded_labels_are_shown_by_name():
    step = EncodedMultiCategorize(["b", "a", "c"])
    encoded = step([1, 0, 1])
    assert type(encoded) is TensorMultiCategory
    assert encoded.tolist() == [1.0, 0.0, 1.0]
    assert list(step.decode(encoded)) == ["b", "c"]
    assert step.c == 3


def test_encoded_labels_need_one_name_per_column():
    with pytest.raises(ValueError, match=r"2 names in vocab for labels of shape \(3,\)"):
        EncodedMultiCategorize(["a", "b"])([1, 0, 1])


# -- get_c ----------------------------------------------------------------------------------


def test_the_number_of_outputs_is_found():
    categories = Datasets(["a", "b", "c"], [[str.upper], [Categorize()]]).dataloaders(
        bs=2, num_workers=0
    )
    assert get_c(categories) == 3
    assert get_c(SimpleNamespace(c=7)) == 7
    assert get_c(SimpleNamespace(vocab=["a", "b"])) == 2
    assert get_c(SimpleNamespace(vocab=[["words"] * 9, ["a", "b"]])) == 2
    assert get_c(SimpleNamespace(train=SimpleNamespace(after_item=SimpleNamespace(c=4)))) == 4
    assert get_c(SimpleNamespace()) == 0


@pytest.mark.parametrize(
    "loss_func", [torch.nn.CrossEntropyLoss(), torch.nn.functional.cross_entropy]
)
def test_scores_of_the_classes_decode_to_the_largest(loss_func):
    step = set_up(Categorize(), ["cat", "dog", "emu"])
    assert step.decode(TensorCategory(torch.tensor([0.1, 2.0, -3.0]))) == "dog"
    dls = Datasets(
        [0.0, 1.0, 2.0, 3.0], [[_one_number], [str, Categorize()]], splits=[[0, 1, 2, 3], [0, 1, 2]]
    ).dataloaders(bs=2, num_workers=0, device="cpu")
    learn = Learner(dls, torch.nn.Linear(1, 4), loss_func)
    label, _, scores = learn.predict(2.0)
    assert label == dls.vocab[int(scores.argmax())]
    learn.show_results()


def _one_number(x):
    return torch.tensor([x])


def test_labels_of_numpy_are_held_as_those_of_python():
    classes = CategoryMap(np.array([7, 3, 7]))
    assert repr(classes) == "[3, 7]"
    assert (classes.index_of(np.int64(7)), classes.index_of(7)) == (1, 1)
    assert repr(CategoryMap(pd.Series([7, 3]).astype("category"))) == "[3, 7]"
    assert repr(CategoryMap(np.array(["b", "a"]))) == "['a', 'b']"
    assert CategoryMap(np.array(["b", "a"])).index_of(np.str_("b")) == 1
    days = np.array(["2020-01-02", "2020-01-01"], dtype="datetime64[ns]")
    assert CategoryMap(days).map_objs(days) == [1, 0]
