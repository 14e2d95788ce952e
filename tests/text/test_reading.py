"""Files of text, good and bad."""

import pytest

from layerwise.core.errors import DataError
from layerwise.text.reading import read_text


def test_ends_of_lines_and_the_mark_at_the_front_are_made_alike(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert read_text(file) == "a\nb\nc\n"


def test_bytes_of_another_encoding_are_told_with_file_line_and_remedy(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("ä\ncafé".encode("latin1"))
    with pytest.raises(DataError, match=r"a\.txt, line 1: the byte 0xe4 at 0 .* encoding='latin1'"):
        read_text(file)
    assert read_text(file, "latin1") == "ä\ncafé"
    assert read_text(file, errors="replace") == "\ufffd\ncaf\ufffd"
    assert read_text(file, errors="ignore") == "\ncaf"


def test_another_way_with_errors_is_refused(tmp_path):
    with pytest.raises(ValueError, match="errors='skip'"):
        read_text(tmp_path / "a.txt", errors="skip")
