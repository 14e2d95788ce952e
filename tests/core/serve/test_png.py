"""PNG files that we write, as Pillow reads them, or by the format itself."""

import struct
import zlib

import pytest
import torch

from layerwise.core.serve.png import png_of


def read_png(content):
    """Depth, colour type and the rows of unfiltered bytes, by the words of the format."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, data, head = 8, b"", None
    while place < len(content):
        (size,) = struct.unpack_from(">I", content, place)
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        (crc,) = struct.unpack_from(">I", content, place + 8 + size)
        assert crc == zlib.crc32(kind + body)
        head = struct.unpack(">IIBBBBB", body) if kind == b"IHDR" else head
        data += body if kind == b"IDAT" else b""
        place += 12 + size
    width, height, depth, colour, *_ = head
    raw = zlib.decompress(data)
    line = len(raw) // height
    rows = [raw[i * line : (i + 1) * line] for i in range(height)]
    assert all(row[0] == 0 for row in rows)
    return (width, height, depth, colour), [list(row[1:]) for row in rows]


def test_a_mask_is_grey_and_keeps_its_codes():
    found = read_png(png_of(torch.tensor([[0, 1, 2], [255, 4, 5]])))
    assert found == ((3, 2, 8, 0), [[0, 1, 2], [255, 4, 5]])


def test_codes_beyond_a_byte_take_two():
    found = read_png(png_of(torch.tensor([[0, 256], [65535, 7]])))
    assert found == ((2, 2, 16, 0), [[0, 0, 1, 0], [255, 255, 0, 7]])


def test_colours_stand_together():
    picture = torch.tensor([[[1, 2]], [[3, 4]], [[5, 6]]], dtype=torch.uint8)
    assert read_png(png_of(picture)) == ((2, 1, 8, 2), [[1, 3, 5, 2, 4, 6]])


def test_pillow_reads_the_same(tmp_path):
    image = pytest.importorskip("PIL.Image")
    np = pytest.importorskip("numpy")
    pixels = torch.randint(0, 256, (4, 5, 7), generator=torch.Generator().manual_seed(0))
    (tmp_path / "x.png").write_bytes(png_of(pixels))
    with image.open(tmp_path / "x.png") as opened:
        assert opened.mode == "RGBA"
        assert np.array_equal(np.asarray(opened), pixels.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        (torch.zeros(2, 3, 3), r"\(2, 3, 3\); give \(H, W\)"),
        (torch.zeros(3), r"shape \(3,\)"),
        (torch.zeros(2, 2), "fractions"),
        (torch.full((2, 2), 70000), "70000; give 0 to 65535"),
        (torch.full((3, 2, 2), -1), "-1 to -1; give 0 to 255"),
        (torch.zeros(0, 2).long(), "shape"),
    ],
)
def test_what_is_no_picture_is_refused(pixels, told):
    with pytest.raises(ValueError, match=told):
        png_of(pixels)
