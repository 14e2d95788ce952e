"""What the peers need before they can be measured; nothing here is measured itself."""

from importlib.metadata import PackageNotFoundError, version

from layerwise.core.torchvision_operators import stand_in_for_operators

__all__ = ["define_torchvision_operators", "is_installed", "versions"]

_PACKAGES = ("torch", "torchvision", "pillow", "numpy", "fastai", "fastcore", "kornia")


def define_torchvision_operators() -> None:
    """Let torchvision, and fastai with it, be imported beside a torch built without CUDA.

    torchvision's wheel may have been compiled for CUDA; its import then fails for want of an
    operator (`nms`) that no benchmark calls. A stand-in of the same name is defined for it.
    """
    stand_in_for_operators()


def is_installed(name: str) -> bool:
    """Whether the package `name` is here to be measured."""
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def versions() -> str:
    """The versions of what is measured, on one line."""
    return ", ".join(f"{name} {version(name)}" for name in _PACKAGES if is_installed(name))
