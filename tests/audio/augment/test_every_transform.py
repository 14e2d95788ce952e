"""What holds for every transform of sounds: one table, many checks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import layerwise.audio.augment as augment
from layerwise.audio.augment import (
    AddNoise,
    ChangeVolume,
    CropTime,
    DownmixMono,
    Flip,
    MaskFreq,
    MaskTime,
    PeakNorm,
    PitchShift,
    PitchShiftOrTimeStretch,
    RandomCropPad,
    RandomPerItem,
    RemoveSilence,
    Resample,
    ResizeSignal,
    Roll,
    SGRoll,
    SignalCutout,
    SignalLoss,
    SignalShifter,
    SignalTransform,
    SoundTransform,
    SpectrogramTransform,
    TimeStretch,
    Volume,
    VolumeOrPeakNorm,
)
from layerwise.audio.augment.per_item import Items
from layerwise.audio.features import TfmResize
from layerwise.audio.settings import SpectrogramSettings
from layerwise.audio.types import AudioSpectrogram, AudioTensor
from layerwise.core.random import keyed
from layerwise.core.settings import settings_of
from layerwise.core.tensors import TensorBase
from layerwise.core.testing.kinds import check_transform
from layerwise.core.transforms.transform import Transform

SETTINGS = SpectrogramSettings(sr=8000, n_fft=32, to_db=True)

SIGNALS = {
    "noise": lambda p: AddNoise((0.1, 0.5), 1, p=p),
    "volume_factor": lambda p: ChangeVolume(p=p),
    "volume": lambda p: Volume(p=p),
    "volume_power": lambda p: Volume(p=p, gain=(0.2, 0.8), mode="power"),
    "peak": lambda p: PeakNorm(p=p),
    "volume_or_peak": lambda p: VolumeOrPeakNorm(p=p, peak_share=0.5),
    "flip": lambda p: Flip(p=p),
    "roll": lambda p: Roll(p=p),
    "shifter": lambda p: SignalShifter(p=p),
    "shifter_roll": lambda p: SignalShifter(p=p, max_time=0.01, roll=True, direction=1),
    "cutout": lambda p: SignalCutout(p=p, max_cut_pct=0.5, min_cut_pct=0.2),
    "loss": lambda p: SignalLoss(p=p, max_loss_pct=0.5, min_loss_pct=0.2),
    "pitch": lambda p: PitchShift(p=p, n_fft=64, semitones=(1, 5)),
    "stretch": lambda p: TimeStretch(p=p, n_fft=64, rates=(0.5, 0.9)),
    "pitch_or_stretch": lambda p: PitchShiftOrTimeStretch(
        p=p, n_fft=64, semitones=(1, 5), rates=(0.5, 0.9)
    ),
}
SPECTROGRAMS = {
    "noise": lambda p: AddNoise((0.1, 0.5), p=p, order=70),
    "shifter": lambda p: SignalShifter(p=p, order=70),
    "sgroll": lambda p: SGRoll(p=p),
    "mask_freq": lambda p: MaskFreq(2, (0.2, 0.4), p=p),
    "mask_time": lambda p: MaskTime(2, (2, 6), p=p),
    "mask_zero": lambda p: MaskTime(1, 3, start=2, val=0, p=p),
}
# Of the same numbers they make other noise for an item alone than for a batch.
DRAW_MORE = {"noise", "loss"}
# The ends of what is stretched depend on what comes after them.
BLUR_ENDS = {"pitch", "stretch", "pitch_or_stretch"}

TABLE = [("signal", name) for name in SIGNALS] + [("spectrogram", name) for name in SPECTROGRAMS]


def made(kind, name, p=1.0):
    return (SIGNALS if kind == "signal" else SPECTROGRAMS)[name](p)


def sound(kind, count=4, size=200, lengths=None, channels=2):
    x: AudioTensor | AudioSpectrogram
    made = torch.Generator().manual_seed(count * 1000 + size)
    if kind == "signal":
        values = torch.rand(count, channels, size, generator=made) * 2 - 1
        x = AudioTensor(values, sr=8000)
    else:
        size = max(8, size // 8)
        values = torch.randn(count, channels, SETTINGS.height, size, generator=made)
        x = AudioSpectrogram.create(values, SETTINGS)
    if lengths is not None:
        x.lengths = (torch.tensor(lengths) * size).long().clamp_min(1)
        at = torch.arange(size) >= x.lengths.view(-1, *[1] * (x.ndim - 1))
        x = type(x)(x.as_plain().masked_fill(at, 0), **vars(x))
    return x


@pytest.fixture(params=TABLE, ids=[f"{kind}-{name}" for kind, name in TABLE])
def case(request):
    return request.param


def test_the_table_has_every_random_transform():
    """A new one has to join."""
    in_table = {type(make(1.0)) for table in (SIGNALS, SPECTROGRAMS) for make in table.values()}
    bases = {RandomPerItem, SignalTransform, SoundTransform, SpectrogramTransform}
    known = {
        found
        for found in vars(augment).values()
        if isinstance(found, type) and issubclass(found, RandomPerItem)
    }
    assert known - bases == in_table


@settings(max_examples=8, deadline=None)
@given(
    count=st.integers(1, 5),
    size=st.integers(65, 300),
    channels=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@pytest.mark.parametrize(("kind", "name"), TABLE, ids=[f"{kind}-{name}" for kind, name in TABLE])
def test_shape_type_and_what_is_known_stay(kind, name, count, size, channels, seed):
    x = sound(kind, count, size, channels=channels)
    with keyed(seed):
        y = made(kind, name)(x, split_idx=0)
    assert type(y) is type(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    assert vars(y) == vars(x)
    assert y.isfinite().all()


def test_something_changes_and_what_came_in_does_not(case):
    x = sound(case[0])
    before = x.as_plain().clone()
    version = x._version
    with keyed(3):
        y = made(*case)(x, split_idx=0)
    assert not torch.equal(y.as_plain(), before)
    assert torch.equal(x.as_plain(), before)
    assert x._version == version


@pytest.mark.parametrize("split_idx", [1, None])
def test_only_training_is_changed(case, split_idx):
    x = sound(case[0])
    assert made(*case)(x, split_idx=split_idx) is x


def test_without_probability_nothing_is_done(case):
    x = sound(case[0])
    assert made(*case, p=0.0)(x, split_idx=0) is x


def test_a_key_decides(case):
    x, transform = sound(case[0], count=6), made(*case, p=0.7)

    def under(key):
        with keyed(key):
            return transform(x, split_idx=0).as_plain()

    assert torch.equal(under(1), under(1))
    assert any(not torch.equal(under(1), under(key)) for key in range(2, 8))


def test_items_are_drawn_one_by_one(case):
    """Some change and some do not, and those that do not are the very numbers that came."""
    x = sound(case[0], count=32)
    with keyed(5):
        y = made(*case, p=0.5)(x, split_idx=0).as_plain()
    same = [torch.equal(a, b) for a, b in zip(x.as_plain(), y, strict=True)]
    assert 4 < sum(same) < 28


def test_an_item_alone_is_changed_as_in_its_batch(case):
    if case[1] in DRAW_MORE:
        pytest.skip("draws more than a row of numbers")
    x, transform = sound(case[0]), made(*case)
    with keyed(9):
        whole = transform(x, split_idx=0)
    drawn = transform._drawn
    for i in range(len(x)):
        transform._drawn = drawn[i : i + 1]
        alone = transform.changed(x[i])
        assert alone.shape == x.shape[1:]
        torch.testing.assert_close(alone.as_plain(), whole.as_plain()[i], atol=1e-5, rtol=1e-4)


def test_filling_changes_nothing(case):
    """An item of a padded batch is what it is alone, and its filling stays."""
    if case[1] in DRAW_MORE | BLUR_ENDS:
        pytest.skip("draws more than a row of numbers, or depends on what comes after the end")
    x, transform = sound(case[0], lengths=[1.0, 0.6, 0.4, 0.9]), made(*case)
    with keyed(9):
        whole = transform(x, split_idx=0)
    assert torch.equal(whole.lengths, x.lengths)
    drawn = transform._drawn
    for i, size in enumerate(x.lengths.tolist()):
        transform._drawn = drawn[i : i + 1]
        alone = transform.changed(x[i])
        assert alone.shape[-1] == size
        kept = whole.as_plain()[i][..., :size]
        torch.testing.assert_close(alone.as_plain(), kept, atol=1e-5, rtol=1e-4)


def test_filling_stays_filling(case):
    x = sound(case[0], lengths=[1.0, 0.6, 0.4, 0.9])
    with keyed(2):
        y = made(*case)(x, split_idx=0)
    for i, size in enumerate(x.lengths.tolist()):
        assert not y.as_plain()[i][..., size:].any()


def test_gradients_flow(case):
    x = sound(case[0])
    leaf = x.as_plain().clone().requires_grad_()
    with keyed(4):
        made(*case)(type(x)(leaf, **vars(x)), split_idx=0).as_plain().square().sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()
    assert leaf.grad.any()


def test_all_is_computed_where_the_sound_lies(case):
    """The meta device has no numbers, so whatever stayed on the CPU would be an error."""
    if case[1] in BLUR_ENDS:
        pytest.skip("torch.istft looks at numbers")
    x = sound(case[0], lengths=[1.0, 0.6, 0.4, 0.9])
    on_meta = type(x)(x.as_plain().to("meta"), **vars(x))
    with keyed(1):
        y = made(*case, p=0.6)(on_meta, split_idx=0)
    assert (y.device.type, y.shape) == ("meta", x.shape)


@pytest.mark.gpu
def test_a_key_means_the_same_on_an_accelerator(case):
    x = sound(case[0], lengths=[1.0, 0.6, 0.4, 0.9])
    found = []
    for device in ("cpu", "cuda"):
        with keyed(1):
            y = made(*case, p=0.6)(type(x)(x.as_plain().to(device), **vars(x)), split_idx=0)
        found.append(y.as_plain().cpu())
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-4)


def test_the_contract_of_transforms_holds(case):
    check_transform(made(*case, p=0.5), sound(case[0], lengths=[1.0, 0.6, 0.4, 0.9]))


def test_a_clean_and_a_noisy_signal_move_together():
    x = sound("signal")
    with keyed(1):
        a, b = Roll(p=0.5)((x, x), split_idx=0)
    assert torch.equal(a, b)


def test_members_of_other_types_pass():
    y = torch.tensor([1, 2, 3, 4])
    with keyed(1):
        _, same = Flip(p=1.0)((sound("signal"), y), split_idx=0)
    assert same is y


def test_a_type_from_outside_is_taken_up_in_three_lines():
    class Earthquake(TensorBase):
        pass

    @SignalLoss
    def encodes(self, x: Earthquake) -> Earthquake:
        return Earthquake(x * 0)

    x = Earthquake(torch.ones(3))
    found = set()
    for seed in range(20):
        with keyed(seed):
            found.add(SignalLoss(p=0.5)(x, split_idx=0).sum().item())
    assert found == {0, 3}
    assert not SignalLoss(p=1.0)(x, split_idx=0).any()


def test_sounds_of_other_counts_are_refused():
    pair = sound("signal", 4), sound("signal", 3)
    with pytest.raises(ValueError, match="sounds of 4 and 3 items"):
        Flip(p=1.0)(pair, split_idx=0)


@pytest.mark.parametrize("name", SIGNALS)
def test_signals_alone_are_changed_by_what_is_for_signals(name):
    transform = SIGNALS[name](1.0)
    if isinstance(transform, SoundTransform):
        pytest.skip("takes both")
    with pytest.raises(TypeError, match="put it before the transform that makes the spectrogram"):
        transform(sound("spectrogram"), split_idx=0)


@pytest.mark.parametrize("name", SPECTROGRAMS)
def test_spectrograms_alone_are_changed_by_what_is_for_them(name):
    transform = SPECTROGRAMS[name](1.0)
    if isinstance(transform, SoundTransform):
        pytest.skip("takes both")
    with pytest.raises(TypeError, match="put AudioToSpec before it"):
        transform(sound("signal"), split_idx=0)


def test_empty_sounds_pass(case):
    x: AudioTensor | AudioSpectrogram
    if case[0] == "signal":
        x = AudioTensor(torch.zeros(2, 1, 0), sr=8000)
    else:
        x = AudioSpectrogram.create(torch.zeros(2, 1, SETTINGS.height, 0), SETTINGS)
    assert made(*case)(x, split_idx=0).shape == x.shape


OTHERS = {
    "resize": ResizeSignal(20),
    "crop_pad": RandomCropPad(0.02),
    "crop_time": CropTime(20),
    "mono": DownmixMono(),
    "resample": Resample(4000),
    "silence": RemoveSilence("all", threshold=30, pad_ms=10),
    "scale": TfmResize((8, 8), "nearest"),
}


@pytest.mark.parametrize(
    "transform",
    [*OTHERS.values(), *(make(0.5) for t in (SIGNALS, SPECTROGRAMS) for make in t.values())],
    ids=lambda t: t.name,
)
def test_settings_make_an_equal_one(transform):
    """So that exports can hold it."""
    again = type(transform)(**settings_of(transform))
    assert settings_of(again) == settings_of(transform)


@pytest.mark.parametrize(
    "kind",
    [
        found
        for found in vars(augment).values()
        if isinstance(found, type) and issubclass(found, Transform)
        if found not in {RandomPerItem, SignalTransform, SoundTransform, SpectrogramTransform}
    ],
)
def test_an_unknown_keyword_is_refused_with_the_nearest(kind):
    if kind is DownmixMono:
        pytest.skip("takes none")
    with pytest.raises(TypeError, match="unknown keyword 'ordr'"):
        kind(ordr=1)


def test_a_subclass_without_a_change_says_so():
    class Nothing(RandomPerItem):
        pass

    one = Items(torch.zeros(1, 1, 1), torch.zeros(1, 0), torch.ones(1), sound("signal"))
    with pytest.raises(NotImplementedError, match="Nothing has to define `change`"):
        Nothing().change(one)
