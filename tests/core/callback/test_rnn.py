import pytest
import torch
from torch import nn

from layerwise.core.callback.rnn import ModelResetter, RNNCallback, RNNRegularizer, rnn_cbs
from layerwise.core.callback.sam import SAM
from layerwise.core.data.loader import DataLoader
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.named import reference_to
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.core.registry import register
from layerwise.core.restore import load_learner
from layerwise.core.testing.kinds import check_callback
from layerwise.core.train.callback import Callback


class Texts(nn.Module):
    """A recurrent model that goes on from batch to batch, and gives its activations too."""

    def __init__(self, plain=False):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(7, 5), nn.GRU(5, 5, batch_first=True)
        self.head, self.plain = nn.Linear(5, 7), plain
        self.state, self.resets = None, 0

    def reset(self):
        self.state, self.resets = None, self.resets + 1

    def forward(self, x):
        raw, state = self.rnn(self.embed(x), self.state)
        self.state = state.detach()
        out = raw * 2  # as dropout would
        pred = self.head(out)
        return pred if self.plain else (pred, [torch.zeros(1), raw], [torch.zeros(1), out])


def text_learner(path=".", cbs=(), plain=False):
    draw = torch.Generator().manual_seed(0)
    data = [(t[:-1], t[1:]) for t in torch.randint(0, 7, (8, 5), generator=draw)]
    dls = DataLoaders(DataLoader(data, 4), DataLoader(data[:4], 4))
    torch.manual_seed(0)
    learn = Learner(dls, Texts(plain), CrossEntropyLossFlat(), path=path, cbs=cbs, lr=0.01)
    learn.logger = lambda row: None
    return learn


@pytest.mark.parametrize("make", [ModelResetter, RNNCallback], ids=["resetter", "outputs"])
def test_they_keep_the_contract(make):
    def learner(path):
        return text_learner(path, cbs=[] if make is RNNCallback else RNNCallback())

    check_callback(make(), make_learner=learner)


def test_the_penalty_keeps_the_contract():
    check_callback(
        RNNRegularizer(2, 1), make_learner=lambda path: text_learner(path, [RNNCallback()])
    )


def test_state_is_forgotten_where_a_text_begins():
    learn = text_learner(cbs=rnn_cbs())
    learn.fit(2)
    assert learn.model.resets == 5
    assert learn.model.state is None
    learn.get_preds()
    assert learn.model.resets == 7


def test_the_prediction_is_taken_from_the_outputs():
    learn = text_learner(cbs=rnn_cbs())
    assert learn.get_preds()[0].shape == (4, 4, 7)
    seen = []

    class Look(Callback):
        def after_loss(self):
            source = self.learn.rnn
            seen.append((source.out.shape, torch.equal(source.out, 2 * source.raw_out)))

    learn.add_cb(Look)
    learn.fit(1)
    assert seen == [(torch.Size([4, 4, 5]), True)] * 3
    assert learn.rnn.out is None


def test_penalties_are_the_mean_squares_they_say():
    found = []

    class Look(Callback):
        after = (RNNRegularizer,)

        def after_loss(self):
            if self.learn.training:
                source = self.learn.rnn
                change = source.raw_out.diff(dim=1)
                wanted = 2 * (source.out**2).sum() / source.out.numel()
                wanted = wanted + 3 * (change**2).sum() / change.numel()
                found.append((self.learn.loss_grad - self.learn.loss, wanted))

    text_learner(cbs=[*rnn_cbs(2, 3), Look()]).fit(1)
    assert len(found) == 2
    for added, wanted in found:
        torch.testing.assert_close(added, wanted)


def test_a_model_that_gives_a_tensor_is_left_alone():
    learn = text_learner(cbs=rnn_cbs(1, 1), plain=True)
    learn.fit(1)
    assert learn.get_preds()[0].shape == (4, 4, 7)


def test_which_callbacks_there_are():
    assert [type(cb) for cb in rnn_cbs()] == [ModelResetter, RNNCallback]
    assert [type(cb) for cb in rnn_cbs(beta=1)] == [ModelResetter, RNNCallback, RNNRegularizer]


def test_what_is_missing_is_named(make_learner):
    with pytest.raises(TypeError, match="Linear has none"):
        make_learner(cbs=ModelResetter()).fit(1)
    with pytest.raises(ValueError, match="add both"):
        make_learner(cbs=RNNRegularizer(1)).fit(1)

    class Pair(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ValueError, match="this one returned 2"):
        make_learner(Pair(3, 1), cbs=RNNCallback()).fit(1)


def test_two_passes_and_a_state_are_refused():
    with pytest.raises(ValueError, match="without one of the two"):
        text_learner(cbs=[*rnn_cbs(), SAM()]).fit(1)


def test_a_loaded_export_reads_the_prediction_too(tmp_path):
    if reference_to(Texts) is None:
        register("model", "test-rnn/texts", Texts)
    learn = text_learner(cbs=rnn_cbs(1, 1))
    learn.path = tmp_path
    expected = learn.get_preds()[0]
    loaded = load_learner(learn.export("texts.lw", model=("test-rnn/texts", {})))
    assert [type(cb) for cb in loaded.cbs if cb.in_export] == [ModelResetter, RNNCallback]
    assert torch.equal(loaded.get_preds(dl=learn.dls.valid)[0], expected)
