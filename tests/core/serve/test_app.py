"""The server: what it answers, what it refuses and in which words, and that it stays awake."""

import asyncio
import logging
import threading

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("python_multipart", reason="the extra serve is not installed")
import httpx

from layerwise.core.errors import ConfigError
from layerwise.core.serve.app import create_app
from layerwise.core.serve.limits import Limits

FORM = {"content-type": "multipart/form-data; boundary=x"}


def asked(app, *requests):
    """The responses of `app` to requests, which are made at the same moment."""

    async def all_of_them():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*(client.request(*r[:2], **r[2]) for r in requests))

    return asyncio.run(all_of_them())


def ask(app, method, path, **given):
    (response,) = asked(app, (method, path, given))
    return response


def test_a_file_of_a_form_or_the_whole_body(files):
    app = create_app(files)
    form = ask(app, "POST", "/predict", files={"file": b"\0\0\0a"})
    assert (form.status_code, form.json()) == (200, {"value": 1.5})
    body = {"content": b"\0\0\0a", "headers": {"content-type": "application/octet-stream"}}
    assert ask(app, "POST", "/predict", **body).json() == {"value": 1.5}


def test_a_batch_is_answered_in_its_order(files):
    parts = [("files", content) for content in (b"\0", b"a", b"\0a")]
    found = ask(create_app(files), "POST", "/predict/batch", files=parts)
    assert found.json() == {"predictions": [{"value": v} for v in (2.0, 0.0, 1.0)]}


def test_texts_come_as_json(texts):
    app = create_app(texts)
    assert ask(app, "POST", "/predict", json={"text": "so good"}).json() == {"value": 4.0}
    both = ask(app, "POST", "/predict/batch", json={"texts": ["a", "a b c"]})
    assert both.json() == {"predictions": [{"value": 2.0}, {"value": 6.0}]}


def test_a_text_that_is_a_path_is_a_text(texts, tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("one two three four five")
    found = ask(create_app(texts), "POST", "/predict", json={"text": str(file)})
    assert found.json() == {"value": 2.0}


def test_a_path_is_no_file(files, tmp_path):
    file = tmp_path / "zeros"
    file.write_bytes(bytes(10))
    app = create_app(files)
    for given in ({"json": {"file": str(file)}}, {"data": {"file": str(file)}}):
        assert ask(app, "POST", "/predict", **given).status_code == 415
    part = f'--x\r\ncontent-disposition: form-data; name="file"\r\n\r\n{file}\r\n--x--\r\n'
    found = ask(app, "POST", "/predict", content=part, headers=FORM)
    assert found.status_code == 422
    assert "'file' is a text; send the file itself" in found.json()["detail"]
    whole = ask(app, "POST", "/predict", files={"file": str(file).encode()})
    assert whole.json() == {"value": 0.0}  # of its letters none is 0


@pytest.mark.parametrize(
    ("path", "given", "status", "told"),
    [
        ("", {"files": {"fiel": b"a"}}, 422, "unknown part 'fiel'. Did you mean 'file'?"),
        ("", {"files": [("file", b"a"), ("file", b"b")]}, 422, "several to /predict/batch"),
        ("", {"files": {"file": b""}}, 422, "file is empty"),
        ("", {"content": b"zz", "headers": FORM}, 422, "the form cannot be read"),
        ("", {"content": b"a", "headers": {"content-type": "image/png"}}, 415, "'image/png'"),
        ("", {"content": b"a"}, 415, "of type 'none'; send a form"),
        ("", {"files": {"file": b"broken"}}, 422, "this is broken"),
        ("/batch", {"files": [("files", b"a"), ("files", b"broken")]}, 422, "files[1]: "),
        ("/batch", {"files": [("files", b"a")] * 4}, 413, "send at most 3 at once"),
        ("/batch", {"content": b"a", "headers": {"content-type": "image/png"}}, 415, "parts named"),
        ("", {"files": {"file": bytes(2 << 20)}}, 413, "larger than 1 MB"),
    ],
)
def test_what_is_refused_of_files(files, path, given, status, told):
    found = ask(create_app(files, Limits(1, 3)), "POST", f"/predict{path}", **given)
    assert found.status_code == status, found.text
    assert told in found.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("", b'{"txt": "a"}', 422, "unknown key 'txt'. Did you mean 'text'?"),
        ("", b"{}", 422, "no key 'text'"),
        ("", b'["a"]', 422, "the body is no object"),
        ("", b'{"text": 3}', 422, "text is a number, 3"),
        ("", b'{"text": "a", "text": "b"}', 422, "gives a key twice"),
        ("", b'{"text": NaN}', 422, "has the number NaN"),
        ("", b'{"text": "\xff"}', 422, "cannot be read"),
        ("", b'{"text":' + b"[" * 100_000, 422, "the body is not as it should be"),
        ("/batch", b'{"texts": "a"}', 422, "'texts' is no list"),
        ("/batch", b'{"texts": []}', 422, "there is nothing in 'texts'"),
        ("/batch", b'{"texts": ["a", null]}', 422, "texts[1] is null"),
        ("/batch", b'{"texts": ["a", "a", "a", "a"]}', 413, "send at most 3 at once"),
    ],
)
def test_what_is_refused_of_json(texts, path, body, status, told):
    headers = {"content-type": "application/json"}
    app = create_app(texts, Limits(1, 3))
    found = ask(app, "POST", f"/predict{path}", content=body, headers=headers)
    assert found.status_code == status, found.text
    assert told in found.json()["detail"]


def test_a_body_without_length_is_not_read_to_its_end(files):
    read = []

    async def endless():
        while True:
            read.append(1)
            yield bytes(1 << 16)

    headers = {"content-type": "application/octet-stream"}
    found = ask(
        create_app(files, Limits(1)), "POST", "/predict", content=endless(), headers=headers
    )
    assert found.status_code == 413
    assert found.headers["connection"] == "close"
    assert len(read) <= 18


def test_a_body_that_does_not_arrive_is_given_up(files):
    async def slow():
        yield b"a"
        await asyncio.sleep(30)

    headers = {"content-type": "application/octet-stream"}
    app = create_app(files, Limits(timeout=0.1))
    found = ask(app, "POST", "/predict", content=slow(), headers=headers)
    assert found.status_code == 408
    assert "did not arrive within 0.1 seconds" in found.json()["detail"]


def test_a_slow_prediction_keeps_nobody_else_waiting(texts):
    texts.model.event = threading.Event()
    app = create_app(texts, Limits(max_waiting=2))
    slow = ("POST", "/predict", {"json": {"text": "a"}})

    async def story():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            waiting = [asyncio.create_task(client.request(*slow[:2], **slow[2])) for _ in range(2)]
            await asyncio.sleep(0.1)
            healthy = await client.get("/health")
            busy = await client.request(*slow[:2], **slow[2])
            texts.model.event.set()
            return healthy, busy, await asyncio.gather(*waiting)

    healthy, busy, answered = asyncio.run(story())
    assert healthy.json() == {"status": "ok"}
    assert busy.status_code == 503
    assert busy.headers["retry-after"] == "1"
    assert "2 requests are under way" in busy.json()["detail"]
    assert [each.json() for each in answered] == [{"value": 2.0}] * 2


def test_an_answer_that_takes_too_long_is_given_up(texts):
    texts.model.event = threading.Event()
    app = create_app(texts, Limits(timeout=0.1))
    found = ask(app, "POST", "/predict", json={"text": "a"})
    texts.model.event.set()
    assert found.status_code == 503
    assert "no answer within 0.1 seconds" in found.json()["detail"]


def test_many_at_the_same_moment_are_all_answered(texts):
    requests = [("POST", "/predict", {"json": {"text": "a " * n}}) for n in range(1, 51)]
    found = asked(create_app(texts), *requests)
    assert [each.json()["value"] for each in found] == [2.0 * n for n in range(1, 51)]


def test_what_goes_wrong_in_a_model_is_logged_and_not_told(texts, caplog):
    texts.model.fails = True
    app = create_app(texts)
    with caplog.at_level(logging.ERROR):
        found = ask(app, "POST", "/predict", json={"text": "a"})
    assert found.status_code == 500
    assert "secret" not in found.text
    assert "Traceback" not in found.text
    (record,) = caplog.records
    assert record.args[0] in found.json()["detail"]
    assert "a secret of the server" in caplog.text
    texts.model.fails = False
    assert ask(app, "POST", "/predict", json={"text": "a"}).status_code == 200


def test_info_says_what_is_taken(texts):
    found = ask(create_app(texts, Limits(2, 3, 4, 5)), "GET", "/info").json()
    assert found["takes"] == "text"
    assert found["limits"] == {"megabytes": 2, "items": 3, "waiting": 4, "seconds": 5}
    assert set(found["versions"]) >= {"layerwise.core", "torch"}
    assert "platform" not in found["versions"]


def test_the_description_says_what_a_request_brings(files):
    found = ask(create_app(files, Limits(max_items=5)), "GET", "/openapi.json").json()
    one = found["paths"]["/predict"]["post"]["requestBody"]["content"]
    part = one["multipart/form-data"]["schema"]
    assert part["required"] == ["file"]
    assert part["properties"]["file"] == {"type": "string", "format": "binary"}
    several = found["paths"]["/predict/batch"]["post"]["requestBody"]["content"]
    assert several["multipart/form-data"]["schema"]["properties"]["files"]["maxItems"] == 5


def test_unknown_paths_are_told_which_there_are(texts):
    app = create_app(texts)
    found = ask(app, "GET", "/predcit")
    assert found.status_code == 404
    assert "there is no GET /predcit; there are" in found.json()["detail"]
    assert ask(app, "GET", "/predict").status_code == 405
    assert ask(app, "GET", "/docs").status_code == 404  # it would fetch scripts from elsewhere


def test_what_takes_nothing_is_not_served(texts):
    texts.dls.valid.dataset.tls[0].tfms.fs[0].takes_text = False
    with pytest.raises(ConfigError, match="nothing says what it takes"):
        create_app(texts)
