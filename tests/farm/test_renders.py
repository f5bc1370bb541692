"""Render jobs: how Blender is started, and what it says when it fails."""

import sys

import pytest

from engine.shared.errors import EngineError
from farm.job import Job
from farm.renders import BATCH, program, render


def test_the_program_is_the_application_or_this_python(monkeypatch):
    assert program("blender", installed=True) == ["blender", "--background", "--command", "facetalk"]
    assert program("blender")[:5] == ["blender", "--factory-startup", "--background", "--python", str(BATCH)]
    monkeypatch.setattr("farm.renders.importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EngineError, match="--blender"):
        program(None)


def job(tmp_path, code):
    settings = {"program": [sys.executable, "-c", code], "options": ["--output", str(tmp_path / "a.mp4")]}
    return Job("a.mp4", (tmp_path / "a.mp4",), settings=settings)


def test_a_render_is_a_run_of_the_program(tmp_path):
    render(job(tmp_path, "import sys, pathlib; pathlib.Path(sys.argv[2]).touch()"))
    assert (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; print('Error: There is no sound.', file=sys.stderr); sys.exit(2)", "There is no sound."),
        ("import sys; sys.exit(11)", "Blender ended with code 11."),
    ],
)
def test_a_failed_render_says_why(tmp_path, code, sentence):
    with pytest.raises(EngineError, match=sentence):
        render(job(tmp_path, code))


def test_a_missing_program_is_a_sentence(tmp_path):
    with pytest.raises(EngineError, match="cannot be started here"):
        render(Job("a", (tmp_path / "a",), settings={"program": [str(tmp_path / "none")], "options": []}))
