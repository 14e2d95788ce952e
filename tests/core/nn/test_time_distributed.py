"""One module over all steps."""

import pytest
import torch
from torch import nn

from layerwise.core.nn import Module, TimeDistributed


class TwoInTwoOut(Module):
    def forward(self, x, y, scale=1):
        return x + y, x * scale


@pytest.mark.parametrize("tdim", [1, 2])
@pytest.mark.parametrize("low_mem", [True, False])
def test_each_step_is_what_the_module_returns_for_it(low_mem, tdim):
    conv = nn.Conv2d(3, 4, 3)
    x = torch.rand(2, 5, 5, 3, 6, 6)[:, :, 0] if tdim == 1 else torch.rand(2, 3, 5, 6, 6)
    out = TimeDistributed(conv, low_mem=low_mem, tdim=tdim)(x)
    expected = torch.stack([conv(step) for step in x.unbind(tdim)], dim=tdim)
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("low_mem", [True, False])
def test_several_inputs_outputs_and_keywords_pass(low_mem):
    x, y = torch.rand(2, 5, 3), torch.rand(2, 5, 3)
    total, scaled = TimeDistributed(TwoInTwoOut(), low_mem=low_mem)(x, y, scale=3)
    torch.testing.assert_close(total, x + y)
    torch.testing.assert_close(scaled, 3 * x)


def test_inputs_must_have_one_number_of_steps():
    with pytest.raises(ValueError, match=r"\(2, 5, 3\), \(2, 4, 3\)"):
        TimeDistributed(TwoInTwoOut())(torch.rand(2, 5, 3), torch.rand(2, 4, 3))
