"""The library transformers, imported when it is needed, and which of its models does what."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Literal

from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.torchvision_operators import stand_in_for_operators

__all__: list[str] = []

Task = Literal["sequence", "token", "causal"]
"""What a model decides: on a text, on each of its tokens, or which token comes next."""

_CLASSES: dict[Task, str] = {
    "sequence": "AutoModelForSequenceClassification",
    "token": "AutoModelForTokenClassification",
    "causal": "AutoModelForCausalLM",
}


def transformers_module() -> ModuleType:
    """The module `transformers`, imported even where the operators of torchvision do not load.

    Raises:
        MissingDependencyError: when it is not there.
    """
    try:
        stand_in_for_operators()  # its models import torchvision where there is one
        import transformers
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError.of(
            "transformers",
            needed_for="models of Hugging Face",
            install="layerwise-text[transformers]",
        ) from error
    return transformers


def is_model(value: object) -> bool:
    """Whether it is a model of transformers; who has one has imported the library."""
    return _is_of("modeling_utils", "PreTrainedModel", value)


def is_config(value: object) -> bool:
    """Whether it is the configuration of a model of transformers."""
    return _is_of("configuration_utils", "PreTrainedConfig", value)


def _is_of(module: str, name: str, value: object) -> bool:
    kind = getattr(sys.modules.get(f"transformers.{module}"), name, None)
    return kind is not None and isinstance(value, kind)


def auto_class(task: Task) -> Any:
    """What makes models for a task of configurations and folders.

    Raises:
        ValueError: if there is no such task; names the nearest.
    """
    if task not in _CLASSES:
        raise ValueError(f"there is no task {task!r}.{nearest(str(task), _CLASSES)}")
    return getattr(transformers_module(), _CLASSES[task])


def made_of(config: Any, task: Task) -> Any:
    """A model for a task with weights that are drawn.

    Raises:
        ValueError: if there is no such model of this kind.
    """
    # Said here, as a configuration may ask for code that is fetched.
    attention = _attention_of(config)
    return auto_class(task).from_config(config, attn_implementation=attention)


def _attention_of(config: Any) -> str | None:
    own = getattr(config, "_attn_implementation", None)
    return own if own in ("eager", "sdpa") else None


def task_of(model: Any) -> Task | None:
    """The task for which the library would make a model of this class; None for other classes."""
    for task in _CLASSES:
        mapping = auto_class(task)._model_mapping
        if type(model.config) in mapping.keys() and type(model) in _listed(  # noqa: SIM118 - lazy
            mapping[type(model.config)]
        ):
            return task
    return None


def _listed(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)
