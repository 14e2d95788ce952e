import errno
import os

import pytest

from layerwise.core.files.atomic import left_behind, write_whole


def test_pieces_follow_each_other_and_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, [b"one", bytearray(b"two"), memoryview(b"three"), b""])
    assert path.read_bytes() == b"onetwothree"
    assert left_behind(path) == []


@pytest.mark.parametrize("step", ["os.write", "os.fsync", "pathlib.Path.replace"])
def test_r4_a_write_that_fails_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_whole(path, [b"new"])
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_whole(tmp_path / "file" / "inner", [b"x"])


def test_r4_what_a_killed_process_left_is_found(tmp_path):
    pid = os.fork()
    path = tmp_path / "file"
    if pid == 0:  # the child dies in the middle of a write

        def pieces():
            yield b"half"
            os._exit(9)

        write_whole(path, pieces())
    os.waitpid(pid, 0)
    (left,) = left_behind(path)
    assert left.read_bytes() == b"half"
    assert not path.exists()
    assert left_behind(tmp_path / "other") == []
