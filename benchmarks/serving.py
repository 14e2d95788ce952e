"""Answers a second, and how long each takes, of a server with a small picture model.

    python benchmarks/serving.py [--seconds 5] [--clients 1 8 32]

The server is a process of its own, as `layerwise serve` starts it; clients are threads that keep
their connection and ask again as soon as they have an answer. What `learn.predict` takes for the
same contents of a file, without a server, stands above for comparison.
"""

import argparse
import io
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

from layerwise.core.learner import Learner
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.vision.data import ImageDataLoaders
from layerwise.vision.models.xresnet import xresnet18

SIDE, BATCH = 64, 16
START = (
    "import sys; from layerwise.core.serve.command import serve; "
    "sys.exit(serve(sys.argv[1], port=int(sys.argv[2])))"
)


def picture(value: int) -> bytes:
    """A JPEG of noise."""
    pixels = np.random.default_rng(value).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def bundle_in(folder: Path) -> Path:
    """An export of an xresnet18 for pictures of 64 pixels and two classes; it is not trained."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        for i in range(4):
            (folder / name / f"{i}.jpg").write_bytes(picture(i))
    set_seed(0)
    dls = ImageDataLoaders.from_folder(folder, valid_pct=0.5, bs=4, num_workers=0)
    return Learner(dls, xresnet18(n_out=2), path=folder).export("small.lw")


def started(bundle: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The process of the server, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", START, bundle, str(port)], **quiet)
    address = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            httpx.get(f"{address}/health")
            break
        except httpx.ConnectError:
            time.sleep(0.2)
    return process, address


def measured(address: str, path: str, files: list, clients: int, seconds: float) -> list[float]:
    """How long each request took that was answered in `seconds`, by so many clients."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    def client() -> None:
        with httpx.Client(base_url=address, timeout=60) as session:
            while (start := time.perf_counter()) < end:
                session.post(path, files=files).raise_for_status()
                taken.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def told(name: str, taken: list[float], seconds: float, items: int = 1) -> None:
    """Print a row."""
    ordered = sorted(1000 * each for each in taken)
    late = ordered[int(0.95 * (len(ordered) - 1))]
    rate = len(ordered) * items / seconds
    print(f"{name:<28} {rate:>8.0f} {statistics.median(ordered):>10.1f} {late:>10.1f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    given = parser.parse_args()
    content = picture(0)
    with tempfile.TemporaryDirectory() as folder:
        bundle = bundle_in(Path(folder))
        print(f"{'':<28} {'items/s':>8} {'median ms':>10} {'95 % ms':>10}")
        learn, alone = load_learner(bundle), []
        learn.predict(content)
        while sum(alone) < given.seconds:
            start = time.perf_counter()
            learn.predict(content)
            alone.append(time.perf_counter() - start)
        told("learn.predict", alone, sum(alone))
        process, address = started(bundle)
        try:
            one, several = [("file", content)], [("files", content)] * BATCH
            measured(address, "/predict", one, 1, 1)
            for count in given.clients:
                taken = measured(address, "/predict", one, count, given.seconds)
                told(f"/predict, {count} clients", taken, given.seconds)
            taken = measured(address, "/predict/batch", several, 2, given.seconds)
            told(f"/predict/batch of {BATCH}, 2", taken, given.seconds, BATCH)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
