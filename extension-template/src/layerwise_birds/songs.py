"""Where songs come from: a table in a file, and a choir that sings what one asks for."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

__all__ = ["made_up_songs", "read_songs"]

Song = tuple[list[float], str]
"""The pitches of a song in kHz, and its singer."""


def made_up_songs(count: int = 60, steps: int = 20, seed: int = 0) -> list[Song]:
    """Songs of three birds: the wren rises, the owl falls, the cuckoo calls two notes.

    Args:
        count: songs.
        steps: pitches of each.
        seed: decides on how well they sing.

    Example:
        >>> [singer for _, singer in made_up_songs(3)]
        ['wren', 'owl', 'cuckoo']
    """
    rising = torch.linspace(2.0, 6.0, steps)
    calls = torch.where(torch.arange(steps) % 10 < 5, 4.0, 3.0)
    melodies = {"wren": rising, "owl": rising.flip(0), "cuckoo": calls}
    noise = torch.Generator().manual_seed(seed)
    singers = [list(melodies)[i % 3] for i in range(count)]
    return [
        ((melodies[s] * (1 + 0.1 * torch.randn(steps, generator=noise)).abs()).tolist(), s)
        for s in singers
    ]


def read_songs(path: str | Path) -> list[Song]:
    """Songs of a CSV file: in each row a singer and the pitches, as many in all rows.

    Raises:
        ValueError: names the row that is no song, or of another length.
    """
    songs: list[Song] = []
    with Path(path).open(newline="", encoding="utf-8") as file:
        for number, (singer, *pitches) in enumerate(csv.reader(file), start=1):
            try:
                songs.append(([float(pitch) for pitch in pitches], singer))
            except ValueError as error:
                raise ValueError(
                    f"{path}, row {number}: a row is a singer and pitches ({error})"
                ) from error
            if len(pitches) != len(songs[0][0]):
                raise ValueError(
                    f"{path}, row {number} has {len(pitches)} pitches and the first row "
                    f"{len(songs[0][0])}; cut or fill the songs to one length"
                )
    return songs
