"""The page in a browser, as a visitor uses it: at the width of a desk and of a phone."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("gradio", reason="the extra demo is not installed")
pytest.importorskip("uvicorn", reason="the extra serve is not installed")
import httpx

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = {"desk": 1100, "phone": 390}


@pytest.fixture
def address():
    """A function that serves a learner with its page, in a process, and gives its address."""
    running = []

    def serve(kind, max_mb=1.0):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        script = Path(__file__).with_name("serve_page.py")
        running.append(subprocess.Popen([sys.executable, script, kind, str(port), str(max_mb)]))
        place = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while running[-1].poll() is None and time.monotonic() < until:
            try:
                httpx.get(f"{place}/health")
                return place
            except httpx.ConnectError:
                time.sleep(0.1)
        raise RuntimeError("the server did not start")

    yield serve
    for process in running:
        process.terminate()
        process.wait(20)


@pytest.fixture
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def opened_page(browser, address, width):
    """The page, and the list of what it asks for elsewhere and of errors, which grows."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda r: wrong.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else 0,
    )
    page.goto(f"{address}/page/")
    page.get_by_role("button", name="Predict").wait_for()
    return page, wrong


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_text_is_answered(address, browser, width):
    page, wrong = opened_page(browser, address("texts"), width)
    page.get_by_label("Text").fill("so good a film")
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("8").first.wait_for()  # twice as many as there are words
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []


def test_a_file_is_answered(address, browser, tmp_path):
    (tmp_path / "zeros.bin").write_bytes(b"\0\0\0a")
    page, wrong = opened_page(browser, address("files"), 390)
    page.set_input_files("input[type=file]", tmp_path / "zeros.bin")
    page.get_by_text("zeros").first.wait_for()
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("1.5").first.wait_for()
    assert wrong == []


def test_what_is_refused_is_told(address, browser):
    page, _ = opened_page(browser, address("texts"), 390)
    page.get_by_role("button", name="Predict").click()
    page.get_by_text("text is empty; give a text in quotes").first.wait_for()


def test_a_file_of_the_server_is_not_read(address, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(10))
    given = {"path": str(secret), "meta": {"_type": "gradio.FileData"}}
    asked = {"data": [given], "fn_index": 0, "session_hash": "x"}
    place = address("files")
    found = httpx.post(f"{place}/page/gradio_api/queue/join", json=asked)
    assert found.status_code == 422
    assert httpx.get(f"{place}/page/gradio_api/file={secret}").status_code == 403


def test_an_upload_that_is_too_large_is_refused(address):
    place = address("files", max_mb=0.01)
    sent = {"files": ("x.bin", bytes(1 << 20))}
    found = httpx.post(f"{place}/page/gradio_api/upload", files=sent)
    assert found.status_code == 413
