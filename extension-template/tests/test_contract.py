"""Whatever the record names keeps the contract of its kind."""

import pytest
import torch
from layerwise.core.testing import Example, plugin_checks

from layerwise_birds.models import song_model
from layerwise_birds.types import TensorSong

SONGS = TensorSong(torch.rand(4, 20, generator=torch.Generator().manual_seed(0)) + 2)
EXAMPLES = {
    "block": {"SongBlock": Example(([song.tolist() for song in SONGS],))},
    "model": {"song_model": Example((SONGS.as_plain(),), lambda: song_model(3))},
    "transform": {
        "OctavePitch": Example((SONGS,)),
        "RandomPitch": Example((SONGS,)),
        "ToSong": Example(([2.0, 3.0],)),
    },
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("birds", EXAMPLES)]
)
def test_the_record(case):
    case()
