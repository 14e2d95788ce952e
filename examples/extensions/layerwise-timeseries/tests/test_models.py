"""Models know what is there, and random kernels do what the paper says."""

import pytest
import torch
from layerwise.core.testing import raises_with

from layerwise_timeseries.models import InceptionTime, Rocket

NAN = float("nan")


@pytest.mark.parametrize(
    "make",
    [lambda: InceptionTime(2, 3, filters=4, depth=6), lambda: Rocket(2, 3, 20, kernels=60)],
    ids=["InceptionTime", "Rocket"],
)
def test_a_series_is_predicted_the_same_alone_and_beside_longer_ones(make):
    model = make()
    model.train()
    with torch.no_grad():
        model(torch.randn(16, 2, 20))  # so that norm layers have seen something
        model.linear.weight.normal_()
    model.eval()
    series = torch.randn(1, 2, 13)
    padded = torch.nn.functional.pad(series, (0, 9), value=NAN)
    with torch.no_grad():
        torch.testing.assert_close(model(padded), model(series), atol=1e-5, rtol=1e-4)
        assert model(padded.where(padded != padded[0, 0, 4], NAN)).isfinite().all()


def test_the_features_of_rocket_are_those_of_its_kernels_one_by_one():
    model = Rocket(2, 3, seq_len=25, kernels=30, seed=3).double()
    x = torch.randn(4, 2, 25, dtype=torch.float64)
    shares, greatest = [], []
    for i, (size, dilation, padding) in enumerate(model.shapes):
        weights, biases = getattr(model, f"weights{i}"), getattr(model, f"biases{i}")
        assert weights.shape[-1] == size
        out = torch.nn.functional.conv1d(x, weights, biases, 1, padding, dilation)
        shares.append((out > 0).double().mean(-1))
        greatest.append(out.amax(-1))
    expected = torch.cat([*shares, *greatest], 1)
    torch.testing.assert_close(model.features(x), expected)


def test_kernels_are_as_the_paper_draws_them():
    model = Rocket(1, 2, seq_len=150, kernels=2000)
    sizes, dilations, paddings = zip(*model.shapes, strict=True)
    assert set(sizes) == {7, 9, 11}
    assert max((s - 1) * d for s, d in zip(sizes, dilations, strict=True)) <= 149
    assert all(
        p in (0, (s - 1) * d // 2) for s, d, p in zip(sizes, dilations, paddings, strict=True)
    )
    counts = [len(getattr(model, f"biases{i}")) for i in range(len(sizes))]
    padded = sum(c for c, p in zip(counts, paddings, strict=True) if p)
    assert sum(counts) == 2000
    assert 0.45 < padded / 2000 < 0.55
    assert model.weights0.mean(-1).abs().max() < 1e-5


def test_the_same_seed_is_the_same_model_and_kernels_are_not_trained():
    first, again = Rocket(2, 3, 20, kernels=50), Rocket(2, 3, 20, kernels=50)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)
    assert [name for name, _ in first.named_parameters()] == ["linear.weight", "linear.bias"]


def test_a_setting_that_is_unknown_is_refused():
    with raises_with(TypeError, "dept"):
        InceptionTime(1, 2, dept=3)


def test_a_kernel_sees_few_channels():
    model = Rocket(12, 2, seq_len=50, kernels=1000)
    weights = [getattr(model, f"weights{i}") for i in range(len(model.shapes))]
    seen = torch.cat([(w != 0).any(-1).sum(1) for w in weights])
    assert seen.min() == 1
    assert seen.max() <= 12
    assert 0.2 < (seen == 1).float().mean() < 0.4  # a uniform power of two: 1 / log2(8 to 12 + 1)
