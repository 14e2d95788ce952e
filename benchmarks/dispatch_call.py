"""Nanoseconds of one call through `Dispatch`, beside `functools.singledispatch` and a plain call.

Run: python benchmarks/dispatch_call.py
"""

import statistics
import timeit
from functools import partial, singledispatch
from typing import Any

import torch

from layerwise.core.dispatch import Dispatch
from layerwise.core.tensors import TensorImage, TensorMask

CALLS, ROUNDS = 50_000, 9


def plain(x: Any, *_rest: Any) -> Any:
    return x


def cases() -> dict[str, Any]:
    one, two = Dispatch(name="one"), Dispatch(name="two", arity=2)
    builtin = singledispatch(plain)
    for kind in (int, str, torch.Tensor, TensorImage, TensorMask):
        one.register(kind)(plain)
        builtin.register(kind)(plain)
        two.register(kind, object)(plain)
        two.register(kind, TensorMask)(plain)
    image, mask = TensorImage(torch.zeros(1)), TensorMask(torch.zeros(1))
    return {
        "a plain call": partial(plain, image),
        "Dispatch, 1 argument": partial(one, image),
        "singledispatch": partial(builtin, image),
        "Dispatch, 2 arguments": partial(two, image, mask),
    }


def main() -> None:
    calls = cases()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):  # alternating, so that a busy machine slows all alike
        for name, call in calls.items():
            times[name].append(timeit.timeit(call, number=CALLS) / CALLS * 1e9)
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    for name, spent in medians.items():
        print(f"{name:24} {spent:6.0f} ns")
    for name in ("Dispatch, 1 argument", "Dispatch, 2 arguments"):
        print(f"{name} / singledispatch: {medians[name] / medians['singledispatch']:.2f}")


if __name__ == "__main__":
    main()
