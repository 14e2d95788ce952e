"""Bundles of sounds over the web."""

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("layerwise.audio.all", reason="layerwise-audio is not installed")
import torch
from fastapi.testclient import TestClient

from layerwise.audio.config import AudioConfig
from layerwise.audio.data import AudioDataLoaders
from layerwise.audio.learner import audio_learner
from layerwise.audio.models.resnet import AudioResNet
from layerwise.audio.types import AudioTensor
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.serve.app import create_app

RATE = 8000


def tone(frequency, count=RATE // 4):
    times = torch.arange(count) / RATE
    return AudioTensor(torch.sin(2 * torch.pi * frequency * times)[None] * 0.5, sr=RATE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    for name, frequency in (("low", 200.0), ("high", 2000.0)):
        (folder / name).mkdir()
        for i in range(6):
            tone(frequency * (1 + i / 50)).save(folder / name / f"{i}.wav")
    set_seed(0)
    spectrogram = AudioConfig.BasicMelSpectrogram(n_fft=256, n_mels=16)
    dls = AudioDataLoaders.from_folder(
        folder, valid_pct=0.5, seed=1, bs=4, sample_rate=RATE, spectrogram=spectrogram
    )
    learn = audio_learner(dls, AudioResNet, config={"widths": (8,), "blocks": (1,)}, path=folder)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-2)
    return learn.export("tones.lw")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle)) as opened:
        yield opened


def test_sounds_of_several_lengths_are_answered_as_the_learner_predicts_them(client, bundle):
    contents = [tone(200.0).wav_bytes(), tone(2000.0, 900).wav_bytes()]
    parts = [("files", (f"{i}.wav", c, "audio/wav")) for i, c in enumerate(contents)]
    found = client.post("/predict/batch", files=parts).json()["predictions"]
    predicted = load_learner(bundle).predict(contents)
    for told, (label, _, probabilities) in zip(found, predicted, strict=True):
        assert told["label"] == label
        assert list(told["probabilities"].values()) == pytest.approx(
            probabilities.tolist(), abs=1e-5
        )


def test_the_kind_of_file_is_known(client):
    assert client.get("/info").json()["media_type"] == "audio/*"
    found = client.post("/predict", files={"file": ("x.png", b"abc", "image/png")})
    assert found.status_code == 415
    assert "send files of type audio/*" in found.json()["detail"]


def test_the_name_of_a_file_is_no_sound(client, bundle):
    name = str(next(bundle.parent.rglob("*.wav")))
    found = client.post("/predict", files={"file": name.encode()})
    assert found.status_code == 422
    assert client.post("/predict", json={"file": name}).status_code == 415
