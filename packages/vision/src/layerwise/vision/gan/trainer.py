"""`GANTrainer`: whose turn it is, and what that means for batch, gradients and modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from layerwise.core.callback.precision import MixedPrecision
from layerwise.core.callback.single import refuse_second
from layerwise.core.devices import sum_processes
from layerwise.core.display.axes import get_grid
from layerwise.core.metrics.metric import AvgSmoothLoss
from layerwise.core.metrics.sizes import stack_numbers
from layerwise.core.tensors import TensorImage, TensorImageBW
from layerwise.core.train.callback import Callback, TrainEvalCallback
from layerwise.vision.gan.losses import GANLoss
from layerwise.vision.gan.module import GANModule

__all__ = ["GANTrainer"]


class GANTrainer(Callback):
    """Trains generator and critic of a `GANModule` in turns; a switcher says when the turn ends.

    A turn is one or more batches, each an ordinary step of the engine. In the generator's, inputs
    and targets are as loaded. In the critic's they change places: the real pictures go in, and the
    loss makes generated ones of the inputs. Only the parameters of whose turn it is have gradients,
    so that one optimizer serves both; those that were frozen by hand stay so. In validation and
    prediction the generator is called, and after that the turn goes on where it was.

    Two optimizers with two losses in every step (`Optimizers`) would be the other design. It was
    not taken: a critic takes five steps for one of the generator in a Wasserstein GAN, or as many
    as it needs in an adaptive one, and both parts in all steps would compute what is thrown away.
    Turns also leave one loss a step, so that all that acts on a loss (mixed precision,
    accumulation, the guard against NaN, the record) works as ever. Each part may still have an
    optimizer of its own: `splitter=gan_parts, opt_func=Optimizers.of(generator=..., critic=...)`.

    Several processes (DDP) average the gradients of whose turn it is once all are there, since the
    loss calls the parts beside what torch has wrapped. All take the same turns. Losses are those of
    the whole batch, pictures those of process 0.

    Reads `model`, `loss_func`, `loss`, `pred`; sets `xb` and `yb`, the mode and the gradients of
    the parts of `model`, and its weights with `clip`. Publishes `gen_loss` and `crit_loss`.

    Args:
        switch_eval: put the part whose turn it is not in evaluation mode.
        clip: keep the critic's parameters from -clip to clip (Arjovsky et al., 2017); None: do not.
        beta: how slowly the smoothed losses forget.
        gen_first: begin with the generator.
        show_img: keep a generated picture of each epoch in `imgs`.

    Attributes:
        gen_losses: the generator's smoothed loss after each of its batches.
        crit_losses: the critic's.
        imgs: (C, H, W) a picture for each epoch, the last that was generated in it.
        titles: the name of each epoch.

    Example:
        >>> GANTrainer(clip=0.01).clip
        0.01
    """

    # Before callbacks of users, which see the batch as the model does.
    order: ClassVar[float] = -2
    after: ClassVar = (TrainEvalCallback, MixedPrecision)

    def __init__(
        self,
        switch_eval: bool = False,
        clip: float | None = None,
        beta: float = 0.98,
        gen_first: bool = False,
        show_img: bool = True,
    ) -> None:
        super().__init__()
        if clip is not None and not clip > 0:
            raise ValueError(f"clip={clip}; give the largest weight of the critic, or None")
        self.switch_eval, self.clip, self.gen_first = switch_eval, clip, gen_first
        self.show_img = show_img
        self._smooth = {True: AvgSmoothLoss(beta), False: AvgSmoothLoss(beta)}
        self._trained: dict[bool, list[nn.Parameter]] = {}
        self._turn = gen_first
        self._forget()

    def _forget(self) -> None:
        self.gen_losses: list[float] = []
        self.crit_losses: list[float] = []
        self.imgs: list[Tensor] = []
        self.titles: list[str] = []
        self._unread: dict[bool, list[float | Tensor]] = {True: [], False: []}
        self._last: tuple[Tensor, ...] | None = None
        for smooth in self._smooth.values():
            smooth.reset()

    @property
    def gan(self) -> GANModule:
        """The model.

        Raises:
            TypeError: if it is another one.
        """
        model = self.learn.model
        if not isinstance(model, GANModule):
            raise TypeError(
                f"GANTrainer trains a GANModule, and this learner has a {type(model).__name__}; "
                "make the learner with GANLearner"
            )
        return model

    @property
    def _loss(self) -> GANLoss | None:
        """The loss function, where it is one that keeps both losses."""
        loss = self.learn.loss_func
        return loss if isinstance(loss, GANLoss) else None

    @property
    def gen_mode(self) -> bool:
        """Whether it is the generator's turn."""
        return self.gan.gen_mode

    def switch(self, gen_mode: bool | None = None) -> None:
        """Give the turn to the generator if `gen_mode`, to the critic if not, else to the other."""
        self.gan.switch(gen_mode)
        self._take_turn()

    def _take_turn(self) -> None:
        """Gradients and modes for whose turn it is."""
        for of_generator, parameters in self._trained.items():
            for parameter in parameters:
                parameter.requires_grad_(of_generator is self.gen_mode)
        if self.switch_eval and self.learn.training:
            self.gan.generator.train(self.gen_mode)
            self.gan.critic.train(not self.gen_mode)

    # -- around batches --------------------------------------------------------------------

    def before_fit(self) -> None:
        """Begin with the first turn.

        Raises:
            ValueError: if there are two, or each process has a part of the model.
        """
        refuse_second(self, GANTrainer)
        model, learn = self.gan, self.learn
        if learn.only_valid:
            return
        if learn.strategy.shards:
            raise ValueError(
                "the loss of a GAN calls generator and critic by themselves, and "
                f"{learn.strategy!r} gathers weights only where the whole model is called; pass "
                'strategy="ddp"'
            )
        if learn.strategy.processes > 1:
            learn.strategy.averages_late = True
        self._trained = {
            of_generator: [p for p in part.parameters() if p.requires_grad]
            for of_generator, part in ((True, model.generator), (False, model.critic))
        }
        self._forget()
        self.switch(self.gen_first)
        self._clip()

    def before_train(self) -> None:
        """Modes as the turn wants them."""
        self._take_turn()

    def before_validate(self) -> None:
        """Generate."""
        self._turn = self.gan.gen_mode
        self.gan.switch(True)

    def after_validate(self) -> None:
        """Go on with the turn."""
        if not self.learn.only_valid:
            self.gan.switch(self._turn)

    def before_batch(self) -> None:
        """Inputs and targets change places for the critic."""
        learn = self.learn
        if learn.training and not self.gen_mode:
            learn.xb, learn.yb = learn.yb, learn.xb

    def after_step(self) -> None:
        """Clip the critic's weights."""
        if not self.gen_mode:
            self._clip()

    @torch.no_grad()
    def _clip(self) -> None:
        if self.clip is not None:
            for parameter in self._trained[False]:
                parameter.clamp_(-self.clip, self.clip)

    # -- the record ------------------------------------------------------------------------

    def after_batch(self) -> None:
        """Keep the loss, and what was generated."""
        learn, turn = self.learn, self.gen_mode
        # None: the batch was cancelled before there was a loss.
        if not learn.training or learn.loss is None:
            return
        self._smooth[turn].accumulate(learn)
        smooth = self._smooth[turn].unread
        if smooth is not None:
            self._unread[turn].append(smooth)
        learn.log("gen_loss" if turn else "crit_loss", learn.loss)
        if turn and self.show_img:
            self._last = tuple(x[:1].detach() for x in (*learn.xb, learn.pred))

    def after_cancel_fit(self) -> None:
        """Keep the losses up to here."""
        self._read()

    def after_train(self) -> None:
        """Keep the epoch's picture."""
        self._read()
        if self._last is None:
            return
        self.imgs.append(self._decoded(self._last))
        self.titles.append(f"Epoch {self.learn.epoch}")
        self._last = None
        if self.learn.log_bus:
            self.learn.log("generated", self.show_imgs()[0].figure)

    def _decoded(self, sample: tuple[Tensor, ...]) -> Tensor:
        decode = getattr(self.learn.dl, "decode_batch", None)
        picture = sample[-1][0] if decode is None else decode(sample, max_n=1, full=False)[0][-1]
        plain: Tensor = picture.detach().as_subclass(Tensor).cpu()
        return plain

    def _read(self) -> None:
        """Turn the smoothed losses of this epoch into numbers, those of all processes' mean.

        Each has counted the loss of its part by the size of that part.
        """
        for turn, found in ((True, self.gen_losses), (False, self.crit_losses)):
            if self._unread[turn]:
                losses = stack_numbers(self._unread[turn])
                found += (sum_processes(losses) / self.learn.strategy.processes).tolist()
                self._unread[turn] = []

    def show_imgs(self, max_n: int = 9, figsize: tuple[float, float] | None = None) -> list[Any]:
        """The axes with the pictures of the last epochs, drawn in a row.

        Args:
            max_n: of how many epochs.
            figsize: width and height of the figure in inches.

        Raises:
            ValueError: if there is none yet.
        """
        if not self.imgs:
            raise ValueError("no picture has been kept; train first, with show_img=True")
        shown = list(zip(self.imgs, self.titles, strict=True))[-max_n:]
        axes = list(get_grid(len(shown), nrows=1, figsize=figsize))
        return [
            (TensorImageBW if len(picture) == 1 else TensorImage)(picture).show(ax, title=title)
            for (picture, title), ax in zip(shown, axes, strict=False)
        ]

    # -- the end ---------------------------------------------------------------------------

    def after_fit(self) -> None:
        """Give all parameters their gradients back, and leave a model that generates."""
        if self.learn.only_valid:
            return
        for parameters in self._trained.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        self._trained = {}
        self.gan.switch(True)
        if self.learn.strategy.processes > 1:
            self.learn.strategy.averages_late = False
        else:
            self._read()  # after an error, when several would wait for each other
        if self._loss is not None:
            self._loss.fake = None  # the memory of a batch

    def state_dict(self) -> dict[str, Any]:
        """Whose turn it is, the record, and the last losses."""
        self._read()
        if self.learn.strategy.processes > 1:
            for smooth in self._smooth.values():
                smooth.sync()
        loss = self._loss
        return {
            "gen_mode": self.gen_mode,
            "gen_losses": self.gen_losses,
            "crit_losses": self.crit_losses,
            "smooth": [self._smooth[turn].state_dict() for turn in (True, False)],
            "imgs": self.imgs,
            "titles": self.titles,
            "last": None if self._last is None else list(self._last),
            "losses": None if loss is None else [loss.gen_loss, loss.crit_loss],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with that."""
        self._forget()
        self.gen_losses, self.crit_losses = list(state["gen_losses"]), list(state["crit_losses"])
        self.imgs, self.titles = list(state["imgs"]), list(state["titles"])
        for turn, smooth in zip((True, False), state["smooth"], strict=True):
            self._smooth[turn].load_state_dict(smooth)
        self._last = None if state["last"] is None else tuple(state["last"])
        if self._loss is not None:
            self._loss.gen_loss, self._loss.crit_loss = state["losses"]
        self.switch(state["gen_mode"])
