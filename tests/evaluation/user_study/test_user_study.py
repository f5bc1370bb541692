"""The study's page tells no method; its script and its counts, also on answers of others."""

import json
import shutil
import subprocess
from collections import Counter

import pytest
from repository import ROOT

from evaluation.user_study.__main__ import main
from evaluation.user_study.study import QUESTIONS, count_answers, wilson

METHODS = ["FaceTalk", "VOCA", "FaceFormer", "MeshTalk", "CodeTalker", "Imitator", "EmoTalk", "EMOTE"]


@pytest.fixture
def study(tmp_path):
    options = []
    for method in METHODS:
        (tmp_path / method).mkdir()
        options += ["--method", f"{method}={tmp_path / method}"]
        for clip in ("hello", "numbers", "only here")[: 3 if method == "VOCA" else 2]:
            (tmp_path / method / f"{clip}.mp4").write_text(f"{method} says {clip}")
    assert main(["make", *options, "--output", str(tmp_path / "study")]) == 0
    return tmp_path / "study"


def test_the_page_tells_no_method_and_the_key_all(study):
    page = study / "page"
    text = (page / "index.html").read_text()
    assert not any(method in text + "".join(map(str, page.rglob("*"))).replace(str(page), "") for method in METHODS)
    data = json.loads(text.split("const STUDY = ")[1].split(";\n")[0])
    key = json.loads((study / "key.json").read_text())
    assert [len(clip["videos"]) for clip in data["clips"]] == [8, 8]
    for clip in data["clips"]:
        said = [(page / file).read_text() for file in clip["videos"]]
        assert said == [f"{method} says {key['clips'][clip['name']]}" for method in key["methods"][clip["name"]]]
    assert key["methods"]["clip 1"] != key["methods"]["clip 2"]


def write_answers(path, rows):
    path.write_text("participant,clip,question,choice,seconds\r\n" + "\r\n".join(rows) + "\r\n")
    return path


def test_votes_are_counted_by_method(study, tmp_path, capsys):
    key = json.loads((study / "key.json").read_text())["methods"]
    rows = [
        f"{who},{clip},{question},{key[clip].index('VOCA' if question == QUESTIONS[1] else 'FaceTalk') + 1},9"
        for who in ("Ann", "Bo") for clip in key for question in QUESTIONS
    ]  # fmt: skip
    files = [write_answers(tmp_path / "a.csv", rows[:6]), write_answers(tmp_path / "b.csv", rows[6:])]
    found = count_answers(study / "key.json", files)
    assert found["participants"] == 2
    assert found["votes"][QUESTIONS[0]] == Counter(FaceTalk=4) | dict.fromkeys(METHODS[1:], 0)
    assert found["votes"][QUESTIONS[1]]["VOCA"] == 4
    assert main(["count", str(study / "key.json"), *map(str, files)]) == 0
    assert "| FaceTalk | 100.0% [51.0%, 100.0%] | 0.0% [0.0%, 49.0%] |" in capsys.readouterr().out


def test_wilsons_interval():
    assert wilson(15, 40) == pytest.approx((0.2422, 0.5297), abs=1e-3)
    assert wilson(0, 0) == (0, 1)


BAD = {
    "does not know": ["Ann,clip 1,Overall quality,9,1"],
    "not know; give the key": ["Ann,clip 7,Overall quality,1,1"],
    "answers clip 1 twice": ["Ann,clip 1,Overall quality,1,1"] * 2,
    "not the columns": ["Ann,clip 1"],
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_answers_are_one_sentence(study, tmp_path, capsys, sentence):
    answers = write_answers(tmp_path / "a.csv", BAD[sentence])
    assert main(["count", str(study / "key.json"), str(answers)]) == 2
    assert sentence in capsys.readouterr().err
    assert main(["count", str(answers), str(answers)]) == 2
    assert "not the key of a study" in capsys.readouterr().err


def test_folders_without_common_videos_are_refused(tmp_path, capsys):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mp4").touch()
    methods = [f"--method={name}={tmp_path / name}" for name in ("a", "b")]
    assert main(["make", *methods, "--output", str(tmp_path / "study")]) == 2
    assert "no video of one name in common" in capsys.readouterr().err
    assert main(["make", methods[0], "--output", str(tmp_path / "study")]) == 2
    assert "at least two methods" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


@pytest.mark.skipif(shutil.which("node") is None, reason="the page's script runs in Node where there is one")
def test_the_script_orders_clips_and_writes_csv():
    script = """
const { orderFor, csvOf } = require(process.argv[1]);
const orders = ["Ann", "Bo", "Cy"].map((name) => orderFor(name, 15));
const answers = [{ clip: "clip 2", choices: { "Overall quality": "3" }, seconds: 12 }];
console.log(JSON.stringify([orders, orderFor("Ann", 15), csvOf('=A, "b"', answers)]));
"""
    path = ROOT / "evaluation" / "user_study" / "study.js"
    orders, again, text = json.loads(subprocess.check_output(["node", "-e", script, path]))
    assert all(sorted(order) == list(range(15)) for order in orders)
    assert orders[0] == again
    assert orders[0] != orders[1]
    rows = text.split("\r\n")
    assert rows == ["participant,clip,question,choice,seconds", '"\'=A, ""b""",clip 2,Overall quality,3,12', ""]
