import contextlib
import gc
import weakref
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.utils.data as torch_data
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.callback.nan_guard import NaNGuard
from layerwise.core.data.block import CategoryBlock, DataBlock, TransformBlock
from layerwise.core.data.dataset import Datasets
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders, TfmdDL
from layerwise.core.errors import DataError
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.metrics.regression import mae
from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.optim.algorithms import SGD, Adam
from layerwise.core.optim.wrap import OptimWrapper
from layerwise.core.random import uniform
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.core.train.checkpoint import ModelFileError
from layerwise.core.train.progress import ProgressCallback
from layerwise.core.train.recorder import Recorder
from layerwise.core.transforms.category import Categorize
from layerwise.core.transforms.random import RandTransform

USUAL = ["TrainEvalCallback", "NaNGuard", "Recorder", "ProgressCallback"]


def kinds(learn):
    return [type(cb).__name__ for cb in learn.cbs]


def weights(learn):
    return torch.cat([p.detach().flatten() for p in learn.model.parameters()])


# -- what it is made of --------------------------------------------------------------------


def words_of(count=24):
    return [("aab" if i % 3 else "bba") * (1 + i % 4) for i in range(count)]


def as_numbers(word):
    return torch.tensor([word.count("a"), word.count("b")], dtype=torch.float32)


def majority(word):
    return "mostly a" if word.count("a") > word.count("b") else "mostly b"


@pytest.fixture
def word_dls():
    """Words as two counts, with a class each: one input, one target, 16 to train, 8 to validate."""
    splits = [list(range(16)), list(range(16, 24))]
    dsets = Datasets(words_of(), [[as_numbers], [majority, Categorize()]], splits=splits)
    return dsets.dataloaders(bs=4, num_workers=0, device="cpu")


@pytest.fixture
def words(word_dls, tmp_path):
    torch.manual_seed(0)
    learn = Learner(
        word_dls, nn.Linear(2, 2), CrossEntropyLossFlat(), lr=0.1, metrics=accuracy, path=tmp_path
    )
    learn.logger = lambda row: None
    return learn


def test_the_loss_comes_from_the_data():
    block = DataBlock((TransformBlock, CategoryBlock), get_x=as_numbers, get_y=majority)
    learn = Learner(block.dataloaders(words_of(), bs=4, num_workers=0), nn.Linear(2, 2))
    assert isinstance(learn.loss_func, CrossEntropyLossFlat)


def test_data_that_name_no_loss_ask_for_one(make_learner):
    with pytest.raises(ValueError, match=r"pass loss_func=, for example"):
        make_learner(loss_func=None)


def test_a_loss_that_is_given_counts(word_dls):
    loss_func = nn.CrossEntropyLoss()
    assert Learner(word_dls, nn.Linear(2, 2), loss_func).loss_func is loss_func


def test_a_misspelt_argument_is_refused(make_learner):
    with pytest.raises(TypeError, match="metric"):
        make_learner(metric=mae)


def test_files_go_to_the_path_of_the_data(tmp_path, samples):
    dls = DataLoaders(DataLoader(samples(4), 2), path=tmp_path / "data")
    learn = Learner(dls, nn.Linear(3, 1), nn.MSELoss(), model_dir="kept")
    assert learn.save("m") == tmp_path / "data" / "kept" / "m.safetensors"


def test_metrics_are_copied_so_that_learners_share_no_state(make_learner):
    from layerwise.core.metrics.metric import AvgMetric

    metric = AvgMetric(nn.functional.l1_loss)
    one, two = make_learner(metrics=metric), make_learner(metrics=[metric])
    one.fit(1)
    assert two.metrics[0].value is None
    assert metric.value is None


@pytest.mark.parametrize("given", [partial(mae), [mae], mae, "two"])
def test_metrics_may_be_set_as_they_are_given(make_learner, given):
    learn, told = make_learner(metrics=None), make_learner(metrics=mae)
    learn.metrics = [mae, mae] if given == "two" else given
    assert [m.name for m in learn.metrics] == ["mae"] * (2 if given == "two" else 1)
    assert learn.validate()[1] == told.validate()[1]
    metric = learn.metrics[0]
    learn.metrics = [metric]
    assert learn.metrics[0] is metric, "what is a metric stays the same"
    learn.metrics = None
    assert learn.metrics == []


def test_what_is_missing_is_named_with_the_nearest(make_learner):
    learn = make_learner()
    with pytest.raises(AttributeError, match=r"no 'fit_one_cylce'.*'fit_one_cycle'"):
        _ = learn.fit_one_cylce


def test_what_is_only_there_in_a_batch_says_so(make_learner):
    with pytest.raises(AttributeError, match=r"no 'xb' now"):
        _ = make_learner().xb
    with pytest.raises(AttributeError, match=r"now"):
        _ = make_learner().x


def test_a_learner_is_freed_when_nobody_holds_it(make_learner):
    """It and its callbacks know each other; that ring must not keep memory."""
    learn = make_learner()
    learn.fit(1)
    ref = weakref.ref(learn.model)
    del learn
    gc.collect()
    assert ref() is None


# -- the optimizer -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "opt_func",
    [
        torch.optim.SGD,
        partial(torch.optim.SGD, momentum=0.9),
        partial(OptimWrapper, opt=torch.optim.AdamW),
        lambda params, lr: torch.optim.SGD([{"params": list(g)} for g in params], lr=lr),
    ],
    ids=["class", "partial", "wrapper", "function"],
)
@pytest.mark.parametrize("lr", [0.1, slice(0.01, 0.1)], ids=["number", "slice"])
def test_optimizers_of_torch_are_taken_as_they_are(make_learner, opt_func, lr):
    learn = make_learner(
        nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)),
        splitter=lambda m: [list(m[0].parameters()), list(m[1].parameters())],
        opt_func=opt_func, lr=lr, wd=0.3,
    )  # fmt: skip
    learn.fit(1)
    assert isinstance(learn.opt, OptimWrapper)
    low, high = (0.1, 0.1) if lr == 0.1 else (0.01, 0.1)
    assert [h["lr"] for h in learn.opt.hypers] == pytest.approx([low, high])
    assert [h["wd"] for h in learn.opt.hypers] == [0.3, 0.3]


def test_a_ready_made_optimizer_of_torch_can_be_given(make_learner):
    learn = make_learner()
    own = torch.optim.SGD(learn.model.parameters(), lr=0.5)
    learn.opt = own
    learn.fit(1)
    assert learn.opt.opt is own
    assert own.param_groups[0]["lr"] == 0.1  # that of the learner, as for every fit


def test_the_optimizer_is_made_once(make_learner):
    learn = make_learner()
    opt = learn.opt
    learn.fit(1)
    assert learn.opt is opt
    learn.create_opt()
    assert learn.opt is not opt


def test_decay_spares_norm_layers_and_biases(make_learner):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    learn = make_learner(model, wd=0.1)
    decayed = {n for n, p in model.named_parameters() if learn.opt.flags_of(p)["do_wd"]}
    assert decayed == {"0.weight", "2.weight"}
    learn = make_learner(model, wd=0.1, wd_bn_bias=True)
    assert all(learn.opt.flags_of(p)["do_wd"] for p in model.parameters())


@pytest.mark.parametrize(("given_wd", "expected"), [(None, 0.2), (0.5, 0.5)])
def test_weight_decay_of_a_fit_goes_before_that_of_the_learner(make_learner, given_wd, expected):
    learn = make_learner(wd=0.2)
    learn.fit(1, wd=given_wd)
    assert learn.opt.hypers[0]["wd"] == expected


def test_without_weight_decay_that_of_the_optimizer_stays(make_learner):
    learn = make_learner(opt_func=Adam)
    learn.fit(1)
    assert learn.opt.hypers[0]["wd"] == 0.01


def three_layers():
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(2, 1))


def by_layer(model):
    return [list(layer.parameters()) for layer in model]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from([-3, -2, -1, 0, 1, 2]), min_size=1, max_size=4))
def test_freezing_trains_the_groups_that_are_left_and_no_others(sequence):
    data = [(torch.randn(3), torch.randn(1)) for _ in range(8)]
    dls = DataLoaders(DataLoader(data, 4))
    learn = Learner(dls, three_layers(), nn.MSELoss(), opt_func=SGD, splitter=by_layer, lr=0.1)
    learn.logger = lambda row: None
    for n in sequence:
        learn.freeze_to(n)
        before = [[p.clone() for p in layer.parameters()] for layer in learn.model]
        learn.fit(1)
        first = n % 3
        for i, (layer, old) in enumerate(zip(learn.model.children(), before, strict=True)):
            same = all(torch.equal(p, o) for p, o in zip(layer.parameters(), old, strict=True))
            assert same == (i < first)


def test_a_new_optimizer_is_frozen_as_the_old_one_was(make_learner):
    learn = make_learner(three_layers(), splitter=by_layer)
    learn.freeze()
    learn.create_opt()
    assert learn.opt.frozen_idx == 2
    assert [p.requires_grad for p in learn.model.parameters()] == [False] * 4 + [True] * 2
    learn.unfreeze()
    learn.create_opt()
    assert all(p.requires_grad for p in learn.model.parameters())


def test_freezing_beyond_the_groups_is_refused_and_forgotten(make_learner):
    learn = make_learner(three_layers(), splitter=by_layer)
    learn.freeze_to(1)
    with pytest.raises(ValueError, match=r"cannot freeze to group 5"):
        learn.freeze_to(5)
    learn.create_opt()
    assert learn.opt.frozen_idx == 1


# -- callbacks -----------------------------------------------------------------------------


class One(Callback):
    pass


class Two(Callback):
    pass


def test_callbacks_are_added_in_order_and_found_by_name(make_learner):
    one = One()
    learn = make_learner(cbs=[one, Two])
    assert kinds(learn) == [*USUAL[:2], "One", "Two", *USUAL[2:]]
    assert learn.one is one
    assert learn.ordered_cbs == learn.cbs
    assert isinstance(learn.progress, ProgressCallback)
    assert isinstance(learn.train_eval, TrainEvalCallback)


def test_one_callback_or_a_list_or_classes_can_be_added_and_removed(make_learner):
    learn = make_learner()
    learn.add_cb(One).add_cbs([Two, Two()])
    assert kinds(learn).count("Two") == 2
    learn.remove_cb(Two).remove_cbs([One])
    assert kinds(learn) == USUAL
    assert not hasattr(learn, "one")


def test_of_two_with_one_name_the_other_keeps_it(make_learner):
    first, second = One(), One()
    learn = make_learner(cbs=[first, second])
    assert learn.one is second
    learn.remove_cb(second)
    assert learn.one is first


def test_removing_what_is_not_there_names_what_is(make_learner):
    with pytest.raises(ValueError, match=r"no callback .*One.*it has TrainEvalCallback, NaNGuard"):
        make_learner().remove_cb(One)


@pytest.mark.parametrize("name", ["Fit", "Model", "Loss", "Pred", "Opt", "Xb", "Dls", "X"])
def test_a_name_that_would_hide_the_learners_own_is_refused(make_learner, name):
    learn = make_learner()
    with pytest.raises(ValueError, match=f"would hide the learner's own '{name.lower()}'"):
        learn.add_cb(type(name, (Callback,), {})())
    assert kinds(learn) == USUAL


def test_a_circle_leaves_the_callbacks_as_they_were(make_learner):
    class Before(Callback):
        pass

    class After(Callback):
        after = (Before,)
        before = (Before,)

    learn = make_learner(cbs=Before())
    with pytest.raises(ValueError, match="After"):
        learn.add_cb(After())
    assert "After" not in kinds(learn)
    assert not hasattr(learn, "after")


def test_added_cbs_are_there_inside_only(make_learner):
    learn = make_learner()
    with learn.added_cbs([One, Two()]) as same:
        assert same is learn
        assert {"One", "Two"} < set(kinds(learn))
    assert kinds(learn) == USUAL


def test_added_cbs_may_be_removed_inside(make_learner):
    learn = make_learner()
    one = One()
    with learn.added_cbs(one):
        learn.remove_cb(one)
    assert kinds(learn) == USUAL


def test_added_cbs_are_gone_when_one_of_them_fails(make_learner):
    class Fails(Callback):
        def after_create(self):
            raise KeyError

    learn = make_learner()
    with contextlib.suppress(KeyError), learn.added_cbs([One, Fails]):
        pass
    assert kinds(learn) == USUAL


def test_removed_cbs_come_back_where_they_were_without_being_created_again(make_learner):
    created = []

    class Notes(Callback):
        def after_create(self):
            created.append(self)

    learn = make_learner(cbs=[Notes, One, Two])
    before = list(learn.cbs)
    with learn.removed_cbs([Notes, learn.one]):
        assert kinds(learn) == [*USUAL[:2], "Two", *USUAL[2:]]
        assert not hasattr(learn, "notes")
    assert list(learn.cbs) == before
    assert len(created) == 1


def test_what_is_added_while_others_are_removed_stays(make_learner):
    learn = make_learner(cbs=One)
    with learn.removed_cbs(One):
        learn.add_cb(Two)
        learn.remove_cb(ProgressCallback)
    assert set(kinds(learn)) == {"TrainEvalCallback", "NaNGuard", "Recorder", "One", "Two"}


def test_callbacks_of_a_fit_are_gone_even_after_an_error(make_learner):
    learn = make_learner()
    with pytest.raises(ZeroDivisionError):
        learn.fit(1, cbs=Callback(after_loss=lambda: 1 / 0))
    assert kinds(learn) == USUAL


def test_without_the_usual_callbacks_there_are_none(make_learner):
    assert make_learner(default_cbs=False).cbs == []


# -- validate ------------------------------------------------------------------------------


def test_validate_gives_loss_and_metrics_of_the_set(make_learner):
    learn = make_learner(metrics=mae)
    x, y = (torch.stack(m) for m in zip(*learn.dls.valid.dataset, strict=True))
    with torch.no_grad():
        error = learn.model(x) - y
    loss, distance = learn.validate()
    assert loss == pytest.approx(error.square().mean().item(), rel=1e-6)
    assert distance == pytest.approx(error.abs().mean().item(), rel=1e-6)


def test_validate_takes_another_loader(make_learner, samples):
    learn = make_learner()
    other = learn.validate(dl=DataLoader(samples(32), 5))
    assert other[0] == pytest.approx(learn.validate(ds_idx=0)[0], rel=1e-6)
    assert other != learn.validate()


def test_validate_is_quiet_and_leaves_the_record(make_learner, capsys):
    learn = make_learner(metrics=mae, quiet=False)
    learn.fit_one_cycle(2, 0.1)
    capsys.readouterr()
    before = {k: v for k, v in vars(learn.recorder).items() if k != "learn"}
    losses, smooth = learn.recorder.losses, learn.recorder.smooth_loss.value
    counts = learn.train_iter, learn.pct_train, learn.n_epoch, learn.epoch
    learn.validate()
    assert {k: v for k, v in vars(learn.recorder).items() if k != "learn"} == before
    assert (learn.recorder.losses, learn.recorder.smooth_loss.value) == (losses, smooth)
    assert (learn.train_iter, learn.pct_train, learn.n_epoch, learn.epoch) == counts
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_validate_keeps_weights_and_statistics(make_learner):
    learn = make_learner(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)))
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.validate()
    assert all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items())


def test_validate_in_the_middle_of_a_training_does_not_change_it(make_learner):
    class Often(Callback):
        def after_epoch(self):
            state = torch.get_rng_state()
            self.learn.validate(ds_idx=0)
            torch.set_rng_state(state)

    plain, often = make_learner(), make_learner(cbs=Often())
    for learn in (plain, often):
        torch.manual_seed(1)
        learn.fit(2)
    assert torch.equal(weights(plain), weights(often))
    assert plain.recorder.values == often.recorder.values
    assert plain.recorder.losses == often.recorder.losses


@pytest.mark.parametrize("call", ["validate", "get_preds"])
def test_a_loader_that_is_not_there_is_named(make_learner, samples, call):
    learn = make_learner(dls=DataLoaders(DataLoader(samples(8), 4)))
    with pytest.raises(ValueError, match=r"no loader 1.*pass the loader itself as dl="):
        getattr(learn, call)()


def test_any_object_with_train_and_valid_is_data(make_learner, samples):
    dls = SimpleNamespace(train=DataLoader(samples(8), 4), valid=DataLoader(samples(4), 4))
    learn = make_learner(dls=dls)
    learn.fit(1)
    assert len(learn.get_preds()[0]) == 4
    assert len(learn.get_preds(ds_idx=0)[0]) == 8
    assert len(learn.validate()) == 1


def test_validation_context_can_hold_a_loop_of_ones_own(make_learner):
    learn = make_learner()
    seen = []
    with learn.validation_context(cbs=Callback(after_pred=lambda: seen.append(learn.pred.shape))):
        learn.model.eval()
        learn.dl = learn.dls.valid
        with torch.no_grad():
            learn.all_batches()
    assert seen == [(8, 1), (8, 1)]


def test_a_loss_is_not_reduced_inside_its_context(make_learner):
    for loss_func in (nn.MSELoss(), MSELossFlat(), nn.functional.mse_loss):
        learn = make_learner(loss_func=loss_func)
        with learn.loss_not_reduced():
            assert learn.loss_func(torch.zeros(4), torch.ones(4)).shape == (4,)
        assert learn.loss_func is loss_func
        assert loss_func(torch.zeros(4), torch.ones(4)).shape == ()


def test_to_detach_gives_a_batch_without_gradients(make_learner):
    x = torch.ones(2, requires_grad=True)
    (found,) = make_learner().to_detach((x * 2,))
    assert not found.requires_grad


# -- predictions ---------------------------------------------------------------------------


def test_predict_gives_the_class_its_index_and_the_probabilities(words):
    words.fit(30)
    label, index, probabilities = words.predict("aabaab")
    assert str(label) == "mostly a"
    assert words.dls.vocab[int(index)] == "mostly a"
    assert probabilities.shape == (2,)
    assert probabilities.sum().item() == pytest.approx(1)
    assert probabilities.argmax() == index
    assert str(words.predict("bbb")[0]) == "mostly b"


def test_predict_takes_what_is_read_already(words):
    one = words.predict("aabb")
    other = words.predict(as_numbers("aabb"), rm_type_tfms=1)
    assert torch.equal(one[2], other[2])


def test_predict_can_give_the_input_too(words):
    item, label, _, _ = words.predict("aabb", with_input=True)
    assert item.tolist() == [2, 2]
    assert str(label) in words.dls.vocab


def test_predict_equals_get_preds_of_a_test_loader(words):
    items = ["ab", "aab", "bbbb"]
    preds, targets = words.get_preds(dl=words.dls.test_dl(items))
    assert targets is None
    for item, expected in zip(items, preds, strict=True):
        torch.testing.assert_close(words.predict(item)[2], expected)


def test_predict_leaves_the_record_and_shows_no_bar(words, capsys):
    words.progress.show = True
    words.fit(1)
    before = words.recorder.values
    capsys.readouterr()
    words.predict("ab")
    assert words.recorder.values == before
    assert capsys.readouterr().err == ""


def test_predict_needs_transforms(make_learner):
    with pytest.raises(TypeError, match=r"predict takes an item through.*get_preds\(dl="):
        make_learner().predict(torch.zeros(3))


def test_test_loaders_with_labels_have_targets(words):
    dl = words.dls.test_dl(["ab", "aab"], with_labels=True)
    preds, targets, losses = words.get_preds(dl=dl, with_loss=True)
    expected = nn.functional.nll_loss(preds.log(), targets, reduction="none")
    torch.testing.assert_close(losses, expected)


def test_show_results_prints_samples_beside_their_predictions(words, capsys):
    words.fit(30)
    words.show_results(max_n=4, shuffle=False)
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == "prediction" or "prediction" in head
    assert len(rows) == 4
    for row, word in zip(rows, words_of()[16:20], strict=True):
        assert row.count(majority(word)) == 2  # what it is, and what is predicted


def test_show_results_of_the_training_data(words, capsys):
    words.show_results(ds_idx=0, max_n=3)
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_what_loaders_of_plain_samples_cannot_show_is_told(make_learner):
    learn = make_learner()
    with pytest.raises(TypeError, match=r"show_results needs .* a Datasets or a DataBlock"):
        learn.show_results()
    with pytest.raises(TypeError, match=r"show_batch needs .*one_batch\(\)"):
        learn.dls.show_batch()
    stock = DataLoaders(torch_data.DataLoader([(torch.ones(3), torch.ones(1))] * 4, 2))
    with pytest.raises(TypeError, match=r"torch.utils.data.*get_preds\(dl=loader\)"):
        stock.test_dl([1])


# -- augmentation at prediction ------------------------------------------------------------


class Shift(RandTransform):
    """Adds a random number to the counts, in training."""

    def before_call(self, b, split_idx):
        super().before_call(b, split_idx)
        self.by = uniform(1, 2)

    def encodes(self, x: torch.Tensor):
        return x + self.by if x.is_floating_point() else x


class Watched(nn.Linear):
    """Keeps what it was given."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.given = []

    def forward(self, x):
        self.given.append(x.clone())
        return super().forward(x)

    def runs(self, size):
        """What each run over the data was given, whole."""
        return torch.cat(self.given).split(size)


@pytest.fixture
def augmented():
    splits = [list(range(16)), list(range(16, 24))]
    dsets = Datasets(words_of(), [[as_numbers], [majority, Categorize()]], splits=splits)
    dls = dsets.dataloaders(bs=3, num_workers=0, device="cpu", after_item=Shift())
    torch.manual_seed(0)
    learn = Learner(dls, Watched(2, 2), CrossEntropyLossFlat(), lr=0.1)
    learn.logger = lambda row: None
    return learn


def plain_inputs():
    return torch.stack([as_numbers(w) for w in words_of()[16:]])


def test_tta_varies_each_run_and_ends_with_a_plain_one(augmented):
    augmented.tta(n=3)
    *runs, plain = augmented.model.runs(8)
    assert len(runs) == 3
    assert torch.equal(plain, plain_inputs())
    shifts = [(run - plain).mean(1) for run in runs]
    assert all((s >= 1).all() and (s < 2).all() for s in shifts)
    assert not torch.allclose(shifts[0], shifts[1])
    assert not torch.allclose(shifts[1], shifts[2])
    assert shifts[0].unique().numel() > 1  # each item has a draw of its own


def expected_tta(learn):
    *runs, plain = learn.model.runs(8)
    with torch.no_grad():
        out = [nn.Linear.forward(learn.model, run).softmax(-1) for run in (*runs, plain)]
    return torch.stack(out[:-1]), out[-1]


def test_tta_mixes_the_mean_of_varied_predictions_with_the_plain_one(augmented):
    preds, targets = augmented.tta(n=4)
    varied, plain = expected_tta(augmented)
    torch.testing.assert_close(preds, 0.75 * varied.mean(0) + 0.25 * plain)
    assert targets.tolist() == [augmented.dls.vocab.index(majority(w)) for w in words_of()[16:]]


def test_tta_can_give_both_parts(augmented):
    (mean, straight), _ = augmented.tta(n=2, beta=None)
    varied, plain = expected_tta(augmented)
    torch.testing.assert_close(mean, varied.mean(0))
    torch.testing.assert_close(straight, plain)


def test_tta_can_take_the_largest(augmented):
    preds, _ = augmented.tta(n=2, use_max=True)
    varied, plain = expected_tta(augmented)
    torch.testing.assert_close(preds, torch.maximum(varied.amax(0), plain))


class Counting(Watched):
    def forward(self, x):
        scores = super().forward(x)
        return scores, scores.argmax(1)


def test_tta_says_what_it_cannot_average(augmented):
    augmented.model = Counting(2, 2)
    augmented.loss_func = lambda pred, _target: pred[0].mean()
    with pytest.raises(TypeError, match=r"no average of Tensor \(8,\) int64; use get_preds"):
        augmented.tta(n=2)


def test_tta_applies_the_activation_over_the_classes_of_each_item(augmented):
    """Not over the runs, where the axis of the classes is counted from the front."""
    augmented.loss_func = CrossEntropyLossFlat(axis=1)
    preds, _ = augmented.tta(n=2)
    torch.testing.assert_close(preds.sum(1), torch.ones(8))


def test_tta_of_a_model_with_several_outputs(augmented):
    linear = augmented.model

    class Two(nn.Module):
        def forward(self, x):
            return linear(x), linear(x).sum(1)

    augmented.model = Two()
    augmented.loss_func = lambda pred, y: pred[1].mean()
    (both, summed), _ = augmented.tta(n=2)
    torch.testing.assert_close(both.sum(1), summed)


def test_tta_takes_other_transforms(augmented):
    augmented.tta(n=2, item_tfms=[lambda x: x * 10 if x.is_floating_point() else x])
    first, second, plain = augmented.model.runs(8)
    torch.testing.assert_close(first, plain * 10)
    torch.testing.assert_close(second, plain * 10)


def test_tta_leaves_the_data_as_they_were(augmented):
    augmented.tta(n=1)
    assert augmented.dls.valid_ds.split_idx == 1
    augmented.model.given.clear()
    augmented.validate()
    assert torch.equal(torch.cat(augmented.model.given), plain_inputs())


def test_tta_leaves_the_data_as_they_were_after_an_error(augmented):
    with pytest.raises(ZeroDivisionError), augmented.added_cbs(Callback(after_pred=lambda: 1 / 0)):
        augmented.tta()
    assert augmented.dls.valid_ds.split_idx == 1


def test_tta_without_transforms_says_why_not(make_learner, samples):
    loader = TfmdDL(samples(8), bs=4)
    with pytest.raises(TypeError, match=r"tta augments by the transforms of Datasets; list"):
        make_learner(dls=DataLoaders(loader, loader)).tta()


# -- save and load -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "opt_func", [partial(SGD, mom=0.9), Adam, partial(torch.optim.AdamW, amsgrad=True)]
)
def test_going_on_after_load_equals_going_on(make_learner, opt_func):
    def fresh():
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        return make_learner(model, opt_func=opt_func, lr=0.02)

    learn = fresh()
    learn.fit(1)
    learn.save("half")
    torch.manual_seed(5)
    learn.fit_one_cycle(2)
    other = fresh()
    other.load("half")
    torch.manual_seed(5)
    other.fit_one_cycle(2)
    assert torch.equal(weights(learn), weights(other))
    assert learn.recorder.values == other.recorder.values


def test_load_returns_the_learner_and_takes_a_path_of_its_own(make_learner, tmp_path):
    learn = make_learner()
    path = learn.save(tmp_path / "elsewhere" / "m")
    assert learn.load(path) is learn
    assert not (tmp_path / "models").exists()


def test_a_file_without_the_optimizer_leaves_it_alone(make_learner):
    learn = make_learner(opt_func=Adam)
    learn.fit(1)
    learn.save("m", with_opt=False)
    state = learn.opt.state_dict()
    learn.load("m")
    assert learn.opt.state_dict()["hypers"] == state["hypers"]
    assert len(learn.opt.state_dict()["state"][0]) == len(state["state"][0]) > 0


def test_a_state_of_other_groups_is_an_error_unless_it_is_not_wanted(make_learner):
    learn = make_learner(three_layers(), splitter=by_layer, opt_func=Adam)
    learn.fit(1)
    learn.save("m")
    other = make_learner(three_layers(), opt_func=Adam)
    with pytest.raises(ModelFileError, match=r"(?s)3 groups, here are 1.*with_opt=False"):
        other.load("m")
    other.load("m", with_opt=False)
    assert torch.equal(weights(learn), weights(other))


def test_a_model_that_differs_names_what_does(make_learner):
    make_learner().save("m")
    other = make_learner(nn.Linear(4, 1))
    with pytest.raises(
        ModelFileError, match=r"weight: \(1, 3\) in the file, \(1, 4\) in the model"
    ):
        other.load("m")
    other.load("m", strict=False, with_opt=False)


def test_a_frozen_learner_can_be_saved_and_loaded(make_learner):
    learn = make_learner(three_layers(), splitter=by_layer, opt_func=Adam)
    learn.freeze()
    learn.fit(1)
    learn.save("m")
    other = make_learner(three_layers(), splitter=by_layer, opt_func=Adam).load("m")
    assert other.opt.frozen_idx == 0  # freezing is a setting, not a state
    other.fit(1)


# -- looks ---------------------------------------------------------------------------------


def test_summary_shows_layers_shapes_and_parameters(make_learner):
    learn = make_learner(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 1)), bs=8)
    text = str(learn.summary())
    assert "8 x 5" in text
    assert "26" in text  # 3 * 5 + 5, 5 + 1
    assert learn.summary().total_params == 26


def test_summary_works_with_stock_loaders_and_leaves_the_model(samples):
    train = torch_data.DataLoader(samples(8), 4)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    learn = Learner(DataLoaders(train), model, nn.MSELoss())
    assert "4 x 4" in str(learn.summary())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_show_training_loop_draws_the_events_with_who_hears_them(make_learner, capsys):
    make_learner(cbs=Callback(before_fit=lambda: None)).show_training_loop()
    lines = capsys.readouterr().out.splitlines()
    depth = {line.split()[0]: len(line) - len(line.lstrip()) for line in lines}
    pairs = ["fit", "epoch", "train", "batch", "backward", "step", "validate"]
    assert all(depth[f"before_{name}"] == depth[f"after_{name}"] for name in pairs)
    nested = [depth[f"before_{name}"] for name in ("fit", "epoch", "train", "batch", "backward")]
    assert nested == [0, 2, 4, 6, 8]
    assert depth["before_validate"] == depth["before_train"]
    assert depth["after_pred"] == depth["before_backward"] == depth["before_step"]
    (first,) = (line for line in lines if "before_fit" in line)
    assert (
        first.split(maxsplit=1)[1]
        == "TrainEvalCallback, NaNGuard, Callback, Recorder, ProgressCallback"
    )
    assert not any("cancel" in line for line in lines)


# -- steps of the loop by hand -------------------------------------------------------------


def test_one_batch_can_be_run_by_hand(make_learner):
    learn = make_learner()
    batch = learn.dls.train.one_batch()
    learn.training = True
    before = weights(learn)
    learn.one_batch(0, batch)
    assert learn.loss.shape == ()
    assert not torch.equal(weights(learn), before)


def test_a_step_can_be_wrapped(samples, tmp_path):
    """As tools do that compile or time the step."""
    counted = []

    class Timed(Learner):
        def batch_step(self):
            counted.append(self.iter)
            super().batch_step()

    learn = Timed(DataLoaders(DataLoader(samples(8), 4)), nn.Linear(3, 1), nn.MSELoss())
    learn.logger = lambda row: None
    learn.fit(1)
    assert counted == [0, 1]


def test_the_recorder_is_the_last_word_on_a_training(make_learner):
    learn = make_learner(metrics=mae)
    learn.fit(2)
    assert isinstance(learn.recorder, Recorder)
    assert list(learn.recorder.final_record) == learn.recorder.values[-1]
    assert learn.recorder.values[-1][1] == pytest.approx(learn.validate()[0])


@pytest.mark.parametrize("wrong", ["adam", torch.optim.SGD([torch.zeros(1)], lr=0.1)])
def test_an_opt_func_that_makes_nothing_is_told_what_to_be(make_learner, wrong):
    with pytest.raises(TypeError, match="no function that makes an optimizer"):
        make_learner(opt_func=wrong).fit(1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (None, "dls is None"),
        (nn.Linear(1, 1), "Learner takes the data first, then the model"),
        (DataLoader([1, 2], 2), r"one loader.*DataLoaders\(train, valid\)"),
        (torch_data.DataLoader([1, 2]), r"one loader.*DataLoaders\(train, valid\)"),
        (([1], [2]), "a tuple.*has no train"),
    ],
    ids=["none", "swapped", "loader", "torch", "tuple"],
)
def test_data_that_are_none_are_told_what_to_be(wrong, told):
    with pytest.raises(TypeError, match=told):
        Learner(wrong, nn.Linear(3, 1), MSELossFlat())


@pytest.mark.parametrize("wrong", [nn.ReLU, "resnet", None], ids=str)
def test_a_model_that_is_none_is_told_what_to_be(make_learner, wrong):
    with pytest.raises(TypeError, match=r"model=.* is no nn\.Module"):
        Learner(make_learner().dls, wrong, MSELossFlat())


@pytest.mark.parametrize("wrong", ["mse", nn.MSELoss, CrossEntropyLossFlat], ids=str)
def test_a_loss_that_is_none_is_told_what_to_be(make_learner, wrong):
    with pytest.raises(TypeError, match=r"loss_func=.* is no loss function"):
        make_learner(loss_func=wrong)


@pytest.mark.parametrize("wrong", ["1e-3", -0.1, float("nan"), float("inf"), [None]], ids=str)
def test_a_learning_rate_that_is_none_is_refused(make_learner, wrong):
    learn = make_learner()
    before = weights(learn)
    for fit in (learn.fit, learn.fit_one_cycle, learn.fit_flat_cos):
        with pytest.raises(ValueError, match=r"lr=.*give a number of 0 or more"):
            fit(1, wrong)
    assert torch.equal(weights(learn), before)


@pytest.mark.parametrize("wrong", [1.5, "2", None, -1], ids=str)
def test_epochs_that_are_no_number_are_refused(make_learner, wrong):
    with pytest.raises((TypeError, ValueError), match=f"n_epoch={wrong!r}; give a whole number"):
        make_learner().fit(wrong)


@pytest.mark.parametrize("wrong", ["max-autotune", None, 3], ids=str)
def test_compile_settings_that_are_none_are_told_what_to_be(make_learner, wrong):
    with pytest.raises(TypeError, match=r"compile=.*True, or options .*'mode': 'max-autotune'"):
        make_learner(compile=wrong)


def test_a_fit_begins_with_an_epoch_there_is(make_learner):
    with pytest.raises(ValueError, match=r"start_epoch=-1; give"):
        make_learner().fit(2, start_epoch=-1)


def test_other_models_go_along(make_learner):
    learn = make_learner()
    teacher = nn.Linear(1, 1)
    assert learn.add_model("teacher", teacher) is learn
    assert learn.aux_models["teacher"] is teacher
    with pytest.raises(ValueError, match="there are: teacher"):
        learn.add_model("teacher", teacher)
    with pytest.raises(ValueError, match="identifier"):
        learn.add_model("my teacher", teacher)
    with pytest.raises(TypeError, match="'made' is a function"):
        learn.add_model("made", lambda x: x)
    assert list(learn.aux_models) == ["teacher"]


def test_other_models_are_saved_and_loaded_with_the_learner(make_learner):
    learn = make_learner().add_model("teacher", nn.Linear(2, 2))
    file = learn.save("both")
    other = make_learner().add_model("teacher", nn.Linear(2, 2))
    other.load(file)
    assert torch.equal(other.aux_models["teacher"].weight, learn.aux_models["teacher"].weight)
    make_learner().load(file)  # the file may have more than the learner
    wrong = make_learner().add_model("teacher", nn.Linear(3, 2))
    before = wrong.model.weight.clone()
    with torch.no_grad():
        learn.model.weight += 1
    learn.save("both")
    with pytest.raises(ValueError, match="does not fit the model 'teacher'"):
        wrong.load(file)
    assert torch.equal(wrong.model.weight, before)


def test_a_default_callback_that_is_given_takes_the_place_of_its_own_kind(make_learner):
    """Two recorders would print each row twice."""
    learn = make_learner(cbs=[Recorder(train_metrics=True), NaNGuard("skip")])
    kinds = [type(cb) for cb in learn.cbs]
    assert kinds.count(Recorder) == kinds.count(NaNGuard) == 1
    assert learn.recorder.train_metrics
    assert learn.nan_guard.policy == "skip"


def test_predictions_of_no_items_are_refused_unless_asked_for_by_name(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders(learn.dls.train, DataLoader([], 4))
    for call in (learn.get_preds, learn.validate):
        with pytest.raises(DataError, match=r"loader 1 has no items .* dl=learn\.dls\.test_dl"):
            call()
