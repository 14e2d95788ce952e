"""The trained model as a program that runs without layerwise: ONNX, and `torch.export`.

Both are traced from the same model in evaluation mode, with a batch of any size, and compared with
it before a file is written. They hold the model alone: what goes in is what `show_batch` shows
after all transforms, and what comes out is before the activation of the loss.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from layerwise.core.errors import BundleError, MissingDependencyError
from layerwise.core.files.atomic import write_whole
from layerwise.core.nn.module import get_model
from layerwise.core.train.engine import split_batch
from layerwise.core.train.outputs import LABELS, accepted_keywords, read_output

__all__ = ["DeployError", "export_onnx", "export_program"]

_SIZES = (1, 7)  # batch sizes that are compared
_TRACED = 3  # rows of the batch that is traced: 0 and 1 would be taken as fixed
_TOLERANCE = 1e-4  # of the largest output; float32 keeps seven digits, and sums are reordered


class DeployError(BundleError):
    """A model that cannot be traced, or whose trace says something else than the model."""


def export_onnx(
    learn: Any,
    path: str | Path,
    inputs: Sequence[Any] | None = None,
    *,
    dynamic_dims: Sequence[int] = (0,),
    check: bool | None = None,
) -> Path:
    """Write the model as ONNX. Returns the path.

    Inputs have the names of the arguments of the model's `forward`; one output is named `output`.

    Args:
        learn: the learner, or anything with `model` and `dls`.
        path: the file; `.onnx` is added when it has no suffix.
        inputs: what the model is called with, an example; from the data when None.
        dynamic_dims: axes of all inputs that may have any length; (0, 1) for texts, whose length
            differs too.
        check: compare with onnxruntime for batches of 1 and 7; when None, if it is installed.

    Raises:
        DeployError: if the model cannot be traced, or the file says something else than the model.
        MissingDependencyError: if onnx or onnxscript is missing.
    """
    run = _runtime(check)
    _needs("onnx", "onnxscript")
    with _ready(learn, inputs) as (model, example), _told("ONNX"):
        names = _names(model, example)
        flat = [t for t in torch.utils._pytree.tree_leaves(example) if isinstance(t, Tensor)]
        _choose_kernels_anew()
        program = torch.onnx.export(
            model,
            _rows(example, _TRACED),
            dynamo=True,
            dynamic_shapes=_shapes(model, example, {dim: _axis_name(dim) for dim in dynamic_dims}),
            input_names=names if len(flat) == len(names) else None,
            output_names=_output_names(model, example),
            verbose=False,
        )
        _choose_kernels_anew()
        if program is None:
            raise DeployError("torch.onnx.export gave nothing")
        _forget_places(program.model)
        content = program.model_proto.SerializeToString()
        if run is not None:
            _compare(model, example, run(content), "the ONNX file")
    return _written(path, ".onnx", content)


def export_program(
    learn: Any,
    path: str | Path,
    inputs: Sequence[Any] | None = None,
    *,
    dynamic_dims: Sequence[int] = (0,),
) -> Path:
    """Write the model as a program of `torch.export`, for the CPU. Returns the path.

    `torch.export.load(path).module()(*inputs)` runs it where there is torch and nothing else of
    this model. Loading such a file can run code that is in it: load only those of people you
    trust. Layerwise itself reads none.

    Args:
        learn: the learner, or anything with `model` and `dls`.
        path: the file; `.pt2` is added when it has no suffix.
        inputs: what the model is called with, an example; from the data when None.
        dynamic_dims: axes of all inputs that may have any length.

    Raises:
        DeployError: if the model cannot be traced, or its trace says something else.
    """
    from torch.export.passes import move_to_device_pass

    batch = torch.export.Dim(_axis_name(0))
    with _ready(learn, inputs) as (model, example), _told("torch.export"):
        # The batch may be 1 too; other axes are as long as the model can take.
        axes = {dim: torch.export.Dim.DYNAMIC if dim else batch for dim in dynamic_dims}
        shapes = _shapes(model, example, axes)
        program = torch.export.export(model, _rows(example, _TRACED), dynamic_shapes=shapes)
        _compare(model, example, program.module(), "the program")
        program = move_to_device_pass(program, "cpu")
        for module in program.graph_module.modules():
            for node in getattr(getattr(module, "graph", None), "nodes", ()):
                node.meta.pop("stack_trace", None)  # it names folders of this machine
        program.example_inputs = None  # rows of the data
        file = BytesIO()
        torch.export.save(program, file)
    return _written(path, ".pt2", file.getvalue())


# -- the model as it is traced -----------------------------------------------------------------


class _ByKeyword(nn.Module):
    """A model that takes its inputs by keywords, called with them in order."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, list(names)

    def forward(self, *inputs: Tensor) -> Any:
        """What the model predicts."""
        return read_output(self.model(**dict(zip(self.names, inputs, strict=True))))[0]


@contextmanager
def _ready(learn: Any, inputs: Sequence[Any] | None) -> Iterator[tuple[nn.Module, tuple[Any, ...]]]:
    """The model in evaluation mode and uncompiled, and inputs; all is put back."""
    owner: nn.Module = get_model(learn.model)
    example = split_batch(learn, learn.dls.one_batch())[0] if inputs is None else tuple(inputs)
    device = next((p.device for p in owner.parameters()), torch.device("cpu"))
    example = _each(example, lambda t: t.detach().to(device))
    model = owner
    if len(example) == 1 and isinstance(example[0], Mapping):
        keywords = accepted_keywords(owner, {k: v for k, v in example[0].items() if k != LABELS})
        given = keywords if keywords is not None else {}
        model, example = _ByKeyword(owner, list(given)), tuple(given.values())
    modules = list(owner.modules())
    modes = [module.training for module in modules]
    compiled = {m: m._compiled_call_impl for m in modules if m._compiled_call_impl is not None}
    try:
        owner.eval()
        model.eval()
        for module in compiled:
            module._compiled_call_impl = None
        with torch.no_grad(), warnings.catch_warnings():
            # Of torch and onnxscript about each other.
            for kind in (FutureWarning, DeprecationWarning, UserWarning):
                warnings.simplefilter("ignore", kind)
            yield model, example
    finally:
        for module, training in zip(modules, modes, strict=True):
            module.training = training
        for module, call in compiled.items():
            module._compiled_call_impl = call


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except DeployError:
        raise
    except Exception as error:  # of many kinds, by which torch says that it cannot follow a model
        raise DeployError(
            f"the model cannot be written for {what}: {error}\nOften a size of the batch is used "
            "as a Python number, or Python decides by the values of a tensor; where a size is "
            "meant to be fixed, leave it out of dynamic_dims"
        ) from error


def _each(inputs: tuple[Any, ...], change: Any) -> tuple[Any, ...]:
    changed = [torch.utils._pytree.tree_map_only(Tensor, change, member) for member in inputs]
    return tuple(changed)


def _rows(inputs: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """`count` rows of the batch, the same ones again where it has fewer."""
    return _each(
        inputs, lambda t: t[torch.arange(count, device=t.device) % len(t)] if t.ndim else t
    )


def _shapes(model: nn.Module, inputs: tuple[Any, ...], axes: Mapping[int, Any]) -> Any:
    """For each tensor, its axes that may have any length."""
    shapes = _each(inputs, lambda t: {dim: axis for dim, axis in axes.items() if dim < t.ndim})
    return (shapes,) if _takes_any(model) else shapes


def _axis_name(dim: int) -> str:
    return f"size_{dim}" if dim else "batch"


def _takes_any(model: nn.Module) -> bool:
    """Whether all inputs arrive in one parameter, as in `forward(self, *inputs)`."""
    parameters = list(inspect.signature(model.forward).parameters.values())
    return bool(parameters) and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL


def _names(model: nn.Module, inputs: tuple[Any, ...]) -> list[str]:
    if isinstance(model, _ByKeyword):
        return model.names
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(model.forward).parameters.values()
    names = [each.name for each in parameters if each.kind in positional]
    return [names[i] if i < len(names) else f"input_{i}" for i in range(len(inputs))]


def _output_names(model: nn.Module, inputs: tuple[Any, ...]) -> list[str]:
    outputs = torch.utils._pytree.tree_leaves(model(*_rows(inputs, _TRACED)))
    return ["output"] if len(outputs) == 1 else [f"output_{i}" for i in range(len(outputs))]


def _choose_kernels_anew() -> None:
    """Have torch look again for what traces recurrent layers.

    For ONNX it registers a loop for them while it traces, which is not seen where the operator's
    cache has another one from before, and stays in the cache afterwards (torch 2.13).
    """
    for name in ("lstm", "gru"):
        getattr(getattr(torch.ops.aten, name).input, "_dispatch_cache", {}).clear()


def _forget_places(model: Any) -> None:
    """Take out of an ONNX model which lines of which files its nodes are from."""
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            node.metadata_props.clear()


def _compare(model: nn.Module, inputs: tuple[Any, ...], other: Any, what: str) -> None:
    for size in _SIZES:
        rows = _rows(inputs, size)
        expected = torch.utils._pytree.tree_leaves(model(*rows))
        given = torch.utils._pytree.tree_leaves(other(*rows))
        if len(given) != len(expected):
            raise DeployError(f"{what} has {len(given)} outputs, the model {len(expected)}")
        for ours, theirs in zip(expected, given, strict=True):
            ours, theirs = ours.float().cpu(), theirs.float().cpu()
            if ours.shape != theirs.shape:
                raise DeployError(f"{what} gives {tuple(theirs.shape)}, not {tuple(ours.shape)}")
            scale = max(1.0, ours.abs().max().item()) if ours.numel() else 1.0
            if not torch.allclose(ours, theirs, rtol=0, atol=_TOLERANCE * scale, equal_nan=True):
                far = (ours - theirs).abs().max().item()
                raise DeployError(
                    f"{what} says something else than the model: for {size} rows, numbers of up "
                    f"to {scale:.3g} differ by {far:.3g}. Does the model draw random numbers, or "
                    "keep something from call to call?"
                )


# -- libraries and files -----------------------------------------------------------------------


def _needs(*libraries: str) -> None:
    for library in libraries:
        try:
            import_module(library)
        except (ImportError, OSError) as error:
            raise MissingDependencyError.of(
                library, needed_for="ONNX files", install="layerwise-core[onnx]"
            ) from error


def _runtime(check: bool | None) -> Any:
    """From the bytes of a model to a function that runs it; None where nothing is to be checked."""
    if check is False:
        return None
    try:
        onnxruntime = import_module("onnxruntime")
    except (ImportError, OSError) as error:
        if check is None:
            return None
        raise MissingDependencyError.of(
            "onnxruntime", needed_for="checks of ONNX files", install="onnxruntime"
        ) from error

    def made(content: bytes) -> Any:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]

        def run(*inputs: Any) -> list[Tensor]:
            flat = [t.cpu().numpy() for t in torch.utils._pytree.tree_leaves(inputs)]
            given = session.run(None, dict(zip(names, flat, strict=True)))
            return [torch.from_numpy(array) for array in given]

        return run

    return made


def _written(path: str | Path, suffix: str, content: bytes) -> Path:
    file = Path(path)
    file = file if file.suffix else file.with_name(file.name + suffix)
    write_whole(file, [content])
    return file
