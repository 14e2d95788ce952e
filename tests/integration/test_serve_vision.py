"""Bundles of pictures over the web: classes and masks, and what a picture must not be."""

import io
import struct
import zlib
from base64 import b64decode
from zlib import crc32

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("layerwise.vision.all", reason="layerwise-vision is not installed")
import numpy as np
import torch
from fastapi.testclient import TestClient
from PIL import Image

from layerwise.core.data.block import CategoryBlock, DataBlock
from layerwise.core.data.split import IndexSplitter
from layerwise.core.learner import Learner
from layerwise.core.random import set_seed
from layerwise.core.restore import load_learner
from layerwise.core.serve.app import create_app
from layerwise.core.serve.limits import Limits
from layerwise.vision.blocks import ImageBlock, MaskBlock
from layerwise.vision.models.xresnet import xresnet18

COLOURS = {"red": (200, 0, 0), "blue": (0, 0, 200)}


def picture_of(name, size=(24, 24)):
    return np.full((*size, 3), COLOURS[name], np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def bomb(side):
    """A PNG of a few hundred KB that promises `side` x `side` pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colours")
    for name in COLOURS:
        (folder / name).mkdir()
        for i in range(8):
            (folder / name / f"{i}.png").write_bytes(png(picture_of(name)))
    set_seed(0)
    from layerwise.vision.data import ImageDataLoaders

    dls = ImageDataLoaders.from_folder(folder, valid_pct=0.5, seed=1, bs=4, num_workers=0)
    learn = Learner(dls, xresnet18(n_out=2), path=folder)
    with learn.no_bar(), learn.no_logging():
        learn.fit(2, 1e-2)
    return learn.export("colours.lw")


@pytest.fixture(scope="module")
def client(bundle):
    with TestClient(create_app(bundle, Limits(max_mb=1, max_items=8))) as opened:
        yield opened


def test_a_picture_is_answered_as_the_learner_predicts_it(client, bundle):
    content = png(picture_of("red"))
    found = client.post("/predict", files={"file": ("x.png", content, "image/png")}).json()
    label, _, probabilities = load_learner(bundle).predict(content)
    assert found["label"] == label
    assert list(found["probabilities"].values()) == pytest.approx(probabilities.tolist(), abs=1e-6)
    assert list(found["probabilities"]) == ["blue", "red"]


def test_a_batch_is_answered_in_its_order(client):
    names = ["red", "blue", "red"]
    single = [client.post("/predict", files={"file": png(picture_of(n))}).json() for n in names]
    parts = [("files", png(picture_of(n))) for n in names]
    several = client.post("/predict/batch", files=parts).json()["predictions"]
    for one, other in zip(single, several, strict=True):
        assert one["label"] == other["label"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-5)


def test_info_and_description_are_of_this_bundle(client):
    info = client.get("/info").json()
    assert (info["takes"], info["media_type"]) == ("file", "image/*")
    assert info["classes"] == ["blue", "red"]
    described = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    answer = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["required"] == ["label", "probability", "probabilities"]


def test_the_name_of_a_file_is_no_picture(client, bundle):
    name = str(next(bundle.parent.rglob("*.png")))
    assert client.post("/predict", json={"file": name}).status_code == 415
    found = client.post("/predict", files={"file": name.encode()})
    assert found.status_code == 422
    assert "cannot read the picture" in found.json()["detail"]


@pytest.mark.parametrize("side", [12_000, 16_000])
def test_a_bomb_is_refused_and_the_server_lives(client, side):
    content = bomb(side)
    assert len(content) < 1 << 20
    found = client.post("/predict", files={"file": content})
    assert found.status_code == 422
    assert "limit of" in found.json()["detail"]
    assert client.get("/health").json() == {"status": "ok"}
    assert client.post("/predict", files={"file": png(picture_of("red"))}).status_code == 200


def test_a_broken_picture_of_a_batch_is_named(client):
    whole = png(picture_of("red"))
    found = client.post("/predict/batch", files=[("files", whole), ("files", whole[:60])])
    assert found.status_code == 422
    assert found.json()["detail"].startswith("files[1]: ")


def test_a_mask_comes_as_a_picture_of_codes(tmp_path):
    set_seed(0)
    block = DataBlock(
        (ImageBlock, MaskBlock(codes=["sky", "road"])), splitter=IndexSplitter([0]),
        get_x=picture_of, get_y=lambda name: np.ones((24, 24), np.uint8),
    )  # fmt: skip
    dls = block.dataloaders(["red"] * 4, bs=2, num_workers=0)

    class Road(torch.nn.Conv2d):
        def forward(self, x):
            scores = torch.zeros(len(x), 2, *x.shape[2:])
            scores[:, 1, :, :12] = 1
            return scores

    with TestClient(create_app(Learner(dls, Road(3, 2, 1), path=tmp_path))) as opened:
        found = opened.post("/predict", files={"file": png(picture_of("blue"))}).json()
    assert found["shares"] == {"sky": 0.5, "road": 0.5}
    mask = np.asarray(Image.open(io.BytesIO(b64decode(found["mask"]))))
    assert mask.shape == (24, 24)
    assert (mask[:, :12] == 1).all()
    assert (mask[:, 12:] == 0).all()


def test_a_table_of_pictures_takes_pictures():
    rows = [{"name": name} for name in COLOURS] * 4
    block = DataBlock(
        (ImageBlock, CategoryBlock), get_x=lambda row: picture_of(row["name"]),
        get_y=lambda row: row["name"], splitter=IndexSplitter([0, 1]),
    )  # fmt: skip
    learn = Learner(block.dataloaders(rows, bs=2, num_workers=0), xresnet18(n_out=2))
    with TestClient(create_app(learn)) as opened:
        found = opened.post("/predict", files={"file": png(picture_of("red"))})
    assert found.json()["label"] in COLOURS
