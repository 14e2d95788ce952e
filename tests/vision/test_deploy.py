import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.vision.models.xresnet import xresnet18


@pytest.mark.slow
def test_s5_a_residual_network_by_onnx_for_any_batch_and_size(tmp_path):
    torch.manual_seed(0)
    model = xresnet18(n_out=4)
    data = [(torch.randn(3, 64, 64), torch.tensor(0)) for _ in range(4)]
    dl = DataLoader(data, bs=2)
    learn = Learner(DataLoaders(dl, dl, path=tmp_path), model, loss_func=nn.CrossEntropyLoss())
    path = learn.to_onnx(dynamic_dims=(0, 2, 3))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    model.eval()
    for shape in ((1, 3, 64, 64), (7, 3, 96, 80)):
        x = torch.randn(shape)
        with torch.no_grad():
            expected = model(x).numpy()
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert np.abs(found - expected).max() < 1e-4
        assert (found.argmax(1) == expected.argmax(1)).all()
