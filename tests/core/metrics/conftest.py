"""One way to feed a metric, shared by the tests of this folder."""

import math
import warnings

import pytest
import torch

from layerwise.core.metrics.metric import mk_metric


@pytest.fixture(scope="session")
def in_batches():
    """The value of a metric after a set was fed to it in batches of `size`."""

    def run(metric, pred, targ, size):
        metric = mk_metric(metric)
        for start in range(0, len(pred), size):
            metric.update(pred[start : start + size], targ[start : start + size])
        return metric.value

    return run


@pytest.fixture(scope="session")
def check_all_sizes(in_batches):
    """Compare a metric with what an oracle says about the whole set, for three batch sizes."""

    def check(metric, pred, targ, oracle):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the oracle warns; ours must not
            want = float(oracle())
        for size in (1, 7, len(pred)):
            got = in_batches(metric, pred, targ, size)
            both_nan = math.isnan(want) and math.isnan(got)
            assert both_nan or math.isclose(got, want, rel_tol=1e-6, abs_tol=1e-6), (
                size,
                got,
                want,
            )

    return check


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)
