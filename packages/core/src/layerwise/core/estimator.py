"""Estimators of scikit-learn that train with a `Learner`: for pipelines and searches.

Import this module by its name; it needs the extra `layerwise-core[sklearn]`. What is fitted is
reproducible bit by bit from `random_state` on a CPU, and can be cloned and pickled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import data as stock

from layerwise.core.data.loaders import DataLoaders
from layerwise.core.devices import default_device
from layerwise.core.errors import MissingDependencyError, names_nearest
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import CrossEntropyLossFlat, MSELossFlat
from layerwise.core.optim.algorithms import Adam
from layerwise.core.random import no_random
from layerwise.core.train.predict import activation_of

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingDependencyError.of(
        "scikit-learn", needed_for="estimators", install="layerwise-core[sklearn]"
    ) from error

__all__ = ["LearnerClassifier", "LearnerRegressor"]

# N items, F features, K classes or outputs.
Array = np.ndarray[Any, np.dtype[Any]]


class _LearnerEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What classifier and regressor share: the settings, the training, the outputs."""

    _loss: Callable[[], nn.Module]

    @names_nearest
    def __init__(
        self,
        module: Callable[[int, int], nn.Module] | None = None,
        *,
        layers: Sequence[int] = (64, 64),
        n_epoch: int = 30,
        lr: float = 1e-2,
        bs: int = 32,
        loss_func: Callable[..., Any] | None = None,
        opt_func: Callable[..., Any] = Adam,
        wd: float | None = None,
        cbs: Sequence[Any] = (),
        valid_pct: float = 0.0,
        scale: bool = True,
        device: str | torch.device | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        # scikit-learn: keep what was given, as it was given; `fit` looks at it.
        self.module, self.layers = module, layers
        self.n_epoch, self.lr, self.bs = n_epoch, lr, bs
        self.loss_func, self.opt_func, self.wd, self.cbs = loss_func, opt_func, wd, cbs
        self.valid_pct, self.scale, self.device = valid_pct, scale, device
        self.random_state, self.verbose = random_state, verbose

    def _train(self, x: Array, y: Tensor, n_out: int) -> None:
        """Fit `module_` to (N, F) numbers and targets, from `random_state` alone."""
        if not 0 <= self.valid_pct < 1:
            raise ValueError(
                f"valid_pct={self.valid_pct}; give the share of rows to keep for validation, from "
                "0 up to 1, or 0 to train on all"
            )
        seed = int(check_random_state(self.random_state).randint(2**31))
        self._measure(x)
        with no_random(seed):
            model = self._made(x.shape[1], n_out)
            inputs = torch.from_numpy(self._scaled(x))
            learn = Learner(
                self._loaders(inputs, y), model, self._loss_func(), opt_func=self.opt_func,
                lr=self.lr, wd=self.wd, cbs=copy.deepcopy(list(self.cbs)),
            )  # fmt: skip
            with ExitStack() as quiet:
                if not self.verbose:
                    quiet.enter_context(learn.no_bar())
                    quiet.enter_context(learn.no_logging())
                learn.fit_one_cycle(self.n_epoch, self.lr)
        self.module_ = learn.model.eval()
        names = learn.recorder.metric_names[1:]
        self.history_ = [
            {name: value for name, value in zip(names, row, strict=False) if value is not None}
            for row in learn.recorder.values
        ]

    def _made(self, n_in: int, n_out: int) -> nn.Module:
        if isinstance(self.module, nn.Module):
            raise TypeError(
                f"module={self.module!r} is a model already; give what makes one, called with the "
                "number of features and of outputs, so that each fit begins anew"
            )
        return self._mlp(n_in, n_out) if self.module is None else self.module(n_in, n_out)

    def _mlp(self, n_in: int, n_out: int) -> nn.Module:
        if isinstance(self.layers, int):
            raise TypeError(
                f"layers={self.layers}; give the sizes of the hidden layers, as ({self.layers},)"
            )
        sizes = [n_in, *self.layers]
        hidden: list[nn.Module] = []
        for before, after in pairwise(sizes):
            hidden += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*hidden, nn.Linear(sizes[-1], n_out))

    def _loss_func(self) -> Callable[..., Any]:
        return self._loss() if self.loss_func is None else copy.deepcopy(self.loss_func)

    def _loaders(self, x: Tensor, y: Tensor) -> DataLoaders:
        """Training data in a new order each epoch, and what `valid_pct` keeps for validation."""
        order = torch.randperm(len(x))
        kept = int(self.valid_pct * len(x))
        parts = [order[kept:], order[:kept]] if kept else [order.sort().values]
        loaders = []
        for i, part in enumerate(parts):
            rows = stock.TensorDataset(x[part], y[part])
            order_of = stock.SequentialSampler if i else stock.RandomSampler
            # One row alone is left out of its epoch: batch norm could make nothing of it.
            one_left = not i and len(part) > self.bs > 1 and len(part) % self.bs == 1
            batches = stock.BatchSampler(order_of(rows), self.bs, drop_last=one_left)
            # Rows are taken a batch at a time, which is some ten times as fast as one by one.
            loaders.append(stock.DataLoader(rows, batch_size=None, sampler=batches))
        return DataLoaders(*loaders, device=self._device())

    def _device(self) -> torch.device:
        return default_device() if self.device is None else torch.device(self.device)

    def _measure(self, x: Array) -> None:
        """Mean and deviation of each feature, in double precision."""
        wide = x.astype(np.float64)
        self.mean_ = wide.mean(0) if self.scale else np.zeros(x.shape[1])
        deviation = wide.std(0) if self.scale else np.ones(x.shape[1])
        self.deviation_ = np.where(deviation > 0, deviation, 1.0)

    def _scaled(self, x: Array) -> Array:
        scaled: Array = ((x - self.mean_) / self.deviation_).astype(np.float32)
        return scaled

    def _outputs(self, X: Any) -> Tensor:  # noqa: N803 - the name of scikit-learn
        """(N, ...) what the model gives for each row."""
        check_is_fitted(self, "module_")
        x = torch.from_numpy(self._scaled(validate_data(self, X, reset=False)))
        device = self._device()
        self.module_.to(device).eval()
        with torch.inference_mode():
            return torch.cat([self.module_(rows.to(device)).cpu() for rows in self._batches(x)])[
                : len(x)
            ]

    def _batches(self, x: Tensor) -> Iterator[Tensor]:
        """Batches of one size, the last filled up: products of other shapes round differently."""
        for rows in torch.split(x, self.bs):
            yield nn.functional.pad(rows, (0, 0, 0, self.bs - len(rows)))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        if "module_" in state:  # a pickle has to open where there is no such device
            state["module_"] = copy.deepcopy(state["module_"]).cpu()
        return state


class LearnerClassifier(ClassifierMixin, _LearnerEstimator):  # type: ignore[misc]  # no types
    """A classifier of rows of numbers, trained by a `Learner` with the one-cycle policy.

    `fit` takes no weights of items: a weight of two would have to be the same as an item twice,
    which holds for no training in batches. Weigh the classes in `loss_func` instead.

    Args:
        module: makes the model from the number of features and of outputs; `layers` says which
            when None. Give a function or a class that pickle finds by name.
        layers: sizes of the hidden layers of the model that is made when `module` is None.
        n_epoch: rounds over the data.
        lr: the largest learning rate.
        bs: rows in a batch.
        loss_func: called as `loss_func(outputs, targets)`; its `activation`, where it has one,
            makes probabilities of outputs. Cross entropy, or the mean squared error, when None.
        opt_func: makes the optimizer, as for `Learner`.
        wd: weight decay; that of `opt_func` when None.
        cbs: callbacks, copied for each fit.
        valid_pct: share of the rows that is kept out of training and measured after each epoch.
        scale: bring features (and numeric targets) to mean 0 and deviation 1 by the training rows.
        device: where to train and predict; the accelerator that works when None.
        random_state: what weights, order and everything else follow from; as in scikit-learn.
        verbose: show progress.

    Attributes:
        classes_: the labels, in the order of the columns of `predict_proba`.
        module_: the trained model.
        history_: for each epoch, its losses by name.

    Example:
        >>> x = np.array([[0., 0.], [0., 1.], [1., 0.], [1., 1.]] * 8)
        >>> y = np.array(["same", "other", "other", "same"] * 8)
        >>> model = LearnerClassifier(random_state=0).fit(x, y)
        >>> model.predict([[0., 1.], [1., 1.]])
        array(['other', 'same'], dtype='<U5')
    """

    _loss = CrossEntropyLossFlat

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - the names of scikit-learn
        """The estimator itself, trained.

        Args:
            X: (N, F) numbers.
            y: (N,) labels of any kind.
        """
        X, y = validate_data(self, X, y)  # noqa: N806
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._train(X, torch.from_numpy(codes.astype(np.int64)), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """(N, K) the probability of each class, in the order of `classes_`."""
        outputs = self._outputs(X)
        loss_func = self._loss_func()
        probable = activation_of(loss_func) if hasattr(loss_func, "activation") else _softmax
        result: Array = probable(outputs.double()).numpy()
        return result

    def predict(self, X: Any) -> Array:  # noqa: N803
        """(N,) the most probable label of each row."""
        best = self.predict_proba(X).argmax(1)
        result: Array = self.classes_[best]
        return result


class LearnerRegressor(RegressorMixin, _LearnerEstimator):  # type: ignore[misc]  # no types
    """A regressor of rows of numbers; its arguments are those of `LearnerClassifier`.

    Attributes:
        module_: the trained model.
        history_: for each epoch, its losses by name.

    Example:
        >>> x = np.linspace(-1, 1, 64)[:, None]
        >>> model = LearnerRegressor(random_state=0).fit(x, x[:, 0] ** 2)
        >>> bool(abs(model.predict([[0.5]])[0] - 0.25) < 0.05)
        True
    """

    _loss = MSELossFlat

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - the names of scikit-learn
        """The estimator itself, trained.

        Args:
            X: (N, F) numbers.
            y: (N,) numbers, or (N, K) of them.
        """
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)  # noqa: N806
        target = y.astype(np.float64).reshape(len(y), -1)
        self.target_mean_ = target.mean(0) if self.scale else np.zeros(target.shape[1])
        deviation = target.std(0) if self.scale else np.ones(target.shape[1])
        self.target_deviation_ = np.where(deviation > 0, deviation, 1.0)
        self._one_target = y.ndim == 1
        scaled = (target - self.target_mean_) / self.target_deviation_
        self._train(X, torch.from_numpy(scaled.astype(np.float32)), target.shape[1])
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """(N,) or (N, K) numbers, as the targets were."""
        outputs = self._outputs(X).double().numpy()
        result: Array = (
            outputs.reshape(len(outputs), -1) * self.target_deviation_ + self.target_mean_
        )
        return result[:, 0] if self._one_target else result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _softmax(outputs: Tensor) -> Tensor:
    return outputs.softmax(-1)
