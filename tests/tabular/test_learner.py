"""`tabular_learner`: real tables are learnt, and the learner does with rows all that it should."""

import copy
import shutil

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.callback.mixup import MixUp
from layerwise.core.data.block import CategoryBlock, MultiCategoryBlock, RegressionBlock
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.interpret.classes import ClassificationInterpretation
from layerwise.core.interpret.interpretation import Interpretation
from layerwise.core.metrics.classification import accuracy
from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.transforms.numeric import Normalize
from layerwise.tabular.data import TabularDataLoaders
from layerwise.tabular.frames import cont_cat_split
from layerwise.tabular.learner import tabular_learner
from layerwise.tabular.models.mlp import tabular_config
from layerwise.tabular.pandas_table import TabularPandas
from layerwise.tabular.procs import Categorify, FillMissing
from layerwise.tabular.several_losses import SeveralLosses

ARCHS = ["mlp", "resnet", "ft_transformer"]


@pytest.fixture(autouse=True)
def _few_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def people(count=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "job": rng.choice(["clerk", "smith", "cook"], count),
        "is_old": rng.random(count) < 0.5,
        "age": rng.normal(40, 12, count),
        "rooms": rng.integers(1, 99, count),
    })  # fmt: skip
    frame["pay"] = np.where(frame["age"] + 10 * frame["is_old"] > 45, "high", "low")
    frame["rent"] = frame["rooms"] / 10 + (frame["job"] == "clerk")
    return frame


def learner(frame=None, y_names="pay", inputs=("job", "is_old", "age", "rooms"), **kwargs):
    frame = people() if frame is None else frame
    of_model = {
        name: kwargs.pop(name)
        for name in ("arch", "metrics", "y_range", "path", "cbs", "n_out", "loss_func")
        if name in kwargs
    }
    cats = [name for name in inputs if name in ("job", "is_old")]
    conts = [name for name in inputs if name not in cats]
    dls = TabularDataLoaders.from_df(frame, cat_names=cats, cont_names=conts, y_names=y_names,
                                     bs=32, seed=0, **kwargs)  # fmt: skip
    return tabular_learner(dls, **of_model)


def fitted(*args, epochs=1, **kwargs):
    set_seed(0)
    learn = learner(*args, **kwargs)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(epochs, 1e-2)
    return learn


# -- real tables ---------------------------------------------------------------------------


def unpacked(archive, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    shutil.unpack_archive(archive, folder, filter="data")
    return folder / archive.stem


@pytest.fixture(scope="module")
def adult(mirror, tmp_path_factory):
    folder = unpacked(mirror / "adult_sample.tgz", tmp_path_factory)
    return pd.read_csv(folder / "adult.csv", skipinitialspace=True)


@pytest.fixture(scope="module")
def housing(mirror, tmp_path_factory):
    folder = unpacked(mirror / "california_housing.tgz", tmp_path_factory)
    frame = pd.read_csv(folder / "housing.csv")
    frame["median_house_value"] = np.log(frame["median_house_value"])
    return frame


@pytest.mark.parametrize(("arch", "rows"), [("mlp", 20_000), ("resnet", 10_000), (ARCHS[2], 6_000)])
def test_adults_are_learnt(adult, arch, rows):
    set_seed(0)
    procs = [Categorify(on_unseen="count"), FillMissing, Normalize]  # some countries are rare
    dls = TabularDataLoaders.from_df(adult.iloc[:rows], procs=procs, y_names="salary", bs=256,
                                     seed=0)  # fmt: skip
    learn = tabular_learner(dls, arch=arch, metrics=accuracy)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(2, 5e-3)
    assert learn.validate()[1] > 0.82  # who always says "<50k" has 0.76


@pytest.mark.parametrize("arch", ARCHS)
def test_the_prices_of_houses_are_learnt(housing, arch):
    frame = housing.iloc[:: 3 if arch == "ft_transformer" else 1]
    set_seed(0)
    dls = TabularDataLoaders.from_df(frame, y_names="median_house_value", bs=256, seed=0)
    learn = tabular_learner(dls, arch=arch, y_range=(9.5, 13.2))
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(4, 1e-2 if arch == "mlp" else 3e-3)
    preds, targets = learn.get_preds()
    # As a line through the same rows explains them, with the categories as columns of their own.
    split = [dl.dataset.items.index for dl in dls]
    numbers = pd.get_dummies(frame, dtype=float).fillna(frame["total_bedrooms"].median())
    x, y = numbers.drop(columns="median_house_value"), frame["median_house_value"]
    line = make_pipeline(StandardScaler(), LinearRegression()).fit(x.loc[split[0]], y.loc[split[0]])
    unexplained = float(((preds - targets) ** 2).mean() / targets.var())
    assert unexplained < 0.9 * (1 - line.score(x.loc[split[1]], y.loc[split[1]]))
    assert preds.min() > 9.5
    assert preds.max() < 13.2


def test_the_program_of_chapter_1_of_the_book(adult, tmp_path):
    adult.iloc[:2000].to_csv(tmp_path / "adult.csv", index=False)
    path = tmp_path
    dls = TabularDataLoaders.from_csv(path / "adult.csv", path=path, y_names="salary",
        cat_names=["workclass", "education", "marital-status", "occupation", "relationship",
                   "race"],
        cont_names=["age", "fnlwgt", "education-num"],
        procs=[Categorify, FillMissing])  # fmt: skip
    learn = tabular_learner(dls, metrics=accuracy)
    with learn.no_logging(), learn.no_bar():
        learn.fit_one_cycle(1)
    assert learn.validate()[1] > 0.5


def test_the_network_of_chapter_9_of_the_book():
    frame = people(600)
    cont, cat = cont_cat_split(frame.drop(columns="pay"), max_card=90, dep_var="rent")
    splits = (list(range(500)), list(range(500, 600)))
    to = TabularPandas(frame, [Categorify, FillMissing], cat, cont, splits=splits, y_names="rent")
    dls = to.dataloaders(64)
    y = to.train.y
    assert (y.min(), y.max()) == pytest.approx(
        (frame["rent"][:500].min(), frame["rent"][:500].max())
    )
    set_seed(0)
    learn = tabular_learner(dls, y_range=(0, 12), layers=[50, 25], n_out=1, loss_func=F.mse_loss)
    with learn.no_logging(), learn.no_bar():
        learn.lr_find(show_plot=False)
        learn.fit_one_cycle(8, 1e-2)
    preds, targs = learn.get_preds()
    assert preds.shape == targs.shape == (100, 1)
    assert float(F.mse_loss(preds, targs).sqrt()) < 0.3 * y.std()


# -- what a learner does with rows -----------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("inputs", [("job",), ("age",), ("job", "is_old"), ("age", "rooms")])
def test_columns_of_one_kind_are_enough(arch, inputs):
    learn = fitted(inputs=inputs, arch=arch, path=None)
    preds, _ = learn.get_preds()
    assert preds.shape == (40, 2)
    assert learn.predict(people().iloc[0])[2].shape == (2,)


@pytest.mark.parametrize(
    ("y_names", "y_block", "outputs", "shown"),
    [
        ("pay", None, 2, ["high", "low"]),
        ("rent", None, 1, None),
        (["rent", "rooms"], RegressionBlock(), 2, None),
        ("rooms", CategoryBlock(), 99, None),
        (["pay", "rent", "is_old"], [CategoryBlock(), RegressionBlock(), CategoryBlock()], 5, None),
        ("tags", MultiCategoryBlock(), 2, None),
        (["x", "y"], MultiCategoryBlock(encoded=True, vocab=["x", "y"]), 2, None),
    ],
)
def test_every_kind_of_target_is_learnt_predicted_shown_and_exported(
    y_names, y_block, outputs, shown, tmp_path, capsys
):
    frame = people()
    frame["rooms"] = np.arange(200) % 99  # each class among the training rows
    frame["tags"] = [["a"] if high else ["a", "b"] for high in frame["pay"] == "high"]
    frame["x"], frame["y"] = frame["pay"] == "high", (frame["rooms"] > 50).astype(int)
    valid_idx = range(100, 140)
    cats, conts = ["job"], ["age"]
    dls = TabularDataLoaders.from_df(frame, tmp_path, None, cats, conts, y_names, y_block,
                                     valid_idx, bs=32)  # fmt: skip
    learn = tabular_learner(dls)
    with learn.no_logging(), learn.no_bar():
        learn.fit(1)
    preds, _ = learn.get_preds()
    assert preds.shape[1:].numel() == outputs
    row, decoded, pred = learn.predict(frame.iloc[100])
    torch.testing.assert_close(pred, preds[0].reshape(pred.shape))
    names = [y_names] if isinstance(y_names, str) else y_names
    for name in names:
        assert type(row.items[name].iloc[0]) in (str, int, bool, list, float, np.float32, np.bool_)
        if shown:
            assert row.items[name].iloc[0] == shown[int(decoded)]
    learn.show_results(max_n=2)
    dls.show_batch(max_n=2)
    head = capsys.readouterr().out.splitlines()[0].split()
    assert head == [*cats, *conts, *names, *(f"{name}_pred" for name in names)]
    again = load_learner(learn.export("rows.lw"))
    torch.testing.assert_close(again.predict(frame.iloc[100])[2], pred)


def test_a_row_is_predicted_in_any_form_as_in_its_table():
    frame, learn = people(), fitted(y_names="rent")
    expected, _ = learn.get_preds(dl=learn.dls.test_dl(frame))
    row = frame.iloc[7]
    for form in (row, row.to_dict(), row.drop(["pay", "rent"]), row[::-1]):
        found, _, pred = learn.predict(form)
        torch.testing.assert_close(pred, expected[7])
        assert found.items["job"].tolist() == [row["job"]]
        assert found.items["rent"].tolist() == pred.tolist()
    for form in (
        frame.iloc[5:9], list(frame.iloc[5:9].to_dict("records")),
        [row for _, row in frame.iloc[5:9].iterrows()], pl.from_pandas(frame.iloc[5:9]),
        learn.dls.train_ds.new(frame.iloc[5:9]),
    ):  # fmt: skip
        several = learn.predict(form)
        assert len(several) == 4
        torch.testing.assert_close(several[2][2], expected[7])
    assert learn.predict(frame.iloc[:0]) == learn.predict([]) == []
    with_input = learn.predict(row, with_input=True)
    assert with_input[0].items["age"].iloc[0] == pytest.approx(row["age"], rel=1e-4)
    assert len(with_input) == 4


def test_predictions_do_not_depend_on_the_order_of_columns():
    frame, learn = people(), fitted()
    expected, _ = learn.get_preds(dl=learn.dls.test_dl(frame))
    for columns in (frame.columns[::-1], frame.columns[[2, 0, 3, 1]]):
        found, _ = learn.get_preds(dl=learn.dls.test_dl(frame[columns]))
        assert torch.equal(found, expected)


def test_predictions_for_new_rows_with_their_targets():
    frame, learn = people(), fitted(metrics=accuracy)
    loader = learn.dls.test_dl(frame, with_labels=True)
    preds, targets = learn.get_preds(dl=loader)
    assert targets.tolist() == [["high", "low"].index(pay) for pay in frame["pay"]]
    right = (preds.argmax(1) == targets).float().mean()
    assert learn.validate(dl=loader)[1] == pytest.approx(float(right))
    assert learn.get_preds(dl=learn.dls.test_dl(frame))[1] is None


def test_predictions_for_several_targets_have_a_metric_of_each():
    loss = SeveralLosses([CrossEntropyLossFlat(), MSELossFlat()], [2, 1])
    first = lambda pred, targ: accuracy(*loss.parts(pred, targ)[0])
    learn = learner(y_names=["pay", "rent"], metrics=first)
    preds, targets, decoded = learn.get_preds(with_decoded=True)
    expected = (preds[:, :2].argmax(1) == targets[:, 0]).float().mean()
    assert learn.validate()[1] == pytest.approx(float(expected))
    assert decoded.shape == targets.shape == (40, 2)


def test_mistakes_are_interpreted(capsys):
    learn = fitted()
    found = ClassificationInterpretation.from_learner(learn)
    matrix = found.confusion_matrix()
    preds, targets = learn.get_preds()
    for i in range(2):
        for j in range(2):
            assert matrix[i, j] == int(((targets == i) & (preds.argmax(1) == j)).sum())
    found.plot_top_losses(3)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][-3:] == ["pay_pred", "probability", "loss"]
    losses = [float(line[-1]) for line in lines[1:]]
    each = F.cross_entropy(preds.log(), targets, reduction="none")
    assert losses == pytest.approx(each.topk(3).values.tolist(), rel=1e-3)
    assert [line[-3] for line in lines[1:]] == [
        ["high", "low"][int(i)] for i in preds[each.topk(3).indices].argmax(1)
    ]
    found.top_losses(3, items=True)
    Interpretation.from_learner(fitted(y_names="rent")).plot_top_losses(2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-2:] == ["rent_pred", "loss"]


def test_the_summary_names_the_layers():
    told = str(learner().summary())
    assert "Embedding" in told
    assert "BatchNorm1d" in told


def test_mixing_rows_of_categories_is_refused_with_what_to_do():
    with pytest.raises(TypeError, match="mix after the numbers are embedded, or leave it out"):
        fitted(cbs=MixUp())


def test_two_trainings_with_one_seed_are_equal():
    first, second = (fitted(epochs=2).model.state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("arch", ["mlp", "ft_transformer"])
def test_a_training_that_goes_on_ends_in_the_same_bits(tmp_path, arch):
    def trained(folder, stop=None):
        set_seed(0)
        learn = learner(arch=arch, path=folder, cbs=Checkpoint("2ba", keep=None, background=False))
        with learn.no_logging(), learn.no_bar():
            learn.fit_one_cycle(2, 1e-2)
        return copy.deepcopy(learn.model.state_dict()), learn

    whole, _ = trained(tmp_path / "whole")
    files = sorted((tmp_path / "whole" / "checkpoints").iterdir())
    middle = next(file for file in files if "6" in file.name)
    set_seed(1)
    again = learner(arch=arch, path=tmp_path / "again")
    with again.no_logging(), again.no_bar():
        again.fit_one_cycle(2, 1e-2, resume=middle)
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, whole[name]), name


def test_weights_go_to_a_file_and_back(tmp_path):
    learn = fitted(path=tmp_path)
    before, _ = learn.get_preds()
    learn.save("rows")
    other = learner(path=tmp_path).load("rows")
    assert torch.equal(other.get_preds()[0], before)


def test_settings_reach_the_model():
    config = tabular_config(ps=0.3, use_bn=False, bn_cont=False)
    dls = learner().dls
    learn = tabular_learner(dls, [7], {"job": 5}, config, y_range=None)
    kinds = [type(module).__name__ for module in learn.model.modules()]
    assert "BatchNorm1d" not in kinds
    assert learn.model.embeds[0].embedding_dim == 5


# -- what is wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kwargs", "kind", "said"),
    [
        ({"arch": "resnt"}, ValueError, r"no arch 'resnt'\. Did you mean 'resnet'"),
        ({"arch": "resnet", "layers": [3]}, ValueError, "layers are those of arch='mlp'"),
        (
            {"layers": 100},
            TypeError,
            r"layers=100; give a list, the features of each: \[200, 100\]",
        ),
        (
            {"emb_szs": {"jb": 3}},
            ValueError,
            "'jb', which is no column of cat.* Did you mean 'job'",
        ),
        ({"emb_szs": [(4, 3)]}, TypeError, r"emb_szs=\[\(4, 3\)\]; give widths by column, such as"),
        ({"metric": accuracy}, TypeError, r"unknown keyword 'metric'\. Did you mean 'metrics'"),
    ],
)
def test_wrong_settings_are_named(kwargs, kind, said):
    with pytest.raises(kind, match=said):
        tabular_learner(learner().dls, **kwargs)


def test_data_without_target_and_other_data_are_refused():
    to = TabularPandas(people(), Categorify, "job", "age", splits=(range(100), range(100, 200)))
    with pytest.raises(ValueError, match=r"these data have no target, .* or pass n_out="):
        tabular_learner(to.dataloaders(2))
    learn = tabular_learner(to.dataloaders(2), n_out=3, loss_func=F.mse_loss)
    assert learn.get_preds(dl=learn.dls.test_dl(people(5)))[0].shape == (5, 3)
    with pytest.raises(TypeError, match="takes the loaders of a table, not DataLoaders of other"):
        tabular_learner(DataLoaders(DataLoader([1, 2])))
