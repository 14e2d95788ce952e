"""The record of `layerwise-birds`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]

plugin = Plugin(
    name="birds",
    api=1,
    entries={
        "block": {"SongBlock": Entry("layerwise_birds.blocks:SongBlock", "songs of one length")},
        "learner": {"song_learner": Entry("layerwise_birds.learner:song_learner", "for songs")},
        "model": {
            "song_model": Entry(
                "layerwise_birds.models:song_model",
                "two convolutions over time",
                {"takes": "songs", "pretrained": False},
            ),
        },
        "training": {
            "birds": Entry("layerwise_birds.training:birds_training", "birds by their songs"),
        },
        "transform": {
            "OctavePitch": Entry("layerwise_birds.transforms:OctavePitch", "pitch in octaves"),
            "RandomPitch": Entry("layerwise_birds.transforms:RandomPitch", "other singers"),
            "ToSong": Entry("layerwise_birds.transforms:ToSong", "numbers to a song"),
        },
        "type": {"TensorSong": Entry("layerwise_birds.types:TensorSong", "a song")},
    },
)
"""Its names by kind, for `layerwise.core.registry`."""
