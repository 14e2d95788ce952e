"""What is installed here, for a report of a problem."""

import os
import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

import torch

from layerwise.core.registry import plugins

__all__ = ["get_env", "installed_facts", "show_install", "try_import"]


def get_env(name: str) -> str:
    """The environment variable `name`, "unknown" where it is not set or empty.

    Example:
        >>> get_env("LAYERWISE_NO_SUCH_VARIABLE")
        'unknown'
    """
    return os.environ.get(name) or "unknown"


def try_import(module: str) -> ModuleType | None:
    """The module, or None where it is missing or does not import (a broken wheel, say).

    Example:
        >>> try_import("no_such_module_here") is None
        True
    """
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError):
        return None


def show_install() -> None:
    """Nothing; prints the versions and devices that a report of a problem should name."""
    for name, value in installed_facts().items():
        print(f"{name:<20} {value}")


def installed_facts() -> dict[str, str]:
    """Versions and devices by name, as `show_install` prints them."""
    facts = {f"layerwise.{prefix}": told for prefix, told in plugins().items()}
    facts["python"] = platform.python_version()
    facts["platform"] = platform.platform()
    for name in ("torch", "numpy", "torchvision", "torchaudio", "matplotlib", "pandas"):
        facts[name] = _version(name)
    facts["threads"] = str(torch.get_num_threads())
    facts["cuda"] = torch.version.cuda or "not built in"
    facts["CUDA_VISIBLE_DEVICES"] = get_env("CUDA_VISIBLE_DEVICES")
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(i)
            memory = properties.total_memory / 2**30
            facts[f"gpu {i}"] = f"{properties.name}, {memory:.1f} GiB"
    mps = torch.backends.mps.is_available()
    facts["mps"] = "available" if mps else "not available"
    return facts


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
