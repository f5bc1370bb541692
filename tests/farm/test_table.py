"""Tables of jobs: rows become takes and renders, and every bad row is one sentence."""

import shutil

import numpy as np
import pytest
from repository import ROOT

from engine.shared.errors import EngineError
from farm.__main__ import main
from farm.run import Place, run_jobs
from farm.table import needs_blender, read_table
from farm.takes import sample_take


@pytest.fixture
def table(tmp_path):
    shutil.copy(ROOT / "demo" / "voice.wav", tmp_path / "voice.wav")

    def write(*lines, encoding="utf-8"):
        path = tmp_path / "jobs.csv"
        path.write_text("\n".join(lines), encoding)
        return path

    return write


def test_rows_become_takes_and_renders(table, tmp_path):
    path = table("audio,output,seed,json", "voice.wav,a.mp4,3,a.json", "", "voice.wav,b.npz,,", encoding="utf-8-sig")
    takes, renders = read_table(path, ["blender"])
    (take,), (render,) = takes, renders
    voice = str((tmp_path / "voice.wav").resolve())
    assert take.settings == {"audio": voice}
    assert take.outputs == (tmp_path / "b.npz",)
    assert render.outputs == (tmp_path / "a.mp4", tmp_path / "a.json")
    assert render.settings["program"] == ["blender"]
    words = render.settings["options"]
    assert words[words.index("--seed") + 1] == "3"
    assert words[words.index("--output") + 1] == str(tmp_path / "a.mp4")
    assert needs_blender(path)
    assert not needs_blender(table("audio,output", "voice.wav,b.npz"))


BAD = {
    "there is no recording": ("audio,output", "missing.wav,a.npz"),
    "Line 3 of jobs.csv has no recording": ("audio,output", "voice.wav,a.npz", ",b.npz"),
    "writes nothing": ("audio,output,seed", "voice.wav,,1"),
    "'--seed' is no option": ("audio,output,--seed", "voice.wav,a.npz,1"),
    "audio is missing": ("sound,output", "voice.wav,a.npz"),
    "has no jobs": ("audio,output",),
    "has 3 cells and the header 2": ("audio,output", "voice.wav,a.npz,1"),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_tables_are_one_sentence(table, capsys, sentence):
    assert main([str(table(*BAD[sentence]))]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_unreadable_tables_are_refused(tmp_path):
    (tmp_path / "jobs.csv").write_bytes(b"\xff\xfe\x00a")
    for name in ("jobs.csv", "none.csv"):
        with pytest.raises(EngineError, match="not a readable table"):
            read_table(tmp_path / name, [])


@pytest.mark.slow
def test_takes_are_those_of_the_engine(table, tmp_path):
    rows = ("voice.wav,a.npz,1,0.5,0.8", "voice.wav,b.npz,1,0.5,", "voice.wav,c.npz,x,0.5,")
    takes, _ = read_table(table("audio,output,seed,duration,jaw", *rows), [])
    outcome = run_jobs(sample_take, takes, Place(workers=1), say=str)
    assert outcome.failed == {"c.npz": "seed 'x' is not a number; write one."}
    from engine import Engine

    expected = Engine.load().sample(tmp_path / "voice.wav", seed=1, duration=0.5)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npz")["codes"], expected.codes)
    assert not np.array_equal(np.load(tmp_path / "a.npz")["codes"], expected.codes)
