"""Hostile archives of every kind are built here, and leave nothing outside and nothing inside."""

import gzip
import io
import os
import stat
import struct
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwise.core.data.archive import extract_archive
from layerwise.core.data.members import ArchiveError, ArchiveLimits
from layerwise.core.errors import DataError

MIB = 1 << 20


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar_bytes(*members, mode="w:gz", **settings):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, **settings) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_info(name, unix_mode=0):
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name  # the constructor would tidy it up
    info.external_attr = unix_mode << 16
    return info


def zip_bytes(*members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for info, content in members:
            archive.writestr(info, content)
    return file.getvalue()


def everything(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def place(tmp_path):
    """A folder to extract in, whose surroundings are watched."""
    inner = tmp_path / "a" / "b" / "here"
    inner.mkdir(parents=True)
    return inner


def refused(place, data, words, **limits):
    """Extract `data`, and check that it is refused and that no trace is left."""
    top = place.parents[1]
    source = place / "evil.archive"
    source.write_bytes(data)
    before = everything(top)
    with pytest.raises(ArchiveError, match=words) as caught:
        extract_archive(source, place / "out", limits=ArchiveLimits(**limits))
    assert "evil.archive" in str(caught.value)
    assert everything(top) == before


# ------------------------------------------------------------ good ones

GOOD = [member("top", type=tarfile.DIRTYPE), member("top/a.txt", b"hello"), member("top/d/e", b"x")]


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_all_kinds_come_out(place, mode, kind):
    long = "top/" + "n" * 120 + "/" + "m" * 90
    data = tar_bytes(*GOOD, member(long, b"deep"), member("top/ü", b"1"), mode=mode, format=kind)
    (place / "x").write_bytes(data)
    found = extract_archive(place / "x", place / "out")
    assert found == place / "out"
    assert (found / "a.txt").read_bytes() == b"hello"
    assert (found / Path(long).relative_to("top")).read_bytes() == b"deep"
    assert everything(found) == sorted(["a.txt", "d", "d/e", "n" * 120, long[4:], "ü"])
    assert everything(place) == sorted(["x", "out", *(f"out/{name}" for name in everything(found))])


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips_come_out(place, compression):
    data = zip_bytes(("top/", b""), ("top/a.txt", b"hello"), ("top/d/ü", b"x" * MIB))
    (place / "x").write_bytes(data)
    found = extract_archive(place / "x", place / "out")
    assert everything(found) == ["a.txt", "d", "d/ü"]
    assert (found / "d/ü").read_bytes() == b"x" * MIB


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["top/a", "top/b"], ["a", "b"]),
        (["./top/a", "top//./b"], ["a", "b"]),
        (["top/a", "._top", ".DS_Store", "__MACOSX/x"], ["a"]),
        (["top/a", "other/b"], ["other", "other/b", "top", "top/a"]),
        (["a"], ["a"]),
        ([], []),
    ],
)
def test_a_single_top_folder_becomes_the_folder_itself(place, names, found):
    (place / "x").write_bytes(tar_bytes(*(member(name, b"1") for name in names)))
    assert everything(extract_archive(place / "x", place / "out")) == found


def test_rights_of_the_archive_are_not_taken_over(place):
    root = member("./", type=tarfile.DIRTYPE, mode=0o777)
    data = tar_bytes(root, member("top/a", b"1", mode=0o6777), member("top/b", mode=0))
    (place / "x").write_bytes(data)
    found = extract_archive(place / "x", place / "out")
    (place / "plain").touch()
    (place / "folder").mkdir()
    for path, like in [("a", "plain"), ("b", "plain"), ("", "folder")]:
        assert (found / path).stat().st_mode == (place / like).stat().st_mode


def test_an_archive_inside_stays_packed(place):
    inside = zip_bytes(("../evil", b"1"))
    (place / "x").write_bytes(tar_bytes(member("top/in.zip", inside)))
    assert (extract_archive(place / "x", place / "out") / "in.zip").read_bytes() == inside


def test_what_is_there_is_not_touched(place):
    (place / "x").write_bytes(tar_bytes(*GOOD))
    (place / "out").mkdir()
    with pytest.raises(FileExistsError, match="is there already"):
        extract_archive(place / "x", place / "out")
    assert everything(place) == ["out", "x"]


def test_a_missing_archive_leaves_no_trace(place):
    with pytest.raises(FileNotFoundError):
        extract_archive(place / "x", place / "out")
    assert everything(place) == []


def test_it_is_an_error_of_data():
    assert issubclass(ArchiveError, DataError)


# ------------------------------------------------------------ names and kinds

NAMES = {
    "upwards": ("../evil", r"leads upwards"),
    "upwards inside": ("top/../../../evil", r"leads upwards"),
    "ends upwards": ("top/..", r"leads upwards"),
    "absolute": ("/usr/evil", r"is absolute"),
    "doubly absolute": ("//usr/evil", r"is absolute"),
    "drive": ("C:/evil", r"the letter of a drive"),
    "drive without slash": ("c:evil", r"the letter of a drive"),
    "drive behind dot": ("./c:/evil", r"the letter of a drive"),
    "backslash": ("top\\..\\..\\evil", r"has a backslash"),
    "line break": ("top/a\nb", r"control character"),
    "escape": ("top/\x1b[2J", r"control character"),
    "long": ("a/" * 2048 + "b", r"longer than 1024 bytes"),
    "long part": ("top/" + "a" * 256, r"part of more than 255 bytes"),
    "long part in bytes": ("top/" + "ü" * 128, r"part of more than 255 bytes"),
}


@pytest.mark.parametrize(("name", "words"), NAMES.values(), ids=NAMES.keys())
def test_unsafe_names_are_refused(place, name, words):
    refused(place, tar_bytes(member("top/ok", b"1"), member(name, b"1")), words)
    refused(place, tar_bytes(member(name, b"1"), format=tarfile.GNU_FORMAT), words)
    refused(place, zip_bytes(("top/ok", b"1"), (zip_info(name), b"1")), words)


def test_names_that_hide_something_behind_a_nul_are_refused(place):
    refused(place, zip_bytes((zip_info("top/a\0/../evil"), b"1")), "control character")
    pax = member("top/x", b"1", pax_headers={"path": "top/a\0b"})
    refused(place, tar_bytes(pax, format=tarfile.PAX_FORMAT), "control character")
    header = bytearray(member("top/a")[0].tobuf(tarfile.USTAR_FORMAT))
    header[6:10] = b"evil"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    refused(place, gzip.compress(bytes(header) + bytes(1024)), "goes on behind a NUL")


def test_a_file_without_a_name_is_refused(place):
    refused(place, tar_bytes(member(".", b"1")), "a file without a name")


KINDS = {
    "symbolic link": member("top/l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "link inside": member("top/l", type=tarfile.SYMTYPE, linkname="ok"),
    "link to a folder": member("top", type=tarfile.SYMTYPE, linkname="../.."),
    "hard link": member("top/l", type=tarfile.LNKTYPE, linkname="../../evil"),
    "character device": member("top/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "block device": member("top/sda", type=tarfile.BLKTYPE, devmajor=8),
    "pipe": member("top/pipe", type=tarfile.FIFOTYPE),
    "sparse": member("top/sparse", type=tarfile.GNUTYPE_SPARSE),
    "unknown": member("top/what", type=b"Z"),
}


@pytest.mark.parametrize("hostile", KINDS.values(), ids=KINDS.keys())
def test_links_devices_and_the_unknown_are_refused(place, hostile):
    data = tar_bytes(member("first/ok", b"1"), hostile, member(f"{hostile[0].name}/evil", b"1"))
    refused(place, data, r"is a (symbolic link|hard link|device|pipe|special file)")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(place, kind):
    hostile = zip_info("top/link", kind | 0o777)
    refused(place, zip_bytes(("top/ok", b"1"), (hostile, b"../../..")), "is a (link|device)")


def test_names_beyond_the_path_limit_are_refused_with_their_links(place):
    """As in CVE-2025-4517: links whose targets add up to more than PATH_MAX, then one upwards."""
    part = "d" * 247
    step, members = "", []
    for letter in "abcdefghijklmnop":
        members += [
            member(step + part, type=tarfile.DIRTYPE),
            member(step + letter, type=tarfile.SYMTYPE, linkname=part),
        ]
        step += part + "/"
    up = "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/" + "l" * 254
    members += [
        member(up, type=tarfile.SYMTYPE, linkname="../" * 16),
        member("escape", type=tarfile.SYMTYPE, linkname=up + "/../../evil"),
        member("escape/x", b"1"),
    ]
    refused(place, tar_bytes(*members), "link|longer than")
    no_links = [each for each in members if each[0].type != tarfile.SYMTYPE]
    refused(place, tar_bytes(*no_links), "longer than 1024 bytes")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["top/a", "top/a"], "'top/a' is there twice"),
        (["top/a", "top/./a"], "is there twice"),
        (["top", "top/a"], "'top' is there twice"),
        (["top/a/b", "top/a"], "'top/a' is there twice"),
        (["top/Readme", "top/README"], "'top/Readme' and 'top/README' differ in case"),
        (["Top/a", "top/b"], "'Top' and 'top' differ in case"),
        (["top/stra\u00dfe", "top/STRASSE"], "differ in case"),
        (["top/\u00fc", "top/u\u0308"], "differ in case or accents"),
    ],
)
def test_names_that_some_system_takes_for_one_are_refused(place, names, words):
    refused(place, tar_bytes(*(member(name, b"1") for name in names)), words)
    with pytest.warns(UserWarning, match="Duplicate") if names[0] == names[1] else noted():
        data = zip_bytes(*((name, b"1") for name in names))
    refused(place, data, words)


@contextmanager
def noted():
    yield


def test_a_folder_may_be_named_again(place):
    folder = member("top", type=tarfile.DIRTYPE)
    (place / "x").write_bytes(tar_bytes(folder, member("top/a", b"1"), folder))
    assert everything(extract_archive(place / "x", place / "out")) == ["a"]


# ------------------------------------------------------------ limits


def test_members_are_counted(place):
    many = [member(f"top/{i}") for i in range(12)]
    refused(place, tar_bytes(*many), r"more than 10 members.*ArchiveLimits\(members=", members=10)
    refused(place, zip_bytes(*((f"{i}", b"") for i in range(12))), "more than 10", members=10)
    again = [member("top", type=tarfile.DIRTYPE)] * 12
    refused(place, tar_bytes(*again), "more than 10 members", members=10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_million_tiny_members_are_too_many(place):
    header = member("t/0000000")[0].tobuf(tarfile.USTAR_FORMAT)
    total = sum(header[:148]) + sum(header[156:]) + 8 * 32 - 7 * ord("0")
    source = io.BytesIO()
    with gzip.open(source, "wb", 1) as packed:
        for i in range(1_000_000):
            name = b"%07d" % i
            packed.write(header[:2] + name + header[9:148])
            packed.write(b"%06o\0 " % (total + sum(name)) + header[156:])
        packed.write(bytes(1024))
    refused(place, source.getvalue(), "more than 500000 members")


def test_bytes_are_counted(place):
    zeros = bytes(3 * MIB)
    for data in (tar_bytes(member("top/a", zeros)), zip_bytes(("top/a", zeros))):
        refused(place, data, r"'top/a' has more than 2097152 bytes", member_bytes=2 * MIB)
    two = [("top/a", bytes(MIB)), ("top/b", bytes(MIB))]
    for data in (tar_bytes(*(member(*each) for each in two)), zip_bytes(*two)):
        refused(place, data, r"unpacks to more than 1048676 bytes", total_bytes=MIB + 100)


@pytest.mark.parametrize("mode", ["w:gz", "w:xz", "w:bz2", "zip"])
def test_a_bomb_is_stopped_on_the_way(place, mode):
    zeros = bytes(80 * MIB)
    data = zip_bytes(("z", zeros)) if mode == "zip" else tar_bytes(member("z", zeros), mode=mode)
    assert len(data) < 200_000
    refused(place, data, r"as a bomb does.*ArchiveLimits\(ratio=")


def test_a_zip_whose_header_understates_is_not_believed(place):
    data = bytearray(zip_bytes(("z", bytes(3 * MIB))))
    size = struct.pack("<I", 3 * MIB)
    start = 0
    while (start := data.find(size, start)) >= 0:
        data[start : start + 4] = struct.pack("<I", 10)
    refused(place, bytes(data), "damaged|more than", member_bytes=MIB)


def test_a_tar_whose_header_overstates_is_cut_short(place):
    info = member("top/a")[0]
    info.size = 1 << 40
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
    refused(place, data, "ends in the member 'top/a': cut short")
    refused(place, gzip.compress(data), "cut short")


def test_extended_headers_do_not_fill_the_memory(place):
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE):
        info = member("x", type=kind)[0]
        info.size = 1 << 33
        refused(
            place, info.tobuf(tarfile.GNU_FORMAT) + bytes(4096), "extended header of 8589934592"
        )


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (b"99 path=a\n", "extended tar header is damaged"),
        (b"x path=a\n", "extended tar header is damaged"),
        (b"0 path=a\n", "extended tar header is damaged"),
        (b"7 path\n", "extended tar header is damaged"),
        (b"22 GNU.sparse.major=1\n", "sparse"),
        (b"14 path=../ab\n", "leads upwards"),
        (b"20 size=99999999999\n", "cut short"),
    ],
)
def test_extended_headers_are_checked(place, records, words):
    header = member("x", records, type=tarfile.XHDTYPE)[0].tobuf(tarfile.USTAR_FORMAT)
    after = member("top/a")[0].tobuf(tarfile.USTAR_FORMAT) + bytes(1024)
    refused(place, header + records.ljust(512, b"\0") + after, words)


def test_a_name_for_all_members_is_refused(place):
    data = tar_bytes(*GOOD, format=tarfile.PAX_FORMAT, pax_headers={"path": "evil"})
    refused(place, data, "gives one 'path' to all")


def test_a_full_disk_is_said(place, monkeypatch):
    from layerwise.core.data import members

    full = type("Usage", (), {"free": 100 * MIB})
    monkeypatch.setattr(members.shutil, "disk_usage", lambda _folder: full)
    refused(place, tar_bytes(*GOOD), "less than 256 MiB are free.*make room")


# ------------------------------------------------------------ damaged


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_that_is_cut_short_is_refused(place, mode):
    noise = os.urandom(5000)
    data = tar_bytes(member("top/a", noise), member("top/b", noise), mode=mode)
    end = len(data) if mode != "w:" else 12288  # before the padding of a plain tar
    for cut in (600, end // 2, end - 20 if mode != "w:" else 11000):
        refused(place, data[:cut], "cut short|damaged")


def test_a_zip_that_is_cut_short_or_changed_is_refused(place):
    data = zip_bytes(("top/a", os.urandom(5000)))
    refused(place, data[:2000], "damaged or cut short")
    changed = bytearray(data)
    changed[3000] ^= 255
    refused(place, bytes(changed), "damaged or cut short")


def test_a_wrong_checksum_of_gzip_is_seen(place):
    data = bytearray(tar_bytes(*GOOD))
    data[-6] ^= 1
    refused(place, bytes(data), "CRC check failed")


def test_encrypted_and_oddly_packed_members_are_refused(place):
    data = bytearray(zip_bytes(("a", b"1")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    refused(place, bytes(data), "is encrypted")
    lzma_packed = zip_bytes(("a", b"1"), compression=zipfile.ZIP_LZMA)
    refused(place, lzma_packed, "packed by method 14")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (
            b"\n<!DOCTYPE html><head><title>Sign in</title>",
            r"a web page \(HTML\), titled 'Sign in'",
        ),
        (b"<html><body>404", r"a web page \(HTML\); the address led"),
        (b'<?xml version="1.0"?><Error>Denied</Error>', "XML, perhaps an error message.*Denied"),
        (b"name,label\n1,2\n", "neither tar nor zip; it starts with b'name"),
        (gzip.compress(b"just text" * 100), "no tar archive"),
        (gzip.compress(b""), "no tar archive"),
    ],
    ids=["empty", "sign-in page", "web page", "xml", "table", "gzip of text", "gzip of nothing"],
)
def test_what_is_no_archive_is_named(place, data, words):
    refused(place, data, words)


SAMPLES = [
    *(tar_bytes(*GOOD, mode=mode, format=tarfile.PAX_FORMAT) for mode in ("w:", "w:gz", "w:xz")),
    tar_bytes(*GOOD, member("l" * 150, b"1"), mode="w:", format=tarfile.GNU_FORMAT)[:6144],
    zip_bytes(("top/a", b"hello"), ("top/b/", b"")),
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255))))
def test_changed_bytes_never_lead_outside_or_to_another_error(tmp_path_factory, sample, changes):
    place = tmp_path_factory.mktemp("fuzz")
    data = bytearray(sample)
    for where, value in changes:
        data[int(where * len(data))] = value
    (place / "x").write_bytes(data)
    try:
        found = extract_archive(place / "x", place / "out")
    except ArchiveError:
        assert everything(place) == ["x"]
    else:
        assert {path.parts[len(place.parts)] for path in place.rglob("*")} == {"x", "out"}
        assert not any(path.is_symlink() for path in found.rglob("*"))


def test_two_threads_may_extract_one_archive_to_two_places(place):
    (place / "x").write_bytes(tar_bytes(*GOOD))
    threads = [
        threading.Thread(target=extract_archive, args=(place / "x", place / f"out{i}"))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        assert everything(place / f"out{i}") == ["a.txt", "d", "d/e"]
