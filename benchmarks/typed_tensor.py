"""Microseconds of `x + 1` and of a slice: plain tensor, typed tensor, the same with metadata.

Types end before the model (`as_plain`), so that this is paid by transforms of a batch alone.

Run: python benchmarks/typed_tensor.py
"""

import statistics
import timeit
from typing import Any

import torch

from layerwise.core.tensors import TensorImage

CALLS, ROUNDS = 5_000, 9


def main() -> None:
    torch.set_num_threads(1)
    plain = torch.rand(3, 8, 8)
    tensors: dict[str, torch.Tensor] = {
        "plain": plain,
        "TensorImage": TensorImage(plain.clone()),
        "TensorImage, metadata": TensorImage(plain.clone(), source="cat.jpg"),
    }
    operations: dict[str, Any] = {"x + 1": lambda x: x + 1, "x[0]": lambda x: x[0]}
    for operation, f in operations.items():
        times: dict[str, list[float]] = {name: [] for name in tensors}
        for _ in range(ROUNDS):  # alternating, so that a busy machine slows all alike
            for name, x in tensors.items():
                spent = timeit.timeit(lambda f=f, x=x: f(x), number=CALLS)  # type: ignore[misc]
                times[name].append(spent / CALLS * 1e6)
        medians = {name: statistics.median(spent) for name, spent in times.items()}
        for name, spent in medians.items():
            print(f"{operation:8} {name:24} {spent:6.2f} us   {spent / medians['plain']:.2f}")
    image = tensors["TensorImage"]
    spent = timeit.timeit(image.as_plain, number=CALLS) / CALLS * 1e6  # type: ignore[attr-defined]
    print(f"as_plain {spent:33.2f} us")


if __name__ == "__main__":
    main()
