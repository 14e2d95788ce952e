"""Metrics over all predictions, from any function."""

import pytest
import scipy.optimize
import sklearn.metrics as skm
import torch

from layerwise.core.metrics.collected import (
    AccumMetric,
    ActivationType,
    optim_metric,
    skm_to_fastai,
)
from layerwise.core.metrics.metric import mk_metric
from layerwise.core.metrics.multilabel import accuracy_multi


def test_functions_of_scikit_learn_become_metrics(check_all_sizes, generator):
    pred, targ = torch.randn(20, 3, generator=generator), torch.arange(20) % 3
    check_all_sizes(
        skm_to_fastai(skm.f1_score, average="macro"),
        pred,
        targ,
        lambda: skm.f1_score(targ, pred.argmax(1), average="macro"),
    )
    several = (pred > 0.3).int()
    check_all_sizes(
        skm_to_fastai(skm.f1_score, thresh=0.6, average="macro"),
        pred,
        several,
        lambda: skm.f1_score(several, pred.sigmoid() > 0.6, average="macro"),
    )
    numbers = torch.rand(20, generator=generator)
    check_all_sizes(
        skm_to_fastai(skm.median_absolute_error, is_class=False),
        pred[:, 0],
        numbers,
        lambda: skm.median_absolute_error(numbers, pred[:, 0]),
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, lambda p: p),
        ({"dim_argmax": -1}, lambda p: p.argmax(-1)),
        ({"activation": "sigmoid"}, lambda p: p.sigmoid()),
        ({"activation": ActivationType.Sigmoid, "thresh": 0.4}, lambda p: p.sigmoid() > 0.4),
        ({"activation": "softmax", "dim_argmax": 1}, lambda p: p.softmax(1)),
        ({"activation": "binarysoftmax"}, lambda p: p.softmax(-1)[:, -1]),
    ],
)
def test_predictions_are_activated_and_decided_before_they_are_kept(generator, options, expected):
    kept = []

    def keep(pred, targ):
        kept.append(pred)
        return 1.0

    pred = torch.randn(6, 3, generator=generator)
    metric = AccumMetric(keep, flatten=False, **options)
    metric.update(pred[:4], torch.zeros(4))
    metric.update(pred[4:], torch.zeros(2))
    assert metric.value == 1.0
    torch.testing.assert_close(kept[0], expected(pred))


def test_the_function_gets_what_it_asks_for():
    seen = []

    def record(first, second):
        seen.append((first, second))
        return 0

    AccumMetric(record, to_np=True, invert_arg=True)(torch.ones(2, 1), torch.zeros(2))
    first, second = seen[0]
    assert type(first).__name__ == "ndarray"
    assert (first == 0).all()
    assert (second == 1).all()
    assert second.shape == (2,)


def test_names_nothing_seen_and_reset():
    metric = AccumMetric(skm.accuracy_score)
    assert (metric.name, metric.value) == ("accuracy_score", None)
    assert AccumMetric(skm.accuracy_score, name="mine").name == "mine"
    metric.update(torch.ones(2), torch.ones(2))
    assert metric.value == 1.0
    metric.reset()
    assert metric.value is None


def test_errors_say_what_to_do():
    with pytest.raises(TypeError, match=r"unknown keyword 'avrage'\. Did you mean 'average'"):
        skm_to_fastai(skm.f1_score, avrage="macro")
    with pytest.raises(ValueError, match="Did you mean 'softmax'"):
        AccumMetric(skm.f1_score, activation="softmx")
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2,\)"):
        AccumMetric(skm.f1_score).update(torch.zeros(2, 3), torch.zeros(2))
    with pytest.raises(ValueError, match="give \\(smallest, largest\\)"):
        optim_metric(accuracy_multi, "thresh", (0.8, 0.2))


def test_the_best_argument_of_a_smooth_function_is_that_of_scipy():
    def hill(pred, targ, x):
        return float(3 - (x - 1.234) ** 2)

    best, where = optim_metric(hill, "x", (-4, 9), tol=1e-4, get_x=True)(None, None)
    found = scipy.optimize.minimize_scalar(
        lambda x: -hill(0, 0, x), bounds=(-4, 9), method="bounded"
    )
    assert where == pytest.approx(found.x, abs=1e-3)
    assert best == pytest.approx(3)
    low = optim_metric(lambda p, t, x: (x - 2) ** 2, "x", (0, 9), do_neg=False)
    assert low(None, None) == pytest.approx(0, abs=1e-4)


def test_the_best_threshold_is_at_least_as_good_as_every_point_of_a_grid(generator):
    pred = torch.rand(50, 2, generator=generator)
    targ = (pred + 0.1 * torch.randn(50, 2, generator=generator) > 0.37).float()

    def right(pred, targ, thresh):
        return accuracy_multi(pred, targ, thresh=thresh, sigmoid=False)

    best = optim_metric(right, "thresh", (0.0, 1.0))
    assert best(pred, targ) >= max(right(pred, targ, x / 20).item() for x in range(21))


def test_a_search_given_to_a_learner_is_over_the_whole_set(in_batches, generator):
    pred = torch.rand(20, 2, generator=generator)
    targ = (pred > 0.6).float()
    best = optim_metric(accuracy_multi, "thresh", (0.5, 0.75), tol=1e-3)
    assert mk_metric(best).name == "opt_accuracy_multi"
    assert {in_batches(best, pred, targ, size) for size in (1, 7, 20)} == {best(pred, targ)}
    assert in_batches(AccumMetric(best, flatten=False), pred, targ, 7) == best(pred, targ)
