"""The record of `layerwise-music`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]

plugin = Plugin(
    name="music",
    api=1,
    entries={
        "block": {"MusicBlock": Entry("layerwise_music.blocks:MusicBlock", "scores as tokens")},
        "learner": {
            "music_learner": Entry("layerwise_music.learner:music_learner", "a model for music")
        },
        "transform": {
            "MusicTokenizer": Entry("layerwise_music.tokens:MusicTokenizer", "scores to tokens"),
            "OpenScore": Entry("layerwise_music.blocks:OpenScore", "files to scores"),
        },
        "type": {
            "MusicDataLoader": Entry("layerwise_music.loader:MusicDataLoader", "loads scores"),
            "PianoRoll": Entry("layerwise_music.types:PianoRoll", "notes by pitch and time"),
            "TensorMusic": Entry("layerwise_music.types:TensorMusic", "numbers of tokens"),
        },
    },
)
"""Its names by kind, for `layerwise.core.registry`."""
