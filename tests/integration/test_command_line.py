"""`layerwise train` and what comes after it, with the data of each domain, from small files."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from layerwise.core.cli import main

pytest.importorskip("tyro")


@pytest.fixture
def draw():
    return np.random.default_rng(0)


def pictures(folder, draw):
    """Dark and bright ones, in folders."""
    for split, count in (("train", 20), ("valid", 6)):
        for label, level in (("dark", 40), ("bright", 200)):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(level - 30, level + 30, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{label}_{i}.png")
    return folder


def sounds(folder, draw):
    """Low and high tones, whose names say which."""
    from layerwise.audio.sound_files import wav_of

    folder.mkdir()
    time = torch.arange(2000) / 8000
    for label, pitch in (("low", 200), ("high", 2000)):
        for i in range(12):
            tone = torch.sin(2 * torch.pi * (pitch + 10 * i) * time)[None]
            (folder / f"{label}_{i}.wav").write_bytes(wav_of(tone, 8000))
    return folder


def table(file, rows):
    with file.open("w", newline="", encoding="utf8") as opened:
        csv.writer(opened).writerows(rows)
    return file


def reviews(file, draw):
    words = {"good": ["fine", "lovely", "great"], "bad": ["awful", "dirty", "loud"]}
    rows = [["text", "label"]]
    for i in range(60):
        label = "good" if i % 2 else "bad"
        told = " ".join(draw.choice(words[label], 3))
        rows.append([f"The room was {told}, and we will tell.", label])
    return table(file, rows)


def people(file, draw):
    rows: list[list[object]] = [["age", "work", "income"]]
    for _ in range(200):
        age, work = int(draw.integers(20, 60)), str(draw.choice(["day", "night"]))
        rows.append([age, work, "high" if (age > 40) == (work == "day") else "low"])
    return table(file, rows)


def ratings(file, draw):
    rows: list[list[object]] = [["user", "item", "rating"]]
    rows += [[u, f"film {i}", (u + i) % 5 + 1] for u in range(12) for i in range(12)]
    return table(file, rows)


def lines_of(told):
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


DOMAINS = {
    "vision": (
        pictures, "pictures",
        "--model vision/xresnet18 --no-pretrained --size 16 --no-augment --bs 8 --workers 0",
        "valid", "label", ["bright", "dark"],
    ),
    "audio": (
        sounds, "sounds",
        "--name-re ^([a-z]+)_ --sample-rate 8000 --model M5 --waves --bs 4 --workers 0",
        "", "label", ["high", "low"],
    ),
    "text": (
        reviews, "reviews.csv", "--model LSTMEncoder --bs 8 --workers 0", "", "label",
        ["bad", "good"],
    ),
    "tabular": (people, "people.csv", "--target income --bs 32", "", "label", ["high", "low"]),
    "collab": (ratings, "ratings.csv", "--factors 4 --bs 32", "", "value", None),
}  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_model_is_trained_measured_and_asked(domain, tmp_path, capsys, draw):
    make, name, words, part, key, classes = DOMAINS[domain]
    data, out = make(tmp_path / name, draw), tmp_path / "run"
    command = ["train", domain, "--data", str(data), *words.split(), "--epochs", "2"]
    assert main([*command, "--out", str(out)]) == 0
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((out / "results.json").read_text())
    capsys.readouterr()

    asked = str(data / part) if part else str(data)
    assert main(["predict", str(out / "model.lw"), asked, "--format", "jsonl"]) == 0
    answers = lines_of(capsys.readouterr().out)
    if data.is_dir():
        count = len(list((data / part).rglob("*.*")))
    else:
        count = len(data.read_text().splitlines()) - 1
    assert len(answers) == count
    if classes is not None:
        assert sorted(answers[0]["probabilities"]) == classes
        assert {answer[key] for answer in answers} <= {*classes}

    assert main(["evaluate", str(out / "model.lw"), asked, "--format", "json"]) == 0
    (measured,) = lines_of(capsys.readouterr().out)
    assert measured["items"] == count
    if domain == "vision":  # the very pictures that validated
        assert measured["accuracy"] == pytest.approx(results["accuracy"])
        right = [answer["label"] in answer["item"].split("/")[-2] for answer in answers]
        assert measured["accuracy"] == pytest.approx(np.mean(right))


def test_grey_pictures_train_a_net_of_one_channel(tmp_path, capsys, draw):
    data, out = pictures(tmp_path / "pictures", draw), tmp_path / "run"
    words = "--model vision/xresnet18 --no-pretrained --grey --size 16 --bs 8 --workers 0"
    command = ["train", "vision", "--data", str(data), *words.split(), "--epochs", "1"]
    assert main([*command, "--out", str(out)]) == 0
    assert main(["predict", str(out / "model.lw"), str(data / "valid" / "dark")]) == 0
    assert main(["predict", str(out / "model.lw")]) == 1
    assert "name what to predict" in capsys.readouterr().err


def test_the_nearest_of_our_own_models_is_told(tmp_path, capsys, draw):
    data = pictures(tmp_path / "pictures", draw)
    words = ["train", "vision", "--data", str(data), "--no-pretrained", "--model", "xresnet18"]
    assert main(words) == 1
    assert "'vision/xresnet18'" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:2 of 202 rows")
def test_rows_without_a_target_are_left_out_and_counted(tmp_path, capsys, draw):
    file, out = people(tmp_path / "people.csv", draw), tmp_path / "run"
    with file.open("a") as rows:
        rows.write("33,day,\n44,night,\n")
    words = ["--data", str(file), "--target", "income", "--epochs", "1", "--out", str(out)]
    assert main(["train", "tabular", *words]) == 0
    assert "2 of 202 rows have no 'income'; they are left out" in capsys.readouterr().err


def test_tables_with_semicolons_are_trained_measured_and_asked(tmp_path, capsys, draw):
    comma, out = people(tmp_path / "comma.csv", draw), tmp_path / "run"
    file = tmp_path / "people.csv"
    file.write_text(comma.read_text().replace(",", ";"))
    words = ["--data", str(file), "--target", "income", "--epochs", "1", "--out", str(out)]
    assert main(["train", "tabular", *words, "--delimiter", ";"]) == 0
    bundle = str(out / "model.lw")
    for command in ("predict", "evaluate"):
        capsys.readouterr()
        assert main([command, bundle, str(file), "--delimiter", ";"]) == 0
        told = capsys.readouterr().out.replace("people.csv", "comma.csv")
        assert main([command, bundle, str(comma)]) == 0
        assert capsys.readouterr().out == told
    assert main(["predict", bundle, str(file), "--delimiter", ";;"]) == 1
    assert "delimiter=';;'; give one character" in capsys.readouterr().err
    assert main(["predict", bundle, str(file)]) == 1
    assert "It has: age;work;income; parted by ','" in capsys.readouterr().err


def test_an_input_that_is_closed_is_told(tmp_path, capsys, draw, monkeypatch):
    data, out = reviews(tmp_path / "reviews.csv", draw), tmp_path / "run"
    words = ["--data", str(data), "--model", "LSTMEncoder", "--workers", "0", "--epochs", "1"]
    assert main(["train", "text", *words, "--out", str(out)]) == 0
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["predict", str(out / "model.lw"), "-"]) == 1
    assert "the input, which is closed" in capsys.readouterr().err


def test_a_classifier_starts_from_a_language_model(tmp_path, capsys, draw):
    data = reviews(tmp_path / "reviews.csv", draw)
    words = ["train", "text", "--data", str(data), "--model", "LSTMEncoder", "--bs", "4"]
    words += ["--workers", "0", "--epochs", "1"]
    lm = tmp_path / "lm"
    assert main([*words, "--task", "language-model", "--out", str(lm)]) == 0
    bundle = str(lm / "model.lw")
    assert main([*words, "--language-model", bundle, "--out", str(tmp_path / "clas")]) == 0
    log = (tmp_path / "clas" / "log.csv").read_text().splitlines()
    assert len(log) == 1 + 1 + 1  # names; the head alone; all of it
    assert main(["predict", bundle, str(data)]) == 1
    assert "continue_text" in capsys.readouterr().err


def test_what_cannot_be_read_is_named_and_the_rest_is_predicted(tmp_path, capsys, draw):
    data, out = pictures(tmp_path / "pictures", draw), tmp_path / "run"
    words = "--model vision/xresnet18 --no-pretrained --size 16 --no-augment --bs 8 --workers 0"
    command = ["train", "vision", "--data", str(data), *words.split(), "--epochs", "1"]
    assert main([*command, "--out", str(out)]) == 0
    broken = data / "valid" / "dark" / "broken.png"
    broken.write_text("no picture")
    rows = tmp_path / "found" / "rows.csv"
    capsys.readouterr()
    assert main(["predict", str(out / "model.lw"), str(data / "valid"), "--out", str(rows)]) == 1
    assert str(broken) in capsys.readouterr().err
    with rows.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 12
    before = rows.read_bytes()
    assert main(["predict", str(out / "model.lw"), "nowhere.png", "--out", str(rows)]) == 1
    assert rows.read_bytes() == before
    assert "there is no file or folder 'nowhere.png'" in capsys.readouterr().err
    assert main(["predict", str(data / "valid"), str(data)]) == 1
    assert "layerwise predict:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("domain", "place", "words"),
    [
        ("vision", "folder", "--label-delim ,"),
        ("audio", "folder", "--label-delim ,"),
        ("text", "folder", "--label-delim ,"),
        ("vision", "table.csv", "--name-re x"),
        ("audio", "table.csv", "--name-re x"),
    ],
)
def test_a_setting_of_other_data_is_refused(domain, place, words, tmp_path, capsys):
    data, out = tmp_path / place, tmp_path / "run"
    data.write_text("a,b\n") if data.suffix else data.mkdir()
    command = ["train", domain, "--data", str(data), *words.split(), "--out", str(out)]
    assert main(command) == 1
    assert "is a table" in (told := capsys.readouterr().err) or "of a table" in told
    assert not out.exists()


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path, draw):
    data, out = people(tmp_path / "people.csv", draw), tmp_path / "run"
    words = f"train tabular --data {data} --target income --epochs 1 --out {out}".split()
    launch = [sys.executable, "-m", "layerwise.core.cli", "launch", "--nproc", "2"]
    done = subprocess.run(
        [*launch, "-m", "layerwise.core.cli", *words],
        capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the run:") == 1
    assert (out / "model.lw").exists()
