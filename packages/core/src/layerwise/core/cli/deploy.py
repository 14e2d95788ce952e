"""`layerwise export`: an exported learner as a program that runs without layerwise."""

from __future__ import annotations

from pathlib import Path

from layerwise.core.errors import ConfigError
from layerwise.core.restore import load_learner
from layerwise.core.train.deploy import export_onnx, export_program

__all__ = ["export"]


def export(
    bundle: Path,
    /,
    *,
    onnx: Path | None = None,
    program: Path | None = None,
    dynamic_dims: tuple[int, ...] = (0,),
    sha256: str | None = None,
) -> int:
    """Write the model of an exported learner for other programs.

    Each is compared with the model before it is written. It holds the model alone: what goes in is
    what comes out of the transforms, which `pipeline.json` in the bundle describes.

    Args:
        bundle: a file that `layerwise train` or `Learner.export` wrote.
        onnx: the file of ONNX.
        program: the file of `torch.export`.
        dynamic_dims: axes of the inputs that may have any length; 0 1 for texts.
        sha256: of the bundle, got from whom you trust.
    """
    if onnx is None and program is None:
        raise ConfigError("say what to write: --onnx FILE, --program FILE, or both")
    learn = load_learner(bundle, sha256=sha256)
    inputs = getattr(learn, "exported_example", None)
    example = None if inputs is None else inputs[0]
    if onnx is not None:
        print(f"wrote {export_onnx(learn, onnx, example, dynamic_dims=dynamic_dims)}")
    if program is not None:
        print(f"wrote {export_program(learn, program, example, dynamic_dims=dynamic_dims)}")
    return 0
