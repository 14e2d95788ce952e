"""Language models: tokens a second of training, what weight drop costs, tokens a second written.

1. language_model: steps of AWD-LSTM in three sizes, through a `Learner` with the callbacks and the
   loss that language models are trained with, in float32 and with `to_bf16()`; fastai's model,
   learner and callbacks, in float32, beside it.
2. weight_drop: the same steps of the largest with and without it.
3. generate: tokens a second, each of which costs one step; the whole text read again beside it.

    python benchmarks/text_models.py [--only language_model weight_drop generate] [--rounds 5]

Sides alternate, on two threads (`--threads`), with made-up tokens; medians are printed, of the
clock and, for a machine that others use, of processor time.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import peers
import torch

from layerwise.core.callback.rnn import rnn_cbs
from layerwise.core.data.loaders import DataLoaders
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat
from layerwise.text.generate import generate
from layerwise.text.models.awd_lstm import AWD_LSTM
from layerwise.text.models.language_model import get_language_model
from layerwise.text.models.transformer import TextTransformer

PARTS = ("language_model", "weight_drop", "generate")
# (emb_sz, n_hid, n_layers, bs, bptt, vocabulary, steps of a round)
SIZES = {
    "small": (100, 256, 2, 32, 72, 5_000, 12),
    "middle": (200, 512, 3, 64, 72, 10_000, 4),
    "default": (400, 1152, 3, 64, 72, 20_000, 2),
}
ALPHA, BETA = 2.0, 1.0


def batches(bs: int, bptt: int, words: int, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    streams = torch.randint(2, words, (bs, bptt * count + 1), generator=draw)
    starts = range(0, bptt * count, bptt)
    return [(streams[:, i : i + bptt], streams[:, i + 1 : i + bptt + 1]) for i in starts]


def ours(size: str, **config: Any) -> Any:
    emb_sz, n_hid, n_layers, bs, bptt, words, count = SIZES[size]
    sizes = {"emb_sz": emb_sz, "n_hid": n_hid, "n_layers": n_layers, **config}
    data = batches(bs, bptt, words, count)
    return Learner(
        DataLoaders(data, data[:1]),
        get_language_model(AWD_LSTM, words, sizes),
        loss_func=CrossEntropyLossFlat(),
        cbs=rnn_cbs(ALPHA, BETA),
    )


def fastais(size: str) -> Any:
    import fastai.callback.progress  # noqa: F401 - gives learners no_bar
    from fastai.basics import CrossEntropyLossFlat as FastaiLoss
    from fastai.basics import DataLoader, Learner
    from fastai.basics import DataLoaders as FastaiLoaders
    from fastai.callback.rnn import rnn_cbs as fastai_cbs
    from fastai.text.models.awdlstm import AWD_LSTM as FastaiLSTM
    from fastai.text.models.awdlstm import awd_lstm_lm_config
    from fastai.text.models.core import get_language_model as fastai_model

    emb_sz, n_hid, n_layers, bs, bptt, words, count = SIZES[size]
    config = {**awd_lstm_lm_config, "emb_sz": emb_sz, "n_hid": n_hid, "n_layers": n_layers}
    data = batches(bs, bptt, words, count)
    dls = FastaiLoaders(DataLoader(data, bs=None), DataLoader(data[:1], bs=None))
    model = fastai_model(FastaiLSTM, words, config)
    return Learner(dls, model, loss_func=FastaiLoss(), cbs=fastai_cbs(ALPHA, BETA))


class Steps:
    """Trains for some steps without a table, a bar or validation; says how long one took."""

    def __init__(self, learn: Any) -> None:
        self.learn = learn
        self.clock: list[float] = []
        self.processor: list[float] = []

    def __call__(self) -> None:
        learn = self.learn
        with learn.no_logging(), learn.no_bar():
            count = len(learn.dls.train)
            begin = time.perf_counter(), time.process_time()
            learn.fit(1, 1e-3)
            # The one batch of validation costs about a third of a step on either side.
            steps = count + 1 / 3
            self.clock.append((time.perf_counter() - begin[0]) / steps)
            self.processor.append((time.process_time() - begin[1]) / steps)

    def median(self) -> tuple[float, float]:
        return statistics.median(self.clock[1:]), statistics.median(self.processor[1:])


def alternate(sides: dict[str, Steps], rounds: int) -> None:
    for _ in range(rounds + 1):  # the first round warms up
        for side in sides.values():
            side()


def measure_language_model(sizes: list[str], rounds: int) -> None:
    for size in sizes:
        sides = {"layerwise": Steps(ours(size)), "layerwise to_bf16": Steps(ours(size).to_bf16())}
        if peers.is_installed("fastai"):
            peers.define_torchvision_operators()
            sides["fastai"] = Steps(fastais(size))
        alternate(sides, rounds)
        _, _, _, bs, bptt, _, _ = SIZES[size]
        last = sides.get("fastai", sides["layerwise"])
        for name, side in sides.items():
            clock, processor = side.median()
            ratios = [
                statistics.median(b / a for a, b in zip(mine[1:], theirs[1:], strict=True))
                for mine, theirs in (
                    (side.clock, last.clock), (side.processor, last.processor),
                )
            ]  # fmt: skip
            print(
                f"language_model, {size}, {name}: {bs * bptt / clock:,.0f} tokens/s "
                f"({clock:.2f} s a step, {processor:.2f} s of processors); fastai / this: "
                f"{ratios[0]:.2f} (processors {ratios[1]:.2f})"
            )


def measure_weight_drop(size: str, rounds: int) -> None:
    sides = {"with": Steps(ours(size)), "without": Steps(ours(size, weight_p=0.0))}
    alternate(sides, rounds)
    for place, name in enumerate(("clock", "processors")):
        cost = sides["with"].median()[place] / sides["without"].median()[place] - 1
        print(f"weight_drop, {size}: {cost:+.1%} of a step ({name})")


def measure_generate(rounds: int) -> None:
    words, count = 20_000, 100
    for arch in (AWD_LSTM, TextTransformer):
        model = get_language_model(arch, words).eval()

        def steps(model: Any = model) -> None:
            generate(model, [2, 3], count, seed=1)

        def again(model: Any = model) -> None:
            tokens = [2, 3]
            with torch.no_grad():
                for _ in range(count):
                    model.reset()
                    scores = model(torch.tensor([tokens]))[0][0, -1]
                    tokens.append(int(torch.multinomial(scores.softmax(0), 1)))

        for name, function in (("steps", steps), ("whole text again", again)):
            seconds = statistics.median(_timed(function) for _ in range(rounds))
            print(f"generate, {arch.__name__}, {name}: {count / seconds:,.0f} tokens/s")


def _timed(function: Callable[[], None]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(peers.versions())
    if "language_model" in args.only:
        measure_language_model(args.sizes, args.rounds)
    if "weight_drop" in args.only:
        measure_weight_drop(args.sizes[-1], args.rounds)
    if "generate" in args.only:
        measure_generate(args.rounds)


if __name__ == "__main__":
    main()
