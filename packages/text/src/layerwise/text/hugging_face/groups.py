"""Parameter groups of models of transformers, found by how they are built and not by their names.

The body of such a model has embeddings, a list of blocks, and what stands behind these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from layerwise.core.nn.module import get_model

__all__ = ["hugging_face_lm_split", "hugging_face_split"]

Groups = list[list[nn.Parameter]]


def hugging_face_split(model: nn.Module) -> Groups:
    """The parameters of a classifier: embeddings, each block, head.

    Embeddings are what stands before the blocks, and all tables wherever they are. The head is what
    stands behind the blocks, a last norm or a pooling layer of the body among it.

    Args:
        model: a `HuggingFaceModel`.
    """
    embeddings, blocks, head = _parts(model)
    return [group for group in (embeddings, *blocks, head) if group]


def hugging_face_lm_split(model: nn.Module) -> Groups:
    """The parameters of a language model: each block, then the embeddings with the head.

    The head shares the weight of the embedding, as a rule.

    Args:
        model: a `HuggingFaceWriter`.
    """
    embeddings, blocks, head = _parts(model)
    return [group for group in (*blocks, embeddings + head) if group]


def _parts(model: nn.Module) -> tuple[list[nn.Parameter], Groups, list[nn.Parameter]]:
    adapter: Any = get_model(model)
    body: nn.Module = adapter.body
    blocks = _blocks_of(body)
    in_blocks = set(_identities(blocks.parameters()))
    tables = [m for m in body.modules() if isinstance(m, nn.Embedding)]
    in_tables = set(_identities(p for table in tables for p in table.parameters()))
    embeddings, behind = [], False
    for parameter in body.parameters():  # in the order in which the body is built
        behind |= id(parameter) in in_blocks
        is_table = id(parameter) in in_tables and id(parameter) not in in_blocks
        if is_table or (not behind and id(parameter) not in in_blocks):
            embeddings.append(parameter)
    taken = in_blocks | set(_identities(embeddings))
    head = [p for p in model.parameters() if id(p) not in taken]
    return embeddings, [list(block.parameters()) for block in blocks], head


def _identities(parameters: Iterable[nn.Parameter]) -> Iterable[int]:
    return map(id, parameters)


def _blocks_of(body: nn.Module) -> nn.ModuleList:
    """The list of blocks: of all lists of layers the one with the most parameters."""
    lists = [m for m in body.modules() if isinstance(m, nn.ModuleList) and len(m)]
    if not lists:
        return nn.ModuleList()
    return max(lists, key=lambda layers: sum(p.numel() for p in layers.parameters()))
