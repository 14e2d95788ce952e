"""What signals and spectrograms know, and that they keep it."""

import io
import pickle
import wave

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed

SETTINGS = SpectrogramSettings(sr=16000, kind="mel", n_fft=512, n_mels=40, f_max=4000)


def sound(*shape, **meta):
    return AudioTensor(torch.arange(float(np.prod(shape))).view(shape) / 1000, sr=8000, **meta)


def spectrogram(*shape, **meta):
    return AudioSpectrogram(torch.ones(shape), settings=SETTINGS, **meta)


# -- metadata ------------------------------------------------------------------------------

OPERATIONS = {
    "add": lambda x: x + x,
    "add a number": lambda x: 1 + x,
    "slice": lambda x: x[..., 2:5],
    "channel": lambda x: x[:1],
    "clone": lambda x: x.clone(),
    "to": lambda x: x.to(torch.float64),
    "mean": lambda x: x.mean(0),
    "stack": lambda x: torch.stack([x, x]),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "split": lambda x: x.split(1)[0],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_known_is_kept(name):
    found = OPERATIONS[name](sound(2, 10))
    assert type(found) is AudioTensor
    assert found.sr == 8000
    found = OPERATIONS[name](spectrogram(2, 40, 10))
    assert type(found) is AudioSpectrogram
    assert found.settings == SETTINGS
    assert found.sr == 16000


def test_what_is_known_comes_back_from_a_file(tmp_path):
    torch.save([sound(2, 10), spectrogram(1, 40, 3)], tmp_path / "both.pt")
    x, y = torch.load(tmp_path / "both.pt", weights_only=False)
    assert x.sr == 8000
    assert torch.equal(x.as_plain(), sound(2, 10).as_plain())
    assert y.settings == SETTINGS


def test_unknown_names_are_not_there():
    for x in (sound(1, 4), spectrogram(1, 40, 3)):
        assert not hasattr(x, "tempo")
        assert not hasattr(x, "lengths")
    assert hasattr(spectrogram(1, 40, 3), "hop_length")


def test_settings_are_attributes_of_a_spectrogram():
    x = spectrogram(1, 40, 3)
    assert (x.n_fft, x.win_length, x.hop_length, x.n_mels) == (512, 512, 256, 40)
    assert (x.f_min, x.f_max, x.mel, x.to_db, x.power, x.kind) == (0, 4000, True, False, 2, "mel")


# -- padded batches ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [lambda **m: sound(3, 2, 10, **m), lambda **m: spectrogram(3, 2, 40, 10, **m)]
)
def test_lengths_follow_an_index(make):
    batch = make(lengths=torch.tensor([10, 4, 7]))
    item = batch[1]
    assert item.shape[-1] == 4
    assert not hasattr(item, "lengths")
    assert torch.equal(item.as_plain(), batch.as_plain()[1][..., :4])
    assert batch[np.int64(-1)].shape[-1] == 7
    assert [x.shape[-1] for x in batch] == [10, 4, 7]
    assert batch[1:].lengths.tolist() == [4, 7]
    assert batch[[2, 0]].lengths.tolist() == [7, 10]
    assert batch[torch.tensor([True, False, True])].lengths.tolist() == [10, 7]
    assert batch[1:, :1].lengths.tolist() == [4, 7]
    assert batch[...].lengths.tolist() == [10, 4, 7]
    assert not hasattr(batch[..., 2:], "lengths")
    assert (batch * 2).lengths.tolist() == [10, 4, 7]


def test_items_of_a_batch_without_filling_are_as_of_any_tensor():
    batch = sound(3, 2, 10)
    assert torch.equal(batch[1].as_plain(), batch.as_plain()[1])
    assert batch[1, 0].shape == (10,)


# -- signals -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 2000])
def test_padded_batches_are_written_out_whole(size):
    for make in (sound(3, 1, size), spectrogram(3, 1, 2, size)):
        padded = type(make)(make, lengths=torch.tensor([size, 4, 7]))
        assert repr(padded) == repr(make)
        assert str(padded) == str(make)


def test_sizes_of_a_signal():
    x = sound(2, 4000)
    assert (x.nchannels, x.nsamples, x.duration) == (2, 4000, 0.5)
    assert sound(5, 2, 4000).duration == 0.5


def test_arrays_need_a_rate_and_one_or_two_axes():
    assert AudioTensor.create(np.zeros(5, np.int16), sr=4).dtype == torch.float32
    assert AudioTensor.create(sound(2, 8), sr=16000, mono=True).shape == (1, 16)
    assert (
        AudioTensor.create(sound(2, 8), offset=2, frames=3).tolist() == sound(2, 8)[:, 2:5].tolist()
    )
    with pytest.raises(ValueError, match="give sr="):
        AudioTensor.create(torch.zeros(5))
    with pytest.raises(ValueError, match=r"give \(N,\) or \(C, N\)"):
        AudioTensor.create(torch.zeros(5, 1, 2), sr=8000)


def test_gain_is_a_factor_and_changes_nothing_in_place():
    x = sound(1, 3)
    assert x.apply_gain(2).tolist() == (x * 2).tolist()
    assert x.tolist() == sound(1, 3).tolist()


@given(st.floats(0, 1), st.integers(1, 50), st.integers(0, 99))
def test_a_cut_is_one_silent_piece_of_the_size_asked_for(share, size, key):
    x = AudioTensor(torch.ones(2, size), sr=8000)
    with keyed(key):
        cut = x.cutout(share)
    silent = (cut[0] == 0).nonzero().flatten().tolist()
    assert len(silent) == round(share * size)
    assert silent == list(range(silent[0], silent[0] + len(silent))) if silent else True
    assert torch.equal(cut[0], cut[1])
    assert bool((x == 1).all())


def test_lost_samples_are_as_many_as_probable_and_the_same_in_all_channels():
    x = AudioTensor(torch.ones(2, 10000), sr=8000)
    with keyed(1):
        lost = x.lose_signal(0.3)
    assert (lost == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(lost[0], lost[1])
    with pytest.raises(ValueError, match="loss_pct=2"):
        x.lose_signal(2)
    with pytest.raises(ValueError, match="cut_pct=-1"):
        x.cutout(-1)


def test_a_wav_in_memory_is_one_that_python_reads():
    values = torch.tensor([[0.0, 0.5, -1.0, 2.0], [0.25, -0.25, 1.0, 0.0]])
    with wave.open(io.BytesIO(AudioTensor(values, sr=8000).wav_bytes())) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        found = np.frombuffer(file.readframes(9), "<i2").reshape(-1, 2).T
    assert found.tolist() == [[0, 16384, -32768, 32767], [8192, -8192, 32767, 0]]
    with pytest.raises(ValueError, match="take an item"):
        sound(2, 1, 4).wav_bytes()


def test_hear_gives_a_player_with_the_sound(capsys):
    pytest.importorskip("IPython", reason="players are those of IPython")
    player = sound(1, 100).hear()
    assert player.data == sound(1, 100).wav_bytes()
    assert "Audio" in capsys.readouterr().out


# -- spectrograms --------------------------------------------------------------------------


def test_sizes_of_a_spectrogram():
    x = spectrogram(2, 40, 32)
    assert (x.nchannels, x.height, x.width) == (2, 40, 32)
    assert x.duration == 32 * 256 / 16000
    assert x.times[:3].tolist() == pytest.approx([0, 0.016, 0.032])
    assert AudioSpectrogram.create(np.zeros((40, 3)), SETTINGS).shape == (1, 40, 3)
    with pytest.raises(ValueError, match="spectrogram of shape"):
        AudioSpectrogram.create(torch.zeros(3), SETTINGS)


def test_rows_in_hz():
    librosa = pytest.importorskip("librosa")
    expected = librosa.mel_frequencies(42, fmin=0, fmax=4000)[1:-1]
    torch.testing.assert_close(spectrogram(1, 40, 3).freqs, torch.tensor(expected).float())
    linear = SpectrogramSettings(sr=16000, n_fft=512)
    x = AudioSpectrogram(torch.ones(1, 257, 2), settings=linear)
    expected = librosa.fft_frequencies(sr=16000, n_fft=512)
    torch.testing.assert_close(x.freqs, torch.tensor(expected).float())
    coefficients = SpectrogramSettings(sr=16000, kind="mfcc")
    assert AudioSpectrogram(torch.ones(1, 20, 2), settings=coefficients).freqs is None


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"sr": 0}, "sr=0"),
        ({"kind": "mels"}, "Did you mean 'mel'"),
        ({"win_length": 2000}, "n_fft=1024"),
        ({"f_min": 5000, "f_max": 4000}, "upwards"),
        ({"pad_mode": "zeros"}, "constant"),
        ({"hop_length": 0}, "hop_length=0"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        SpectrogramSettings(**{"sr": 16000, **wrong})
