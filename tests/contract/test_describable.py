"""Whatever has a name can be described by names and settings, and is made again from them.

A class joins by its registration. One whose constructor has to be given something needs a line in
`MADE` below.
"""

import inspect

import pytest
import torch
from torch import nn

from layerwise.audio.spectrum import AudioToSpec
from layerwise.core.data.readers import parent_label
from layerwise.core.described import to_description
from layerwise.core.named import object_of, reference_to
from layerwise.core.optim.schedules import SchedLin
from layerwise.core.rebuilt import from_description
from layerwise.core.registry import KINDS, find, names
from layerwise.text.tokenizers.hugging_face import HuggingFaceTokenizer
from layerwise.vision.augment.color import Brightness
from layerwise.vision.augment.geometry import Flip
from layerwise.vision.augment.hsv import hsv

EVERYTHING = KINDS | {"torch"}
DESCRIBED = ("callback", "layer", "loss", "metric", "reader", "splitter", "transform")

PIECES = HuggingFaceTokenizer(
    '{"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, '
    '"model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "[PAD]": 1}, "unk_token": "[UNK]"}}'
)

# How to make what is not made without arguments.
MADE = {
    "audio/ConvOverTime": (2, 3),
    "audio/CropTime": (500,),
    "audio/LibrosaFeature": ("rms",),
    "audio/OpenAudio": (["a.wav"],),
    "audio/PoolHead": (3, 2),
    "audio/RandomCropPad": (0.5,),
    "audio/Resample": (8000,),
    "audio/ResBlockOverTime": (2, 3),
    "audio/ResizeSignal": (500,),
    "audio/StackSpec": ([AudioToSpec(), AudioToSpec(n_fft=512)],),
    "audio/TfmResize": ((8, 9),),
    "text/PadPieces": (0,),
    "text/TagPieces": (PIECES,),
    "text/WordPieces": (PIECES,),
    "text/EmbeddingDropout": (nn.Embedding(3, 2), 0.5),
    "text/LinearDecoder": (3, 2),
    "text/PoolingLinearClassifier": ([6, 2], [0.1]),
    "text/SentenceEncoder": (4, nn.Embedding(3, 2)),
    "text/WeightDropout": (nn.LSTM(2, 2), 0.5),
    "tabular/CategoryEmbeddings": ([(4, 3)],),
    "tabular/SeveralLosses": ([nn.CrossEntropyLoss(), nn.MSELoss()], [2, 1]),
    "tabular/Rescale": ([1.0], [2.0]),
    "tabular/TimeSplitter": ("Date",),
    "core/AccumMetric": (nn.functional.mse_loss,),
    "core/AttrGetter": ("stem",),
    "core/AvgMetric": (nn.functional.mse_loss,),
    "core/BaseLoss": (nn.SmoothL1Loss,),
    "core/BatchNorm1dFlat": (3,),
    "core/Chained": (parent_label, parent_label),
    "core/ClassLoss": (nn.NLLLoss,),
    "core/ColReader": ("name",),
    "core/ConvLayer": (3, 4),
    "core/LinBnDrop": (3, 4),
    "core/PixelShuffle_ICNR": (4,),
    "core/SimpleCNN": ([3, 4, 2],),
    "core/SizedCNN": (3, 2, (8, 8)),
    "core/CometCallback": ("digits",),
    "core/Embedding": (3, 2),
    "core/EncodedMultiCategorize": (["a", "b"],),
    "core/FBeta": (0.5,),
    "core/FBetaMulti": (0.5,),
    "core/FuncSplitter": (parent_label,),
    "core/IndexSplitter": ([1, 2],),
    "core/ItemGetter": (1,),
    "core/Lambda": (torch.relu,),
    "core/LossMetric": ("fit",),
    "core/MaskSplitter": ([True, False],),
    "core/ParamScheduler": ({"lr": SchedLin(1.0, 0.5)},),
    "core/OfName": (parent_label,),
    "core/PartialLambda": (nn.functional.relu,),
    "core/PooledSelfAttention2d": (4,),
    "core/RandomSubsetSplitter": (0.5, 0.2),
    "core/RegexLabeller": ("(a)",),
    "core/using_attr": (parent_label, "name"),
    "core/ResBlock": (1, 2, 2),
    "core/RunningBatchNorm": (3,),
    "core/SEModule": (4, 2),
    "core/SelfAttention": (4,),
    "core/SigmoidRange": (0.0, 2.0),
    "core/SimpleSelfAttention": (4,),
    "core/SkipToEpoch": (2,),
    "core/TimeDistributed": (nn.Linear(2, 2),),
    "core/ValueMetric": (parent_label,),
    "core/View": (2, 3),
    "vision/AdaptiveLoss": (nn.BCEWithLogitsLoss(),),
    "vision/AddChannels": (2,),
    "vision/CropPad": (8,),
    "vision/DenseResBlock": (2,),
    "vision/FeatureLoss": (nn.Sequential(nn.Conv2d(3, 2, 3)), [0], [1.0]),
    "vision/OnePass": ([Flip(), Brightness()],),
    "vision/OldRandomCrop": ((8, 9), "border"),
    "vision/RandomCrop": ((8, 9),),
    "vision/RandomResizedCrop": (8,),
    "vision/RandomResizedCropGPU": (8,),
    "vision/RatioResize": (8,),
    "vision/Resize": ((8, 9),),
    "vision/SpaceTfm": (torch.relu, hsv),
    "vision/VolumeChannels": ([(80, 40)],),
}  # fmt: skip


# What is never written: it belongs to one run or reads a file of one computer, or others make it.
LEFT_OUT = {
    "core/FileSplitter", "core/MixHandler", "core/OptunaPruningCallback", "core/PooledMetric",
}  # fmt: skip


def registered(*kinds):
    return [
        (kind, name) for kind in kinds for name in names(kind) if not name.startswith("example")
    ]


def make(kind, name):
    return find(kind, name)(*MADE.get(name, ()))


@pytest.mark.parametrize(("kind", "name"), registered(*sorted(KINDS)), ids=str)
def test_every_registered_object_is_known_by_its_name(kind, name):
    value = find(kind, name)
    if isinstance(value, type) or inspect.isroutine(value):
        reference = reference_to(value)
        assert reference is not None
        assert object_of(reference, EVERYTHING) == value


@pytest.mark.parametrize(("kind", "name"), registered(*DESCRIBED), ids=str)
def test_every_registered_class_is_made_again_from_its_settings(kind, name):
    if name in LEFT_OUT or not isinstance(find(kind, name), type):
        pytest.skip("a function has a name and no settings")
    value = make(kind, name)
    arrays: dict[str, torch.Tensor] = {}
    again: dict[str, torch.Tensor] = {}
    plain = to_description(value, arrays, name)
    made = from_description(plain, arrays, EVERYTHING)
    assert type(made) is type(value)
    assert to_description(made, again, name) == plain
    assert arrays.keys() == again.keys()
    assert all(torch.equal(arrays[k], again[k]) for k in arrays)
