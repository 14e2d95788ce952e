"""The record of `layerwise-audio`: the names that users and exports find it by."""

from layerwise.core.registry import Entry, Plugin

__all__ = ["plugin"]


def _of(module: str, summary: str, names: str) -> dict[str, Entry]:
    """An entry for each of the names that a module defines, in words of all of them."""
    return {name: Entry(f"layerwise.audio.{module}:{name}", summary) for name in names.split()}


def _net(module: str, name: str, summary: str, takes: str, params: int | None = None) -> Entry:
    """An architecture, with what it takes and its parameters for ten classes."""
    facts: dict[str, str | int] = {"takes": takes}
    if params is not None:
        facts["params"] = params
    return Entry(f"layerwise.audio.models.{module}:{name}", summary, facts)


plugin = Plugin(
    name="audio",
    api=1,
    entries={
        "block": _of("blocks", "clips of sound", "AudioBlock MelSpecBlock SpecBlock"),
        "callback": _of("mix", "mixes the waves of two clips, and their losses",
                        "AudioCutMix AudioCutMixUp AudioCutMixUpAugment AudioMixUp"),
        "function": _of("settings", "how a spectrogram was made", "SpectrogramSettings"),
        "layer": _of("models.resnet", "of a net over spectrograms",
                     "ConvOverTime PoolHead ResBlockOverTime"),
        "learner": _of("learner", "a model for sounds", "audio_learner"),
        "model": {
            "AudioResNet": _net("resnet", "AudioResNet", "residual net", "spectrograms"),
            "CRNN": _net("crnn", "CRNN", "convolutions, then a recurrent layer", "spectrograms"),
            "M5": _net("m5", "M5", "convolutions on waveforms", "signals"),
            "audio_resnet": _net(
                "resnet", "audio_resnet", "a small residual net", "spectrograms", 1_232_266
            ),
            **_of("models.build", "a body and a head for sounds", "create_audio_model"),
        },
        "reader": _of("files", "sounds below a folder", "AudioGetter"),
        "splitter": _of("models.build", "parameter groups of a model of sounds", "audio_split"),
        "training": {"audio": Entry("layerwise.audio.training:audio_training", "labels of sounds")},
        "transform": {
            **_of("augment.convert", "another rate, or one channel", "DownmixMono Resample"),
            **_of("augment.cut", "silences a part", "SignalCutout SignalLoss"),
            **_of("augment.masking", "covers rows or frames", "MaskFreq MaskTime"),
            **_of("augment.noise", "adds noise of a colour", "AddNoise"),
            **_of("augment.resize", "cuts and fills to one length",
                 "CropTime RandomCropPad ResizeSignal"),
            **_of("augment.shift", "shifts in time", "Roll SGRoll SignalShifter"),
            **_of("augment.silence", "drops what is silent", "RemoveSilence"),
            **_of("augment.stretch", "another pitch or tempo",
                 "PitchShift PitchShiftOrTimeStretch TimeStretch"),
            **_of("augment.volume", "louder, softer or turned over",
                 "ChangeVolume Flip PeakNorm Volume VolumeOrPeakNorm"),
            **_of("features", "of spectrograms", "Delta TfmResize"),
            **_of("files", "the sounds of files, by number", "OpenAudio"),
            **_of("levels", "levels of spectrograms", "AmplitudeToDB AudioNormalize"),
            **_of("librosa_features", "what librosa computes of a clip", "LibrosaFeature"),
            **_of("mix", "mixes the waves of two clips", "MixWaves"),
            **_of("padding", "clips of a batch to one length", "LengthsBeside PadAudio"),
            **_of("reading", "files of sound to clips", "ReadAudio"),
            **_of("spectrum", "signals to spectrograms",
                 "AudioToMFCC AudioToSpec MelSpectrogram Spectrogram"),
            **_of("stack", "several spectrograms as channels", "StackSpec"),
        },
        "type": {
            **_of("augment.noise", "colours of noise", "NoiseColor"),
            **_of("augment.resize", "how clips are filled", "AudioPadMode AudioPadType"),
            **_of("augment.silence", "which silence goes", "RemoveType"),
            **_of("augment.volume", "how loudness is told", "VolumeMode"),
            **_of("levels", "what decibels are made of", "AmplitudeToDBMode"),
            **_of("types", "a sound that knows its sample rate", "AudioSpectrogram AudioTensor"),
        },
    },
)  # fmt: skip
"""Its names by kind, for `layerwise.core.registry`."""
