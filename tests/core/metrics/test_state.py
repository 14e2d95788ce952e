"""What a metric has seen goes to files and to other processes, and comes back whole."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwise.core import metrics
from layerwise.core.metrics.metric import AvgLoss, AvgSmoothLoss, Metric, mk_metric
from layerwise.core.metrics.state import _packed, _unpacked
from layerwise.core.train.events import CancelBatchException

WORLD = 2
CLASSES = ("classes", 3)
TWO = ("classes", 2)
# Every metric of the family, with what it is given.
TABLE = {
    "accuracy": (metrics.accuracy, CLASSES),
    "error_rate": (metrics.error_rate, CLASSES),
    "top_k": (partial(metrics.top_k_accuracy, k=2), CLASSES),
    "Precision": (metrics.Precision(average="macro"), CLASSES),
    "Recall": (metrics.Recall(average="weighted"), CLASSES),
    "F1Score": (metrics.F1Score, TWO),
    "FBeta": (metrics.FBeta(2), TWO),
    "Jaccard": (metrics.Jaccard(average="micro"), CLASSES),
    "BalancedAccuracy": (metrics.BalancedAccuracy, CLASSES),
    "HammingLoss": (metrics.HammingLoss, CLASSES),
    "Matthews": (metrics.MatthewsCorrCoef, CLASSES),
    "CohenKappa": (metrics.CohenKappa(weights="linear"), CLASSES),
    "Brier": (metrics.BrierScore, CLASSES),
    "RocAuc": (metrics.RocAuc, CLASSES),
    "RocAuc of two": (metrics.RocAuc, TWO),
    "RocAucBinary": (metrics.RocAucBinary, TWO),
    "APScoreBinary": (metrics.APScoreBinary, TWO),
    "accuracy_multi": (metrics.accuracy_multi, ("labels", 4)),
    "F1ScoreMulti": (metrics.F1ScoreMulti(average="samples"), ("labels", 4)),
    "FBetaMulti": (metrics.FBetaMulti(0.5), ("labels", 4)),
    "HammingLossMulti": (metrics.HammingLossMulti, ("labels", 4)),
    "JaccardMulti": (metrics.JaccardMulti, ("labels", 4)),
    "MatthewsMulti": (metrics.MatthewsCorrCoefMulti, ("labels", 4)),
    "PrecisionMulti": (metrics.PrecisionMulti(average="micro"), ("labels", 4)),
    "RecallMulti": (metrics.RecallMulti(average="weighted"), ("labels", 4)),
    "BrierMulti": (metrics.BrierScoreMulti, ("labels", 4)),
    "RocAucMulti": (metrics.RocAucMulti, ("labels", 4)),
    "APScoreMulti": (metrics.APScoreMulti, ("labels", 4)),
    "mse": (metrics.mse, ("numbers", 2)),
    "mae": (metrics.mae, ("numbers", 2)),
    "msle": (metrics.msle, ("chances", 2)),
    "rmse": (metrics.rmse, ("numbers", 2)),
    "exp_rmspe": (metrics.exp_rmspe, ("numbers", 2)),
    "ExplainedVariance": (metrics.ExplainedVariance, ("numbers", 2)),
    "R2Score": (metrics.R2Score, ("numbers", 2)),
    "Pearson": (metrics.PearsonCorrCoef, ("numbers", 2)),
    "Spearman": (metrics.SpearmanCorrCoef, ("numbers", 2)),
    "AccumMetric": (metrics.AccumMetric(metrics.mse), ("numbers", 2)),
    "foreground_acc": (partial(metrics.foreground_acc, axis=-1), CLASSES),
    "Dice": (metrics.Dice(axis=-1), TWO),
    "DiceMulti": (metrics.DiceMulti(axis=-1), CLASSES),
    "JaccardCoeff": (metrics.JaccardCoeff(axis=-1), TWO),
    "JaccardCoeffMulti": (metrics.JaccardCoeffMulti(axis=-1), CLASSES),
    "BLEU": (metrics.CorpusBLEUMetric, ("tokens", 6)),
}


def made_data(kind, width, count, seed):
    """Predictions and targets of `count` items, related enough for scores to differ from 0."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, width, generator=generator)
    if kind == "classes":
        # Each class at both ends, so that any part of the set has more than one.
        targ = torch.arange(count) % width
        return noise + torch.eye(width)[targ], targ
    if kind == "labels":
        targ = (torch.arange(count)[:, None] + torch.arange(width)) % 2
        return noise + targ, targ.float()
    if kind == "tokens":
        targ = torch.randint(0, 5, (count, width), generator=generator)
        return torch.where(noise > 1, targ.roll(1, 1), targ), targ
    targ = noise + torch.randn(count, width, generator=generator)
    return (noise.sigmoid(), targ.sigmoid()) if kind == "chances" else (noise, targ)


def seen_by(metric, pred, targ, bs=5):
    for start in range(0, len(pred), bs):
        metric.update(pred[start : start + bs], targ[start : start + bs])
    return metric


@pytest.mark.parametrize("name", sorted(TABLE))
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_states_of_parts_merge_to_that_of_the_whole(name, data):
    given_metric, (kind, width) = TABLE[name]
    count = data.draw(st.integers(12, 40))
    cuts = sorted(data.draw(st.lists(st.integers(0, count), min_size=1, max_size=4)))
    pred, targ = made_data(kind, width, count, seed=data.draw(st.integers(0, 999)))
    whole = seen_by(mk_metric(given_metric), pred, targ)
    parts = [
        seen_by(mk_metric(given_metric), pred[a:b], targ[a:b])
        for a, b in zip([0, *cuts], [*cuts, count], strict=True)
    ]
    assert all(part.unmergeable() is None for part in parts)
    together = mk_metric(given_metric)
    # Over the wire, as between processes.
    states = [_unpacked(_packed(part.state_dict())) for part in parts]
    together.load_state_dict(together.merged(states))
    assert together.value == pytest.approx(whole.value, rel=1e-6, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_a_metric_goes_on_from_its_state_bit_for_bit(name):
    given_metric, (kind, width) = TABLE[name]
    pred, targ = made_data(kind, width, 30, seed=1)
    whole = seen_by(mk_metric(given_metric), pred, targ)
    first = seen_by(mk_metric(given_metric), pred[:15], targ[:15])
    state = _unpacked(_packed(first.state_dict()))
    second = mk_metric(given_metric)
    second.update(pred[:3], targ[:3])  # forgotten when the state is loaded
    second.load_state_dict(state)
    seen_by(second, pred[15:], targ[15:])
    assert second.value == whole.value


def test_a_state_is_not_changed_by_what_comes_after_it():
    bleu = mk_metric(metrics.CorpusBLEUMetric)
    words = torch.tensor([[1, 2, 3, 4, 5]])
    bleu.update(words, words)
    state = bleu.state_dict()
    kept = json.dumps(state)
    bleu.update(words, words.flip(1))
    assert json.dumps(state) == kept
    again = mk_metric(metrics.CorpusBLEUMetric)
    again.load_state_dict(state)
    again.update(words, words.flip(1))
    assert json.dumps(state) == kept
    assert again.value == bleu.value


def test_nothing_seen_is_an_empty_state():
    for given_metric, _ in TABLE.values():
        metric = mk_metric(given_metric)
        assert metric.state_dict() == {}
        metric.load_state_dict({})
        metric.sync()  # nothing happens outside of a distributed run
        assert metric.merged([{}, {}]) == {}


def test_the_smooth_loss_of_processes_is_that_of_their_mean_losses():
    losses = torch.randn(2, 7, generator=torch.Generator().manual_seed(0)).abs()
    parts = [AvgSmoothLoss(0.9), AvgSmoothLoss(0.9)]
    expected = AvgSmoothLoss(0.9)
    for step in range(7):
        for part, row in zip(parts, losses, strict=True):
            part.update(row[step])
        expected.update(losses[:, step].mean())
        if step == 3:  # merged in between, as at the end of an epoch, it goes on the same
            state = parts[0].merged([part.state_dict() for part in parts])
            for part in parts:
                part.load_state_dict(state)
    together = AvgSmoothLoss(0.9)
    together.load_state_dict(together.merged([part.state_dict() for part in parts]))
    assert together.value == pytest.approx(expected.value, rel=1e-6)


def test_plain_values_survive_the_wire_and_nothing_else_does():
    strided = torch.arange(6.0).view(2, 3).T
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": strided, "d": [strided, strided]},
             "e": float("inf"), "f": torch.tensor(3, dtype=torch.int16), "g": []}  # fmt: skip
    back = _unpacked(_packed(value))
    assert torch.equal(back["b"]["c"], strided)
    assert torch.equal(back["b"]["d"][1], strided)
    assert back["f"].dtype == torch.int16
    assert (back["a"], back["e"], back["g"]) == (value["a"], float("inf"), [])
    with pytest.raises(TypeError, match="not JSON serializable"):
        _packed({"a": CancelBatchException})


class Largest(Metric):
    """A metric of a user: one number, no word about several processes."""

    def reset(self):
        self.largest = None

    def update(self, pred, *targets):
        top = pred.max().item()
        self.largest = top if self.largest is None else max(top, self.largest)

    @property
    def value(self):
        return self.largest


def test_a_metric_that_does_not_say_how_parts_merge_is_told():
    metric = mk_metric(Largest)
    assert metric.unmergeable() is None  # nothing seen yet
    metric.update(torch.tensor([1.0, 4.0]))
    assert metric.state_dict() == {"largest": 4.0}
    assert "merges = {'largest': 'sum'}" in str(metric.unmergeable())

    class Mended(Largest):
        merges = {"largest": "max"}

    class Misspelt(Largest):
        merges = {"largest": "maxx"}

    parts = [mk_metric(Mended), mk_metric(Mended)]
    parts[1].update(torch.tensor([7.0]))
    assert parts[0].merged([part.state_dict() for part in parts]) == {"largest": 7.0}
    assert parts[1].unmergeable() is None
    wrong = mk_metric(Misspelt)
    wrong.update(torch.tensor([1.0]))
    assert "Did you mean 'max'?" in str(wrong.unmergeable())


def test_weights_in_the_order_of_the_set_are_refused_by_several_processes():
    metric = metrics.F1Score(sample_weight=[1.0, 2.0])
    assert "F1Score got sample_weight" in str(metric.unmergeable())


def test_state_that_no_file_can_hold_is_named():
    class Odd(Largest):
        def update(self, pred, *targets):
            self.largest = {1, 2}

    metric = mk_metric(Odd)
    metric.update(torch.zeros(1))
    with pytest.raises(TypeError, match="Odd keeps a set in 'largest'"):
        metric.state_dict()


class Count:
    """In the style of torchmetrics, with a `sync` of its own."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.total = torch.tensor(0.0)

    def update(self, pred, target):
        self.total = self.total + len(pred)

    def compute(self):
        return self.total


def test_what_an_adapted_metric_has_seen_is_kept():
    first, second = mk_metric(Count), mk_metric(Count)
    first.update(torch.zeros(3), torch.zeros(3))
    second.load_state_dict(first.state_dict())
    second.update(torch.zeros(2), torch.zeros(2))
    assert (first.value, second.value) == (3, 5)
    second.load_state_dict({})
    assert second.value is None


def test_metrics_of_torchmetrics_keep_their_state():
    try:
        import torchmetrics
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit
        pytest.skip(f"torchmetrics does not import here: {error}")
    pred, targ = made_data("classes", 3, 30, seed=1)
    settings = {"task": "multiclass", "num_classes": 3}
    kinds = [torchmetrics.Accuracy(**settings), torchmetrics.AUROC(**settings)]
    collection = torchmetrics.MetricCollection(
        [torchmetrics.Precision(**settings), torchmetrics.Recall(**settings)]
    )
    for kind in (*kinds, collection):
        whole = seen_by(mk_metric(kind), pred, targ)
        first = seen_by(mk_metric(kind), pred[:15], targ[:15])
        second = mk_metric(kind)
        second.load_state_dict(first.state_dict())
        assert seen_by(second, pred[15:], targ[15:]).value == whole.value


# -- two real processes ----------------------------------------------------------------------


def values_of_one_of(rank):
    """What process `rank` says of every metric, of its own part of an odd number of items."""
    values = {}
    for name, (given_metric, (kind, width)) in TABLE.items():
        pred, targ = made_data(kind, width, 33, seed=5)
        metric = seen_by(mk_metric(given_metric), pred[rank::WORLD], targ[rank::WORLD])
        metric.sync()
        values[name] = metric.value
    lonely = AvgLoss()  # one process has had no batch
    if rank == 1:
        lonely.update(torch.tensor(2.5), torch.zeros(4))
    lonely.sync()
    values["lonely"] = lonely.value
    try:
        untold = mk_metric(Largest)
        if rank == 0:
            untold.update(torch.ones(1))
        untold.sync()
    except TypeError as error:  # in both, though only one has something to merge
        values["refused"] = str(error)
    return values


def test_d2_every_metric_of_two_processes_is_that_of_one(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(WORLD)}
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(tmp_path / "store")],
            env={**environment, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )
        for rank in range(WORLD)
    ]  # fmt: skip
    said = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * WORLD
    assert said[0] == said[1]
    assert said[0].pop("lonely") == 2.5
    assert "Largest does not say how 'largest'" in said[0].pop("refused")
    for name, (given_metric, (kind, width)) in TABLE.items():
        pred, targ = made_data(kind, width, 33, seed=5)
        whole = seen_by(mk_metric(given_metric), pred, targ).value
        assert said[0].pop(name) == pytest.approx(whole, rel=1e-6), name
    assert not said[0]


if __name__ == "__main__":
    import torch.distributed as dist

    dist.init_process_group(
        "gloo", init_method=f"file://{sys.argv[1]}", rank=int(os.environ["RANK"]), world_size=WORLD
    )
    print(json.dumps(values_of_one_of(dist.get_rank())))
    dist.destroy_process_group()
