"""Files of encoders: weights, and the vocabulary by which their rows are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from layerwise.core.files.atomic import write_whole
from layerwise.core.files.plain import from_json, to_json
from layerwise.core.files.tensor_file import METADATA, check_header, header_bytes, tensors_to_parts
from layerwise.core.train.checkpoint import SUFFIX, ModelFileError, load_weights, with_suffix

__all__: list[str] = []

_VOCAB = "vocab"


def write_encoder(path: Path, encoder: nn.Module, vocab: Sequence[str] | None) -> Path:
    """Write the weights of `encoder`, and the vocabulary where there is one. Returns the path."""
    target = with_suffix(path)
    told = {} if vocab is None else {_VOCAB: to_json(list(vocab)).decode()}
    write_whole(target, tensors_to_parts(encoder.state_dict(), told))
    return target


def read_encoder(path: Path) -> tuple[dict[str, Tensor], list[str] | None]:
    """Weights by name, and the vocabulary; None where the file has none.

    Raises:
        ModelFileError: if the file is missing, damaged, or of another kind.
    """
    weights = load_weights(path)
    file = with_suffix(path)
    if path.suffix not in ("", SUFFIX) or not file.is_file():
        return weights, None
    with file.open("rb") as f:
        start = f.read(8)
        header = check_header(start, f.read(header_bytes(start)), file.stat().st_size)
    text = header.get(METADATA, {}).get(_VOCAB)
    vocab = None if text is None else from_json(text.encode())
    if vocab is not None and not all(isinstance(token, str) for token in vocab):
        raise ModelFileError(f"the vocabulary in {file} is damaged: it is not a list of tokens")
    return weights, vocab
