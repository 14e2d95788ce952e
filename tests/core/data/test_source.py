"""Listings are compared with `Path.rglob`."""

import ast
import mimetypes
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from layerwise.core.data.source import (
    DataPath,
    FileGetter,
    ImageGetter,
    get_files,
    get_image_files,
    get_text_files,
    image_extensions,
)
from layerwise.core.items import L


@pytest.fixture
def root(tmp_path):
    for name in [
        *("train/cat/2.PNG", "train/cat/10.png", "train/dog/1.jpg", "valid/dog/3.jpeg", "b.txt"),
        *("a.png", "train/notes.txt", "train.txt", "train-more/x.csv", "pack.tar.gz", "jpg"),
        *(".hidden.png", ".cache/4.png", "train/.thumbs/5.png"),
    ]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path


def names(found, root):
    return [path.relative_to(root).as_posix() for path in found]


def test_files_come_in_the_order_of_paths(root):
    expected = sorted(
        path
        for path in root.rglob("*")
        if path.is_file() and not any(part[0] == "." for part in path.relative_to(root).parts)
    )
    found = get_files(root)
    assert type(found) is L
    assert list(found) == expected


def test_extensions_match_in_any_case_with_or_without_dot(root):
    for extensions in (".png", "png", {".png"}, [".PNG"]):
        assert names(get_files(root, extensions), root) == [
            *("a.png", "train/cat/10.png", "train/cat/2.PNG")
        ]
    assert names(get_files(root, ".tar.gz"), root) == ["pack.tar.gz"]
    assert names(get_files(root, ".gz"), root) == ["pack.tar.gz"]
    assert names(get_files(root, ".jpg"), root) == ["train/dog/1.jpg"]  # not the file "jpg"
    assert get_files(root, []) == []


def test_images_and_texts_are_found_by_their_names(root):
    assert names(get_image_files(root), root) == [
        *("a.png", "train/cat/10.png", "train/cat/2.PNG", "train/dog/1.jpg", "valid/dog/3.jpeg"),
    ]
    assert names(get_text_files(root), root) == ["b.txt", "train/notes.txt", "train.txt"]


def test_folders_choose_on_the_first_level_only(root):
    assert names(get_image_files(root, folders="valid"), root) == ["valid/dog/3.jpeg"]
    assert names(get_image_files(root, folders=["valid", "."]), root) == [
        *("a.png", "valid/dog/3.jpeg")
    ]
    found = get_files(root, folders=["train"])
    assert names(found, root) == [
        *("train/cat/10.png", "train/cat/2.PNG", "train/dog/1.jpg", "train/notes.txt")
    ]


def test_without_recursion_only_the_folder_itself_is_listed(root):
    found = names(get_files(root, recurse=False), root)
    assert found == ["a.png", "b.txt", "jpg", "pack.tar.gz", "train.txt"]


def test_folders_that_are_not_there_are_named(root):
    with pytest.raises(FileNotFoundError, match=r"none of the folders 'test'.*'train'.*'valid'"):
        get_files(root, folders=["test"])
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        get_files(root / "nowhere")
    with pytest.raises(NotADirectoryError, match="is a file"):
        get_files(root / "a.png")


def test_linked_folders_are_followed_but_not_round_and_round(root):
    (root / "valid/up").symlink_to(root, target_is_directory=True)
    (root / "valid/linked").symlink_to(root / "train/dog", target_is_directory=True)
    found = names(get_image_files(root / "valid"), root / "valid")
    assert "linked/1.jpg" in found
    assert "up/a.png" in found
    assert not any("up/valid" in name for name in found)
    without = get_files(root / "valid", followlinks=False)
    assert names(without, root / "valid") == ["dog/3.jpeg"]


def test_getters_look_below_a_path_and_pickle(root):
    getters: list[tuple[Any, L]] = [
        (ImageGetter("train"), get_image_files(root / "train")),
        (ImageGetter(folders=("valid",)), get_image_files(root, folders="valid")),
        (FileGetter("train", extensions=".txt"), get_text_files(root / "train")),
        (FileGetter(recurse=False), get_files(root, recurse=False)),
    ]
    for getter, found in getters:
        assert getter(root) == found
        assert pickle.loads(pickle.dumps(getter))(str(root)) == found


def test_paths_have_the_class_of_the_path_given(root):
    assert type(get_files(DataPath(root))[0]) is DataPath
    assert type(get_files(root)[0]) is type(root)
    assert type(get_files(str(root))[0]) is type(Path())


def test_what_a_data_path_makes_of_itself_is_one_too(root):
    path = DataPath(root)
    made = [
        *(path / "train", path.parent, path.with_name("x"), path.resolve(), path.absolute()),
        *(next(path.glob("*.txt")), next(path.rglob("*.jpg")), next(path.iterdir())),
        *(pickle.loads(pickle.dumps(path)), path.joinpath("a", "b"), path.with_suffix(".x")),
    ]
    assert {type(each) for each in made} == {DataPath}
    assert isinstance(path, Path)
    assert path == root
    assert os.fspath(path) == str(root)


def test_a_data_path_lists_its_entries_sorted(root):
    path = DataPath(root)
    assert path.ls() == sorted(path.iterdir())
    assert path.ls(n_max=2) == sorted(path.iterdir())[:2]
    assert names(path.ls(file_type="text"), root) == ["b.txt", "train.txt"]
    assert names(path.ls(file_exts=[".gz", "txt"]), root) == ["b.txt", "pack.tar.gz", "train.txt"]
    assert names(path.ls(file_type="image", file_exts=".gz"), root) == [
        *(".hidden.png", "a.png", "pack.tar.gz")
    ]
    assert type(path.ls()[0]) is DataPath
    with pytest.raises(ValueError, match=r"'img' is not known.*audio, image, text, video"):
        path.ls(file_type="img")


def test_image_extensions_hold_all_that_python_knows():
    known = {end for end, kind in mimetypes.types_map.items() if kind.startswith("image/")}
    built_in = {".bmp", ".gif", ".ico", ".jpg", ".png", ".svg", ".tiff", ".webp", ".heic", ".avif"}
    assert built_in & known <= image_extensions
    source = Path(mimetypes.__file__).read_text(encoding="utf-8")
    listed = {
        key.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant)
        and isinstance(value, ast.Constant)
        and str(value.value).startswith("image/")
    }
    assert len(listed) > 15
    assert listed <= image_extensions


def test_nothing_is_read_or_patched_by_the_import():
    code = (
        "import pathlib, mimetypes; before = set(dir(pathlib.Path)); "
        "import layerwise.core.data.source; "
        "assert set(dir(pathlib.Path)) == before and not mimetypes.inited"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
