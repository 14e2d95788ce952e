"""`SongBlock`: what a song needs on its way into a batch."""

from __future__ import annotations

from layerwise.core.data.block import TransformBlock

from layerwise_birds.transforms import OctavePitch, RandomPitch, ToSong

__all__ = ["SongBlock"]


def SongBlock(octaves: float = 0.25) -> TransformBlock:
    """A block for songs of one length.

    Args:
        octaves: how far songs are shifted in training.

    Example:
        >>> [type(step).__name__ for step in SongBlock().batch_tfms]
        ['RandomPitch', 'OctavePitch']
    """
    return TransformBlock(type_tfms=[ToSong()], batch_tfms=[RandomPitch(octaves), OctavePitch()])
