"""Architectures of text: for each encoder its settings and its groups, by task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from layerwise.core.errors import nearest, refuse_unknown
from layerwise.core.registry import find
from layerwise.text.models.awd_lstm import (
    AWD_LSTM,
    awd_lstm_clas_config,
    awd_lstm_clas_split,
    awd_lstm_lm_config,
    awd_lstm_lm_split,
)
from layerwise.text.models.encoder import TextEncoder, encoder_clas_split, encoder_lm_split
from layerwise.text.models.recurrent import (
    GRUEncoder,
    LSTMEncoder,
    recurrent_clas_config,
    recurrent_lm_config,
)
from layerwise.text.models.transformer import (
    TextTransformer,
    transformer_clas_config,
    transformer_lm_config,
)

__all__ = ["Arch", "TextArch", "text_arch", "text_archs"]

Splitter = Callable[[nn.Module], list[list[nn.Parameter]]]
Arch = Callable[..., TextEncoder] | str
"""An encoder, or its name in the registry, "AWD_LSTM" or "mine/encoder"."""


@dataclass(frozen=True)
class TextArch:
    """What has to be known of an encoder to build and train models of it.

    Args:
        encoder: the class.
        lm_config: settings of a language model: keywords of the encoder, and output_p, tie_weights
            and out_bias.
        lm_split: the parameter groups of a language model.
        clas_config: settings of a classifier: keywords of the encoder, and output_p.
        clas_split: the parameter groups of a classifier.
    """

    encoder: Callable[..., TextEncoder]
    lm_config: Mapping[str, Any]
    clas_config: Mapping[str, Any]
    lm_split: Splitter = encoder_lm_split
    clas_split: Splitter = encoder_clas_split


_OURS = (
    TextArch(
        AWD_LSTM, awd_lstm_lm_config, awd_lstm_clas_config, awd_lstm_lm_split, awd_lstm_clas_split
    ),
    TextArch(GRUEncoder, recurrent_lm_config, recurrent_clas_config),
    TextArch(LSTMEncoder, recurrent_lm_config, recurrent_clas_config),
    TextArch(TextTransformer, transformer_lm_config, transformer_clas_config),
)
text_archs: dict[Callable[..., TextEncoder], TextArch] = {arch.encoder: arch for arch in _OURS}
"""What is known, by encoder; add your own: `text_archs[Mine] = TextArch(Mine, ...)`."""


def text_arch(arch: Arch) -> TextArch:
    """What is known of `arch`.

    Raises:
        ValueError: if nothing is; names the nearest.
        RegistryError: for a name that nobody has registered.

    Example:
        >>> text_arch(AWD_LSTM).lm_config["n_hid"]
        1152
    """
    encoder = arch
    if isinstance(arch, str):
        encoder = find("model", arch if "/" in arch else f"text/{arch}")
    if encoder in text_archs:
        return text_archs[encoder]
    names = {_name(each) for each in text_archs}
    told = _name(encoder)
    raise ValueError(
        f"nothing is known of the architecture {told}.{nearest(told, names)} There are "
        f"{', '.join(sorted(names))}; add your own: text_archs[{told}] = TextArch({told}, ...)"
    )


def _name(encoder: object) -> str:
    return str(getattr(encoder, "__name__", encoder))


def configured(
    arch: TextArch,
    default: Mapping[str, Any],
    config: Mapping[str, Any] | None,
    drop_mult: float,
    outer_names: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the encoder, and those of `outer_names`, with all dropout times `drop_mult`.

    Raises:
        TypeError: for a setting that is not known; names the nearest.
    """
    given = dict(config or {})
    refuse_unknown(f"the config of {_name(arch.encoder)}", given.keys() - default, default)
    settings = {
        name: value * drop_mult if name.endswith("_p") else value
        for name, value in {**default, **given}.items()
    }
    outer = {name: settings.pop(name) for name in outer_names}
    return settings, outer
