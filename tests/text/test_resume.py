"""A language model that is resumed in the middle of an epoch remembers what it had read."""

import pytest
import torch

from layerwise.core.callback.checkpoint import Checkpoint
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.random import set_seed
from layerwise.core.train.callback import Callback
from layerwise.text.lm_learner import LMLearner
from layerwise.text.lm_loader import LMDataLoader
from layerwise.text.models.archs import text_arch
from layerwise.text.models.language_model import get_language_model

STOP_AT = 5


class BrokenError(Exception):
    pass


class Break(Callback):
    """Ends the training between two checkpoints."""

    def before_step(self):
        if self.learn.train_iter == STOP_AT:
            raise BrokenError


def learner(path, arch):
    set_seed(0)
    draw = torch.Generator().manual_seed(0)
    texts = [torch.randint(2, 20, (40,), generator=draw) for _ in range(6)]
    dls = DataLoaders(
        LMDataLoader(texts, bs=4, seq_len=6, shuffle=True), LMDataLoader(texts[:2], bs=4, seq_len=6)
    )
    config = {"emb_sz": 6, "n_hid": 8, "n_layers": 2}
    model = get_language_model(arch, 20, config)
    learn = LMLearner(
        dls, model, path=path, splitter=text_arch(arch).lm_split, loss_func=CrossEntropyLossFlat()
    )
    learn.add_cb(Checkpoint("2ba", background=False, signals=()))
    learn.logger = lambda row: None
    return learn


@pytest.mark.parametrize("arch", ["AWD_LSTM", "GRUEncoder"])
def test_what_was_read_before_is_known_after_resuming(tmp_path, arch):
    whole = learner(tmp_path / "whole", arch)
    whole.fit(2)
    broken = learner(tmp_path / "broken", arch)
    with pytest.raises(BrokenError):
        broken.fit(2, cbs=Break())
    resumed = learner(tmp_path / "broken", arch)
    resumed.fit(2, resume=True)
    assert resumed.recorder.losses == whole.recorder.losses
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
