"""D1: one learner, 1, 2 and 4 processes: the same weights, metrics and predictions."""

from itertools import chain

import pytest
import torch

SIZES = (1, 7, 63, 200)


def joined(parts):
    """The samples of each step, from those of each process, in the order of the processes."""
    return [list(chain(*step)) for step in zip(*(part["ids"] for part in parts), strict=True)]


def assert_equal_training(one, many):
    """Weights to 1e-5 of their size, losses, metrics and predictions to 1e-6."""
    for part in many:
        for weights in (part["weights"], part["after"]):
            for name, value in one["weights"].items():
                wrong = (weights[name] - value).norm() / value.norm()
                assert wrong < 1e-5, (name, float(wrong))
        values = torch.tensor(part["values"], dtype=torch.float64)
        expected = torch.tensor(one["values"], dtype=torch.float64)
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(part["losses"], one["losses"], rtol=0, atol=1e-6)
        torch.testing.assert_close(part["preds"], one["preds"], rtol=0, atol=1e-5)
        torch.testing.assert_close(part["targs"], one["targs"])
        torch.testing.assert_close(part["item_losses"], one["item_losses"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("nproc", [2, 4])
@pytest.mark.parametrize("size", SIZES)
def test_d1_several_processes_train_as_one_does(results, size, nproc):
    one = results(1, "sizes")[0][size]
    many = [part[size] for part in results(nproc, "sizes")]
    assert joined(many) == one["ids"]
    assert len(one["ids"]) >= 50
    assert_equal_training(one, many)


@pytest.mark.parametrize("size", SIZES)
def test_d1_each_sample_is_seen_once_an_epoch_and_predicted_once(results, size):
    for part in results(4, "sizes"):
        assert len(part[size]["preds"]) == size
    steps = joined([part[size] for part in results(4, "sizes")])
    per_epoch = -(-size // 16)
    for start in range(0, len(steps), per_epoch):
        seen = list(chain(*steps[start : start + per_epoch]))
        assert sorted(seen) == list(range(size))


def test_d1_a_loader_and_an_optimizer_of_torch_are_taken_as_they_are(results):
    two, four = results(2, "stock"), results(4, "stock")
    assert joined(two) == joined(four)
    epochs = [list(chain(*joined(two)[start : start + 4])) for start in (0, 4, 8)]
    assert all(sorted(seen) == list(range(30)) for seen in epochs)
    assert epochs[0] != epochs[1]
    assert_equal_training(two[0], [*two, *four])


@pytest.mark.parametrize("name", ["masked", "accumulated"])
def test_d1_parts_that_weigh_unequally_give_the_gradient_of_the_whole(results, name):
    assert_equal_training(results(1, name)[0], results(2, name))


@pytest.mark.parametrize("name", ["plain", "accumulated", "flat"])
def test_d1_a_process_whose_targets_are_all_ignored_adds_nothing(results, name):
    assert_equal_training(results(1, "unseen")[0][name], [p[name] for p in results(2, "unseen")])


@pytest.mark.parametrize("name", ["plain", "accumulated"])
def test_d1_several_losses_train_in_several_processes_as_in_one(results, name):
    one = results(1, "parted")[0][name]
    for part in results(2, "parted"):
        for key, value in one.items():
            torch.testing.assert_close(part[name][key], value, rtol=1e-5, atol=1e-6)
        assert 'pass strategy="ddp"' in part["said"]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_d1_a_model_beside_is_trained_by_all_processes_together(results, strategy):
    one = results(1, "beside")[0][strategy]
    for part in results(2, "beside"):
        for key, value in one.items():
            torch.testing.assert_close(part[strategy][key], value, rtol=1e-5, atol=1e-6)


def test_d1_a_loss_that_a_callback_sets_needs_no_targets(results):
    one = results(1, "untargeted")[0]
    for part in results(2, "untargeted"):
        for key, value in one.items():
            torch.testing.assert_close(part[key], value, rtol=1e-5, atol=1e-6)


def test_d1_a_loader_that_deals_its_samples_itself_is_used_as_it_is(results):
    first, second = results(2, "dealt_by_torch")
    halves = [part["seen"][start : start + 4] for start in (0, 4) for part in (first, second)]
    seen = [list(chain(*half)) for half in halves]
    epochs = [seen[0] + seen[1], seen[2] + seen[3]]
    assert [sorted(epoch) for epoch in epochs] == [list(range(32))] * 2
    assert epochs[0] != epochs[1]
    assert all(torch.equal(first["weights"][n], w) for n, w in second["weights"].items())
    assert list(map(list, first["values"])) == list(map(list, second["values"]))


def test_d1_what_is_thawed_between_fits_is_trained_by_all(results):
    one, many = results(1, "thawed")[0], results(2, "thawed")
    for part in many:
        for stage in ("frozen", "weights"):
            for name, value in one[stage].items():
                torch.testing.assert_close(part[stage][name], value, rtol=1e-5, atol=1e-6)
    frozen = one["frozen"]["body.0.weight"]
    assert not torch.equal(frozen, one["weights"]["body.0.weight"])


def test_d1_running_statistics_are_shared_and_dropout_is_not(results):
    first, second = results(2, "norms")
    assert all(torch.equal(first["weights"][n], w) for n, w in second["weights"].items())
    assert not torch.equal(first["mask"], second["mask"])


def test_d1_the_rate_finder_agrees_between_processes_and_changes_nothing(results):
    first, second = results(2, "found_rate")
    assert first["rate"] == second["rate"]
    assert all(torch.equal(first["before"][n], w) for n, w in first["after"].items())
