"""Folders of texts to folders of tokens: complete, in order, resumed, and bad files named."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import psutil
import pytest

from layerwise.core.errors import DataError
from layerwise.text.rules import lowercase
from layerwise.text.tokenized_folder import (
    fn_counter,
    fn_lengths,
    load_counter,
    load_lengths,
    read_tokens,
    tokenize_files,
    tokenize_folder,
)
from layerwise.text.tokenizers.base import BaseTokenizer
from layerwise.text.tokenizers.regex import RegexTokenizer
from layerwise.text.tokenizers.subwords import SentencePieceTokenizer
from layerwise.text.tokenizers.with_rules import tokenize1


@pytest.fixture
def texts(tmp_path):
    """A hundred texts in two folders."""
    for i in range(100):
        folder = tmp_path / "texts" / ("pos" if i % 2 else "neg")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i}.txt").write_text(f"Text {i} isn't\n\nlong. {'Very ' * (i % 5)}", "utf8")
    return tmp_path / "texts"


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("workers", [0, 1, 3, None])
def test_all_is_the_same_for_any_number_of_workers(texts, workers):
    made = tokenize_folder(texts, n_workers=workers)
    assert made == texts.parent / "texts_tok"
    tokens = {}
    for file in sorted(texts.rglob("*.txt")):
        name = file.relative_to(texts).as_posix()
        tokens[name] = read_tokens(made / name)
        assert tokens[name] == list(tokenize1(file.read_text()))
    assert load_lengths(made) == {name: len(found) for name, found in tokens.items()}
    flat = [token for found in tokens.values() for token in found]
    assert load_counter(made) == {token: flat.count(token) for token in set(flat)}
    again = tokenize_folder(texts, output_dir=texts.parent / "other", n_workers=2)
    assert contents(again) == contents(made)


def test_counts_and_lengths_are_plain_json(texts):
    made = tokenize_folder(texts)
    counts = json.loads((made / fn_counter).read_text("utf8"))
    assert next(iter(counts)) == "xxbos" or counts["xxbos"] == 100
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert len(json.loads((made / fn_lengths).read_text())) == 100


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.txt")}


def test_what_is_done_is_not_done_again(texts):
    made = tokenize_folder(texts)
    before = times(made)
    counts = load_counter(made)
    assert tokenize_folder(texts) == made
    assert times(made) == before
    # As after an interruption: some are done, and the counts are not there.
    (made / fn_counter).unlink()
    lost = [made / "neg" / "0.txt", made / "pos" / "3.txt"]
    for path in lost:
        path.unlink()
    tokenize_folder(texts, n_workers=2)
    assert {path for path, t in times(made).items() if t != before[path]} == set(lost)
    assert load_counter(made) == counts


def test_a_text_that_changed_is_cut_again(texts):
    made = tokenize_folder(texts)
    file = texts / "neg" / "0.txt"
    file.write_text("another")
    later = (made / fn_counter).stat().st_mtime_ns + 10**9
    os.utime(file, ns=(later, later))
    tokenize_folder(texts)
    assert read_tokens(made / "neg" / "0.txt") == ["xxbos", "another"]
    assert load_lengths(made)["neg/0.txt"] == 2
    assert load_counter(made)["another"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"tok": BaseTokenizer()},
        {"rules": [str.lower]},
        {"tok": RegexTokenizer(["<sep>"])},
        {"rules": [partial(lowercase, add_eos=True)]},
        {"encoding": "latin1"},
    ],
)
def test_other_settings_do_all_anew(texts, other):
    before = times(tokenize_folder(texts))
    made = tokenize_folder(texts, **other)
    assert not {path for path, t in times(made).items() if t == before[path]}
    kept = times(made)
    tokenize_folder(texts, **other)
    assert times(made) == kept


def test_rules_without_a_name_are_never_taken_for_the_same(texts):
    made = tokenize_folder(texts, rules=[lambda t: t.lower()])
    before = times(made)
    tokenize_folder(texts, rules=[lambda t: t.upper()])
    assert read_tokens(made / "neg" / "0.txt")[0] == "TEXT"
    assert times(made) != before


def test_all_is_done_anew_when_asked_for(texts):
    before = times(tokenize_folder(texts))
    made = tokenize_folder(texts, skip_if_exists=False)
    assert not {path for path, t in times(made).items() if t == before[path]}


_PROGRAM = """
import sys, time
from layerwise.text.tokenized_folder import tokenize_folder
from layerwise.text.tokenizers.regex import RegexTokenizer

def slow(text):
    time.sleep(0.02)
    return text

tokenize_folder(sys.argv[1], n_workers=2, rules=[slow])
"""


def test_a_killed_run_is_taken_up_again(texts, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    made = texts.parent / "texts_tok"
    run = subprocess.Popen([sys.executable, program, texts])
    end = time.monotonic() + 60
    while len(list(made.rglob("*.txt"))) < 10:
        assert time.monotonic() < end
        assert run.poll() is None
        time.sleep(0.01)
    workers = psutil.Process(run.pid).children()
    run.send_signal(signal.SIGKILL)
    run.wait()
    psutil.wait_procs(workers, timeout=20)
    assert not (made / fn_counter).exists()
    before = times(made)
    assert 10 <= len(before) < 100
    assert subprocess.run([sys.executable, program, texts]).returncode == 0
    after = times(made)
    assert len(after) == 100
    assert {path: after[path] for path in before} == before
    assert sum(load_counter(made).values()) == sum(load_lengths(made).values())
    assert len(load_lengths(made)) == 100


def test_a_trained_model_is_kept_with_the_tokens(texts):
    pytest.importorskip("sentencepiece")
    tok = SentencePieceTokenizer(vocab_sz=64)
    made = tokenize_folder(texts, tok=tok)
    (made / fn_counter).unlink()
    again = SentencePieceTokenizer(vocab_sz=64)
    tokenize_folder(texts, tok=again)
    assert again.sp_model == tok.sp_model
    assert load_counter(made)


def test_no_text_and_empty_texts(tmp_path):
    (tmp_path / "a.md").write_text("")
    with pytest.raises(DataError, match=r"no file that ends in \.txt"):
        tokenize_folder(tmp_path)
    made = tokenize_folder(tmp_path, ".md", output_dir=tmp_path / "made")
    assert read_tokens(made / "a.md") == ["xxbos"]
    # What lies in the folder of tokens is no text, wherever that is.
    assert load_lengths(tokenize_folder(tmp_path, ".md", output_dir=made)) == {"a.md": 1}
    made = tokenize_folder(tmp_path, ".md", output_dir=made, rules=[])
    assert read_tokens(made / "a.md") == []
    assert load_lengths(made) == {"a.md": 0}
    made = tokenize_files([], tmp_path, tmp_path / "none")
    assert load_lengths(made) == {}


def test_tokens_with_spaces_come_back_as_one(tmp_path):
    (tmp_path / "a.txt").write_text("New York-is big")
    made = tokenize_folder(tmp_path, output_dir=tmp_path / "made", rules=[], tok=BaseTokenizer("-"))
    assert read_tokens(made / "a.txt") == ["New▁York", "is▁big"]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_of_another_encoding_is_named(texts, workers):
    (texts / "pos" / "99.txt").write_bytes("café".encode("latin1"))
    with pytest.raises(DataError, match=r"99\.txt, line 1: the byte 0xe9"):
        tokenize_folder(texts, n_workers=workers)


@pytest.mark.parametrize("way", ["replace", "ignore"])
def test_files_with_bytes_that_were_replaced_are_counted(texts, way):
    for i in (97, 99):
        (texts / "pos" / f"{i}.txt").write_bytes("café".encode("latin1"))
    with pytest.warns(UserWarning, match=r"2 of 100 files .* the first is .*97\.txt"):
        made = tokenize_folder(texts, errors=way)
    assert read_tokens(made / "pos" / "99.txt") == [
        "xxbos",
        "caf\ufffd" if way == "replace" else "caf",
    ]


def test_controls_zeros_and_directions_do_no_harm(tmp_path):
    (tmp_path / "a.txt").write_bytes("a\x00b \u202egood\u202c \x1b[a".encode())
    made = tokenize_folder(tmp_path, output_dir=tmp_path / "made")
    assert read_tokens(made / "a.txt") == ["xxbos", "ab", "good", "[", "a"]


def test_names_that_clash_or_leave_the_folder_are_refused(texts):
    files = [texts / "neg" / "0.txt", texts / "pos" / "1.txt"]
    for names in (["a", "a"], ["../a", "b"], [fn_counter, "b"], ["/a", "b"]):
        with pytest.raises(ValueError, match="give other output_names"):
            tokenize_files(files, texts, texts / "out", names)
    with pytest.raises(ValueError, match="1 output_names for 2 files"):
        tokenize_files(files, texts, texts / "out", ["a"])
    made = tokenize_files(files, texts, texts.parent / "out", ["x.txt", "y/z.txt"])
    assert set(load_lengths(made)) == {"x.txt", "y/z.txt"}


def test_a_folder_that_was_not_finished_is_told(tmp_path):
    with pytest.raises(DataError, match=r"no counter\.json"):
        load_counter(tmp_path)
