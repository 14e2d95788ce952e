"""What a training from the command line leaves in its folder, and goes on from."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layerwise.core.errors import ConfigError
from layerwise.core.files.atomic import write_whole
from layerwise.core.testing.install import installed_facts

__all__: list[str] = []

FORMAT = "layerwise-run-1"
CONFIG, LOG, RESULTS, BUNDLE, CURVES, SAMPLES = (
    "config.json", "log.csv", "results.json", "model.lw", "curves.png", "results.png",
)  # fmt: skip


class RunFolder:
    """The files of a run.

    `config.json` (settings), `log.csv` (a row an epoch) and `checkpoints`; at the end
    `results.json`, `model.lw` and pictures.

    Args:
        path: the folder; made by `begin`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def begin(self, training: str, settings: Mapping[str, Any]) -> None:
        """Note the settings, or see that those of a run that is here are the same.

        A run that failed before it wrote anything but its settings may begin anew with others.

        Args:
            training: its qualified name.
            settings: plain.

        Raises:
            ConfigError: if the folder holds a run of other settings, or other files.
        """
        if (self.path / CONFIG).exists():
            known, saved = self.read()
            differing = [
                f"{name}: {_told(saved, name)} there, {_told(settings, name)} now"
                for name in sorted({*saved, *settings})
                if saved.get(name) != settings.get(name)
            ]
            if known != training:
                differing.insert(0, f"it trained {known!r}, not {training!r}")
            if differing and any(file.name != CONFIG for file in self.path.iterdir()):
                raise ConfigError(
                    f"{self.path} holds a run of other settings: {'; '.join(differing)}. Name "
                    "another folder with --out, or go on with `layerwise resume` and that folder"
                )
            if differing:
                self._note(training, settings)
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise ConfigError(
                f"{self.path} holds files that are no run; name a new or an empty folder with --out"
            )
        self._note(training, settings)

    def change(self, settings: Mapping[str, Any]) -> None:
        """Note other settings for the run that is here."""
        self._note(self.read()[0], settings)

    def _note(self, training: str, settings: Mapping[str, Any]) -> None:
        content = {"format": FORMAT, "training": training, "settings": dict(settings)}
        self.write(CONFIG, {**content, "made_with": installed_facts()})

    def epochs_done(self) -> int:
        """Epochs of the whole model that a finished run has trained; 0 of one that is not."""
        if not (self.path / RESULTS).exists():
            return 0
        with (self.path / LOG).open(newline="", encoding="utf8") as file:
            return int(list(csv.DictReader(file))[-1]["epoch"]) + 1

    def read(self) -> tuple[str, dict[str, Any]]:
        """The qualified name of the training and its plain settings.

        Raises:
            ConfigError: if there is none that can be read.
        """
        path = self.path / CONFIG
        try:
            found = json.loads(path.read_text("utf8"))
            told = found["format"], str(found["training"]), dict(found["settings"])
        except FileNotFoundError as error:
            raise ConfigError(
                f"{self.path} holds no {CONFIG}, so no `layerwise train` has run in it; give "
                "the folder that its --out named"
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{path} is damaged ({error!r}); train anew in another folder"
            ) from error
        if told[0] != FORMAT:
            raise ConfigError(
                f"{path} is of the format {told[0]!r}, and this version of layerwise reads "
                f"{FORMAT!r}; go on with the version that wrote it, or train anew"
            )
        return told[1:]

    def write(self, name: str, content: Mapping[str, Any]) -> Path:
        """Write a JSON file of the folder, whole."""
        text = json.dumps(content, indent=2) + "\n"
        path = self.path / name
        write_whole(path, [text.encode()])
        return path


def _told(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not set"
