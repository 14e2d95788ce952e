"""What a metric is, and the averages of functions and losses."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from layerwise.core.metrics.classification import F1Score, accuracy
from layerwise.core.metrics.loss import LossMetric, LossMetrics
from layerwise.core.metrics.metric import (
    AvgLoss,
    AvgMetric,
    AvgSmoothLoss,
    Metric,
    ValueMetric,
    mk_metric,
)
from layerwise.core.metrics.pooled import pooled
from layerwise.core.metrics.regression import rmse
from layerwise.core.metrics.segmentation import foreground_acc
from layerwise.core.metrics.sizes import count_elements, count_items


class Loop:
    """What a training loop offers to a metric after a batch."""

    def __init__(self, pred=None, yb=(), loss=0.0, xb=(), loss_func=None):
        self.pred, self.yb, self.xb, self.loss_func = pred, yb, xb, loss_func
        self.loss = torch.as_tensor(loss)


def mean_difference(pred, targ):
    return (pred - targ).abs().mean()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 40))
def test_a_mean_of_batches_is_the_mean_of_the_set(check_all_sizes, seed, items):
    source = torch.Generator().manual_seed(seed)
    pred, targ = torch.randn(2, items, 3, generator=source)
    check_all_sizes(
        mean_difference, pred, targ, lambda: (pred.double() - targ.double()).abs().mean()
    )


def test_a_metric_follows_a_training_loop():
    metric = mk_metric(accuracy)
    metric.accumulate(Loop(torch.eye(3), (torch.tensor([0, 1, 2]),)))
    metric.accumulate(Loop(torch.eye(3)[:1], (torch.tensor([1]),)))
    assert metric.value == 0.75


def test_the_loss_is_weighted_by_the_batch_size_of_any_structure():
    loss = AvgLoss()
    loss.accumulate(Loop(yb=(torch.zeros(3, 5),), loss=1.0))
    loss.accumulate(Loop(yb=({"mask": torch.zeros(1, 2)},), loss=5.0))
    assert (loss.name, loss.value) == ("loss", 2.0)
    loss.reset()
    assert loss.value is None
    loss.accumulate(Loop(yb=(), xb=(torch.zeros(4),), loss=torch.tensor([1.0, 3.0])))
    assert loss.value == 2.0
    assert loss._weight == 4
    nothing = Loop()
    nothing.loss = None  # type: ignore[assignment]  # predictions without a loss
    loss.accumulate(nothing)
    assert loss._weight == 4


def test_sizes_of_nested_targets():
    boxes = [{"boxes": torch.zeros(9, 4)}, {"boxes": torch.zeros(0, 4)}]
    assert count_items((boxes,)) == count_elements((boxes,)) == 2
    assert count_items(([torch.zeros(6, 2)],)) == 6
    assert count_elements(([torch.zeros(6, 2)],)) == 12
    assert count_items(()) == count_items((None,)) == count_items((torch.tensor(1),)) == 1


def test_the_smooth_loss_is_the_debiased_moving_average_worked_by_hand():
    smooth = AvgSmoothLoss()
    assert smooth.value is None
    average = 0.0
    for step, loss in enumerate([3.0, 1.0, 2.0], start=1):
        smooth.accumulate(Loop(loss=loss))
        average = 0.98 * average + 0.02 * loss
        assert smooth.value == pytest.approx(average / (1 - 0.98**step))
        assert smooth.unread == smooth.value
    smooth.reset()
    assert smooth.value is None


def test_losses_keep_no_graph():
    for metric in (AvgLoss(), AvgSmoothLoss()):
        loss = torch.ones(4, requires_grad=True).sum()
        for _ in range(2):
            metric.update(loss, torch.zeros(4))
        assert not any(getattr(held, "requires_grad", False) for held in vars(metric).values())


def test_a_sum_begun_in_inference_mode_goes_on_outside():
    metric = AvgLoss()
    with torch.inference_mode():
        metric.update(torch.tensor(1.0), torch.zeros(2))
    metric.update(torch.tensor(2.0, requires_grad=True) * 1, torch.zeros(2))
    assert metric.value == 1.5


def test_a_value_of_something_else_is_passed_on():
    class Counter:
        seen = 3

        def count(self):
            return self.seen

    counter = Counter()
    metric = mk_metric(ValueMetric(counter.count))
    assert (metric.name, metric.value) == ("count", 3)
    counter.seen = 4
    assert metric.value == 4  # the copy still asks the same object
    metric.accumulate(Loop(torch.zeros(1)))
    assert ValueMetric(counter.count, metric_name="seen").name == "seen"


def test_parts_of_the_loss_are_averaged():
    class Content:
        def __call__(self, pred, targ):
            self.content, self.style = pred.mean(), targ.mean()
            return self.content + self.style

    loss_func = Content()
    metrics = [mk_metric(m) for m in LossMetrics("content, style", nms=["c", "s"])]
    for size, level in ((3, 1.0), (1, 5.0)):
        pred, targ = torch.full((size,), level), torch.zeros(size)
        loop = Loop(pred, (targ,), loss_func(pred, targ), loss_func=loss_func)
        for metric in metrics:
            metric.accumulate(loop)
    assert {metric.name: metric.value for metric in metrics} == {"c": 2.0, "s": 0.0}
    with pytest.raises(AttributeError, match=r"content.*no attribute 'missing'"):
        LossMetric("missing").accumulate(loop)
    with pytest.raises(ValueError, match=r"1 names .* for 2 attributes"):
        LossMetrics(["a", "b"], "c")


def test_everything_usual_becomes_a_metric():
    given = [accuracy, partial(accuracy, axis=1), rmse, F1Score, F1Score(), nn.MSELoss()]
    names = [mk_metric(m).name for m in given]
    assert names == ["accuracy", "accuracy", "rmse", "f1_score", "f1_score", "mse_loss"]
    assert mk_metric(lambda p, t: 0.5).name == "<lambda>"
    with pytest.raises(TypeError, match="cannot make a metric from 'accuracy' of type str"):
        mk_metric("accuracy")


@pytest.mark.parametrize("options", [{}, {"force_finite": True}], ids=["function", "partial"])
def test_a_function_of_scikit_learn_takes_targets_first_and_is_refused_as_it_is(options):
    r2_score = pytest.importorskip("sklearn.metrics").r2_score
    given = partial(r2_score, **options) if options else r2_score
    with pytest.raises(TypeError, match=r"targets first.*skm_to_fastai\(r2_score\)"):
        mk_metric(given)


def test_options_of_a_pooled_function_reach_its_metric():
    pred, targ = torch.eye(3), torch.tensor([0, 1, 1])
    metric = mk_metric(partial(foreground_acc, bkg_idx=1, axis=-1))
    metric.update(pred, targ)
    assert metric.value == foreground_acc(pred, targ, 1, -1).item() == 1.0


def test_a_pooled_function_keeps_its_name_and_documentation():
    @pooled(finish=torch.exp)
    def growth(inp, targ):
        """Exponential of the mean difference."""
        return (inp - targ).sum(), targ.numel()

    assert growth.__name__ == mk_metric(growth).name == "growth"
    assert growth.__doc__ == "Exponential of the mean difference."
    assert rmse.__doc__.startswith("() the root")


def test_two_learners_with_one_metric_share_no_state():
    given = F1Score()
    first, second = mk_metric(given), mk_metric(given)
    first.update(torch.eye(2), torch.tensor([0, 1]))
    assert (first.value, second.value, given.value) == (1.0, None, None)
    for func in (accuracy, rmse):
        one, two = mk_metric(func), mk_metric(func)
        one.update(torch.eye(2), torch.tensor([0, 1]) if func is accuracy else torch.eye(2))
        assert two.value is None


def test_calling_a_metric_leaves_what_it_has_seen():
    metric = F1Score()
    metric.update(torch.eye(2), torch.tensor([0, 1]))
    assert metric(torch.eye(2), torch.tensor([1, 0])) == 0.0
    assert metric.value == 1.0


def test_a_metric_of_a_user_needs_only_the_three_old_methods():
    class CountMetric(Metric):
        def reset(self):
            self.count = 0

        def accumulate(self, learn):
            self.count += len(learn.yb[0])

        @property
        def value(self):
            return self.count

    metric = mk_metric(CountMetric)
    metric.accumulate(Loop(yb=(torch.zeros(3),)))
    assert (metric.name, metric.value) == ("count", 3)
    with pytest.raises(NotImplementedError, match="CountMetric has no `update`"):
        metric.update(torch.zeros(1))
    metric.name = "items"
    assert metric.name == "items"


def test_objects_in_the_style_of_torchmetrics_are_adapted():
    class MeanError:
        def __init__(self):
            self.reset()
            self.device = None

        def to(self, device):
            self.device = device

        def reset(self):
            self.total, self.count = torch.tensor(0.0), 0

        def update(self, pred, target):
            assert not pred.requires_grad
            self.total, self.count = self.total + (pred - target).sum(), self.count + len(pred)

        def compute(self):
            assert self.count, "compute before update"
            return self.total / self.count

    given = MeanError()
    metric = mk_metric(given)
    assert (metric.name, metric.value) == ("mean_error", None)
    metric.update(torch.tensor([1.0, 3.0], requires_grad=True), torch.zeros(2))
    assert metric.value == 2.0
    assert metric.inner.device == torch.device("cpu")
    assert given.count == 0
    assert metric.fresh().value is None
    assert mk_metric(MeanError).value is None


def test_a_function_that_returns_several_numbers_is_refused():
    def per_item(pred, targ):
        return (pred - targ).abs()

    metric = mk_metric(per_item)
    with pytest.raises(ValueError, match=r"'per_item' returned a tensor of shape \(3,\).*its mean"):
        metric.update(torch.zeros(3), torch.zeros(3))
    metric.update(torch.zeros(1), torch.zeros(1))
    assert metric.value == 0


def test_functions_may_return_numbers_and_take_no_target():
    metric = AvgMetric(lambda pred: pred.mean().item())
    metric.update(torch.tensor([1.0, 1.0]))
    metric.update(torch.tensor([4.0]))
    assert metric.value == 2.0


def test_an_empty_batch_does_not_spoil_the_mean():
    metric = mk_metric(mean_difference)
    metric.update(torch.zeros(0), torch.zeros(0))
    assert metric.value is None
    metric.update(torch.ones(2), torch.zeros(2))
    assert metric.value == 1.0


def test_every_name_that_users_of_the_family_know_is_there():
    import layerwise.core.metrics as metrics

    users = [
        "accuracy",
        "error_rate",
        "top_k_accuracy",
        "APScoreBinary",
        "BalancedAccuracy",
        "BrierScore",
        "CohenKappa",
        "F1Score",
        "FBeta",
        "HammingLoss",
        "Jaccard",
        "Precision",
        "Recall",
        "RocAuc",
        "RocAucBinary",
        "MatthewsCorrCoef",
        "Perplexity",
        "perplexity",
        "accuracy_multi",
        "APScoreMulti",
        "BrierScoreMulti",
        "F1ScoreMulti",
        "FBetaMulti",
        "HammingLossMulti",
        "JaccardMulti",
        "MatthewsCorrCoefMulti",
        "PrecisionMulti",
        "RecallMulti",
        "RocAucMulti",
        "mse",
        "rmse",
        "mae",
        "msle",
        "exp_rmspe",
        "ExplainedVariance",
        "R2Score",
        "PearsonCorrCoef",
        "SpearmanCorrCoef",
        "foreground_acc",
        "Dice",
        "DiceMulti",
        "JaccardCoeff",
        "JaccardCoeffMulti",
        "CorpusBLEUMetric",
        "AccumMetric",
        "skm_to_fastai",
        "optim_metric",
        "LossMetric",
        "LossMetrics",
        "Metric",
        "AvgMetric",
        "AvgLoss",
        "AvgSmoothLoss",
        "ValueMetric",
        "mk_metric",
    ]
    assert [name for name in users if not hasattr(metrics, name)] == []
