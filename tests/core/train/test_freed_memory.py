"""Memory that training frees is used again, and given back at its end."""

import os
import resource
import subprocess
import sys
import textwrap

import psutil
import pytest
import torch

from layerwise.core.train import freed_memory
from layerwise.core.train.freed_memory import freed_memory_kept

MEGABYTES = 64

needs_glibc = pytest.mark.skipif(
    freed_memory._glibc() is None, reason="no glibc whose handling of memory is ours to tell"
)


def pages_touched_anew(count=20):
    """Pages that the system had to hand out while blocks were made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        torch.ones(MEGABYTES * 2**18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@needs_glibc
def test_blocks_are_used_again_within_and_not_outside():
    of_one = MEGABYTES * 2**20 // resource.getpagesize()
    with freed_memory_kept():
        pages_touched_anew()  # until there is a hole that fits
        within = pages_touched_anew()
    outside = pages_touched_anew()
    assert within < of_one < outside


@needs_glibc
def test_memory_is_given_back_at_the_end_of_the_outer_context():
    process = psutil.Process()
    with freed_memory_kept():
        with freed_memory_kept():
            kept = [torch.ones(2**20) for _ in range(200)]  # 800 MB
            del kept
        inside = process.memory_info().rss
    assert process.memory_info().rss < inside - 600 * 2**20


@needs_glibc
def test_an_error_ends_it_too():
    with pytest.raises(KeyError), freed_memory_kept():
        raise KeyError("x")
    assert freed_memory._depth == 0


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"])
def test_what_the_environment_says_is_left_alone(name):
    program = (
        "from layerwise.core.train.freed_memory import _glibc, freed_memory_kept\n"
        "with freed_memory_kept(): pass\n"
        "print(_glibc())"
    )
    value = "2" if name.startswith("MALLOC") else "glibc.malloc.arena_max=2"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "None"


@needs_glibc
def test_holes_between_blocks_in_use_are_given_back():
    script = """
        import psutil, torch
        from layerwise.core.train.freed_memory import freed_memory_kept, give_back_freed
        process = psutil.Process()
        with freed_memory_kept():
            blocks = [torch.ones(2**20) for _ in range(64)]
            kept = blocks[::2]
            before = process.memory_info().rss
            del blocks
            give_back_freed()
            print((before - process.memory_info().rss) // 2**20)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 100
