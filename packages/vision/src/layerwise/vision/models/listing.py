"""Architectures for pictures, found by name and by what is known of them; none is built for it."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from typing import Any

from layerwise.core.facts import Facts, facts_hold
from layerwise.core.registry import facts_of, names
from layerwise.vision.models.network import TORCHVISION
from layerwise.vision.models.timm_models import fixed_size, timm_module

__all__ = ["find_models", "model_facts"]

_KIND, _OURS, _TIMM = "model", "vision/", "timm/"


def find_models(
    pattern: str = "*",
    *,
    source: str | None = None,
    family: str | None = None,
    pretrained: bool | None = None,
    licence: str | None = None,
    has_maps: bool | None = None,
    fixed_size: bool | None = None,
    size: int | None = None,
    max_size: int | None = None,
    max_params: float | None = None,
    min_params: float | None = None,
) -> list[str]:
    """The names of architectures that `vision_learner` takes, sorted.

    Those of this package, of torchvision ("vision/resnet34"), of other packages that are
    installed, and of timm ("timm/convnext_atto") where it is. Nothing is built or fetched. What is
    not known does not count: timm does not tell how many parameters its models have.

    Args:
        pattern: wildcards, as of file names, for the name, with or without what is before the
            slash.
        source: "torchvision", "timm", "layerwise", or what another package says.
        family: for example "resnet".
        pretrained: whether there are trained weights.
        licence: of these, for example "Apache-2.0".
        has_maps: whether the body gives maps that a head can pool and a decoder can enlarge.
        fixed_size: whether it takes one size of picture only.
        size: side of the pictures that it was trained on.
        max_size: most pixels of that side.
        max_params: most parameters, with the head that it was trained with.
        min_params: fewest of them.

    Example:
        >>> find_models("resnet*", source="torchvision", max_params=3e7)
        ['vision/resnet18', 'vision/resnet34', 'vision/resnet50']
    """
    asked = {
        "source": source, "family": family, "pretrained": pretrained, "licence": licence,
        "has_maps": has_maps, "fixed_size": fixed_size, "size": size, "max_size": max_size,
        "max_params": max_params, "min_params": min_params,
    }  # fmt: skip
    wanted = {name: value for name, value in asked.items() if value is not None}
    return sorted(
        name
        for name, facts in _known(source)
        if _is_like(name, pattern) and facts_hold(facts, wanted)
    )


def model_facts(name: str) -> dict[str, Any]:
    """What is known of an architecture without building it.

    Of all: `source`, `family`, `pretrained`, `size` (side of the pictures that it was trained on),
    `fixed_size` (whether it takes no other), `has_maps`, `mean` and `std`, `licence`. Of those of
    torchvision and of this package also `params` and `strides` (how many times smaller than the
    picture each map is).

    Args:
        name: as `find_models` gives it; those of torchvision also without "vision/".

    Raises:
        LookupError: if there is no such name.

    Example:
        >>> facts = model_facts("squeezenet1_1")
        >>> facts["params"], facts["strides"], facts["licence"]
        (1235496, (2, 4, 8, 16), 'BSD-3-Clause')
    """
    if name in TORCHVISION:
        name = f"{_OURS}{name}"
    if not name.startswith(_TIMM):
        return dict(facts_of(_KIND, name))
    timm: Any = timm_module()
    own = name.removeprefix(_TIMM)
    if not timm.is_model(own):
        raise LookupError(f"timm has no model {own!r}; find_models('timm/*') lists all")
    return dict(_timm_facts(own, _timm_families().get(own.partition(".")[0], "")))


def _is_like(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name.partition("/")[2], pattern)


def _known(source: str | None) -> Iterator[tuple[str, Facts]]:
    if source != "timm":
        for name in names(_KIND, takes="pictures"):
            yield name, facts_of(_KIND, name)
    if source in (None, "timm") and find_spec("timm") is not None:
        for own, family in _timm_families().items():
            yield f"{_TIMM}{own}", _timm_facts(own, family)


@cache
def _timm_families() -> dict[str, str]:
    """The architectures of timm, each with the module that it stands in."""
    timm: Any = timm_module()
    modules = timm.list_modules()
    return {name: module for module in modules for name in timm.list_models(module=module)}


@cache
def _timm_facts(name: str, family: str) -> Facts:
    """What timm tells of an architecture, in our words."""
    from timm.models import get_pretrained_cfg

    config: Any = get_pretrained_cfg(name)
    told: dict[str, Any] = config.to_dict() if config is not None else {}
    facts = {
        "takes": "pictures", "source": "timm", "family": family,
        "pretrained": bool(config is not None and config.has_weights),
        "size": told.get("input_size", (0, 0, 0))[-1],
        "fixed_size": fixed_size(told) is not None,
        "has_maps": told.get("pool_size") is not None, "mean": tuple(told.get("mean", ())),
        "std": tuple(told.get("std", ())), "licence": told.get("license"),
    }  # fmt: skip
    return {key: value for key, value in facts.items() if value is False or value}
