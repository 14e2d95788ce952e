"""`GANLearner` as a user has it: pictures of noise, of pictures, exported, shown."""

import json
import subprocess
import sys
import zipfile

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from layerwise.core.callback.ema import EMA
from layerwise.core.data.block import DataBlock
from layerwise.core.data.source import get_image_files
from layerwise.core.data.split import IndexSplitter, RandomSplitter
from layerwise.core.errors import ConfigError
from layerwise.core.learner import Learner
from layerwise.core.nn.losses import MSELossFlat
from layerwise.core.restore import load_learner
from layerwise.core.tensors import TensorImageBW
from layerwise.vision.augment.crop import CropPad, RandomCrop
from layerwise.vision.augment.item import RandomResizedCrop, Resize
from layerwise.vision.blocks import ImageBlock
from layerwise.vision.gan import (
    AdaptiveGANSwitcher,
    AdaptiveLoss,
    GANDiscriminativeLR,
    GANLearner,
    InvisibleTensor,
    gan_critic,
    generate_noise,
)
from layerwise.vision.types import PILImageBW


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    plt.close("all")


def test_a_wgan_trains_without_validation(make_wgan):
    learn = make_wgan()
    learn.fit(2, 1e-3, wd=0.0)
    names = ["epoch", "train_loss", "train_gen_loss", "train_crit_loss", "valid_loss", "time"]
    assert learn.recorder.metric_names == names
    assert learn.recorder.values[-1][2] < learn.recorder.values[0][2] < 0  # the critic learns
    assert len(learn.gan_trainer.crit_losses) == 10
    assert len(learn.gan_trainer.gen_losses) == 2


def test_predictions_are_pictures_made_of_the_noise(make_wgan):
    learn = make_wgan(splitter=RandomSplitter(0.5, seed=1))
    learn.fit(1, 1e-3)
    noise, fake, real = learn.get_preds(with_input=True)
    with torch.no_grad():
        expected = learn.model.generator.eval()(noise)
    torch.testing.assert_close(fake, expected)
    assert fake.shape == real.shape == (12, 1, 16, 16)


def test_losses_of_items_are_those_of_their_pictures(make_wgan):
    learn = make_wgan(splitter=RandomSplitter(0.5, seed=1))
    learn.fit(1, 1e-3)
    fake, _, losses = learn.get_preds(with_loss=True)
    with torch.no_grad():
        said = learn.model.critic.eval()(fake)
    torch.testing.assert_close(losses, said.flatten(1).mean(1))
    assert losses.unique().numel() > 1
    learn.fit(1, 1e-3)  # with means again


def test_the_pictures_of_the_data_are_shown_and_those_that_are_generated(make_wgan):
    learn = make_wgan()
    axes = learn.dls.show_batch(max_n=4)
    assert [len(ax.images) for ax in axes] == [1] * 4
    real = {ax.images[0].get_array().max() for ax in axes}
    assert all(abs(value - 200 / 255) < 0.01 for value in real)
    results = learn.show_results(max_n=3, ds_idx=0)
    assert [len(ax.images) for ax in results] == [1] * 3
    assert {ax.images[0].get_array().max() for ax in results} != real


def test_noise_shows_nothing_and_keeps_its_type():
    noise = generate_noise("any", size=7)
    assert isinstance(noise, InvisibleTensor)
    assert noise.show(ctx="axes") == "axes"
    many = generate_noise("any", size=20_000)
    assert many.mean().abs() < 0.05
    assert (many.std() - 1).abs() < 0.05


def test_transforms_of_pictures_leave_noise_alone():
    noise = generate_noise("any")
    for transform in (Resize(16), RandomResizedCrop(8), RandomCrop(8), CropPad(8)):
        assert transform((noise,), split_idx=0)[0] is noise


def test_noise_is_new_in_each_epoch_and_the_same_for_the_same_seed(make_wgan):
    def drawn():
        learn = make_wgan()
        seen = []

        def keep():
            if learn.model.gen_mode:
                seen.append(learn.xb[0])

        learn.add_cb(type(learn.recorder).__mro__[1](after_loss=keep))
        learn.gan_trainer.gen_first = True
        learn.fit(2)
        return seen

    first, second = drawn(), drawn()
    assert all(map(torch.equal, first, second))
    assert not torch.equal(first[0], first[-1])


ELSEWHERE = """
import sys, torch
from layerwise.core.restore import load_learner
from layerwise.vision.gan import InvisibleTensor
learn = load_learner(sys.argv[1])
noise = [InvisibleTensor(row) for row in torch.load(sys.argv[2])]
made, _ = learn.get_preds(dl=learn.dls.test_dl(noise))
torch.save(made, sys.argv[2])
"""


def test_an_export_has_the_generator_alone_and_generates_elsewhere(make_wgan, tmp_path):
    learn = make_wgan()
    learn.fit(1, 1e-3)
    file = learn.export("gan.lw")
    described = json.loads(zipfile.ZipFile(file).read("model.json"))
    assert "basic_generator" in str(described["model"])
    assert "critic" not in str(described)
    noise = torch.randn(5, 100, generator=torch.Generator().manual_seed(3))
    torch.save(noise, tmp_path / "numbers.pt")
    arguments = [sys.executable, "-c", ELSEWHERE, str(file), str(tmp_path / "numbers.pt")]
    subprocess.run(arguments, check=True)
    with torch.no_grad():
        here = learn.model.generator.eval()(noise)
    torch.testing.assert_close(torch.load(tmp_path / "numbers.pt"), here)
    picture = load_learner(file).predict(generate_noise("any"))[0]
    assert isinstance(picture, TensorImageBW)
    assert picture.shape == (1, 16, 16)
    assert picture.min() >= 0
    learn.fit(1)  # the export has changed nothing


def test_the_average_of_the_weights_makes_the_pictures(make_wgan):
    learn = make_wgan(cbs=EMA(0.9), splitter=RandomSplitter(0.5, seed=1))
    learn.fit(2, 1e-2)
    noise, fake, _ = learn.get_preds(with_input=True)
    with torch.no_grad():
        average = learn.ema.model.generator.eval()(noise)
        plain = learn.model.generator.eval()(noise)
    torch.testing.assert_close(fake, average)
    assert not torch.allclose(fake, plain)


def test_a_penalty_takes_the_place_of_the_bound(make_wgan):
    learn = make_wgan(gp=10.0)
    assert learn.gan_trainer.clip is None
    learn.fit(1)
    assert max(p.abs().max() for p in learn.model.critic.parameters()) > 0.01
    with pytest.raises(ValueError, match=r"gp=10\.0 takes the place of clip=0\.5"):
        make_wgan(gp=10.0, clip=0.5)


def test_an_unknown_keyword_is_refused_by_its_nearest_name(make_wgan):
    with pytest.raises(
        TypeError, match=r"GANLearner got .* 'switch_evall'\. Did you mean 'switch_eval'"
    ):
        make_wgan(switch_evall=True)


@pytest.fixture
def pairs(drawings):
    block = DataBlock(
        blocks=(ImageBlock(PILImageBW), ImageBlock(PILImageBW)),
        get_items=get_image_files,
        splitter=IndexSplitter(range(4)),
        item_tfms=Resize(32),
    )
    return block.dataloaders(drawings, bs=4, num_workers=0, device="cpu")


def test_two_learners_become_one(pairs, tmp_path):
    generator = Learner(pairs, nn.Conv2d(1, 1, 3, padding=1), MSELossFlat(), path=tmp_path)
    critic = Learner(pairs, gan_critic(1, nf=4, n_blocks=1), AdaptiveLoss(nn.BCEWithLogitsLoss()))
    learn = GANLearner.from_learners(
        generator, critic, weights_gen=(1.0, 50.0), show_img=False,
        switcher=AdaptiveGANSwitcher(critic_thresh=0.65), cbs=GANDiscriminativeLR(5.0),
        path=tmp_path, metrics=lambda pred, target: (pred - target).abs().mean(),
    )  # fmt: skip
    learn.logger = lambda row: None
    learn.fit(1)
    assert learn.model.generator is generator.model
    assert learn.model.critic is critic.model
    axes = learn.show_results(max_n=2)
    assert len(axes) >= 4
    loaded = load_learner(learn.export())
    torch.testing.assert_close(
        loaded.get_preds(dl=pairs.valid)[0], learn.get_preds(dl=pairs.valid)[0]
    )


def test_weights_of_both_are_saved_and_loaded(make_wgan):
    learn = make_wgan()
    learn.fit(1, 1e-3)
    learn.save("both")
    other = make_wgan()
    other.load("both")
    assert all(
        map(torch.equal, other.model.state_dict().values(), learn.model.state_dict().values())
    )


def test_a_configuration_of_a_gan_says_why_it_cannot_be_written(make_wgan):
    with pytest.raises(ConfigError, match="a GANLearner has two"):
        make_wgan().to_config()
