"""`facetalk batch jobs.csv` hands the table to the engine's Python with this Blender, and returns its exit code."""

import signal
import sys

import pytest
from repository import import_from_extension

command = import_from_extension("facetalk_blender.unattended.command")
table_run = import_from_extension("facetalk_blender.unattended.table_run")

FARM = """
import json, sys
from pathlib import Path
Path(sys.argv[1]).with_suffix(".json").write_text(json.dumps(sys.argv[1:]))
sys.exit(2)
"""


@pytest.fixture
def farm(tmp_path, monkeypatch):
    """A stand-in for the engine's folder, whose farm writes its arguments beside the table and fails."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "farm.py").write_text(FARM)
    monkeypatch.setattr(table_run.session, "engine_root", tmp_path / "root")
    return tmp_path / "jobs.csv"


@pytest.mark.parametrize(("binary", "expected"), [("", []), ("/b/blender", ["--blender", "/b/blender", "--installed"])])
def test_a_table_is_handed_to_the_engines_python(farm, monkeypatch, binary, expected):
    import json
    from types import SimpleNamespace

    monkeypatch.setattr(table_run, "bpy", SimpleNamespace(app=SimpleNamespace(binary_path=binary)))
    words = ["batch", str(farm), "--scheduler", "tcp://host:8786", "--again", "--engine-python", sys.executable]
    assert command.main(words) == 2
    found = json.loads(farm.with_suffix(".json").read_text())
    assert found == [str(farm), "--again", "--scheduler", "tcp://host:8786", *expected]
