"""D6: process 0 alone writes and prints; what no gradient reaches is named."""

import re

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


def test_d6_an_overflow_in_one_process_is_skipped_by_all(results):
    for part in results(2, "overflown"):
        for strategy in ("ddp", "fsdp2"):
            found = part[strategy]
            assert (found["skipped"], found["scale"]) == (1, 32768.0)
            assert all(value.isfinite().all() for value in found["weights"].values())
