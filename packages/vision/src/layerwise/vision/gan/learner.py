"""`GANLearner`: generator, critic, their losses, and the callbacks that train them in turns."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

from torch import nn

from layerwise.core.errors import ConfigError, refuse_unknown
from layerwise.core.items import listify
from layerwise.core.learner import Learner
from layerwise.core.metrics.loss import LossMetric
from layerwise.core.metrics.metric import Metric, mk_metric
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.optim.groups import BaseOptimizer
from layerwise.core.train.callback import Callback
from layerwise.core.train.progress import replacing_yield
from layerwise.core.train.recorder import Recorder
from layerwise.vision.gan.losses import (
    CriticLoss,
    GANLoss,
    GeneratorLoss,
    gan_loss_from_func,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from layerwise.vision.gan.metrics import OfPart
from layerwise.vision.gan.module import GANModule
from layerwise.vision.gan.penalty import GradientPenalty
from layerwise.vision.gan.switchers import FixedGANSwitcher
from layerwise.vision.gan.trainer import GANTrainer

__all__ = ["GANLearner"]

Callbacks = Callback | Iterable[Callback] | None
_CLIP = 0.01


class _LearnerOptions(TypedDict, total=False):
    """What `GANLearner` hands on to `Learner`."""

    opt_func: Callable[..., BaseOptimizer]
    lr: float | slice
    splitter: Callable[[nn.Module], Any]
    path: str | Path | None
    model_dir: str
    wd: float | None
    wd_bn_bias: bool
    train_bn: bool
    moms: tuple[float, float, float]
    default_cbs: bool
    compile: bool | Mapping[str, Any]


_OWN = ("switcher", "gen_first", "switch_eval", "show_img", "clip", "cbs", "metrics")


class GANLearner(Learner):
    """A learner that trains a generator and a critic in turns; see `GANTrainer` for how.

    The table has the columns `gen_loss` and `crit_loss` beside those of `metrics`, which measure
    the generator; each counts the batches of its turns. `export` writes the generator alone.

    Args:
        dls: loaders of (input of the generator, real picture).
        generator: makes pictures of inputs.
        critic: says of pictures how real they look.
        gen_loss_func: see `GANLoss`, as is `crit_loss_func`.
        crit_loss_func: the critic's loss.
        switcher: the callback that ends turns; `FixedGANSwitcher()`, one step each, when None.
        gen_first: see `GANTrainer`, as are those up to `clip`.
        switch_eval: the part that rests is in evaluation mode.
        show_img: keep a generated picture of each epoch.
        clip: bound of the critic's weights.
        cbs: further callbacks.
        metrics: of (generated picture, real one).
        kwargs: for `Learner`.

    Example:
        >>> import torch
        >>> from layerwise.core.data.loader import DataLoader
        >>> from layerwise.core.data.loaders import DataLoaders
        >>> numbers = [(torch.randn(1), torch.randn(1) + 3) for _ in range(8)]
        >>> learn = GANLearner(
        ...     DataLoaders(DataLoader(numbers, bs=2)), nn.Linear(1, 1), nn.Linear(1, 1),
        ...     wasserstein_generator_loss, wasserstein_critic_loss, clip=0.1, show_img=False,
        ... )
        >>> with learn.no_logging(): learn.fit(1)
        >>> len(learn.gan_trainer.crit_losses), len(learn.gan_trainer.gen_losses)
        (2, 2)
    """

    def __init__(
        self,
        dls: Any,
        generator: nn.Module,
        critic: nn.Module,
        gen_loss_func: GeneratorLoss,
        crit_loss_func: CriticLoss,
        switcher: Callback | None = None,
        gen_first: bool = False,
        switch_eval: bool = True,
        show_img: bool = True,
        clip: float | None = None,
        cbs: Callbacks = None,
        metrics: Any = None,
        **kwargs: Unpack[_LearnerOptions],
    ) -> None:
        known = _LearnerOptions.__annotations__.keys()
        refuse_unknown(type(self).__name__, kwargs.keys() - known, [*_OWN, *known])
        model = GANModule(generator, critic, gen_mode=True)
        trainer = GANTrainer(
            switch_eval=switch_eval, clip=clip, gen_first=gen_first, show_img=show_img
        )
        given = [trainer, switcher or FixedGANSwitcher(), *listify(cbs)]
        if kwargs.get("default_cbs", True) and not any(_is_recorder(cb) for cb in given):
            given.append(Recorder(train_metrics=True, valid_metrics=_validates(dls)))
        super().__init__(
            dls,
            model,
            loss_func=GANLoss(gen_loss_func, crit_loss_func, model),
            cbs=given,
            metrics=_measured(metrics),
            **kwargs,
        )

    @classmethod
    def from_learners(
        cls,
        gen_learn: Learner,
        crit_learn: Learner,
        switcher: Callback | None = None,
        weights_gen: tuple[float, float] | None = None,
        gen_first: bool = False,
        switch_eval: bool = True,
        show_img: bool = True,
        clip: float | None = None,
        cbs: Callbacks = None,
        metrics: Any = None,
        **kwargs: Unpack[_LearnerOptions],
    ) -> Self:
        """A learner with the models of two that were trained alone, and both of their losses.

        Args:
            gen_learn: trained from inputs to pictures; its loaders are taken.
            crit_learn: trained to tell real pictures (1) from generated ones (0).
            switcher: see the class, as is all from here on but the next.
            weights_gen: of what the critic says and of the loss of `gen_learn`, in the loss of the
                generator; see `gan_loss_from_func`.
            gen_first: begin with the generator.
            switch_eval: the part that rests is in evaluation mode.
            show_img: keep a generated picture of each epoch.
            clip: bound of the critic's weights.
            cbs: further callbacks.
            metrics: of (generated picture, real one).
            kwargs: for `Learner`.
        """
        losses = gan_loss_from_func(gen_learn.loss_func, crit_learn.loss_func, weights_gen)
        return cls(
            gen_learn.dls, gen_learn.model, crit_learn.model, *losses, switcher=switcher,
            gen_first=gen_first, switch_eval=switch_eval, show_img=show_img, clip=clip, cbs=cbs,
            metrics=metrics, **kwargs,
        )  # fmt: skip

    @classmethod
    def wgan(
        cls,
        dls: Any,
        generator: nn.Module,
        critic: nn.Module,
        switcher: Callback | None = None,
        clip: float | None = _CLIP,
        switch_eval: bool = False,
        gen_first: bool = False,
        show_img: bool = True,
        cbs: Callbacks = None,
        metrics: Any = None,
        gp: float | None = None,
        **kwargs: Unpack[_LearnerOptions],
    ) -> Self:
        """A Wasserstein GAN (Arjovsky et al., 2017): five steps of the critic to each of the other.

        Args:
            dls: see the class, as is all from here on but the last two.
            generator: makes pictures of inputs.
            critic: says of pictures how real they look; less is more real.
            switcher: `FixedGANSwitcher(n_crit=5, n_gen=1)` when None.
            clip: bound of the critic's weights.
            switch_eval: the part that rests is in evaluation mode.
            gen_first: begin with the generator.
            show_img: keep a generated picture of each epoch.
            cbs: further callbacks.
            metrics: of (generated picture, real one).
            gp: weight of a `GradientPenalty` in place of the bound (Gulrajani et al., 2017), 10 in
                the paper; the critic has to be without batch normalisation then.
            kwargs: for `Learner`.

        Raises:
            ValueError: if both `gp` and a `clip` of your own are given.
        """
        penalty = []
        if gp is not None:
            if clip not in (None, _CLIP):
                raise ValueError(
                    f"gp={gp} takes the place of clip={clip}: a penalty on gradients, or a bound "
                    "of weights. Leave one of them out"
                )
            penalty, clip = [GradientPenalty(gp)], None
        return cls(
            dls, generator, critic, wasserstein_generator_loss, wasserstein_critic_loss,
            switcher=switcher or FixedGANSwitcher(n_crit=5, n_gen=1), clip=clip,
            switch_eval=switch_eval, gen_first=gen_first, show_img=show_img,
            cbs=[*penalty, *listify(cbs)], metrics=metrics, **kwargs,
        )  # fmt: skip

    def export(
        self,
        fname: str | Path = "export.lw",
        model: tuple[str, Mapping[str, Any]] | None = None,
    ) -> Path:
        """Write the generator, and how its inputs are made, to `path/fname`. Returns the path.

        Args:
            fname: the file.
            model: the registered name of what makes the generator; see `Learner.export`.
        """
        # A loaded generator has no critic to ask; its loss compares pictures.
        with (
            replacing_yield(self, "model", self.model.generator),
            replacing_yield(self, "loss_func", MSELossFlat()),
        ):
            return super().export(fname, model)

    def to_config(self) -> dict[str, Any]:
        """Nothing: a configuration has one model with one loss.

        Raises:
            ConfigError: always; says what holds a training of two.
        """
        raise ConfigError(
            "a configuration describes one model with its loss, and a GANLearner has two; save() "
            "and the callback Checkpoint keep the training, and export() the generator"
        )


def _is_recorder(cb: Any) -> bool:
    return issubclass(cb if isinstance(cb, type) else type(cb), Recorder)


def _validates(dls: Any) -> bool:
    """Whether there is something to validate with."""
    loaders = getattr(dls, "loaders", None)
    if loaders is not None and len(loaders) < 2:
        return False
    try:
        return len(dls.valid) > 0
    except TypeError:  # a stream
        return True


def _measured(metrics: Any) -> list[Metric]:
    """`metrics` for the generator, and the two losses."""
    of_generator = [*listify(metrics), LossMetric("gen_loss")]
    return [
        *(OfPart(mk_metric(metric), generator=True) for metric in of_generator),
        OfPart(LossMetric("crit_loss"), generator=False),
    ]
