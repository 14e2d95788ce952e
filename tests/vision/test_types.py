"""Picture types: made from anything, decoded late, keeping type and attributes."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.core.errors import BadItemError
from layerwise.core.tensors import TensorImage, TensorImageBW, TensorMask, cast, retain_type
from layerwise.core.transforms.numeric import ToTensor
from layerwise.vision.types import (
    PILImage,
    PILImageBW,
    PILMask,
    image2tensor,
    to_image,
)

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)


def is_pending(image):
    return image._source is not None


# -- create --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made_of",
    [
        PIXELS,
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        TensorImage(torch.from_numpy(PIXELS).permute(2, 0, 1)),
        TensorImage(torch.from_numpy(PIXELS).permute(2, 0, 1) / 255),
        Image.fromarray(PIXELS),
        PILImage.create(PIXELS).to_bytes_format("png"),
    ],
    ids=["array", "hwc", "chw", "TensorImage", "float", "PIL", "bytes"],
)
def test_a_picture_is_made_from(made_of):
    image = PILImage.create(made_of)
    assert type(image) is PILImage
    assert np.array_equal(image, PIXELS)


def test_a_path_may_be_text_or_path(jpeg):
    assert PILImage.create(str(jpeg)).size == PILImage.create(jpeg).size == (1200, 800)


def test_other_types_hold_one_channel(jpeg):
    assert PILImageBW.create(jpeg).mode == PILMask.create(np.zeros((2, 2), np.uint8)).mode == "L"
    assert PILImage.create(PILImageBW.create(PIXELS)).mode == "RGB"


def test_a_shape_that_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 4, 5\); give \(H, W\)"):
        to_image(np.zeros((2, 3, 4, 5)))


def test_something_else_is_refused_by_the_system():
    with pytest.raises(TypeError):
        PILImage.create(3.5)


# -- late decoding -------------------------------------------------------------------------


def test_only_the_header_of_a_jpeg_is_read(jpeg):
    image = PILImage.create(jpeg)
    assert is_pending(image)
    assert (image.size, image.shape, image.mode) == ((1200, 800), (800, 1200), "RGB")
    assert is_pending(image)
    with Image.open(jpeg) as expected:
        assert np.array_equal(image, expected)
    assert not is_pending(image)


def test_a_truncated_jpeg_is_named_when_its_pixels_are_looked_at(jpeg, tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(jpeg.read_bytes()[:20_000])
    image = PILImage.create(path)
    for _again in range(2):
        with pytest.raises(BadItemError, match=r"cut\.jpg.*truncated"):
            image.load()


def test_making_it_small_does_not_decode_the_original(jpeg):
    image = PILImage.create(jpeg)
    assert image.to_thumb(64).size == (64, 42)
    assert is_pending(image)


def test_a_drafted_crop_equals_that_of_the_whole_within_45_decibel(jpeg):
    box = (100, 50, 1100, 750)
    fast = PILImage.create(jpeg).resized_crop(box, (100, 70))
    with Image.open(jpeg) as whole:
        slow = whole.resize((100, 70), Image.Resampling.BILINEAR, box=box)
    error = ((np.asarray(fast, float) - np.asarray(slow, float)) ** 2).mean()
    assert 10 * np.log10(255**2 / error) > 45


def test_many_pictures_can_wait_without_open_files(jpeg):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(64, hard), hard))
    try:
        waiting = [PILImage.create(jpeg) for _ in range(80)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(is_pending(image) for image in waiting)


# -- type and attributes -------------------------------------------------------------------

METHODS = {
    "resize": lambda x: x.resize((4, 4)),
    "crop": lambda x: x.crop((0, 0, 3, 3)),
    "convert": lambda x: x.convert("L"),
    "transpose": lambda x: x.transpose(Image.Transpose.ROTATE_90),
    "rotate": lambda x: x.rotate(30),
    "transform": lambda x: x.transform((4, 4), Image.Transform.EXTENT, (0, 0, 4, 4)),
    "copy": lambda x: x.copy(),
    "copy module": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "filter": lambda x: x.filter(__import__("PIL.ImageFilter").ImageFilter.BLUR),
    "reduce": lambda x: x.reduce(2),
    "split": lambda x: x.split()[0],
    "point": lambda x: x.point(lambda v: v // 2),
    "resized_crop": lambda x: x.resized_crop((0, 0, 4, 4), (2, 2)),
    "crop_pad": lambda x: x.crop_pad((12, 12)),
    "flip_lr": lambda x: x.flip_lr(),
    "dihedral": lambda x: x.dihedral(5),
    "reshape": lambda x: x.reshape(3, 3),
    "to_thumb": lambda x: x.to_thumb(4),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [PILImage, PILImageBW, PILMask])
def test_type_and_attributes_survive(kind, method):
    image = kind.create(PIXELS)
    image.source = "here"
    result = METHODS[method](image)
    assert type(result) is kind
    assert result.source == "here"
    result.load()


def test_a_waiting_picture_is_pickled_compressed(jpeg):
    image = PILImage.create(jpeg)
    image.source = "here"
    data = pickle.dumps(image)
    assert len(data) < 1.1 * jpeg.stat().st_size
    back = pickle.loads(data)
    assert back.source == "here"
    assert np.array_equal(back, image)


def test_a_plain_image_gets_its_type_back():
    old = PILMask.create(PIXELS)
    assert type(retain_type(Image.new("L", (2, 2)), old=old)) is PILMask
    assert type(cast(Image.new("L", (2, 2)), PILImageBW)) is PILImageBW


def test_pillow_itself_is_not_patched():
    for name in ("to_thumb", "n_px", "aspect", "flip_lr", "reshape", "create"):
        assert not hasattr(Image.Image, name)


# -- sizes and formats ---------------------------------------------------------------------


def test_sizes_are_told_in_both_orders():
    image = PILImage.create(PIXELS)
    assert (image.shape, image.size, image.n_px) == ((6, 8), (8, 6), 48)
    assert image.aspect == 8 / 6
    assert image.reshape(3, 5).size == (5, 3)
    assert repr(image) == "PILImage mode=RGB size=8x6"


@pytest.mark.parametrize(
    ("limits", "size"),
    [({"max_px": 12}, (4, 3)), ({"max_h": 3}, (4, 3)), ({"max_w": 2}, (2, 1)), ({}, (8, 6))],
)
def test_resize_max_keeps_within_limits(limits, size):
    assert PILImage.create(PIXELS).resize_max(**limits).size == size


def test_bytes_of_a_format_are_a_file_of_it():
    data = PILImage.create(PIXELS).to_bytes_format("png")
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        assert np.array_equal(image, PIXELS)


def test_flip_and_dihedral_equal_numpy():
    image = PILImage.create(PIXELS)
    assert np.array_equal(image.flip_lr(), PIXELS[:, ::-1])
    ways = {np.asarray(image.dihedral(k)).tobytes() for k in range(8)}
    expected = {
        np.ascontiguousarray(np.rot90(p, k)).tobytes()
        for p in (PIXELS, PIXELS[:, ::-1])
        for k in range(4)
    }
    assert ways == expected


# -- tensors -------------------------------------------------------------------------------


def test_tensors_are_channels_first_bytes():
    found = image2tensor(PILImage.create(PIXELS))
    assert found.dtype == torch.uint8
    assert torch.equal(found, torch.from_numpy(PIXELS).permute(2, 0, 1))
    assert found.is_contiguous()


def test_a_resized_picture_gives_the_same_tensor_with_and_without_pillow():
    image = PILImage.create(PIXELS)
    direct = image2tensor(image.resized_crop((0, 0, 8, 6), (5, 5)))
    around = image.resized_crop((0, 0, 8, 6), (5, 5))
    around.load()
    assert torch.equal(direct, image2tensor(around))


@pytest.mark.parametrize(
    ("image", "tensor", "shape"),
    [
        (PILImage, TensorImage, (3, 6, 8)),
        (PILImageBW, TensorImageBW, (1, 6, 8)),
        (PILMask, TensorMask, (6, 8)),
    ],
)
def test_each_type_has_its_tensor(image, tensor, shape):
    made = image.create(PIXELS)
    made.source = "here"
    found = ToTensor()(made)
    assert type(found) is tensor
    assert tuple(found.shape) == shape
    assert found.source == "here"


def test_there_and_back():
    tensor = ToTensor()(PILImage.create(PIXELS))
    assert np.array_equal(PILImage.create(tensor), PIXELS)
    mask = ToTensor()(PILMask.create(PIXELS[..., 0]))
    assert np.array_equal(PILMask.create(mask), PIXELS[..., 0])


def test_showing_draws_on_the_axes_given():
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert PILImage.create(PIXELS).show(ctx=ax) is ax
    assert ax.images[0].get_array().shape == (6, 8, 3)
    plt.close("all")


@pytest.mark.parametrize("k", range(8))
def test_a_picture_and_its_tensor_lie_the_same_way(k):
    picture = PILImage.create(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3))
    turned = ToTensor()(picture).dihedral(k)
    assert type(turned) is TensorImage
    assert torch.equal(turned.as_plain(), ToTensor()(picture.dihedral(k)).as_plain())
    if k == 1:
        assert torch.equal(turned.as_plain(), ToTensor()(picture).flip_lr().as_plain())


@pytest.mark.parametrize("nothing", [None, 3, ["a.png"]])
def test_what_no_picture_is_made_of_is_named(nothing):
    with pytest.raises(TypeError, match=r"a picture is read from a path .* not from the"):
        PILImage.create(nothing)
