"""Models that take a batch by keywords and return an object with a loss."""

from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
import torch.utils.data as torch_data
from torch import nn
from torch.nn import functional as F

from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.metrics.classification import accuracy
from layerwise.core.train.outputs import ModelLoss, accepted_keywords, computes_loss, read_output


@dataclass
class Output:
    loss: torch.Tensor | None
    logits: torch.Tensor


class Mapped(OrderedDict):
    """A mapping whose entries are attributes too, as outputs of transformers are."""

    def __getattr__(self, name):
        return self[name]


class Classifier(nn.Module):
    """Shaped like a model of transformers: keywords in, an object out."""

    def __init__(self, kind=Output):
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 2)
        self.kind = kind

    def forward(self, input_ids=None, attention_mask=None, labels=None):
        mask = attention_mask[..., None].float()
        logits = self.head((self.embed(input_ids) * mask).sum(1) / mask.sum(1))
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return self.kind(loss=loss, logits=logits)


class Texts(torch_data.IterableDataset):
    """Examples without a length: the class is whether the first token is above 9."""

    def __iter__(self):
        generator = torch.Generator().manual_seed(0)
        for _ in range(32):
            ids = torch.randint(0, 20, (6,), generator=generator)
            yield {
                "input_ids": ids,
                "attention_mask": torch.ones(6, dtype=torch.long),
                "labels": (ids[0] > 9).long(),
            }


@pytest.fixture
def text_loaders():
    return DataLoaders(*(torch_data.DataLoader(Texts(), batch_size=8) for _ in range(2)))


@pytest.mark.parametrize("kind", [Output, Mapped])
def test_a_model_with_keywords_and_its_own_loss_trains_without_adapter(text_loaders, kind):
    torch.manual_seed(0)
    learn = Learner(text_loaders, Classifier(kind), metrics=accuracy, lr=0.05)
    with learn.no_logging():
        learn.fit(15)
    first, last = learn.recorder.losses[0], learn.recorder.losses[-1]
    assert last < first / 1.2
    assert learn.recorder.values[-1][-1] > 0.6  # accuracy reads the logits and the labels


def test_predictions_are_the_logits(text_loaders):
    learn = Learner(text_loaders, Classifier())
    preds, targets = learn.get_preds()
    assert preds.shape == (32, 2)
    assert targets.shape == (32,)
    batch = next(iter(text_loaders.valid))
    with torch.no_grad():
        assert torch.allclose(preds[:8], learn.model(**batch).logits)


def test_the_gradient_is_that_of_the_models_loss(text_loaders):
    torch.manual_seed(0)
    learn = Learner(text_loaders, Classifier(), opt_func=torch.optim.SGD, lr=0.1)
    torch.manual_seed(0)
    twin = Classifier()
    opt = torch.optim.SGD(twin.parameters(), lr=0.1)
    for batch in text_loaders.train:
        twin(**batch).loss.backward()
        opt.step()
        opt.zero_grad()
    with learn.no_logging():
        learn.fit(1)
    for own, theirs in zip(learn.model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(own, theirs, atol=1e-6)


def test_a_loss_function_that_is_given_counts_more_than_the_models(text_loaders):
    learn = Learner(text_loaders, Classifier(), loss_func=lambda logits, y: logits.sum() * 0 + 7)
    assert learn.validate()[0] == 7


class Plain(nn.Module):
    """Keywords in, a tensor out; no loss of its own."""

    def __init__(self):
        super().__init__()
        self.inner = Classifier()

    def forward(self, input_ids, attention_mask):
        return self.inner(input_ids, attention_mask).logits


def test_labels_that_the_model_does_not_take_go_to_the_loss_function(text_loaders):
    learn = Learner(text_loaders, Plain(), loss_func=nn.CrossEntropyLoss(), lr=0.05)
    with learn.no_logging():
        learn.fit(3)
    assert learn.recorder.losses[-1] < learn.recorder.losses[0]


class Whole(nn.Module):
    def forward(self, batch):
        return batch["a"]


def test_a_model_that_wants_the_mapping_itself_gets_it():
    assert accepted_keywords(Whole(), {"a": 1, "b": 2}) is None


def test_keywords_are_those_that_the_model_names():
    assert accepted_keywords(Plain(), {"input_ids": 1, "labels": 2}) == {"input_ids": 1}
    assert accepted_keywords(Plain(), {"input_ids": 1, "images": 2}) is None


def test_a_model_without_loss_and_data_without_targets_say_so_at_once(text_loaders):
    with pytest.raises(ValueError, match="loss_func"):
        Learner(text_loaders, Plain())


def test_a_model_that_returns_no_loss_is_told_of_labels(text_loaders):
    class Forgetful(Classifier):
        def forward(self, input_ids=None, attention_mask=None, labels=None):
            return Output(None, self.head(self.embed(input_ids).mean(1)))

    learn = Learner(text_loaders, Forgetful())
    with pytest.raises(ValueError, match="'labels'"), learn.no_logging():
        learn.fit(1)


def test_one_loss_for_each_device_becomes_their_mean():
    pred, loss = read_output(Output(torch.tensor([1.0, 3.0]), torch.zeros(2)))
    assert loss.item() == 2
    assert pred.shape == (2,)


def test_tuples_and_tensors_are_predictions():
    pair = (torch.zeros(1), torch.ones(1))
    assert read_output(pair) == (pair, None)


def test_who_computes_a_loss():
    assert computes_loss(Classifier())
    assert not computes_loss(nn.Linear(1, 1))
    assert repr(ModelLoss()) == "ModelLoss()"
