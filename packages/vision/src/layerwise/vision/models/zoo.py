"""Architectures of torchvision: built, and loaded with weights.

torchvision is imported when a model of it is asked for. Where its compiled operators do not load (a
CUDA wheel beside a CPU torch), the two that its import needs are stood in for, so that its models
work there too.
"""

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import MissingDependencyError, nearest
from layerwise.core.settings import record_built
from layerwise.core.torchvision_operators import stand_in_for_operators
from layerwise.core.train.checkpoint import load_weights

__all__ = [
    "Weights",
    "first_weights",
    "load_pretrained",
    "torchvision_model",
    "torchvision_models_module",
]

Weights = str | Path | Mapping[str, Tensor] | Any | None
"""What pretrained weights can be given as: a name ("DEFAULT", "IMAGENET1K_V1"), a member of
torchvision's enumeration, a `.safetensors` or `.pth` file, or a state dict. None for none."""

_FIRST_WEIGHTS = "IMAGENET1K_V1"
_SAME_SIZE = "IMAGENET1K_SWAG_LINEAR_V1"
_FILES = (".safetensors", ".pth", ".pt", ".bin")


def torchvision_models_module() -> ModuleType:
    """`torchvision.models`, imported even where the compiled operators do not load.

    Raises:
        MissingDependencyError: when torchvision is missing, or does not import for another reason.
    """
    try:
        stand_in_for_operators()
        import torchvision.models
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependencyError.of(
            "torchvision", needed_for="architectures of torchvision", install="torchvision"
        ) from error
    module: ModuleType = torchvision.models
    return module


def torchvision_model(
    name: str, weights: Weights = None, *, n_out: int = 1000, progress: bool = True
) -> nn.Module:
    """The model of torchvision called `name`.

    Args:
        name: for example "resnet34".
        weights: what to load, see `Weights`; "DEFAULT" is torchvision's newest.
        n_out: outputs; with weights only the number that they were trained with.
        progress: show the progress of a download.

    Raises:
        ValueError: for an unknown name; the nearest are named.
    """
    models = torchvision_models_module()
    if name not in models.list_models(module=models):
        known = models.list_models(module=models)
        raise ValueError(f"torchvision has no model {name!r}.{nearest(name, known)}")
    # torchvision would draw starting values by scipy, slowly, only for weights to replace them.
    options = {"init_weights": False} if name == "googlenet" or name.startswith("inception") else {}
    model: nn.Module = getattr(models, name)(num_classes=n_out, **options)
    given = {"name": name, "weights": weights, "n_out": n_out}
    record_built(model, torchvision_model, given, {"weights": None})
    if weights is not None:
        load_pretrained(model, weights, name=name, progress=progress)
    return model


def load_pretrained(
    model: nn.Module, weights: Weights, *, name: str, progress: bool = True
) -> nn.Module:
    """`model` with the weights loaded; all of them have to fit.

    Nothing is unpickled: files are `.safetensors`, or read with torch's `weights_only`.

    Args:
        model: as it was built by the architecture `name`.
        weights: see `Weights`.
        name: of the architecture, which says which weights of torchvision are meant.
        progress: show the progress of a download.

    Raises:
        FileNotFoundError: when the file is neither there nor can be downloaded; says where it
            belongs.
        ValueError: when the weights do not fit the model, or have an unknown name.
    """
    state = _state(weights, name, progress)
    differences = _differences(model.state_dict(), state)
    if differences:
        source = "the state dict" if isinstance(weights, Mapping) else repr(str(weights))
        raise ValueError(f"{source} does not fit {name}: {differences}")
    floats = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    model.load_state_dict(floats)
    return model


def _differences(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """What keeps `given` from being loaded, the first three names of each kind."""
    shapes = [k for k in own if k in given and own[k].shape != given[k].shape]
    kinds = {
        "missing are": [k for k in own if k not in given],
        "unknown are": [k for k in given if k not in own],
        "of other shapes are": [
            f"{k} {tuple(given[k].shape)} instead of {tuple(own[k].shape)}" for k in shapes
        ],
    }
    return "; ".join(
        f"{what} {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for what, names in kinds.items()
        if names
    )


def _state(weights: Any, name: str, progress: bool) -> Mapping[str, Tensor]:
    if isinstance(weights, Mapping):
        return weights
    if isinstance(weights, Path) or str(weights).endswith(_FILES):
        return _from_file(Path(weights))
    return _from_torchvision(_member(weights, name), name, progress)


def _from_file(path: Path) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of weights {path}")
    return load_weights(path)


def _member(weights: Any, name: str) -> Any:
    """The member of torchvision's enumeration that is meant."""
    if hasattr(weights, "url"):
        return weights
    choices = torchvision_models_module().get_model_weights(name)
    short = str(weights).rpartition(".")[2]
    if short not in choices.__members__:
        known = [*choices.__members__]
        raise ValueError(
            f"{name} has no weights {weights!r}.{nearest(short, known)} It has: "
            f"{', '.join(known) or 'none'}; or give the path of a file"
        )
    return choices[short]


def _from_torchvision(member: Any, name: str, progress: bool) -> Mapping[str, Tensor]:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    place = folder / Path(member.url).name
    try:
        state: Mapping[str, Tensor] = torch.hub.load_state_dict_from_url(
            member.url,
            str(folder),
            map_location="cpu",
            progress=progress,
            check_hash=True,
            weights_only=True,
        )
    except OSError as error:  # what urllib raises without a network is one, too
        raise FileNotFoundError(
            f"the weights of {name} are not at {place}, and {member.url} cannot be fetched "
            f"({error}). Fetch that file elsewhere and put it there; or give weights= as the path "
            "of a file; or start without, pretrained=False"
        ) from error
    return state


def first_weights(name: str) -> str | None:
    """The name of the weights that transfer learning takes by default; None where there are none.

    The first that were published: of networks that have several, those are the better start for
    other tasks.
    """
    choices = torchvision_models_module().get_model_weights(name)
    names = list(choices.__members__)
    # Others than the first may be for larger pictures, and then need a larger net.
    usual = [name for name in names if name in (_FIRST_WEIGHTS, _SAME_SIZE)]
    return usual[0] if usual else names[0] if names else None
