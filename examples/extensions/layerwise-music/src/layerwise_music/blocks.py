"""`MusicBlock`: scores for a language model, from files or from memory."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.data.block import TransformBlock
from layerwise.core.dispatch import Dispatch, unchanged
from layerwise.core.errors import DataError, names_nearest
from layerwise.core.transforms.transform import Transform
from layerwise.text.vocab import Numericalize

from layerwise_music.loader import MusicDataLoader
from layerwise_music.reading import read_scores
from layerwise_music.score import Score
from layerwise_music.tokens import MusicTokenizer, music_vocab

__all__ = ["MusicBlock", "OpenScore"]


class OpenScore(Transform):
    """A file of one score to that `Score`; scores pass.

    Args:
        steps: of a quarter.

    Raises:
        DataError: for a file that cannot be read, or a book of several tunes.
    """

    encodes = Dispatch(unchanged)

    def __init__(self, steps: int = 12) -> None:
        super().__init__()
        self.steps = steps

    @encodes.register
    def _(self, o: Path) -> Score:
        found = read_scores(o, self.steps)
        if len(found) != 1:
            raise DataError(
                f"{o} has {len(found)} tunes, and an item is one; give those of read_scores(file)"
            )
        return found[0]

    def settings(self) -> dict[str, int]:
        """The keywords that make an equal one."""
        return {"steps": self.steps}


class MusicBlock(TransformBlock):
    """A block for scores, as tokens for a language model.

    Args:
        steps: of a quarter: the grid of time.
        seq_len: tokens of each row in a batch.
        transpose: half tones up or down by which tunes are moved in training, at most.

    Example:
        >>> from layerwise.core.data.block import DataBlock
        >>> tunes = [Score([(12 * i, 12, 60 + i) for i in range(8)], bars=[0, 48])] * 8
        >>> x, y = DataBlock(MusicBlock(seq_len=16)).dataloaders(tunes, bs=2).one_batch()
        >>> type(x).__name__, x.shape
        ('TensorMusic', torch.Size([2, 16]))
    """

    @names_nearest
    def __init__(self, steps: int = 12, seq_len: int = 128, transpose: int = 0) -> None:
        super().__init__(
            type_tfms=[OpenScore(steps), MusicTokenizer(steps), Numericalize(music_vocab(steps))],
            dl_type=MusicDataLoader,
            dls_kwargs={"seq_len": seq_len, "transpose": transpose},
        )
