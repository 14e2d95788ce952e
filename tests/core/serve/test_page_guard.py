"""Requests of the page name uploads and no other file of the server."""

import asyncio
import json

import pytest

pytest.importorskip("starlette", reason="the extra serve is not installed")
import httpx

from layerwise.core.serve.page_guard import PageGuard


async def echo(scope, receive, send):
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def ask(tmp_path):
    guard = PageGuard(echo, "/page", tmp_path / "uploads")

    def asked(content, path="/page/gradio_api/queue/join"):
        async def one():
            transport = httpx.ASGITransport(guard)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.post(path, content=content)

        return asyncio.run(one())

    return asked


def test_an_upload_comes_through_unchanged(ask, tmp_path):
    body = json.dumps({"data": [{"path": str(tmp_path / "uploads" / "a" / "x.png")}]}).encode()
    found = ask(body)
    assert (found.status_code, found.content) == (200, body)


@pytest.mark.parametrize(
    "named",
    [
        "/etc/passwd",
        "uploads/../../etc/passwd",
        "https://example.org/x",
        "file:///etc/passwd",
        3,
    ],
)
@pytest.mark.parametrize("where", [lambda f: [f], lambda f: {"a": [{"b": f}]}])
def test_other_files_and_addresses_do_not(ask, named, where):
    found = ask(json.dumps({"data": where({"path": named, "meta": {}})}))
    assert found.status_code == 422
    assert "is no file that was uploaded" in found.json()["detail"]


def test_a_way_out_of_the_folder_does_not(ask, tmp_path):
    found = ask(json.dumps({"data": [{"path": f"{tmp_path}/uploads/../secret"}]}))
    assert found.status_code == 422


def test_a_link_in_the_folder_does_not(ask, tmp_path):
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "link").symlink_to("/etc/passwd")
    found = ask(json.dumps({"data": [{"path": f"{tmp_path}/uploads/link"}]}))
    assert found.status_code == 422


def test_what_is_no_json_or_too_large_does_not(ask):
    assert ask(b'{"path": ').status_code == 422
    assert ask(b" " * (2 << 20)).status_code == 413


def test_other_paths_are_not_looked_at(ask):
    assert ask(b'{"path": "/etc/passwd"}', path="/predict").status_code == 200
    assert ask(b"\0", path="/page/gradio_api/upload").status_code == 200
