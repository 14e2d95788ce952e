"""Time of an optimizer step beside its torch twin: shapes of a ResNet-50, and a tiny model.

Run `python benchmarks/optimizer_step.py`; it prints a markdown table. Runs of both sides alternate,
so that a busy machine slows both; on a very busy one, use `--threads 1`. The twin is the fastest of
torch's forms: fused, foreach or a loop. `ratio` is of the medians; `quiet` is of the shortest
times, which other programs on the machine disturb least.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, optim

from layerwise.core.optim.algorithms import (
    SGD,
    Adam,
    Lamb,
    Larc,
    QHAdam,
    RAdam,
    RMSProp,
    ranger,
)
from layerwise.core.optim.optimizer import Optimizer
from layerwise.core.optim.stats import keeps

Make = Callable[[list[Tensor]], Any]


def resnet50_shapes() -> Iterator[tuple[int, ...]]:
    """Shapes of the 161 parameters of a ResNet-50 with 1000 classes, 25.6 million numbers."""
    yield from [(64, 3, 7, 7), (64,), (64,)]
    before = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            sizes = [(before, width, 1), (width, width, 3), (width, 4 * width, 1)]
            sizes += [(before, 4 * width, 1)] if block == 0 else []
            for n_in, n_out, kernel in sizes:
                yield from [(n_out, n_in, kernel, kernel), (n_out,), (n_out,)]
            before = 4 * width
    yield from [(1000, 2048), (1000,)]


def tiny_shapes() -> Iterator[tuple[int, ...]]:
    """Shapes of a perceptron with three layers: 6 parameters."""
    for n_in, n_out in ((32, 64), (64, 64), (64, 10)):
        yield from [(n_out, n_in), (n_out,)]


@keeps(my_avg=torch.zeros_like, my_sqr=torch.zeros_like)
def my_averages(p: Any, mom: float, sqr_mom: float, my_avg: Any, my_sqr: Any) -> dict[str, Any]:
    return {
        "my_avg": my_avg * mom + p.grad * (1 - mom),
        "my_sqr": my_sqr * sqr_mom + p.grad**2 * (1 - sqr_mom),
    }


def my_step(p: Any, lr: float, eps: float, my_avg: Any, my_sqr: Any) -> None:
    p -= lr * my_avg / (my_sqr.sqrt() + eps)


def own_recipe(params: list[Tensor]) -> Optimizer:
    """Adam without correction as a user would write it, knowing nothing about speed."""
    return Optimizer(params, [my_averages, my_step], lr=1e-3, mom=0.9, sqr_mom=0.99, eps=1e-5)


def torch_forms(kind: Any, fused: bool, **kwargs: Any) -> list[Make]:
    """The forms of one torch optimizer."""

    def form(**how: bool) -> Make:
        return lambda params: kind(params, **kwargs, **how)

    return [form(foreach=False), form(foreach=True), *([form(fused=True)] if fused else [])]


ADAM = {"lr": 1e-3, "betas": (0.9, 0.99), "eps": 1e-5}
ADAMW = torch_forms(optim.AdamW, True, weight_decay=0.01, **ADAM)

# Name, ours, forms of the twin, and the most that ours may take in units of the twin.
PAIRS: list[tuple[str, Make, list[Make], float | None]] = [
    ("SGD", lambda p: SGD(p, 1e-3), torch_forms(optim.SGD, True, lr=1e-3), 1.1),
    (
        "SGD, momentum",
        lambda p: SGD(p, 1e-3, mom=0.9),
        torch_forms(optim.SGD, True, lr=1e-3, momentum=0.9),
        1.1,
    ),
    (
        "SGD, momentum, L2",
        lambda p: SGD(p, 1e-3, mom=0.9, wd=0.01, decouple_wd=False),
        torch_forms(optim.SGD, True, lr=1e-3, momentum=0.9, weight_decay=0.01),
        1.1,
    ),
    (
        "SGD, momentum, decoupled decay (twin: L2)",
        lambda p: SGD(p, 1e-3, mom=0.9, wd=0.01),
        torch_forms(optim.SGD, True, lr=1e-3, momentum=0.9, weight_decay=0.01),
        None,
    ),
    ("RMSProp", lambda p: RMSProp(p, 1e-3), torch_forms(optim.RMSprop, False, lr=1e-3), 1.1),
    (
        "Adam, L2",
        lambda p: Adam(p, 1e-3, decouple_wd=False),
        torch_forms(optim.Adam, True, weight_decay=0.01, **ADAM),
        1.1,
    ),
    ("Adam (twin: AdamW)", lambda p: Adam(p, 1e-3), ADAMW, 1.1),
    ("RAdam", lambda p: RAdam(p, 1e-3), torch_forms(optim.RAdam, False, **ADAM), 1.1),
    ("ranger (twin: AdamW)", lambda p: ranger(p, 1e-3), ADAMW, None),
    ("QHAdam (twin: AdamW)", lambda p: QHAdam(p, 1e-3), ADAMW, None),
    (
        "Larc (twin: SGD, momentum)",
        lambda p: Larc(p, 1e-3),
        torch_forms(optim.SGD, True, lr=1e-3, momentum=0.9),
        None,
    ),
    ("Lamb (twin: AdamW)", lambda p: Lamb(p, 1e-3, wd=0.01), ADAMW, 3.0),
    ("a user's own Adam (twin: AdamW)", own_recipe, ADAMW, None),
]


def make_params(shapes: Iterator[tuple[int, ...]]) -> list[Tensor]:
    """Parameters with gradients."""
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    for param in params:
        param.grad = torch.randn(param.shape, generator=generator)
    return params


def seconds(step: Callable[[], Any], repeats: int) -> float:
    """Seconds of one step, over `repeats` in a row."""
    # With one thread the time of the processor counts, which other programs hardly touch.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    for _ in range(repeats):
        step()
    return (clock() - start) / repeats


def compare(
    ours: Make, twins: list[Make], shapes: Callable[[], Iterator[Any]], rounds: int, repeats: int
) -> tuple[float, float, float]:
    """Median seconds of our step and of the fastest twin, and the ratio of the shortest times."""
    steps = [make(make_params(shapes())).step for make in (ours, *twins)]
    times: list[list[float]] = [[] for _ in steps]
    for step in steps:
        seconds(step, 10)
    for _ in range(rounds):
        for step, taken in zip(steps, times, strict=True):
            taken.append(seconds(step, repeats))
    medians = [statistics.median(taken) for taken in times]
    shortest = [min(taken) for taken in times]
    return medians[0], min(medians[1:]), shortest[0] / min(shortest[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="alternating runs of each side")
    parser.add_argument("--only", default="", help="part of the name of the rows to run")
    parser.add_argument("--tiny", action="store_true", help="only the tiny model")
    parser.add_argument("--threads", type=int, default=0, help="1 measures processor time")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    # One layer's activations, freed: what every training loop has done before its first step. Until
    # then glibc returns each temporary to the system, and page faults hide what is measured.
    torch.zeros(7_500_000)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.rounds} rounds\n"
    )
    print("| model | optimizer | ours, ms | torch's fastest, ms | ratio | quiet | at most |")
    print("|---|---|---:|---:|---:|---:|---:|")
    models = [("ResNet-50", resnet50_shapes, 1), ("6 tensors", tiny_shapes, 100)]
    for model, shapes, repeats in models[options.tiny :]:
        for name, ours, twins, limit in PAIRS:
            if options.only not in name:
                continue
            own, twin, quiet = compare(ours, twins, shapes, options.rounds, repeats)
            bound = f"{limit:.2f}" if limit else ""
            cells = (f"{own * 1e3:.3f}", f"{twin * 1e3:.3f}", f"{own / twin:.2f}", f"{quiet:.2f}")
            print("|", " | ".join((model, name, *cells, bound)), "|", flush=True)


if __name__ == "__main__":
    main()
