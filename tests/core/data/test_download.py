"""Downloads come from a server on this machine; no test needs a network."""

import hashlib
import io
import multiprocessing
import re
import shutil
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from layerwise.core.data import fetch
from layerwise.core.data.download import layerwise_cfg, layerwise_path, untar_data
from layerwise.core.data.fetch import DownloadError
from layerwise.core.data.members import ArchiveError, ArchiveLimits
from layerwise.core.data.source import DataPath, get_image_files
from layerwise.core.data.urls import URLs
from layerwise.core.errors import MissingDependencyError

PARITY_NAMES = set(
    re.findall(
        r"\w+",
        """
        ADULT_SAMPLE BIWI_SAMPLE CIFAR COCO_SAMPLE COCO_TINY HUMAN_NUMBERS IMDB IMDB_SAMPLE
        ML_SAMPLE ML_100k MNIST_SAMPLE MNIST_TINY MNIST_VAR_SIZE_TINY PLANET_SAMPLE PLANET_TINY
        IMAGENETTE IMAGENETTE_160 IMAGENETTE_320 IMAGEWOOF IMAGEWOOF_160 IMAGEWOOF_320 IMAGEWANG
        IMAGEWANG_160 IMAGEWANG_320 DOGS CALTECH_101 CARS CIFAR_100 CUB_200_2011 FLOWERS FOOD
        MNIST PETS AG_NEWS AMAZON_REVIEWS AMAZON_REVIEWS_POLARITY DBPEDIA MT_ENG_FRA SOGOU_NEWS
        WIKITEXT WIKITEXT_TINY YAHOO_ANSWERS YELP_REVIEWS YELP_REVIEWS_POLARITY BIWI_HEAD_POSE
        CAMVID CAMVID_TINY LSUN_BEDROOMS PASCAL_2007 PASCAL_2012 MACAQUES ZEBRA_FINCH SIIM_SMALL
        TCGA_SMALL OPENAI_TRANSFORMER WT103_FWD WT103_BWD ESC50 SPEAKERS10
        """,
    )
)


def packed(**files):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"top/{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return file.getvalue()


TOY = packed(a="hello", b="world")
TOY_SUM = hashlib.sha256(TOY).hexdigest()


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
        else:
            data, length = reply if isinstance(reply, tuple) else (reply, len(reply))
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.replies = [], {"/toy.tgz": TOY}
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def base(tmp_path, monkeypatch):
    monkeypatch.delenv("LAYERWISE_MIRROR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def get(server, base, name="toy.tgz", **settings):
    return untar_data(f"{server.url}/{name}", base=base, allow_http=True, **settings)


def visible(folder):
    return sorted(path.name for path in folder.glob("[!.]*"))


def leftovers(base):
    """Hidden files other than locks and records."""
    return [path.name for path in base.rglob(".*") if not path.name.endswith((".lock", ".json"))]


# ---------------------------------------------------------------------------------- what is there


def test_all_known_names_have_https_addresses_of_archives():
    for name in PARITY_NAMES:
        assert re.fullmatch(r"https://[\w./-]+\.(tgz|zip)", getattr(URLs, name)), name
    public = [name for name in vars(URLs) if not name.startswith("_")]
    assert sorted(public) == sorted(PARITY_NAMES)
    assert len({getattr(URLs, name) for name in public}) == len(public)


def test_folders_are_below_the_root_that_the_environment_names(monkeypatch, tmp_path):
    monkeypatch.setenv("LAYERWISE_HOME", str(tmp_path / "here"))
    assert layerwise_path("data") == tmp_path / "here" / "data"
    assert layerwise_cfg() == {
        name: tmp_path / "here" / name for name in ("archive", "data", "models")
    }
    monkeypatch.delenv("LAYERWISE_HOME")
    assert layerwise_path("archive") == Path.home() / ".layerwise" / "archive"
    assert layerwise_cfg(tmp_path)["models"] == tmp_path / "models"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"no folder 'dat'. Did you mean 'data'"):
        layerwise_path("dat")


# -------------------------------------------------------------------------------- from an address


def test_an_archive_is_downloaded_once_and_extracted_once(server, base):
    path = get(server, base)
    assert type(path) is DataPath
    assert path == base / "data" / "toy"
    assert {file.name: file.read_text() for file in path.ls()} == {"a": "hello", "b": "world"}
    assert visible(base / "archive") == ["toy.tgz"]
    assert (base / "archive/toy.tgz").stat().st_mode & 0o777 == 0o644
    assert get(server, base) == path
    shutil.rmtree(path)
    assert get(server, base).ls() == [path / "a", path / "b"]
    assert server.asked == ["/toy.tgz"]
    assert leftovers(base) == []


def test_forcing_replaces_what_is_there(server, base):
    path = get(server, base)
    (path / "mine").touch()
    server.replies["/toy.tgz"] = packed(c="new")
    assert get(server, base, force_download=True).ls() == [path / "c"]
    assert leftovers(base) == []


def test_sum_and_size_are_checked_before_the_file_gets_its_name(server, base):
    with pytest.raises(DownloadError, match=f"(?s)SHA-256 is {TOY_SUM}, expected is {'0' * 64}"):
        get(server, base, sha256="0" * 64)
    with pytest.raises(DownloadError, match=f"has {len(TOY)} bytes, not the 3 expected"):
        get(server, base, size=3)
    assert visible(base / "archive") == []
    assert leftovers(base) == []
    assert not (base / "data").exists()
    assert get(server, base, sha256=TOY_SUM.upper(), size=len(TOY)).is_dir()
    with pytest.raises(DownloadError, match=f"in the cache has the SHA-256 {TOY_SUM}, expected"):
        get(server, base, sha256="0" * 64)


def test_a_download_that_stops_early_leaves_nothing(server, base):
    server.replies["/toy.tgz"] = (TOY[:50], len(TOY))
    with pytest.raises(DownloadError, match="could not be downloaded"):
        get(server, base)
    assert visible(base / "archive") == []
    assert leftovers(base) == []
    server.replies["/toy.tgz"] = TOY
    assert get(server, base).is_dir()


def test_a_web_page_in_place_of_the_archive_is_named(server, base):
    server.replies["/toy.tgz"] = b"<!doctype html><title>Log in</title>"
    with pytest.raises(DownloadError, match=r"is no archive: it is a web page \(HTML\).*'Log in'"):
        get(server, base)
    assert visible(base / "archive") == []


def test_redirects_are_followed_but_not_away_from_the_network(server, base):
    server.replies["/moved.tgz"] = "/toy.tgz"
    assert get(server, base, "moved.tgz").name == "moved"
    secret = base.parent / "secret.tgz"
    secret.write_bytes(TOY)
    for to in (secret.as_uri(), "ftp://127.0.0.1/x.tgz", "data:text/plain,x"):
        server.replies["/evil.tgz"] = to
        with pytest.raises(DownloadError, match=r"redirects elsewhere.*only https"):
            get(server, base, "evil.tgz")
    assert visible(base / "archive") == ["moved.tgz"]


def test_a_redirect_to_http_is_refused(server, base):
    check = fetch._downloader("https://x.org", [], allow_http=False).kwargs["hooks"]["response"]

    class Response:
        is_redirect = True
        url = "https://example.com/x"
        headers = {"location": "http://example.com/x"}

    with pytest.raises(DownloadError, match="only https addresses are, not 'http'"):
        check(Response())
    Response.headers = {"location": "/y"}
    check(Response())


@pytest.mark.parametrize(
    "url", ["http://example.com/a.tgz", "file:///etc/a.tgz", "ftp://example.com/a.tgz"]
)
def test_only_https_addresses_are_taken(base, url):
    with pytest.raises(DownloadError, match="only https addresses are"):
        untar_data(url, base=base)
    assert not base.exists()


@pytest.mark.parametrize("url", ["https://example.com", "https://x.org/a/..", "https://x/%2e%2e"])
def test_an_address_without_a_name_is_refused(base, url):
    with pytest.raises(ValueError, match="does not end in the name of an archive"):
        untar_data(url, base=base)


def test_a_name_in_place_of_an_address_is_helped(base):
    with pytest.raises(ValueError, match=r"'MNIST_TINI' is no address.*Did you mean 'MNIST_TINY'"):
        untar_data("MNIST_TINI", base=base)
    with pytest.raises(TypeError, match="force"):
        untar_data(URLs.MNIST_TINY, force=True)  # type: ignore[call-arg]  # what is tested


def test_two_addresses_with_one_name_are_not_mixed_up(server, base, tmp_path):
    server.replies["/other/toy.tgz"] = packed(z="other")
    get(server, base)
    with pytest.raises(DownloadError, match=r"came from .*/toy.tgz', not .*/other/toy.tgz'.*data="):
        get(server, base, "other/toy.tgz")
    elsewhere = {"data": tmp_path / "d", "archive": tmp_path / "r"}
    assert get(server, base, "other/toy.tgz", **elsewhere) == tmp_path / "d" / "toy"
    assert visible(tmp_path / "r") == ["toy.tgz"]
    replaced = get(server, base, "other/toy.tgz", force_download=True)
    assert visible(replaced) == ["z"]


def test_hostile_archives_leave_no_data(server, base):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    server.replies["/toy.tgz"] = file.getvalue()
    with pytest.raises(ArchiveError, match="leads upwards"):
        get(server, base)
    assert visible(base / "data") == []
    assert leftovers(base) == []
    server.replies["/toy.tgz"] = TOY
    with pytest.raises(ArchiveError, match="more than 1 members"):
        get(server, base, force_download=True, limits=ArchiveLimits(members=1))


def test_leftovers_of_a_killed_process_are_removed(server, base):
    for left in ("data/.toy~abcdefgh/new/x", "archive/.toy.tgz~12345678", "data/.toy~s~12345678"):
        (base / left).parent.mkdir(parents=True, exist_ok=True)
        (base / left).touch()
    get(server, base)
    assert leftovers(base) == [".toy~s~12345678"]  # of another data set


def untar(url, base):
    path = untar_data(url, base=base, allow_http=True)
    return sorted(file.read_text() for file in path.iterdir())


def test_processes_at_the_same_time_download_once(server, base):
    url = f"{server.url}/toy.tgz"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(untar, [(url, base)] * 4)
    assert found == [["hello", "world"]] * 4
    assert server.asked == ["/toy.tgz"]
    assert leftovers(base) == []


def test_a_read_only_cache_serves(server, base):
    path = get(server, base)
    for lock in base.rglob("*.lock"):
        lock.unlink()
    get(server, base)
    assert list(base.rglob("*.lock")) == []  # nothing was written
    assert path.is_dir()


# -------------------------------------------------------------------------------- from the mirror


def test_a_folder_as_mirror_is_used_in_place(base, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/toy.tgz").write_bytes(TOY)
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path / "mirror"))
    for address in ("https://example.com/far/toy.tgz", "https://example.com/toy.zip"):
        path = untar_data(address, base=base / address[-3:], sha256=TOY_SUM)
        assert visible(path) == ["a", "b"]
        assert visible(base / address[-3:] / "archive") == []


def test_an_address_as_mirror_is_asked_first(server, base, monkeypatch):
    server.replies["/mirror/toy.tgz"] = packed(m="mirror")
    monkeypatch.setenv("LAYERWISE_MIRROR", server.url + "/mirror/")
    assert visible(get(server, base)) == ["m"]
    server.replies["/only.tgz"] = TOY
    assert visible(get(server, base, "only.tgz")) == ["a", "b"]
    assert server.asked == ["/mirror/toy.tgz", "/mirror/only.tgz", "/only.tgz"]


def test_a_mirror_with_another_file_is_passed_over(server, base, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/toy.tgz").write_bytes(packed(old="old"))
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path / "mirror"))
    assert visible(get(server, base, sha256=TOY_SUM)) == ["a", "b"]


def test_a_cached_archive_that_is_another_is_fetched_again(server, base):
    (base / "archive").mkdir(parents=True)
    (base / "archive/toy.tgz").write_bytes(packed(old="old"))
    assert visible(get(server, base, sha256=TOY_SUM)) == ["a", "b"]
    assert (base / "archive/toy.tgz").read_bytes() == TOY


def test_an_archive_put_into_the_cache_by_hand_serves(base):
    (base / "archive").mkdir(parents=True)
    (base / "archive/toy.tgz").write_bytes(TOY)
    assert visible(untar_data("https://example.com/toy.tgz", base=base)) == ["a", "b"]


def test_when_nothing_is_found_the_three_places_are_named(server, base, tmp_path, monkeypatch):
    with pytest.raises(DownloadError) as caught:
        get(server, base, "missing.tgz")
    text = str(caught.value)
    assert f"cache: no '{base / 'archive' / 'missing.tgz'}'" in text
    assert "mirror: LAYERWISE_MIRROR is not set" in text
    assert f"address: '{server.url}/missing.tgz' could not be downloaded: 404" in text
    assert "set LAYERWISE_MIRROR to a folder" in text
    monkeypatch.setenv("LAYERWISE_MIRROR", str(tmp_path))
    with pytest.raises(DownloadError, match=f"mirror: no '{tmp_path / 'missing.tgz'}'"):
        get(server, base, "missing.tgz")


def test_without_pooch_it_is_said_what_to_install(server, base, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    words = r"(?s)mirror: LAYERWISE_MIRROR.*pip install 'layerwise-core\[download\]'"
    with pytest.raises(MissingDependencyError, match=words):
        get(server, base)


# ------------------------------------------------------------------------------------ real archives


def test_the_small_digits_are_laid_out_as_known(mirror, base, monkeypatch):
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    path = untar_data(URLs.MNIST_TINY, base=base)
    assert visible(path) == ["labels.csv", "test", "train", "valid"]
    assert visible(path / "train") == visible(path / "valid") == ["3", "7"]
    assert len(get_image_files(path / "train")) == 709
    assert len(get_image_files(path, folders="valid")) == 699


def check_archives(archives, base):
    assert archives
    for archive in archives:
        path = untar_data(f"https://example.com/{archive.name}", base=base)
        assert path.name == archive.stem
        with tarfile.open(archive) as tar:  # an independent count
            count = sum(member.isfile() for member in tar)
        assert sum(file.is_file() for file in path.rglob("*")) == count


def test_small_archives_of_the_mirror_extract(mirror, base, monkeypatch):
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    check_archives([file for file in mirror.glob("*.tgz") if file.stat().st_size < 500_000], base)


@pytest.mark.slow
def test_all_archives_of_the_mirror_extract(mirror, base, monkeypatch):
    monkeypatch.setenv("LAYERWISE_MIRROR", str(mirror))
    check_archives(sorted(mirror.glob("*.tgz")), base)
