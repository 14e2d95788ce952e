"""`tabular_learner`: a model for the columns of a table, and the learner that trains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from layerwise.core.errors import names_nearest, nearest
from layerwise.core.items import is_iter
from layerwise.core.learner import Learner
from layerwise.core.nn.embedding_sizes import get_emb_sz
from layerwise.core.nn.walk import trainable_params
from layerwise.core.optim.algorithms import Adam
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.registry import find
from layerwise.core.train.callback import Callback
from layerwise.core.transforms.category import get_c
from layerwise.tabular.models.ft_transformer import FTTransformer
from layerwise.tabular.models.mlp import TabularModel
from layerwise.tabular.models.resnet import TabularResNet

__all__ = ["tabular_learner"]

_ARCHS: dict[str, Callable[..., nn.Module]] = {
    "mlp": TabularModel, "resnet": TabularResNet, "ft_transformer": FTTransformer,
}  # fmt: skip


@names_nearest
def tabular_learner(
    dls: Any,
    layers: Sequence[int] | None = None,
    emb_szs: Mapping[Any, int] | None = None,
    config: Mapping[str, Any] | None = None,
    n_out: int | None = None,
    y_range: tuple[float, float] | None = None,
    arch: str | Callable[..., nn.Module] = "mlp",
    loss_func: Callable[..., Any] | None = None,
    opt_func: Callable[..., BaseOptimizer] = Adam,
    lr: float | slice = 1e-3,
    splitter: Callable[[nn.Module], Any] = trainable_params,
    cbs: Callback | Iterable[Callback] | None = None,
    metrics: Any = None,
    path: str | Path | None = None,
    model_dir: str = "models",
    wd: float | None = None,
    wd_bn_bias: bool = False,
    train_bn: bool = True,
    moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    compile: bool | Mapping[str, Any] = False,  # noqa: A002 - as in Learner
) -> Learner:
    """A learner with a model for the columns of `dls`.

    Targets that are numbers may be of any size: where neither a range nor a loss is given, models
    of this package bring their outputs to mean and deviation of the targets (`y_stats`).

    Args:
        dls: loaders of a table.
        layers: features after each hidden layer of "mlp"; [200, 100] when None.
        emb_szs: widths of embeddings by column, in place of those of `emb_sz_rule`.
        config: more settings of the model, for "mlp" as `tabular_config` makes them.
        n_out: outputs; as many as the targets need when None.
        y_range: (low, high) of the target, which the outputs are squashed into. A little more than
            the range that targets have is best, as the ends are reached at infinity alone.
        arch: "mlp" (`TabularModel`), "resnet" (`TabularResNet`), "ft_transformer"
            (`FTTransformer`), a registered model ("mine/net"), or what makes one: called as
            `arch(emb_szs, n_cont, n_out, y_range=y_range, **config)`.
        loss_func: see `Learner`, as is all that follows.
        opt_func: makes the optimizer.
        lr: default learning rate.
        splitter: parameter groups.
        cbs: callbacks.
        metrics: metrics.
        path: where files are written.
        model_dir: the folder in `path` for models.
        wd: weight decay.
        wd_bn_bias: decay the parameters of norm layers and biases too.
        train_bn: train norm layers even where they are frozen.
        moms: momentum over a cycle.
        compile: run the model through `torch.compile`, see `Learner`.

    Raises:
        TypeError: for loaders of other data.
        ValueError: for an unknown `arch`, and when the number of outputs is not known.

    Example:
        >>> import pandas as pd
        >>> from layerwise.tabular.data import TabularDataLoaders
        >>> df = pd.DataFrame({"x": [i / 64 for i in range(64)]})
        >>> df["y"] = df["x"] ** 2
        >>> dls = TabularDataLoaders.from_df(df, cont_names="x", y_names="y", bs=16)
        >>> learn = tabular_learner(dls, layers=[16])
        >>> learn.model(*dls.one_batch()[:2]).shape
        torch.Size([16, 1])
    """
    _check(dls, layers, emb_szs)
    n_out = get_c(dls) if n_out is None else n_out
    if not n_out:
        raise ValueError(
            "these data have no target, so nothing says how many outputs the model needs; name "
            "y_names when the loaders are made, or pass n_out="
        )
    make = _arch(arch)
    settings = dict(config or {})
    if make is TabularModel:
        settings["layers"] = [200, 100] if layers is None else list(layers)
    elif layers is not None:
        raise ValueError(
            "layers are those of arch='mlp'; the sizes of other models are settings of theirs, "
            "given in config"
        )
    if y_range is not None:
        settings["y_range"] = y_range
    scale = dls.train_ds.target_stats() if loss_func is None and make in _ARCHS.values() else None
    if scale is not None and len(scale[0]) == n_out and settings.get("y_range") is None:
        settings.setdefault("y_stats", scale)
    model = make(get_emb_sz(dls, emb_szs), len(dls.cont_names), n_out, **settings)
    return Learner(
        dls, model, loss_func, opt_func, lr, splitter, cbs, metrics, path, model_dir, wd,
        wd_bn_bias, train_bn, moms, compile=compile,
    )  # fmt: skip


def _check(dls: Any, layers: Any, emb_szs: Any) -> None:
    if not hasattr(dls, "cont_names"):
        raise TypeError(
            f"tabular_learner takes the loaders of a table, not {type(dls).__name__} of other "
            "data; make them with TabularDataLoaders or TabularPandas(...).dataloaders()"
        )
    if layers is not None and not is_iter(layers):
        raise TypeError(f"layers={layers!r}; give a list, the features of each: [200, 100]")
    if emb_szs is not None and not isinstance(emb_szs, Mapping):
        raise TypeError(f"emb_szs={emb_szs!r:.80}; give widths by column, such as {{'job': 8}}")


def _arch(arch: Any) -> Any:
    if not isinstance(arch, str):
        return arch
    if "/" in arch:
        return find("model", arch)
    if arch not in _ARCHS:
        raise ValueError(
            f"no arch {arch!r}.{nearest(arch, _ARCHS)} There are: {', '.join(_ARCHS)}, names of "
            "registered models such as 'mine/net', and functions that make a model"
        )
    return _ARCHS[arch]
