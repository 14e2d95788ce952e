"""`compile=True`: a state of the learner that changes neither model, names nor results."""

import copy

import pytest
import torch
from torch import nn
from torch._dynamo import explain
from torch._dynamo.testing import CompileCounterWithBackend

from layerwise.core.metrics.regression import mae


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.body(x).relu())


def groups(model):
    return [list(model.body.parameters()), list(model.head.parameters())]


@pytest.fixture
def counted():
    """A backend that runs graphs as they are and counts them."""
    torch._dynamo.reset()
    yield CompileCounterWithBackend("eager")
    torch._dynamo.reset()


def test_training_and_validation_run_as_whole_graphs(make_learner, counted):
    learn = make_learner(Net(), compile={"backend": counted, "fullgraph": True}, metrics=mae)
    learn.fit(2)
    assert 1 <= counted.frame_count <= 4  # training and evaluation, once more for another length
    assert learn.get_preds()[0].shape == (16, 1)


def test_results_equal_those_of_the_plain_model(make_learner, counted):
    def trained(**settings):
        torch.manual_seed(0)
        learn = make_learner(Net(), **settings)
        learn.model.load_state_dict(
            {k: torch.full_like(v, 0.1) for k, v in learn.model.state_dict().items()}
        )
        torch.manual_seed(1)
        learn.fit_one_cycle(3)
        return learn.model.state_dict()

    plain, compiled = trained(), trained(compile={"backend": counted})
    assert list(plain) == list(compiled)
    for name, value in plain.items():
        assert torch.allclose(value, compiled[name], atol=1e-6)


def test_it_survives_freezing_saving_and_loading(make_learner, counted, tmp_path):
    learn = make_learner(Net(), splitter=groups, compile={"backend": counted, "fullgraph": True})
    learn.freeze()
    before = learn.model.body.weight.clone()
    learn.fit(1)
    assert torch.equal(learn.model.body.weight, before)
    learn.unfreeze()
    learn.fit(1)
    assert not torch.equal(learn.model.body.weight, before)
    file = learn.save("compiled")
    assert not any("_orig_mod" in name for name in learn.model.state_dict())
    other = make_learner(Net(), splitter=groups)
    other.load(file)
    assert torch.equal(other.model.body.weight, learn.model.body.weight)


def test_the_learning_rate_finder_leaves_it_alone(make_learner, counted):
    learn = make_learner(Net(), n=64, compile={"backend": counted})
    learn.lr_find(num_it=20, show_plot=False)
    learn.fit(1)
    assert counted.frame_count >= 1


def test_a_copy_of_the_model_is_plain(make_learner, counted):
    learn = make_learner(Net(), compile={"backend": counted})
    learn.fit(1)
    assert copy.deepcopy(learn.model)(torch.zeros(1, 3)).shape == (1, 1)


def test_a_new_model_is_compiled_too(make_learner, counted):
    learn = make_learner(Net(), compile={"backend": counted})
    learn.validate()
    before = counted.frame_count
    torch._dynamo.reset()
    learn.model = Net()
    learn.validate()
    assert counted.frame_count > before


def test_typed_tensors_never_reach_the_graph(make_learner):
    report = explain(make_learner(Net()).model)(torch.zeros(2, 3))
    assert report.graph_break_count == 0


def test_true_means_the_defaults_of_torch(make_learner):
    assert make_learner(Net(), compile=True).compiling == {}
    assert make_learner(Net()).compiling is None


@pytest.mark.slow
def test_with_the_default_backend(make_learner):
    learn = make_learner(Net(), compile=True)
    learn.fit(2)
    assert learn.recorder.losses[-1] < learn.recorder.losses[0]
