"""What holds for all layers: copies compute the same, states travel, gradients arrive."""

import copy
import pickle

import pytest
import torch
from torch import nn

from layerwise.core.nn import (
    AdaptiveConcatPool2d,
    BatchNorm,
    BatchNorm1dFlat,
    ConvLayer,
    Embedding,
    InstanceNorm,
    LinBnDrop,
    Mish,
    NormType,
    PixelShuffle_ICNR,
    PooledSelfAttention2d,
    PoolFlatten,
    ResBlock,
    RunningBatchNorm,
    SEBlock,
    SelfAttention,
    SEModule,
    SeparableBlock,
    SEResNeXtBlock,
    SigmoidRange,
    SimpleCNN,
    SimpleSelfAttention,
    SizedCNN,
    Swish,
    TimeDistributed,
)

IMAGE = (2, 8, 8, 8)
LAYERS = {
    "ConvLayer": (lambda: ConvLayer(8, 4), IMAGE),
    "ConvLayer instance": (lambda: ConvLayer(8, 4, norm_type=NormType.Instance), IMAGE),
    "ConvLayer transposed": (lambda: ConvLayer(8, 4, transpose=True), IMAGE),
    "BatchNorm": (lambda: BatchNorm(8), IMAGE),
    "InstanceNorm": (lambda: InstanceNorm(8), IMAGE),
    "BatchNorm1dFlat": (lambda: BatchNorm1dFlat(8), (2, 5, 8)),
    "RunningBatchNorm": (lambda: RunningBatchNorm(8), IMAGE),
    "LinBnDrop": (lambda: LinBnDrop(8, 4, act=nn.ReLU()), (4, 8)),
    "AdaptiveConcatPool2d": (AdaptiveConcatPool2d, IMAGE),
    "PoolFlatten": (lambda: PoolFlatten("Cat"), IMAGE),
    "Swish": (Swish, IMAGE),
    "Mish": (Mish, IMAGE),
    "SigmoidRange": (lambda: SigmoidRange(0, 5), IMAGE),
    "SEModule": (lambda: SEModule(8, 2), IMAGE),
    "ResBlock": (lambda: ResBlock(1, 8, 4, 2), IMAGE),
    "SEBlock": (lambda: SEBlock(1, 8, 4), IMAGE),
    "SEResNeXtBlock": (lambda: SEResNeXtBlock(1, 8, 32, groups=2), IMAGE),
    "SeparableBlock": (lambda: SeparableBlock(2, 4, 4), IMAGE),
    "SimpleCNN": (lambda: SimpleCNN([8, 4, 2]), IMAGE),
    "SizedCNN": (lambda: SizedCNN(8, 2, 8), IMAGE),
    "TimeDistributed": (lambda: TimeDistributed(nn.Linear(8, 4)), (2, 5, 8)),
}
# Torch saves layers with a parametrized weight by their state alone.
PARAMETRIZED = {
    "ConvLayer weight": (lambda: ConvLayer(8, 4, norm_type=NormType.Weight), IMAGE),
    "ConvLayer spectral": (lambda: ConvLayer(8, 4, norm_type=NormType.Spectral), IMAGE),
    "PixelShuffle_ICNR": (lambda: PixelShuffle_ICNR(8, 4, blur=True), IMAGE),
    "SelfAttention": (lambda: SelfAttention(8), IMAGE),
    "PooledSelfAttention2d": (lambda: PooledSelfAttention2d(8), IMAGE),
    "SimpleSelfAttention": (lambda: SimpleSelfAttention(8, sym=True), IMAGE),
    "ResBlock with attention": (lambda: ResBlock(1, 8, 8, sa=True), IMAGE),
}
ALL = LAYERS | PARAMETRIZED


def pickled(layer):
    return pickle.loads(pickle.dumps(layer))


@pytest.mark.parametrize("name", LAYERS)
def test_a_pickled_layer_computes_the_same(name):
    make, shape = LAYERS[name]
    layer, x = make().eval(), torch.rand(shape)
    torch.testing.assert_close(pickled(layer)(x), layer(x))


@pytest.mark.parametrize("name", ALL)
def test_a_deep_copy_computes_the_same(name):
    make, shape = ALL[name]
    layer, x = make().eval(), torch.rand(shape)
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x))


@pytest.mark.parametrize("name", ALL)
def test_a_state_makes_a_new_layer_compute_the_same(name):
    make, shape = ALL[name]
    layer, x = make(), torch.rand(shape)
    layer(x)
    other = make()
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_every_parameter_and_the_input(name):
    make, shape = ALL[name]
    layer, x = make().train(), torch.rand(shape, requires_grad=True)
    out = layer(x)
    (out * torch.rand(out.shape)).sum().backward()
    assert x.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("name", ["ResBlock", "RunningBatchNorm", "SEModule", "SizedCNN"])
def test_compilation_finds_one_graph(name):
    make, shape = LAYERS[name]
    layer, x = make().train(), torch.rand(shape)
    other = copy.deepcopy(layer)
    compiled = torch.compile(other, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))


def test_an_embedding_survives_pickling():
    layer, rows = Embedding(5, 3), torch.tensor([1, 4])
    torch.testing.assert_close(pickled(layer)(rows), layer(rows))
