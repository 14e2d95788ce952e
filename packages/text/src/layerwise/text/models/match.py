"""Weights from elsewhere: fitted to another vocabulary, or saved by fastai.

Shapes: V words of the vocabulary, D width of the embedding.
"""

from __future__ import annotations

import pickletools
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import BundleError
from layerwise.core.nn.module import get_model
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.checkpoint import ModelFileError, load_model, load_weights

__all__ = [
    "clean_raw_keys",
    "load_ignore_keys",
    "load_model_text",
    "load_pretrained_weights",
    "match_embeds",
    "read_vocab",
]

_TABLES = ("0.encoder.weight", "0.encoder_dp.emb.weight", "1.decoder.weight")
_BIAS = "1.decoder.bias"
_LARGEST = 256 << 20  # bytes of a file of words


def match_embeds(
    old_wgts: Mapping[str, Tensor],
    old_vocab: Sequence[str] | Mapping[str, int],
    new_vocab: Sequence[str],
) -> dict[str, Tensor]:
    """The weights of a language model for another vocabulary.

    A word of both keeps its embedding and its bias; one that is new starts with the mean of all.

    Args:
        old_wgts: of the model, by name; what is no embedding, decoder or bias stays as it is.
        old_vocab: the words of the rows of `old_wgts`, or the row of each word.
        new_vocab: the words of the rows wanted.

    Raises:
        ValueError: if there are no embeddings, or not as many as words.

    Example:
        >>> old = {"0.encoder.weight": torch.tensor([[0.0], [4.0]])}
        >>> match_embeds(old, ["a", "b"], ["b", "c"])["0.encoder.weight"]
        tensor([[4.],
                [2.]])
    """
    row_of = _rows(old_vocab)
    tables = [name for name in (*_TABLES, _BIAS) if name in old_wgts]
    if not tables:
        raise ValueError(
            f"weights without {_TABLES[0]!r}, so they are of no language model; they have "
            f"{', '.join(list(old_wgts)[:5])}"
        )
    rows = torch.tensor([row_of.get(word, -1) for word in new_vocab])
    return {**old_wgts, **{name: _matched(name, old_wgts[name], rows, row_of) for name in tables}}


def _rows(vocab: Sequence[str] | Mapping[str, int]) -> Mapping[str, int]:
    if isinstance(vocab, Mapping):
        return vocab
    # Of a word that stands there twice, such as padding at the end, the first counts.
    return {word: row for row, word in reversed(list(enumerate(vocab)))}


def _matched(name: str, old: Tensor, rows: Tensor, row_of: Mapping[str, int]) -> Tensor:
    highest = max(row_of.values(), default=-1)
    if highest >= len(old):
        raise ValueError(
            f"{name} has {len(old)} rows and the vocabulary {highest + 1} words; give the "
            "vocabulary that the weights were trained with"
        )
    is_new = (rows < 0).view(-1, *[1] * (old.ndim - 1))
    return torch.where(is_new.to(old.device), old.mean(0), old[rows.clamp(min=0).to(old.device)])


def clean_raw_keys(wgts: MutableMapping[str, Tensor]) -> MutableMapping[str, Tensor]:
    """The same weights without copies that older files have beside those that are hidden in part.

    `0.rnns.0.module.weight_hh_l0` is what was left of `0.rnns.0.weight_hh_l0_raw` in the last step
    before the file was written.

    Args:
        wgts: by name; changed.

    Example:
        >>> one = torch.ones(1)
        >>> list(clean_raw_keys({"0.weight_hh_l0_raw": one, "0.module.weight_hh_l0": one}))
        ['0.weight_hh_l0_raw']
    """
    for name in list(wgts):
        front, middle, last = name.rpartition(".module.")
        if middle and f"{front}.{last}_raw" in wgts:
            del wgts[name]
    return wgts


def load_ignore_keys(model: nn.Module, wgts: Mapping[str, Tensor]) -> Any:
    """Load the weights that `model` knows by name, and leave all others out.

    Returns:
        What `load_state_dict` returns: the names that are missing and unknown.

    Raises:
        RuntimeError: from torch, where a shape differs.

    Example:
        >>> load_ignore_keys(nn.Linear(1, 1), {"bias": torch.ones(1), "other": torch.ones(2)})
        _IncompatibleKeys(missing_keys=['weight'], unexpected_keys=['other'])
    """
    return get_model(model).load_state_dict(dict(wgts), strict=False)


def load_model_text(
    file: str | Path,
    model: nn.Module,
    opt: BaseOptimizer | None = None,
    with_opt: bool | None = None,
    device: torch.device | str | None = None,
    strict: bool = True,
) -> None:
    """Read a model file into a model of text: as core's `load_model`, older names included.

    Args:
        file: of `save_model`, or a `.pth` of another program; nothing in it is run.
        model: gets the weights.
        opt: gets the optimizer's state, where the file has it.
        with_opt: whether to read that; whether `opt` is given, when None.
        device: where tensors go first; the CPU when None.
        strict: raise where names or shapes differ; otherwise load what fits.

    Raises:
        ModelFileError: when the file is missing or of another kind, or does not fit; names what
            differs.
    """
    with_opt = opt is not None if with_opt is None else with_opt
    weights = load_weights(file)
    cleaned = clean_raw_keys(dict(weights))
    if len(cleaned) == len(weights):
        load_model(file, model, opt, with_opt, device, strict)
        return
    own = get_model(model).state_dict()
    differing = sorted(
        name
        for name in own.keys() | cleaned.keys()
        if name not in own or name not in cleaned or own[name].shape != cleaned[name].shape
    )
    if strict and differing:
        raise ModelFileError(
            f"{file} does not fit this model; {', '.join(differing[:5])} differ in shape or are on "
            "one side only. Make the model as it was saved, or pass strict=False to load what fits"
        )
    fitting = {name: value for name, value in cleaned.items() if name not in differing}
    get_model(model).load_state_dict(fitting, strict=False)


def load_pretrained_weights(
    model: nn.Module, wgts_fname: str | Path, vocab_fname: str | Path, vocab: Sequence[str]
) -> None:
    """Load a trained language model into one with another vocabulary.

    For files such as fast.ai's of Wikitext-103, `lstm_fwd.pth` with `itos_wt103.pkl`, which fit
    `get_language_model(AWD_LSTM, len(vocab))`. Nothing in either file is run.

    Args:
        model: a language model, changed.
        wgts_fname: weights by name.
        vocab_fname: the words of their rows, see `read_vocab`.
        vocab: the words of the rows of `model`.

    Raises:
        ModelFileError: if a file is missing or of another kind, or the weights are those of
            another architecture; then `model` stays as it was.
        ValueError: if vocabulary and weights do not fit each other.
    """
    wgts = clean_raw_keys(load_weights(wgts_fname))
    matched = match_embeds(wgts, read_vocab(vocab_fname), vocab)
    own = get_model(model).state_dict()
    differing = sorted(
        f"{name} {tuple(own[name].shape)}"
        for name in own
        if name not in matched or matched[name].shape != own[name].shape
    )
    if differing:
        raise ModelFileError(
            f"{wgts_fname} does not fit this model and vocabulary of {len(vocab)} words; it lacks "
            f"{', '.join(differing[:5])}, or has them in another shape. Make the model with the "
            "settings that the file was trained with"
        )
    load_ignore_keys(model, matched)


def read_vocab(file: str | Path) -> list[str]:
    """The words in a file of them: a pickle of a list of words, or a text with a word a line.

    A pickle is a program; this one may build a list of strings and do nothing else. Nothing of it
    is run.

    Raises:
        ModelFileError: if the file is missing, too large, or anything else is in it.
    """
    path = Path(file)
    if not path.is_file():
        raise ModelFileError(f"there is no file of words {path}; give the path of the vocabulary")
    if path.stat().st_size > _LARGEST:
        raise ModelFileError(f"{path} has more than {_LARGEST >> 20} MiB: that is no vocabulary")
    content = path.read_bytes()
    try:
        if path.suffix != ".pkl":
            return content.decode().splitlines()
        return _words_of_pickle(content)
    except (BundleError, UnicodeDecodeError, ValueError, IndexError, KeyError) as error:
        raise ModelFileError(f"{path} cannot be read as a list of words: {error}") from error


def _words_of_pickle(content: bytes) -> list[str]:
    """What a pickle builds that builds a list of strings; refused if it does anything else."""
    words: list[str] | None = None
    memo: dict[Any, Any] = {}
    stack: list[Any] = []
    for op, arg, _ in pickletools.genops(content):
        match op.name:
            case "PROTO" | "FRAME" | "MARK":
                continue
            case "EMPTY_LIST" if words is None:
                words = []
            case "BINUNICODE" | "SHORT_BINUNICODE" | "BINUNICODE8":
                stack.append(arg)
            case "MEMOIZE":
                memo[len(memo)] = stack[-1] if stack else None
            case "BINPUT" | "LONG_BINPUT":
                memo[arg] = stack[-1] if stack else None
            case "BINGET" | "LONG_BINGET" if isinstance(memo[arg], str):
                stack.append(memo[arg])
            case "APPEND" | "APPENDS" if words is not None:
                words += stack
                stack.clear()
            case "STOP" if words is not None and not stack:
                return words
            case name:
                raise BundleError(f"it does more than build a list of strings ({name})")
    raise BundleError("it ends in the middle")
