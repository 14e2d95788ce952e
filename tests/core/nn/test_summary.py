"""The table of layers."""

from typing import Any

import torch
from torch import nn

from layerwise.core.nn import ConvLayer, Module, NormType, layer_info, module_summary


class Shared(Module):
    def __init__(self):
        self.inner = nn.Linear(3, 3)
        self.again = nn.Sequential(self.inner, nn.ReLU())
        self.scale = nn.Parameter(torch.ones(5))
        self.unused = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, x, y):
        return self.again(self.inner(x)) + y


def rows(text):
    return [line.split() for line in text.splitlines()]


def test_rows_have_names_shapes_and_counts():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sequential(nn.BatchNorm2d(8), nn.ReLU()))
    infos = layer_info(model, torch.rand(2, 3, 6, 6))
    assert [(i.name, i.kind, i.param_count) for i in infos] == [
        ("0", "Conv2d", 3 * 8 * 9 + 8), ("1.0", "BatchNorm2d", 16), ("1.1", "ReLU", 0),
    ]  # fmt: skip
    assert all(i.output_shape == (2, 8, 4, 4) for i in infos)


def test_the_run_leaves_no_trace():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).train()
    norm: Any = model[1]
    before = norm.running_mean.clone()
    layer_info(model, torch.rand(4, 3))
    assert torch.equal(norm.running_mean, before)
    assert model.training
    assert model[1].training
    assert not any(m._forward_hooks for m in model.modules())


def test_totals_count_shared_parameters_once():
    model = Shared()
    summary = module_summary(model, torch.rand(2, 3), torch.rand(2, 3))
    assert summary.total_params == sum(p.numel() for p in model.parameters()) == 12 + 5 + 6
    assert summary.trainable_params == 17
    text = str(summary)
    assert "Shared (input: 2 x 3, 2 x 3)" in text
    assert ["unused", "Linear", "not", "called", "6", "False"] in rows(text)
    assert ["-", "Shared", "2", "x", "3", "5", "True"] in rows(text)
    assert "Frozen params: 6" in text
    assert repr(summary) == text


def test_several_outputs_and_parametrized_layers_are_shown():
    text = str(module_summary(nn.LSTM(3, 4, batch_first=True), torch.rand(2, 5, 3)))
    assert "2 x 5 x 4, 1 x 2 x 4, 1 x 2 x 4" in text
    infos = layer_info(ConvLayer(3, 4, norm_type=NormType.Weight), torch.rand(1, 3, 5, 5))
    assert [i.kind for i in infos] == ["Conv2d", "ReLU"]
    assert infos[0].output_shape == (1, 4, 5, 5)
    assert infos[0].trainable


def test_large_counts_have_separators_and_columns_line_up():
    lines = str(module_summary(nn.Linear(1000, 2000), torch.rand(1, 1000))).splitlines()
    assert "2,002,000" in lines[4]
    assert lines[2].index("Params") + len("Params") == lines[4].index("2,002,000") + len(
        "2,002,000"
    )
