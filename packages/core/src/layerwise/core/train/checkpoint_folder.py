"""A folder of checkpoints: their names, which is the newest, and which may go."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from layerwise.core._version import __version__
from layerwise.core.errors import BundleError
from layerwise.core.files.atomic import left_behind
from layerwise.core.files.bundle import Content, read_bundle, write_bundle
from layerwise.core.files.plain import from_json, join, split, to_json
from layerwise.core.files.tensor_file import tensors_from_bytes, tensors_to_parts
from layerwise.core.train.snapshot import CheckpointError

__all__: list[str] = []

VERSION = 1
"""Of what is in a checkpoint; written into each and compared when it is read."""

KIND, SUFFIX = "checkpoint", ".ckpt"
_STALE_SECONDS = 3600
_NAME = re.compile(r"(\d{6,12})-([0-9a-f]{8})-fit(\d+)-(epoch\d+-batch\d+|finished)\.ckpt")
_SECTIONS: dict[str, type] = {
    "fit": dict, "model": dict, "aux_models": dict, "opt": dict, "frozen_to": int,
    "callbacks": dict, "metrics": list, "epoch_random": dict, "loaders": list, "random": dict,
}  # fmt: skip
_FIT = {
    "number": int, "epoch": int, "batches": int, "finished": bool, "n_epoch": int,
    "epoch_batches": int, "run_seed": int, "log_step": int, "train_iter": int, "pct_train": float,
}  # fmt: skip


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state as `snapshot.take` gives it, whole or not at all.

    Raises:
        BundleError: if there is something in it that a file without code cannot hold.
        OSError: if it cannot be written; names the path.
    """
    plain, tensors = split({"version": VERSION, "state": dict(state)})
    members: dict[str, Content] = {
        "state.json": to_json(plain),
        "state.safetensors": tensors_to_parts(tensors),
    }
    write_bundle(path, members, kind=KIND)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The state in a checkpoint.

    Raises:
        BundleError: if it is anything but a whole checkpoint of a version that is known here.
    """
    members = read_bundle(path, kind=KIND)
    try:
        if members.keys() != {"state.json", "state.safetensors"}:
            raise BundleError("its members are not those of a checkpoint")
        found = join(
            from_json(members["state.json"]), tensors_from_bytes(members["state.safetensors"])
        )
        return _checked(found)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error


def _checked(found: Any) -> dict[str, Any]:
    match found:
        case {"version": int(version)} if version != VERSION:
            raise CheckpointError(
                f"it is a checkpoint of version {version}; layerwise-core {__version__} reads "
                f"version {VERSION}. Go on with the release that wrote it, or start anew"
            )
        case {"version": int(), "state": dict(state)}:
            sections = all(isinstance(state.get(k), kind) for k, kind in _SECTIONS.items())
            fit = state.get("fit", {})
            if sections and all(isinstance(fit.get(k), kind) for k, kind in _FIT.items()):
                return state
    raise BundleError("it lacks parts of a checkpoint")


class _Entry(NamedTuple):
    """A checkpoint in the folder; the later ones compare as larger."""

    number: int
    run: str
    path: Path


class CheckpointFolder:
    """Checkpoints in a folder, numbered in the order in which they were written.

    Training runs may share a folder: each keeps and removes its own files only.

    Args:
        path: the folder; made when the first one is written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def entries(self, run: str | None = None) -> list[_Entry]:
        """What is there, oldest first; of one run where that is given."""
        if not self.path.is_dir():
            return []
        found = []
        for path in self.path.iterdir():
            match = _NAME.fullmatch(path.name)
            if match and run in (None, match[2]):
                found.append(_Entry(int(match[1]), match[2], path))
        return sorted(found)

    def new_path(self, run: str, fit: int, epoch: int, batches: int, finished: bool) -> Path:
        """Where the next checkpoint goes."""
        last = max((entry.number for entry in self.entries()), default=0)
        place = "finished" if finished else f"epoch{epoch}-batch{batches}"
        return self.path / f"{last + 1:06}-{run}-fit{fit}-{place}{SUFFIX}"

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The last checkpoint that can be read; None where there is none.

        One that is damaged is passed over with a warning that names it.

        Raises:
            CheckpointError: if none can be read, or one is of another version.
        """
        damaged = []
        for entry in reversed(self.entries()):
            try:
                state = read_checkpoint(entry.path)
            except CheckpointError:
                raise
            except BundleError as error:
                damaged.append(str(error))
                continue
            if damaged:
                warnings.warn(
                    f"training goes on from {entry.path}, since what is newer is damaged: "
                    + "; ".join(damaged),
                    stacklevel=2,
                )
            return entry.path, state
        if damaged:
            raise CheckpointError(
                f"no checkpoint in {self.path} can be read: {'; '.join(damaged)}. Remove them, or "
                "pass another folder, to start anew"
            )
        return None

    def rotate(self, run: str, keep: int | None, spared: str | None) -> None:
        """Remove all but the last `keep` of a run, oldest first.

        Only called when a new one lies on the disk, so that there is one to load at any moment.

        Args:
            run: whose files.
            keep: how many; None keeps all.
            spared: the name of one to keep in any case.
        """
        if keep is None:
            return
        for entry in self.entries(run)[:-keep]:
            if entry.path.name != spared:
                entry.path.unlink(missing_ok=True)

    def sweep(self, run: str) -> None:
        """Remove what processes left half written when they died.

        That is everything of this run, and of others what is older than an hour: those may be
        writing at this moment.
        """
        if not self.path.is_dir():
            return
        for path in left_behind(self.path / f"*{SUFFIX}"):
            own = f"-{run}-" in path.name
            if own or time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink(missing_ok=True)
