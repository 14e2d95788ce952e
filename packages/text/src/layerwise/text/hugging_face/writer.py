"""`HuggingFaceWriter`: a language model of transformers that is trained and writes like ours.

Shapes: B batch, T tokens, V words of the vocabulary.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from layerwise.text.hugging_face.adapter import (
    named_task,
    plain_config,
    positions_of,
    rebuilt,
    refuse_long,
)
from layerwise.text.hugging_face.library import Task
from layerwise.text.models.encoder import Remembering

__all__ = ["HuggingFaceWriter"]


class HuggingFaceWriter(Remembering):
    """Scores of the next token by a model of transformers: (B, T) to (B, T, V).

    Args:
        model: a model that reads forwards and has a head for tokens, such as `GPT2LMHeadModel`.

    Attributes:
        n_out: V, of which there may be more than tokens.

    Raises:
        ValueError: if what comes later changes what the model says of what comes before; at a
            call, if there are more tokens than it has positions for.
    """

    model: Any  # a PreTrainedModel, whose attributes torch does not know

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.positions = positions_of(model)
        self._is_remembering = False
        self._memory: Any = None
        self.n_out = _scores_forwards(model)

    @property
    def body(self) -> nn.Module:
        """The model without its head."""
        body: nn.Module = self.model.base_model
        return body

    def forward(self, inp: Tensor) -> Tensor:
        """(B, T, V); behind what was read before, from `remember()` to `reset()`."""
        before = 0 if self._memory is None else int(self._memory.get_seq_length())
        refuse_long(before + inp.shape[1], self.positions)
        out: Any = self.model(
            input_ids=inp,
            past_key_values=self._memory,
            use_cache=self._is_remembering,
            return_dict=True,
        )
        if self._is_remembering:
            self._memory = out.past_key_values
        logits: Tensor = out.logits
        return logits

    def reset(self) -> None:
        """Forget what was read."""
        self._is_remembering, self._memory = False, None

    def remember(self) -> None:
        """Keep in mind what is read from now on, until `reset()`."""
        self._is_remembering = True

    def select_rows(self, rows: Tensor) -> None:
        """Let row i of the memory be what row `rows[i]` was."""
        if self._memory is not None:
            self._memory.batch_select_indices(rows)

    def settings(self) -> dict[str, Any]:
        """The keywords of `from_settings`, for exports: no weights, and nothing to fetch."""
        return {"config": plain_config(self.model), "task": named_task(self.model)}

    @classmethod
    def from_settings(cls, config: dict[str, Any], task: Task) -> Self:
        """A model of `settings()`, its weights drawn."""
        return cls(rebuilt(config, task))


def _scores_forwards(model: nn.Module) -> int:
    """V; raises where the target can be seen: training would be good at nothing else."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            texts = torch.tensor([[2, 3, 4], [2, 3, 5]], device=device)
            scores: Tensor = model(input_ids=texts, return_dict=True).logits
    finally:
        model.train(was_training)
    if not torch.allclose(scores[0, :2], scores[1, :2], rtol=1e-2, atol=1e-3):
        raise ValueError(
            f"{type(model).__name__} sees the tokens that it is to predict; give a model that "
            "reads forwards, such as GPT2LMHeadModel, or a config with is_decoder=True"
        )
    return scores.shape[-1]
