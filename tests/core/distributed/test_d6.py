"""D6: process 0 alone writes and prints; what no gradient reaches is named."""

import re

import pytest
import torch


def told_of(parts, name):
    return [part[name] for part in parts]


def test_d6_the_files_are_those_of_one_process(results):
    one, many = results(1, "written")[0], results(2, "written")
    plain = lambda files: sorted(re.sub(r"-[0-9a-f]{8}-", "-run-", file) for file in files)
    assert plain(one["files"]) == plain(many[0]["files"])
    assert len(one["files"]) > 8


def test_d6_only_process_0_writes_and_prints(results):
    first, second = results(2, "written")
    assert first["opened"]
    assert second["opened"] == []
    assert first["said"].startswith("epoch")
    assert second["said"] == ""


def test_d6_unused_parameters_are_named(results):
    for part in results(2, "unused"):
        assert "2 parameter(s) had no part in the loss: spare.weight, spare.bias" in part["said"]
        assert "DDP(find_unused_parameters=True)" in part["said"]


def test_d6_process_0_goes_first_where_it_has_to(results):
    assert told_of(results(2, "first"), "there") == [False, True]
    assert told_of(results(2, "first"), "again") == [3, 3]


def test_d6_a_wrong_strategy_is_refused_by_one_process_too(make_learner):
    with pytest.raises(ValueError, match=r"Did you mean 'fsdp2'\?"):
        make_learner().to_distributed(strategy="fsdp")


def test_d6_wrong_calls_are_refused_by_all(results):
    for said in results(2, "refusals"):
        assert "Did you mean 'fsdp2'?" in said["strategy"]
        assert "needs the norm of whole parameters" in said["norms"]
        assert "call detach_distributed first" in said["twice"]
        for when in ("given", "added"):
            assert "under FSDP2(" in said[f"average {when}"]
            assert 'strategy="ddp", or without EMA' in said[f"average {when}"]


def test_d6_the_average_of_the_weights_has_the_same_buffers_in_all(results):
    first, second = results(2, "averaged")
    assert all(torch.equal(first[name], value) for name, value in second.items())


def test_d6_every_callback_trains_the_same_in_all_processes_or_says_why_not(results):
    first, second = results(2, "each")
    refused = {"ddp": set(), "fsdp2": {"parts", "average", "flat", "first"}}
    for (strategy, name), weights in first.items():
        other = second[strategy, name]
        if name in refused[strategy]:
            assert weights == other
            assert 'strategy="ddp"' in weights
            continue
        for key, value in weights.items():
            assert torch.equal(value, other[key]), (strategy, name)
            torch.testing.assert_close(value, first["ddp", name][key], rtol=1e-5, atol=1e-6)


def test_d6_models_that_have_come_apart_are_told_of_once(results):
    first, second = results(2, "diverged")
    assert first["Learner"] == second["Learner"] == []
    assert len(first["Aside"]) == 1
    assert "learn.call_model" in first["Aside"][0]
    assert second["Aside"] == []


def test_d6_an_overflow_in_one_process_is_skipped_by_all(results):
    for part in results(2, "overflown"):
        for strategy in ("ddp", "fsdp2"):
            found = part[strategy]
            assert (found["skipped"], found["scale"]) == (1, 32768.0)
            assert all(value.isfinite().all() for value in found["weights"].values())


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
@pytest.mark.parametrize("what", ["input", "loss", "constant in the loss"])
def test_r6_what_is_not_finite_in_one_process_stops_all_before_the_step(results, strategy, what):
    first, second = (part[strategy, what] for part in results(2, "spoilt"))
    for told, steps, weights, skipped, after in (first, second):
        assert "epoch 0, batch 3, step 3" in told
        assert steps == 3
        assert skipped == 1
        assert all(bool(w.isfinite().all()) for w in (*weights.values(), *after.values()))
    assert "another process" in first[0]
    assert f"the {what.split()[-1]} is the first" in second[0]
    for place in (2, 4):
        assert all(torch.equal(w, second[place][name]) for name, w in first[place].items())


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_r7_where_one_process_is_short_of_memory_all_go_back(results, where):
    for part in results(2, "short_of_memory"):
        large, small = part[""], part[where]
        assert small["size"] == 2
        torch.testing.assert_close(small["losses"], large["losses"], atol=1e-5, rtol=0)
        for name, value in large["weights"].items():
            torch.testing.assert_close(small["weights"][name], value, atol=1e-5, rtol=0)
