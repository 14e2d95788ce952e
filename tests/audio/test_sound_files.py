"""Reading and writing files: formats, crops, and whatever can be wrong with one."""

import builtins
import io
import struct
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerwise.audio.files import AudioGetter, OpenAudio, get_audio_files
from layerwise.audio.sound_files import audio_info, read_samples, wav_of
from layerwise.audio.types import AudioTensor
from layerwise.core.errors import BadItemError, MissingDependencyError

soundfile = pytest.importorskip("soundfile", reason="sound files are read by soundfile")

SR = 16000


def chord(channels=1, size=8000, sr=SR):
    at = torch.arange(size) / sr
    pitches = 200.0 * torch.arange(1, channels + 1)[:, None]
    return AudioTensor(0.5 * torch.sin(2 * torch.pi * pitches * at), sr=sr)


def contents(x, kind="WAV", subtype="PCM_16"):
    buffer = io.BytesIO()
    soundfile.write(buffer, x.T.numpy(), x.sr, format=kind, subtype=subtype)
    return buffer.getvalue()


# -- formats and crops ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "subtype", "off"),
    [
        ("WAV", "PCM_U8", 1 / 100),
        ("WAV", "PCM_16", 1 / 30000),
        ("WAV", "PCM_24", 1 / 8e6),
        ("WAV", "PCM_32", 1e-7),
        ("WAV", "FLOAT", 0),
        ("WAV", "DOUBLE", 0),
        ("WAV", "ULAW", 0.05),
        ("FLAC", "PCM_16", 1 / 30000),
        ("FLAC", "PCM_24", 1 / 8e6),
        ("AIFF", "PCM_16", 1 / 30000),
        ("OGG", "VORBIS", 0.03),
        ("MP3", "MPEG_LAYER_III", 0.05),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_gives_the_sound_that_was_written(kind, subtype, off, channels):
    x = chord(channels)
    file = contents(x, kind, subtype)
    found = AudioTensor.create(file)
    assert type(found) is AudioTensor
    assert (found.sr, found.shape, found.dtype) == (SR, x.shape, torch.float32)
    assert (found - x).abs().max() <= off
    info = audio_info(file)
    assert (info.sr, info.channels, info.frames, info.format) == (SR, channels, 8000, kind)
    assert info.duration == 0.5


def test_eight_channels():
    x = chord(8)
    assert (AudioTensor.create(contents(x, "WAV", "PCM_24")) - x).abs().max() < 1e-6


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 51000), st.integers(-1, 6000), st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]))
@example(39297, 1, "OGG")  # in the last page, where libvorbis counts from the wrong end
def test_a_crop_is_that_part_of_the_whole(offset, frames, kind):
    file = FILES[kind]
    whole = AudioTensor.create(file)
    found = AudioTensor.create(file, offset, frames)
    part = whole[:, offset:][:, : frames if frames >= 0 else None]
    assert found.shape == part.shape
    torch.testing.assert_close(found.as_plain(), part.as_plain(), rtol=0, atol=1e-6)


FILES = {
    kind: contents(chord(2, 50000), kind, subtype)
    for kind, subtype in [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None)]
}


def test_a_crop_takes_no_more_memory_than_the_crop(tmp_path):
    (chord(1, 60 * SR)).save(tmp_path / "minute.wav")
    tracemalloc.start()
    found = AudioTensor.create(tmp_path / "minute.wav", 30 * SR, SR)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.duration == 1
    assert most < 4 * 60 * SR / 10


def test_another_rate_and_one_channel():
    x = chord(2)
    found = AudioTensor.create(contents(x), sr=8000, mono=True)
    assert (found.sr, found.shape) == (8000, (1, 4000))
    expected = chord(2, 4000, 8000).mean(0)
    assert (found[0] - expected)[200:-200].abs().max() < 1e-4


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg", ".mp3", ".oga", ".aiff", ".WAV"])
def test_files_are_written_by_their_ending(tmp_path, ending):
    x = chord()
    path = x.save(tmp_path / f"chord{ending}")
    assert path.is_file()
    assert (AudioTensor.create(path) - x).abs().max() < 0.05
    with pytest.raises(FileExistsError, match="overwrite=True"):
        x.save(path, overwrite=False)
    x.save(path)


def test_writing_clips_and_refuses_what_it_cannot_write(tmp_path):
    found = AudioTensor.create((chord() * 4).save(tmp_path / "loud.wav"))
    assert found.abs().max() <= 1
    assert found.max() > 0.99
    with pytest.raises(ValueError, match=r"Did you mean '.wav'"):
        chord().save(tmp_path / "chord.wave")
    with pytest.raises(ValueError, match="take an item"):
        AudioTensor(torch.zeros(2, 1, 4), sr=SR).save(tmp_path / "batch.wav")


def test_the_wav_that_is_made_in_memory_comes_back_as_it_was():
    values = torch.arange(-32768, 32768)[None] / 32768
    assert torch.equal(read_samples(wav_of(values, SR))[0], values)


# -- what can be wrong ---------------------------------------------------------------------


def header(size, *, sr=SR, channels=1, bits=16):
    """Of a WAV file that promises so many bytes of samples."""
    block = channels * bits // 8
    rest = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, sr, sr * block, block, bits)
    return (
        b"RIFF"
        + struct.pack("<I", min(36 + size, 2**32 - 1))
        + b"WAVE"
        + rest
        + b"data"
        + struct.pack("<I", size)
    )


@pytest.mark.parametrize("broken", [b"", b"RIFF", b"no sound at all" * 100, b"\0" * 1000])
def test_what_is_no_sound_names_itself(tmp_path, broken):
    path = tmp_path / "broken.wav"
    path.write_bytes(broken)
    for read in (audio_info, AudioTensor.create):
        with pytest.raises(BadItemError, match=r"broken\.wav.*[Rr]eplace or remove"):
            read(path)
    with pytest.raises(BadItemError, match="bytes in memory"):
        AudioTensor.create(broken)


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "empty.wav").touch()
    with pytest.raises(BadItemError, match="the file is empty"):
        AudioTensor.create(tmp_path / "empty.wav")


def test_files_that_are_not_there_and_things_that_are_no_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        AudioTensor.create(tmp_path / "missing.wav")
    with pytest.raises(IsADirectoryError):
        AudioTensor.create(tmp_path)
    with pytest.raises(TypeError, match="not from the int 3"):
        AudioTensor.create(3)
    with pytest.raises(ValueError, match="offset=-1"):
        AudioTensor.create(contents(chord()), offset=-1)
    with pytest.raises(ValueError, match="frames=-2"):
        AudioTensor.create(contents(chord()), frames=-2)


@pytest.mark.parametrize("size", [0, 1])
def test_no_sample_and_one_sample(size):
    x = AudioTensor(torch.full((2, size), 0.5), sr=SR)
    assert AudioTensor.create(contents(x)).tolist() == x.tolist()
    assert AudioTensor.create(contents(x), offset=5).shape == (2, 0)
    assert AudioTensor.create(contents(x), sr=8000).shape == (2, size)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_no_numbers_are_refused(value):
    x = chord()
    x[0, 4000] = value
    with pytest.raises(BadItemError, match="no finite numbers"):
        AudioTensor.create(contents(x, "WAV", "FLOAT"))
    assert AudioTensor.create(contents(x, "WAV", "FLOAT"), frames=4000).nsamples == 4000


def test_very_loud_samples_are_numbers():
    x = AudioTensor(torch.full((1, 1000), 3e38), sr=SR)
    assert AudioTensor.create(contents(x, "WAV", "FLOAT")).nsamples == 1000


@pytest.mark.parametrize("promised", [0, 200, 1000, 2**31, 2**32 - 1])
def test_a_wrong_length_in_the_header_gives_the_samples_there_are(promised):
    samples = np.arange(250, dtype="<i2")
    found = AudioTensor.create(header(promised) + samples.tobytes())
    assert found.nsamples == (min(promised // 2, 250) or found.nsamples)
    whole = torch.from_numpy(samples / 32768).float()
    assert torch.equal(found[0], whole[: found.nsamples])


def test_ten_hours_in_the_header_of_a_small_file_take_no_memory(tmp_path):
    path = tmp_path / "ten_hours.wav"
    path.write_bytes(header(10 * 3600 * SR * 2) + b"\1\0" * 500)
    tracemalloc.start()
    found = AudioTensor.create(path)
    AudioTensor.create(path, frames=10 * 3600 * SR)
    AudioTensor.create(path, offset=100)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.nsamples == 500
    assert most < 50e6
    assert AudioTensor.create(path, offset=10**8).nsamples == 0


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_cut_off_files_give_what_is_there_or_name_themselves(tmp_path, kind, capfd):
    file = contents(chord(1, 5 * SR), kind, None)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(file[: len(file) // 2])
    try:
        found = AudioTensor.create(path)
    except BadItemError as error:
        assert "cut." in str(error)  # noqa: PT017 - either is right
    else:
        assert 0 < found.nsamples <= 5 * SR
        assert bool(torch.isfinite(found).all())
    capfd.readouterr()  # libmpg123 talks


def test_the_wrong_ending_does_not_matter(tmp_path):
    path = tmp_path / "flac.wav"
    path.write_bytes(contents(chord(), "FLAC"))
    assert AudioTensor.create(path).nsamples == 8000


def test_without_soundfile_it_says_what_to_install(monkeypatch):
    imported = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "soundfile":
            raise OSError("sndfile library not found")
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(MissingDependencyError, match="pip install 'soundfile'"):
        AudioTensor.create(b"RIFF")
    assert len(chord().wav_bytes()) == 44 + 16000


# -- below a folder ------------------------------------------------------------------------


def test_sound_files_are_found_by_their_ending(tmp_path):
    for name in ("train/a.wav", "train/b.MP3", "valid/c.flac", "notes.txt", "cover.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert get_audio_files(tmp_path).attrgot("name") == ["a.wav", "b.MP3", "c.flac"]
    assert get_audio_files(tmp_path, folders="valid").attrgot("name") == ["c.flac"]
    assert len(get_audio_files(tmp_path, recurse=False)) == 0
    assert AudioGetter("train")(tmp_path).attrgot("name") == ["a.wav", "b.MP3"]


def test_a_place_in_a_list_opens_its_file_and_decodes_to_it(tmp_path):
    path = chord().save(tmp_path / "chord.wav")
    opens = OpenAudio([path])
    assert opens(0).nsamples == 8000
    assert opens.decode(0) == path


def test_spoken_digits(mirror, tmp_path):
    if not (mirror / "fsdd.tgz").is_file():
        pytest.skip("no fsdd.tgz among the archives")
    import tarfile

    with tarfile.open(mirror / "fsdd.tgz") as archive:
        some = [m for m in archive.getmembers() if m.name.endswith("_jackson_0.wav")]
        archive.extractall(tmp_path, some, filter="data")
    files = get_audio_files(tmp_path)
    assert len(files) == 10
    for file in files:
        x = AudioTensor.create(file)
        assert x.sr == audio_info(file).sr == 8000
        theirs, _ = soundfile.read(file, dtype="float32")
        assert np.array_equal(x[0].numpy(), theirs)
