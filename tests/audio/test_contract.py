"""Whatever the record of audio names keeps the contract of its kind."""

import wave

import pytest
import torch
from torch import nn

from layerwise.audio.augment.convert import Resample
from layerwise.audio.augment.masking import MaskFreq, MaskTime
from layerwise.audio.augment.resize import CropTime, RandomCropPad, ResizeSignal
from layerwise.audio.augment.stretch import PitchShift, PitchShiftOrTimeStretch, TimeStretch
from layerwise.audio.blocks import AudioBlock
from layerwise.audio.features import TfmResize
from layerwise.audio.files import OpenAudio
from layerwise.audio.learner import audio_learner
from layerwise.audio.levels import AudioNormalize
from layerwise.audio.librosa_features import LibrosaFeature
from layerwise.audio.mix import MixWaves
from layerwise.audio.models.build import create_audio_model
from layerwise.audio.models.crnn import CRNN
from layerwise.audio.models.m5 import M5
from layerwise.audio.models.resnet import (
    AudioResNet,
    ConvOverTime,
    PoolHead,
    ResBlockOverTime,
    audio_resnet,
)
from layerwise.audio.reading import ReadAudio
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.spectrum import AudioToMFCC, AudioToSpec, MelSpectrogram, Spectrogram
from layerwise.audio.stack import StackSpec
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.split import IndexSplitter
from layerwise.core.learner import Learner
from layerwise.core.registry import find, names
from layerwise.core.testing.checks import Example, plugin_checks
from layerwise.core.testing.kinds import check_model

_numbers = torch.Generator().manual_seed(0)
WAVES = AudioTensor(
    torch.randn(4, 1, 1200, generator=_numbers) / 4,
    sr=8000,
    lengths=torch.tensor([1200, 900, 1200, 700]),
)
SPECS = AudioSpectrogram(
    torch.rand(4, 1, 17, 30, generator=_numbers),
    settings=SpectrogramSettings(sr=8000, n_fft=32),
    lengths=torch.tensor([30, 20, 30, 9]),
)
TARGETS = torch.tensor([0, 1, 1, 0])
CLIPS = [
    AudioTensor(torch.randn(1, 900 + 100 * n, generator=_numbers) / 4, sr=8000) for n in range(6)
]
CLIP = CLIPS[0]
QUIET = AudioTensor(torch.cat([torch.zeros(1, 4000), CLIP.as_plain()], 1), sr=8000)
MAPS = torch.randn(4, 2, 8, 9, generator=_numbers)
FRAMES = torch.tensor([9, 4, 9, 1])
# M5 makes them a thousand times as short.
SECONDS = torch.randn(4, 1, 8000, generator=_numbers)
SECOND_LENGTHS = torch.tensor([8000, 7000, 8000, 6000])


def _librosa_feature() -> LibrosaFeature:
    pytest.importorskip("librosa")
    return LibrosaFeature("rms", 256)


def _learner(path: str) -> Learner:
    """One that trains on waves, which are what the callbacks mix."""
    block = DataBlock((AudioBlock, CategoryBlock), get_y=_is_long, splitter=IndexSplitter([0, 1]))
    return audio_learner(block.dataloaders(CLIPS, bs=2, path=path), _Mean)


def _is_long(clip: AudioTensor) -> bool:
    return clip.nsamples > 1100


class _Mean(nn.Module):
    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, n_in, N) to (B, n_out)."""
        out: torch.Tensor = self.linear(x.std(-1))
        return out


EXAMPLES = {
    "block": {name: Example((CLIPS,)) for name in ("AudioBlock", "MelSpecBlock", "SpecBlock")},
    "callback": {
        name: Example(options={"make_learner": _learner})
        for name in ("AudioCutMix", "AudioCutMixUp", "AudioCutMixUpAugment", "AudioMixUp")
    },
    "model": {
        "AudioResNet": Example((MAPS,), lambda: AudioResNet(3, 2, widths=(4, 8), blocks=(1, 1))),
        "CRNN": Example((((MAPS, FRAMES),),), lambda: CRNN(3, 2, widths=(4, 8), hidden=4, p=0.0)),
        "M5": Example((((SECONDS, SECOND_LENGTHS),),), lambda: M5(3, width=4)),
        "audio_resnet": Example((MAPS,), lambda: audio_resnet(3, 2)),
        "create_audio_model": Example((MAPS,), lambda: create_audio_model(audio_resnet, 3, 2)),
    },
    "transform": {
        **{
            name: Example((WAVES,))
            for name in (
                "AddNoise", "ChangeVolume", "DownmixMono", "Flip", "PeakNorm", "Roll",
                "SignalCutout", "SignalLoss", "SignalShifter", "Volume", "VolumeOrPeakNorm",
            )
        },
        **{name: Example((SPECS,)) for name in ("AmplitudeToDB", "Delta", "SGRoll")},
        "AudioNormalize": Example((SPECS,), lambda: AudioNormalize(0.5, 0.25)),
        "AudioToMFCC": Example((WAVES,), lambda: AudioToMFCC(8, 128, n_mels=16)),
        "AudioToSpec": Example((WAVES,), lambda: AudioToSpec(n_fft=128, n_mels=16)),
        "CropTime": Example((SPECS,), lambda: CropTime(20)),
        "LengthsBeside": Example(((WAVES, TARGETS),)),
        "LibrosaFeature": Example((CLIP,), _librosa_feature),
        "MaskFreq": Example((SPECS,), lambda: MaskFreq(2, (3, 5))),
        "MaskTime": Example((SPECS,), lambda: MaskTime(2, (3, 5))),
        "MelSpectrogram": Example((WAVES,), lambda: MelSpectrogram(128, n_mels=16)),
        "MixWaves": Example(((WAVES, TARGETS),), lambda: MixWaves(1.0, 1.0, 1.0)),
        "OpenAudio": Example((1,), lambda: OpenAudio(["low.wav", "high.wav"])),
        "PadAudio": Example(([(CLIPS[0], 0), (CLIPS[1], 1)],)),
        "PitchShift": Example((WAVES,), lambda: PitchShift(1.0, semitones=(1, 3), n_fft=64)),
        "PitchShiftOrTimeStretch": Example(
            (WAVES,), lambda: PitchShiftOrTimeStretch(1.0, (1, 3), (0.5, 0.9), n_fft=64)
        ),
        "RandomCropPad": Example((CLIP,), lambda: RandomCropPad(0.05)),
        "ReadAudio": Example(("high.wav",), lambda: ReadAudio(16000, crop_signal_to=5)),
        "RemoveSilence": Example((QUIET,)),
        "Resample": Example((WAVES,), lambda: Resample(16000)),
        "ResizeSignal": Example((CLIP,), lambda: ResizeSignal(50)),
        "Spectrogram": Example((WAVES,), lambda: Spectrogram(128)),
        "StackSpec": Example(
            (WAVES,), lambda: StackSpec([Spectrogram(128), MelSpectrogram(256, n_mels=16)])
        ),
        "TfmResize": Example((SPECS,), lambda: TfmResize((8, 20))),
        "TimeStretch": Example((WAVES,), lambda: TimeStretch(1.0, rates=(0.5, 0.9), n_fft=64)),
    },
}  # fmt: skip
LAYERS = {
    "ConvOverTime": lambda: ConvOverTime(2, 3),
    "PoolHead": lambda: PoolHead(2, 3),
    "ResBlockOverTime": lambda: ResBlockOverTime(2, 3, stride=2),
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder to be in, with two sounds of 80 samples that the standard library has written."""
    for name in ("low.wav", "high.wav"):
        with wave.open(str(tmp_path / name), "wb") as made:
            made.setparams((1, 2, 8000, 80, "NONE", ""))
            made.writeframes(b"\x00\x10" * 80)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in plugin_checks("audio", EXAMPLES)]
)
def test_the_record(case):
    case()


def test_every_layer_is_tried():
    assert {name for name in names("layer") if name.startswith("audio/")} == {
        f"audio/{name}" for name in LAYERS
    }


@pytest.mark.parametrize("name", LAYERS)
def test_layers_train_move_and_save(name):
    made = LAYERS[name]()
    assert type(made) is find("layer", f"audio/{name}")
    check_model(made, (MAPS, FRAMES))
    check_model(LAYERS[name](), MAPS)
