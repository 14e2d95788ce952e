"""D2: FSDP2; what two processes save is read by any number of them."""

import pytest
import torch
from safetensors import safe_open


def equal(a, b):
    """Whether nested states are equal in every bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


def test_d2_each_process_holds_a_part_of_the_weights(results):
    first, second = results(2, "sharded")
    whole = sum(value.numel() for value in first["half"].values())
    assert first["local"] + second["local"] == whole
    assert 0 < second["local"] < whole


@pytest.mark.parametrize("nproc", [2, 4])
def test_d2_weights_and_optimizer_state_are_the_same_bits_when_loaded(results, nproc):
    saved = results(2, "sharded")[0]
    for part in results(nproc, "loaded"):
        assert equal(part["half"], saved["half"])
        assert equal(part["opt"], saved["opt"])


def test_d2_one_process_reads_the_file_of_two(results):
    saved = results(2, "sharded")[0]
    with safe_open(saved["path"], framework="pt") as file:
        for name, value in saved["half"].items():
            assert torch.equal(file.get_tensor(f"model.{name}"), value)


def test_d2_fsdp2_trains_as_ddp_does(results):
    ours, torchs = results(2, "sharded")[0]["whole"], results(2, "sharded_by_torch")[0]
    pairs = [(ours, results(1, "sizes")[0][63]), (torchs["fsdp2"], torchs["ddp"])]
    steps = len(ours["ids"])
    torch.testing.assert_close(ours["losses"], pairs[0][1]["losses"][:steps], rtol=0, atol=1e-6)
    for name, value in torchs["ddp"]["weights"].items():
        torch.testing.assert_close(torchs["fsdp2"]["weights"][name], value, rtol=1e-5, atol=1e-6)
    # After the context the model is plain again, with the trained weights.
    for name, value in ours["weights"].items():
        assert torch.equal(ours["after"][name], value)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_d2_going_on_with_two_is_the_same_bits_with_one_or_four_close(run_job, tmp_path):
    def finish(folder, nproc):
        done = run_job(nproc, "resumed.py", folder, "--strategy", "fsdp2", "--plain")
        assert done.returncode == 0, done.stderr
        return (folder / "hash.0").read_text(), eval((folder / "values.0").read_text())[-1]  # noqa: S307 - a list of numbers

    whole, row = finish(tmp_path / "whole", 2)
    for nproc in (2, 1, 3, 4):
        folder = tmp_path / str(nproc)
        words = ["--strategy", "fsdp2", "--plain", "--until", 11]
        assert run_job(2, "resumed.py", folder, *words).returncode == 0
        ended, last = finish(folder, nproc)
        if nproc == 2:
            assert ended == whole
        torch.testing.assert_close(last, row, rtol=0, atol=1e-5)
