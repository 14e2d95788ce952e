"""`HuggingFaceModel`: a model of transformers as a module from tokens to scores.

Shapes: B batch, T tokens of the longest text, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from inspect import Parameter, signature
from typing import Any, Self

import torch
from torch import Tensor, nn

from layerwise.core.errors import ConfigError
from layerwise.core.nn.activations import SigmoidRange
from layerwise.core.nn.module import Module
from layerwise.text.hugging_face.library import Task, made_of, task_of, transformers_module

__all__ = ["HuggingFaceModel"]

# What of a configuration says where a model is from or how it is run, and not what it is. Some of
# it names code to fetch, which no file of ours may do.
_OUTSIDE = (
    "auto_map", "quantization_config", "attn_implementation", "_attn_implementation", "dtype",
    "torch_dtype", "_name_or_path", "name_or_path", "transformers_version", "architectures",
)  # fmt: skip


class HuggingFaceModel(Module):
    """Scores of a model of transformers: (B, T) tokens to (B, C), or (B, T, C) if of each token.

    Padding may stand on either side: texts are moved to the beginning before they are read, the
    mask follows from that, and scores of tokens go back to where the tokens are. So what comes out
    for a text does not depend on the texts beside it. Complements of numbers (`~n`, which
    `TensorPieces` has) are read as the numbers.

    Args:
        model: a model with a head for classes, such as `BertForSequenceClassification`.
        pad_idx: the token of padding.
        y_range: (low, high) that scores are squashed into; any number when None.

    Raises:
        ValueError: if the model knows another token for padding; at a call, if a text is longer
            than what it has positions for.
    """

    model: Any  # a PreTrainedModel, whose attributes torch does not know

    def __init__(
        self, model: nn.Module, pad_idx: int = 1, y_range: tuple[float, float] | None = None
    ) -> None:
        self.model, self.pad_idx, self.y_range = model, pad_idx, y_range
        _agree_on_padding(model, pad_idx)
        self.squash = nn.Identity() if y_range is None else SigmoidRange(*y_range)
        self.positions = positions_of(model)
        # A memory of what was read costs time, and is of use only where it is read on.
        self._options = {"use_cache": False} if _takes(model, "use_cache") else {}

    @property
    def body(self) -> nn.Module:
        """The model without its head."""
        body: nn.Module = self.model.base_model
        return body

    def reset(self) -> None:
        """Do nothing: each text is read anew."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - as in all models of text
        """(B, C), or (B, T, C) for models that decide on each token."""
        tokens = torch.where(input < 0, ~input, input)
        refuse_long(tokens.shape[1], self.positions)
        is_word = tokens != self.pad_idx
        order = is_word.long().argsort(dim=1, descending=True, stable=True)  # words first
        # An empty text is read as one token: attention to nothing has no value.
        lengths = is_word.sum(1, keepdim=True).clamp(min=1)
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths
        logits: Tensor = self.model(
            input_ids=tokens.gather(1, order),
            attention_mask=mask.long(),
            return_dict=True,
            **self._options,
        ).logits
        if logits.ndim == 3:
            back = order.argsort(dim=1)[:, :, None].expand_as(logits)
            logits = logits.gather(1, back)
        squashed: Tensor = self.squash(logits)
        return squashed

    def settings(self) -> dict[str, Any]:
        """The keywords of `from_settings`, for exports: no weights, and nothing to fetch."""
        own = {"config": plain_config(self.model), "task": named_task(self.model)}
        return {**own, "pad_idx": self.pad_idx, "y_range": self.y_range}

    @classmethod
    def from_settings(
        cls,
        config: dict[str, Any],
        task: Task,
        pad_idx: int,
        y_range: Sequence[float] | None = None,
    ) -> Self:
        """A model of `settings()`, its weights drawn."""
        squashed = None if y_range is None else (float(y_range[0]), float(y_range[1]))
        return cls(rebuilt(config, task), pad_idx, squashed)


def _agree_on_padding(model: Any, pad_idx: int) -> None:
    """Let the model know which token pads, unless it knows another."""
    own = model.config.pad_token_id
    if own is None:
        model.config.pad_token_id = pad_idx
    elif own != pad_idx:
        raise ValueError(
            f"the texts are padded with token {pad_idx}, and for {type(model).__name__} it is "
            f"token {own}; give both the tokeniser of this model, or for a model whose weights are "
            "still to be trained its config"
        )


def positions_of(model: Any) -> int | None:
    """How many tokens of a text the model can tell apart by their place; None for any number."""
    tables = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding)
        and name.rpartition(".")[2] in ("position_embeddings", "wpe", "embed_positions")
    ]
    if not tables:  # rotary, or relative
        limit = getattr(model.config, "max_position_embeddings", None)
        return int(limit) if limit and limit > 0 else None
    # Where padding has a row, places are counted from behind it.
    return min(
        table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
        for table in tables
    )


def refuse_long(length: int, positions: int | None) -> None:
    """Say what to do about a text that is longer than the model can read."""
    if positions is not None and length > positions:
        raise ValueError(
            f"a text of {length} tokens, and the model has positions for {positions}; cut them: "
            f"HuggingFaceTokenizer(..., max_len={positions}), or for a language model loaders with "
            f"seq_len={positions} at most"
        )


def _takes(model: Any, name: str) -> bool:
    """Whether the body has the keyword `name` and the model passes it on."""
    outer = signature(model.forward).parameters
    passes = any(p.kind is Parameter.VAR_KEYWORD for p in outer.values())
    return (name in outer or passes) and name in signature(model.base_model.forward).parameters


# -- as plain settings -------------------------------------------------------------------------


def plain_config(model: Any) -> dict[str, Any]:
    """The configuration as values of JSON."""
    told = json.loads(model.config.to_json_string(use_diff=False))
    return {name: value for name, value in told.items() if name not in _OUTSIDE}


def named_task(model: Any) -> Task:
    """The task of a model, if its class is one that the library would choose for it."""
    task = task_of(model)
    if task is None:
        raise ConfigError(
            f"{type(model).__name__} is no class that transformers would make of its config, so a "
            "file cannot say how it is made; register a function that makes it, and pass "
            "model=('mine/net', {its keywords}) to export"
        )
    return task


def rebuilt(config: dict[str, Any], task: Task) -> Any:
    """The model that a plain configuration describes, its weights drawn."""
    known = {name: value for name, value in config.items() if name not in _OUTSIDE}
    return made_of(transformers_module().AutoConfig.for_model(**known), task)
