"""Every kind of picture and every kind of break, from the file to the trained model.

What is a picture becomes a tensor of the right shape; what is none is named, or left out and
counted.
"""

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.core.errors import BadItemError, DataError
from layerwise.core.transforms.numeric import ToTensor
from layerwise.vision.all import (
    CategoryBlock,
    DataBlock,
    ImageBlock,
    ImageDataLoaders,
    Learner,
    RandomSplitter,
    Resize,
    cnn_for,
    get_image_files,
    load_learner,
    parent_label,
)
from layerwise.vision.tools.verify import image_error, verify_images
from layerwise.vision.types import PILImage, PILImageBW, PILMask

SIDE = 24
GREY = Image.fromarray(np.arange(SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8))
COLOUR = Image.merge("RGB", (GREY, GREY.rotate(90), GREY.rotate(180)))
WORDS = np.asarray(GREY, np.uint16) * 257


def file(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def paletted(**options):
    return file(COLOUR.quantize(8), "PNG", **options)


def lab():
    values = np.asarray(COLOUR).copy()
    values[..., 0] = np.asarray(GREY)
    return Image.frombytes("LAB", COLOUR.size, values.tobytes())


def frames(kind):
    pictures = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue")]
    return file(pictures[0], kind, save_all=True, append_images=pictures[1:], lossless=True)


def words(order):
    return Image.frombytes(
        f"I;16{order}", GREY.size, WORDS.astype(f"{'>' if order == 'B' else '<'}u2").tobytes()
    )


# Every mode that a file can have, with the format that holds it.
KINDS = {
    "1": file(GREY.convert("1"), "PNG"),
    "1 in TIFF": file(GREY.convert("1"), "TIFF"),
    "L": file(GREY, "PNG"),
    "L in JPEG": file(GREY, "JPEG"),
    "LA": file(GREY.convert("LA"), "PNG"),
    "P": paletted(),
    "P, one clear index": paletted(transparency=3),
    "P, alpha per index": paletted(transparency=bytes([0, 128, 255])),
    "P in GIF": file(COLOUR, "GIF"),
    "P in GIF, transparent": file(COLOUR.quantize(8), "GIF", transparency=2),
    "PA": file(COLOUR.quantize(8).convert("PA"), "TIFF"),
    "RGB": file(COLOUR, "PNG"),
    "RGB, one clear colour": file(COLOUR, "PNG", transparency=(0, 0, 0)),
    "RGBA": file(COLOUR.convert("RGBA"), "PNG"),
    "RGBA in WebP": file(COLOUR.convert("RGBA"), "WEBP"),
    "CMYK": file(COLOUR.convert("CMYK"), "JPEG"),
    "CMYK in TIFF": file(COLOUR.convert("CMYK"), "TIFF"),
    "YCbCr": file(COLOUR.convert("YCbCr"), "TIFF"),
    "LAB": file(lab(), "TIFF"),
    "I": file(Image.fromarray(np.asarray(GREY, np.int32)), "TIFF"),
    "I, up to 16 bits": file(Image.fromarray(np.asarray(WORDS, np.int32)), "TIFF"),
    "F": file(Image.fromarray(np.asarray(GREY, np.float32) / 255), "TIFF"),
    "F, up to 255": file(Image.fromarray(np.asarray(GREY, np.float32)), "TIFF"),
    "I;16": file(Image.fromarray(WORDS), "PNG"),
    "I;16, little end first": file(words("L"), "TIFF"),
    "I;16, big end first": file(words("B"), "TIFF"),
    "animated GIF": frames("GIF"),
    "animated WebP": frames("WEBP"),
    "animated PNG": frames("PNG"),
    "progressive": file(COLOUR, "JPEG", progressive=True),
    "BMP": file(COLOUR, "BMP"),
    "another's ending": file(COLOUR, "BMP"),
}
SIZED = {"1x1": (1, 1), "1x10000": (1, 10000), "10000x1": (10000, 1)}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows, *extra, bits=8, colours=2):
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


def text_bomb():
    """40 MB of spaces in a comment of 40 kB."""
    return png(1, 1, bytes(4), chunk(b"zTXt", b"note\0\0" + zlib.compress(b" " * 40_000_000)))


def claiming_jpeg(width, height):
    data = bytearray(file(COLOUR, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def holed(data, share=0.5, size=64):
    at = int(len(data) * share)
    return data[:at] + b"\xff\xc0" * (size // 2) + data[at + size :]


PHOTO = file(COLOUR.resize((300, 200), Image.Resampling.BICUBIC), "JPEG", quality=90)
WHOLE_PNG = file(COLOUR.resize((100, 100)), "PNG")
BROKEN = {
    "empty": b"",
    "one byte": b"\xff",
    "HTML": b"<!doctype html><html><body>403 Forbidden</body></html>",
    "half a JPEG": PHOTO[: len(PHOTO) // 2],
    "JPEG without its end": PHOTO[:-2],
    "JPEG, header alone": PHOTO[:20],
    "JPEG, foreign markers": holed(PHOTO),
    "half a PNG": WHOLE_PNG[: len(WHOLE_PNG) // 2],
    "PNG, middle overwritten": holed(WHOLE_PNG),
    "half a WebP": (lambda d: d[: len(d) // 2])(file(COLOUR.resize((100, 100)), "WEBP")),
    "half a GIF": (lambda d: d[: len(d) // 2])(file(COLOUR.resize((100, 100)), "GIF")),
    "half a TIFF": (lambda d: d[: len(d) // 2])(file(COLOUR.resize((100, 100)), "TIFF")),
    "half a BMP": (lambda d: d[: len(d) // 2])(file(COLOUR.resize((100, 100)), "BMP")),
    "PNG of 13000 x 13000": png(13000, 13000, bytes(1626) * 13000, bits=1, colours=0),
    "PNG claiming 400 MP": png(20000, 20000, bytes(1000)),
    "JPEG claiming 4 GP": claiming_jpeg(65000, 65000),
    "PNG with a bomb of text": text_bomb(),
    "PNG of no width": png(0, 5, bytes(10)),
    "floats without a meaning": file(Image.fromarray(np.full((5, 5), -7.0, np.float32)), "TIFF"),
    "not a number": file(Image.fromarray(np.full((5, 5), np.nan, np.float32)), "TIFF"),
}
pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")


# -- one picture ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_becomes_bytes_in_three_channels_or_one(kind, tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(KINDS[kind])
    to_tensor = ToTensor()
    for cls, channels in ((PILImage, 3), (PILImageBW, 1)):
        tensor = to_tensor(cls.create(path))
        assert (tuple(tensor.shape), tensor.dtype) == ((channels, SIDE, SIDE), torch.uint8)
    assert image_error(path) is None


@pytest.mark.parametrize(
    "kind", ["L", "I", "I, up to 16 bits", "F", "F, up to 255", "I;16", "I;16, little end first",
             "I;16, big end first", "LA"],
)  # fmt: skip
def test_greys_of_any_depth_are_the_greys_they_were_made_of(kind):
    tensor = ToTensor()(PILImageBW.create(KINDS[kind]))
    assert np.array_equal(tensor[0].numpy(), np.asarray(GREY))


@pytest.mark.parametrize("kind", ["RGB", "RGB, one clear colour", "RGBA", "BMP", "CMYK in TIFF"])
def test_colours_are_the_colours_they_were_made_of(kind):
    tensor = ToTensor()(PILImage.create(KINDS[kind]))
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), np.asarray(COLOUR))


def test_lightness_of_lab_is_the_grey_of_its_colours():
    image = PILImage.create(KINDS["LAB"])
    assert np.array_equal(PILImageBW.create(KINDS["LAB"]), np.asarray(image.convert("L")))


@pytest.mark.parametrize("kind", ["animated GIF", "animated WebP", "animated PNG"])
def test_of_several_frames_the_first_is_taken(kind):
    assert ToTensor()(PILImage.create(KINDS[kind]))[:, 3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", SIZED)
@pytest.mark.parametrize("ending", ["PNG", "JPEG"])
def test_thin_and_tiny_pictures_are_read_and_resized(kind, ending):
    width, height = SIZED[kind]
    image = PILImage.create(file(Image.new("RGB", (width, height), "red"), ending))
    assert ToTensor()(image).shape == (3, height, width)
    for method in ("crop", "pad", "squish"):
        made = Resize(32, method=method)(image, split_idx=1)
        assert (type(made), made.size) == (PILImage, (32, 32))


@pytest.mark.parametrize("kind", BROKEN)
def test_every_broken_file_is_named(kind, tmp_path):
    path = tmp_path / "broken one.jpg"
    path.write_bytes(BROKEN[kind])
    with pytest.raises(BadItemError, match=r"broken one\.jpg"):
        PILImage.create(path).load()
    assert "broken one.jpg" in str(image_error(path))


def test_the_limits_leave_out_exactly_the_broken(tmp_path):
    for folder, files in (("good", KINDS), ("bad", BROKEN)):
        (tmp_path / folder).mkdir()
        for i, data in enumerate(files.values()):
            (tmp_path / folder / f"{i:02d}.jpg").write_bytes(data)
    assert verify_images(get_image_files(tmp_path)) == get_image_files(tmp_path / "bad")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak there")
def test_all_of_it_is_read_in_less_than_500_mb(tmp_path):
    for i, data in enumerate([*KINDS.values(), *BROKEN.values()]):
        (tmp_path / f"{i:02d}.jpg").write_bytes(data)
    Image.new("RGB", SIZED["1x10000"]).save(tmp_path / "long.png")
    # What `getrusage` tells would be no less than the size of this process, which started that one.
    code = """
import re, sys, warnings
warnings.simplefilter("ignore")
from layerwise.vision.all import *
bad = verify_images(get_image_files(sys.argv[1]), n_workers=2)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(len(bad), int(peak[1]) // 1024)
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    count, peak = map(int, run.stdout.split())
    assert count == len(BROKEN)
    assert peak < 500


def test_masks_keep_their_codes_or_say_that_they_cannot(tmp_path):
    codes = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 11
    for image in (
        Image.fromarray(codes.astype(np.uint8)),
        Image.fromarray(codes.astype(np.uint16)),
    ):
        assert np.array_equal(PILMask.create(file(image, "PNG")), codes)
    path = tmp_path / "mask.png"
    path.write_bytes(KINDS["I;16"])
    with pytest.raises(BadItemError, match=r"mask\.png: a mask holds codes from 0 to 255"):
        PILMask.create(path)


# -- a folder of them ----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """All good and all broken files, in two classes; the number of the broken ones."""
    for at, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        for i, data in enumerate([*KINDS.values(), *BROKEN.values()]):
            if i % 2 == at:
                (tmp_path / name / f"{i:02d}.jpg").write_bytes(data)
    return tmp_path


def loaders(folder, **given):
    block = DataBlock(
        (ImageBlock, CategoryBlock), get_items=get_image_files, get_y=parent_label,
        splitter=RandomSplitter(0.25, seed=1), item_tfms=Resize(32),
    )  # fmt: skip
    return block.dataloaders(folder, **{"bs": 8, **given})


def read_all(dls):
    for dl in dls:
        list(dl)


@pytest.mark.parametrize("workers", [0, 2])
def test_training_goes_on_without_the_broken_files_and_counts_them(folder, workers):
    dls = loaders(folder, bs=13, num_workers=workers, on_bad_item="skip")  # 39 items train
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        learn = Learner(dls, cnn_for(dls))  # which looks at a batch already
        for dl in dls:
            dl.bad_items.clear()
        learn.fit(1, 1e-3)
    left_out = [*dls.train.bad_items, *dls.valid.bad_items]
    assert len(left_out) == len(set(left_out)) == len(BROKEN)
    assert all(".jpg" in line and line.startswith("item ") for line in left_out)
    assert {f"left out: {line}" for line in left_out} <= {str(one.message) for one in told}
    assert all(torch.isfinite(p).all() for p in learn.model.parameters())


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["JPEG without its end", "HTML", "PNG of 13000 x 13000"])
def test_otherwise_the_first_broken_file_stops_it_and_is_named(tmp_path, workers, kind):
    for i in range(8):
        (tmp_path / f"{i}.jpg").write_bytes(KINDS["L in JPEG"])
    (tmp_path / "5.jpg").write_bytes(BROKEN[kind])
    dls = loaders(tmp_path, num_workers=workers)
    with pytest.raises(
        DataError, match=r"item \d.*cannot read the picture.*5\.jpg|item \d.*over the"
    ):
        read_all(dls)


def test_every_kind_of_file_fits_into_one_batch(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    for i, data in enumerate(KINDS.values()):
        (tmp_path / "ab"[i % 2] / f"{i:02d}.jpg").write_bytes(data)
    (x, _), *_ = loaders(tmp_path).train.new(bs=64, drop_last=False)
    assert (x.dtype, tuple(x.shape[1:])) == (torch.float32, (3, 32, 32))
    assert 0 <= float(x.min()) <= float(x.max()) <= 1


# -- names ---------------------------------------------------------------------------------

ODD = [
    "a b",
    "ü–名",
    "it's; $(x) `y`",
    '"quoted"',
    "../up",
    "with\nnewline",
    "a/b",
    "-rf",
    "#na#",
    "%s{0}",
]


def test_labels_are_words_and_never_places(tmp_path):
    pd = pytest.importorskip("pandas")
    rows = []
    for i, label in enumerate(ODD * 3):
        COLOUR.save(tmp_path / f"{i}.png")
        rows.append({"name": f"{i}.png", "label": label})
    dls = ImageDataLoaders.from_df(pd.DataFrame(rows), tmp_path, seed=0, valid_pct=0.2, bs=4)
    assert sorted(dls.vocab) == sorted(ODD)
    learn = Learner(dls, cnn_for(dls), path=tmp_path / "work")
    learn.export("odd.lw")
    again = load_learner(tmp_path / "work" / "odd.lw")
    assert again.predict(tmp_path / "0.png")[0] == learn.predict(tmp_path / "0.png")[0]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".png") == ["work"]


@pytest.mark.skipif(os.name == "nt", reason="such names are none on Windows")
def test_files_and_folders_with_odd_names_are_found_and_named(tmp_path):
    for label in ("a b", "ü–名", "it's; $(x)", "back\\slash", "new\nline"):
        (tmp_path / label).mkdir()
        for i in range(4):
            COLOUR.save(tmp_path / label / f"pic {i} %s {{0}}.png")
    dls = ImageDataLoaders.from_folder(tmp_path, valid_pct=0.2, seed=0, bs=4)
    assert set(dls.vocab) == {p.name for p in tmp_path.iterdir()}
    broken = tmp_path / "new\nline" / "broken\\%s{0}.jpg"
    broken.write_bytes(PHOTO[:-2])
    assert verify_images(get_image_files(tmp_path)) == [broken]
    assert "broken" in str(image_error(broken))


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "/etc/secret.png", "in/../../secret.png", "..\\secret.png", "C:\\secret.png"],
)
def test_a_table_cannot_name_a_file_outside_its_folder(tmp_path, name):
    pd = pytest.importorskip("pandas")
    (tmp_path / "data").mkdir()
    COLOUR.save(tmp_path / "data" / "fine.png")
    COLOUR.save(tmp_path / "secret.png")
    frame = pd.DataFrame({"name": ["fine.png", "fine.png", name, name], "label": list("abab")})
    with pytest.raises((DataError, ValueError), match="secret"):
        read_all(ImageDataLoaders.from_df(frame, tmp_path / "data", valid_pct=0.5, seed=0, bs=1))
