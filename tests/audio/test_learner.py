"""`audio_learner` from loaders to predictions, exports and pictures."""

import copy

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from layerwise.audio.config import AudioConfig
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.learner import audio_learner
from layerwise.audio.models.build import audio_split, create_audio_model
from layerwise.audio.models.crnn import CRNN
from layerwise.audio.models.m5 import M5
from layerwise.audio.models.resnet import AudioResNet
from layerwise.audio.padding import LengthsBeside
from layerwise.audio.sound_files import write_samples
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.audio.windows import merge_detections, predict_windows
from layerwise.core.errors import RegistryError
from layerwise.core.interpret.classes import ClassificationInterpretation
from layerwise.core.metrics import accuracy
from layerwise.core.random import set_seed

SMALL = {"widths": (8, 16), "blocks": (1, 1)}


@pytest.fixture(scope="module")
def dls(tones):
    set_seed(0)
    coarse = AudioConfig.BasicMelSpectrogram(n_fft=512, n_mels=32)
    return AudioDataLoaders.from_folder(tones, bs=8, spectrogram=coarse)


@pytest.fixture(scope="module")
def trained(dls):
    set_seed(0)
    learn = audio_learner(dls, AudioResNet, config=SMALL, metrics=accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(4, 1e-2)
    return learn


def test_tones_are_told_apart(trained):
    assert trained.validate()[1] == 1.0


@pytest.mark.parametrize(("arch", "config"), [(CRNN, {"widths": (8, 8, 8), "hidden": 8})])
def test_other_models_train_on_padded_batches(dls, arch, config):
    set_seed(0)
    learn = audio_learner(dls, arch, config=config, metrics=accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(10, 1e-2)
    assert learn.validate()[1] >= 0.9


def test_m5_trains_on_waveforms(tones):
    set_seed(0)
    dls = AudioDataLoaders.from_folder(tones, bs=8, spectrogram=None)
    learn = audio_learner(dls, M5, config={"width": 8}, metrics=accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(4, 1e-2)
    assert learn.validate()[1] >= 0.9


def test_loaders_of_the_user_stay_as_they_are(dls, trained):
    assert not any(isinstance(step, LengthsBeside) for step in dls.after_batch)
    assert isinstance(trained.dls.after_batch[-1], LengthsBeside)
    (x, lengths), _ = trained.dls.one_batch()
    assert isinstance(x, AudioSpectrogram)
    assert lengths.max() == x.shape[-1]


def test_a_clip_alone_is_predicted_as_in_a_batch(trained, tones):
    files = sorted((tones / "valid").rglob("*.wav"))
    together = [probabilities for _, _, probabilities in trained.predict(files)]
    alone = [trained.predict(file)[2] for file in files]
    torch.testing.assert_close(torch.stack(together), torch.stack(alone), rtol=1e-4, atol=1e-5)


def test_files_texts_contents_and_clips_are_predicted(trained, tones):
    file = tones / "valid" / "high" / "high_2.wav"
    clip = AudioTensor.create(file)
    found = [trained.predict(each) for each in (file, str(file), file.read_bytes(), clip)]
    assert {label for label, _, _ in found} == {"high"}
    for _, index, probabilities in found:
        assert index == 0
        torch.testing.assert_close(probabilities, found[0][2])


def test_a_file_that_is_not_there_is_named(trained, tones):
    with pytest.raises(Exception, match=r"not_there\.wav"):
        trained.predict(tones / "not_there.wav")


def test_events_of_a_recording_have_their_times(trained, tmp_path):
    sr = 8000
    times = torch.arange(2 * sr) / sr
    low, high = (0.3 * torch.sin(2 * torch.pi * hz * times)[None] for hz in (320.0, 2100.0))
    signal = torch.cat([low, high, low], 1)
    file = write_samples(tmp_path / "long.wav", signal + 0.02 * torch.randn(1, 6 * sr), sr)
    windows = list(predict_windows(trained, file, 0.25, bs=7))
    assert len(windows) == 24
    events = merge_detections(windows)
    assert [event.label for event in events] == ["low", "high", "low"]
    assert [(event.start, event.end) for event in events] == [(0, 2), (2, 4), (4, 6)]
    sure = list(predict_windows(trained, AudioTensor.create(file), 0.25, threshold=0.0))
    assert len(sure) == 48  # every class of every window


def test_windows_are_told_by_classes():
    class NoClasses:
        dls = object()

    with pytest.raises(ValueError, match="have no classes"):
        predict_windows(NoClasses(), AudioTensor(torch.zeros(1, 5), sr=5), 1.0)
    with pytest.raises(ValueError, match="bs=0"):
        predict_windows(NoClasses(), AudioTensor(torch.zeros(1, 5), sr=5), 1.0, bs=0)


def test_batches_results_and_worst_clips_are_drawn(trained):
    trained.dls.show_batch(max_n=4)
    assert len(plt.gcf().axes) >= 4
    titles = {ax.get_title() for ax in plt.gcf().axes} - {""}
    assert titles <= {"high", "low"}
    plt.close("all")
    trained.show_results(max_n=4)
    shown = [ax.title for ax in plt.gcf().axes if ax.get_title()]
    assert all(title.get_color() == "green" for title in shown)
    assert all(len(title.get_text().split("\n")) == 2 for title in shown)
    plt.close("all")
    found = ClassificationInterpretation.from_learner(trained)
    found.plot_top_losses(4)
    first = next(ax.get_title() for ax in plt.gcf().axes if ax.get_title())
    assert first.count("/") == 3
    plt.close("all")


def test_shown_clips_have_no_filling(trained):
    batch = trained.dls.valid.one_batch()
    (_, lengths), _ = batch
    samples = trained.dls.valid.decode_batch(batch, max_n=8)
    assert [sample[0].width for sample in samples] == lengths[:8].tolist()
    # dB again, not normalised values.
    assert samples[0][0].min() < -20


def test_kinds_of_input_are_checked(dls, tones):
    with pytest.raises(ValueError, match=r"M5 takes waveforms.*spectrogram=None"):
        audio_learner(dls, M5)
    waves = AudioDataLoaders.from_folder(tones, bs=8, spectrogram=None)
    with pytest.raises(ValueError, match="CRNN takes spectrograms"):
        audio_learner(waves, CRNN)
    with pytest.raises(ValueError, match="clips have 1 channel and the model takes 2"):
        audio_learner(dls, n_in=2)
    with pytest.raises(TypeError, match="Did you mean 'metrics'"):
        audio_learner(dls, metric=accuracy)  # type: ignore[call-arg]  # as a user might


def test_a_model_of_ones_own_needs_no_lengths(dls):
    class Mean(nn.Module):
        def __init__(self, c_in, num_classes):
            super().__init__()
            self.linear = nn.Linear(c_in, num_classes)

        def forward(self, x):
            return self.linear(x.mean((2, 3)))

    learn = audio_learner(dls, Mean)
    assert learn.dls is dls
    preds, _ = learn.get_preds()
    assert preds.shape == (8, 2)


def test_what_builds_no_model_is_told():
    with pytest.raises(TypeError, match="is built already"):
        create_audio_model(nn.Linear(1, 1), 2)
    with pytest.raises(TypeError, match="no parameter for the number of outputs"):
        create_audio_model(_without_outputs, 2)
    with pytest.raises(ValueError, match="no trained weights"):
        create_audio_model(CRNN, 2, pretrained=True)
    with pytest.raises(TypeError, match="give a function or class"):
        create_audio_model(3, 2)


def _without_outputs(n_in):
    return nn.Linear(n_in, 1)


def test_architectures_for_pictures_get_their_head_from_vision():
    pytest.importorskip("layerwise.vision.learner")
    from layerwise.vision.models.xresnet import xresnet18

    for arch in ("vision/xresnet18", xresnet18):
        model = create_audio_model(arch, 5, n_in=1)
        assert model.eval()(torch.zeros(2, 1, 64, 50)).shape == (2, 5)


def test_audio_never_imports_vision():
    import subprocess
    import sys

    code = "import layerwise.audio.learner, sys; print('layerwise.vision' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_groups_are_body_and_head():
    for model in (M5(3, width=4), CRNN(3, widths=(4,), hidden=4), AudioResNet(3, **SMALL)):
        body, head = audio_split(model)
        assert {id(p) for p in body} | {id(p) for p in head} == {id(p) for p in model.parameters()}
        assert [p.shape[0] for p in head] == [3, 3]


def test_saved_weights_come_back(trained, tmp_path):
    learn = copy.copy(trained)
    state = {name: value.clone() for name, value in trained.model.state_dict().items()}
    learn.path = tmp_path
    learn.save("tones")
    learn.load("tones")
    for name, value in learn.model.state_dict().items():
        assert torch.equal(value, state[name])


def test_a_plain_name_is_that_of_a_model_of_ours(dls):
    assert type(audio_learner(dls, "audio_resnet").model) is AudioResNet
    with pytest.raises(RegistryError, match=r"no model 'audio/CRN'\. Did you mean 'audio/CRNN'"):
        audio_learner(dls, "CRN")
