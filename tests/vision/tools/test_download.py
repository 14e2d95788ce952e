"""Pictures come from a server on this machine; no test needs a network."""

import io
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from layerwise.core.errors import MissingDependencyError
from layerwise.vision.io import load_image
from layerwise.vision.tools.download import download_images


def picture(kind="JPEG", colour="red"):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(buffer, kind)
    return buffer.getvalue()


JPEG, PNG = picture(), picture("PNG")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        reply = self.server.replies.get(self.path)
        if reply is None:
            self.send_error(404)
        elif isinstance(reply, str):
            self.send_response(302)
            self.send_header("Location", reply)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif callable(reply):
            reply(self)
        else:
            self.answer(reply, len(reply))

    def answer(self, data, length):
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def drip(handler):
    """A byte every twentieth of a second: never silent, never done."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b"x" * 70_000)
            time.sleep(0.05)
    except OSError:
        pass  # the other side has had enough


def silent(handler):
    handler.server.patience.wait(10)


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.patience = [], threading.Event()
    made.replies = {
        "/a.jpg": JPEG,
        "/b.jpg": PNG,
        "/cats/tom%20cat.JPG?size=3": JPEG,
        "/page.jpg": b"<!doctype html><html></html>",
        "/half.jpg": lambda handler: handler.answer(JPEG[: len(JPEG) // 2], len(JPEG)),
        "/cut.jpg": JPEG[:-2],
        "/moved.jpg": "/a.jpg",
        "/away.jpg": "ftp://example.com/a.jpg",
        "/file.jpg": "file:///etc/passwd",
        "/drip.jpg": drip,
        "/silent.jpg": silent,
        "/round.jpg": "/round.jpg",
    }
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.patience.set()
    made.shutdown()
    thread.join()
    made.server_close()


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def get(server, folder, *paths, **given):
    urls = [server.url + path for path in paths]
    return download_images(folder, urls=urls, allow_http=True, **given)


def test_pictures_are_numbered_and_named_after_what_they_are(server, tmp_path):
    report = get(server, tmp_path / "new", "/a.jpg", "/b.jpg")
    assert names(tmp_path / "new") == ["00000000.jpg", "00000001.png"]
    assert [p.name for p in report.done] == ["00000000.jpg", "00000001.png"]
    assert load_image(report.done[0]).size == (40, 30)
    assert not report.failed


def test_numbers_go_on_where_those_of_the_folder_end(server, tmp_path):
    for _ in range(2):
        get(server, tmp_path, "/a.jpg")
    assert names(tmp_path) == ["00000000.jpg", "00000001.jpg"]


def test_names_of_the_addresses_are_kept_if_wanted(server, tmp_path):
    (tmp_path / "a.jpg").write_text("mine")
    paths = ("/a.jpg", "/b.jpg", "/cats/tom%20cat.JPG?size=3")
    get(server, tmp_path, *paths, preserve_filename=True)
    assert names(tmp_path) == ["a.jpg", "a_1.jpg", "b.png", "tom cat.JPG"]
    assert (tmp_path / "a.jpg").read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/..%2F..%2Fup.jpg", "up.jpg"),
        ("/.hidden.jpg", "hidden.jpg"),
        ("/a%00b%0A:c.jpg", "a_b__c.jpg"),
        ("/view.php", "view.php.jpg"),
        ("/", "00000000.jpg"),
        ("/%F0%9F%90%88" * 1 + "x" * 300 + ".jpg", None),
    ],
    ids=["up", "hidden", "control", "script", "none", "long"],
)
def test_a_name_never_leaves_the_folder_and_is_one_for_a_file(server, tmp_path, path, name):
    server.replies[path] = JPEG
    report = get(server, tmp_path / "in", path, preserve_filename=True)
    assert not report.failed
    (made,) = (tmp_path / "in").iterdir()
    assert made.name == name if name else len(made.name) < 80
    assert names(tmp_path) == ["in"]


def test_what_is_no_whole_picture_is_not_kept_and_told_why(server, tmp_path):
    paths = ("/page.jpg", "/half.jpg", "/cut.jpg", "/none.jpg", "/a.jpg", "/round.jpg")
    with pytest.warns(UserWarning, match="5 of 6 pictures could not be downloaded"):
        report = get(server, tmp_path, *paths)
    assert names(tmp_path) == ["00000004.jpg"]
    why = {url.removeprefix(server.url): reason for url, reason in report.failed.items()}
    assert "in no format that Pillow reads" in why["/page.jpg"]
    assert "IncompleteRead" in why["/half.jpg"]
    assert "truncated" in why["/cut.jpg"]
    assert "404" in why["/none.jpg"]
    assert "redirects" in why["/round.jpg"]


def test_only_https_is_fetched_unless_http_is_allowed(server, tmp_path):
    with pytest.warns(UserWarning, match="only https addresses are"):
        report = download_images(tmp_path, urls=[f"{server.url}/a.jpg", "file:///a.jpg", "a.jpg"])
    assert (len(report.failed), server.asked, names(tmp_path)) == (3, [], [])


@pytest.mark.parametrize("path", ["/away.jpg", "/file.jpg"])
def test_a_redirect_elsewhere_is_not_followed(server, tmp_path, path):
    with pytest.warns(UserWarning, match="only https addresses are"):
        get(server, tmp_path, path)
    assert names(tmp_path) == []


def test_a_redirect_to_a_picture_is_followed(server, tmp_path):
    assert len(get(server, tmp_path, "/moved.jpg").done) == 1


def test_a_file_that_is_too_large_or_too_slow_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr("layerwise.vision.tools.download._PATIENCE", 1)
    with pytest.warns(UserWarning, match="has more than 100 bytes"):
        get(server, tmp_path, "/a.jpg", max_bytes=100)
    with pytest.warns(UserWarning, match=r"has more than 1000000 bytes"):
        get(server, tmp_path, "/drip.jpg", max_bytes=1_000_000)
    with pytest.warns(UserWarning, match="comes too slowly"):
        get(server, tmp_path, "/drip.jpg", timeout=0.3)
    with pytest.warns(UserWarning, match="[Tt]imed out"):
        get(server, tmp_path, "/silent.jpg", timeout=0.1)
    assert names(tmp_path) == []


def test_addresses_come_from_a_file_once_each_and_no_more_than_wanted(server, tmp_path):
    lines = [f"{server.url}/{name}" for name in ("a.jpg", "b.jpg", "a.jpg", "moved.jpg")]
    (tmp_path / "urls.txt").write_text("\n".join(lines) + "\n\n")
    report = download_images(tmp_path / "x", tmp_path / "urls.txt", max_pics=2, allow_http=True)
    assert (len(report.done), sorted(server.asked)) == (2, ["/a.jpg", "/b.jpg"])


def test_addresses_are_given_in_one_way(tmp_path):
    with pytest.raises(ValueError, match="give either url_file="):
        download_images(tmp_path)
    with pytest.raises(ValueError, match="give either url_file="):
        download_images(tmp_path, "urls.txt", urls=[])
    with pytest.raises(TypeError, match="is one address; give a list"):
        download_images(tmp_path, urls="https://example.com/a.jpg")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(MissingDependencyError, match=r"layerwise-core\[download\]"):
        download_images(tmp_path, urls=["https://example.com/a.jpg"])
