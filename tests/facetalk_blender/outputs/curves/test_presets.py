"""Files of presets of a character: they come back as they were, earlier ones are read, others are refused."""

import json
from math import radians

import pytest
from blender_scene import bpy
from repository import import_from_extension

assert bpy
presets = import_from_extension("facetalk_blender.outputs.curves.presets")
EngineError = import_from_extension("engine.shared.errors").EngineError
LINKS = (presets.KeyLink("Jaw_Open", "jawOpen", 1.25), presets.KeyLink("V Open", "", 0.0))
BONE = presets.BoneChoice("Rig", "jaw", "chin", "-Z", radians(90))
SLIDER = presets.PropertyChoice("Rig", 'pose.bones["ui"]["Jaw"]', "jawOpen", -2.5)


def test_presets_come_back(tmp_path):
    path = presets.preset_path(tmp_path / "new", "My Character-1")
    whole = presets.Preset(LINKS, (BONE,), (SLIDER,), use_bones=False)
    presets.save(path, whole)
    assert presets.load(path) == whole
    assert presets.preset_names(path.parent) == ["My Character-1"]
    assert [item.name for item in path.parent.iterdir()] == ["My Character-1.json"]


def test_the_earlier_format_is_read(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"format": 1, "links": [{"key": "a", "channel": "jawOpen", "gain": 1}]}))
    assert presets.load(path) == presets.Preset((presets.KeyLink("a", "jawOpen", 1.0),))


def changed(name, **values):
    """The text of a good preset with one row changed."""
    good = {
        "links": {"key": "a", "channel": "jawOpen", "gain": 1.0},
        "bones": {"armature": "Rig", "part": "jaw", "bone": "jaw", "axis": "AUTO", "angle": 0.5},
        "properties": {"item": "Rig", "path": '["Jaw"]', "channel": "jawOpen", "gain": 1.0},
    }
    good[name] |= values
    return json.dumps({"format": 2, "use_bones": True, **{name: [row] for name, row in good.items()}})


BAD = [
    "{",
    "[]",
    '{"format": 3, "links": []}',
    '{"format": 2, "links": []}',
    '{"format": 1, "links": [{"key": "a"}]}',
    '{"format": 1, "links": {"key": 1}}',
    '{"format": 1, "links": [{"key": "a", "channel": "jawOpen", "gain": NaN}]}',
    changed("links", channel="os.system"),
    changed("links", key=["a"]),
    changed("links", gain=-1),
    changed("bones", part="nose"),
    changed("bones", axis="W"),
    changed("bones", angle=1e9),
    changed("bones", angle=True),
    changed("bones", bone="x" * 5000),
    changed("properties", path=3),
    changed("properties", gain=float("inf")),
    changed("properties", channel="jaw"),
    changed("properties").replace("true", "1"),
]


@pytest.mark.parametrize("content", BAD)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(changed("links"))
    presets.load(path)
    path.write_text(content)
    with pytest.raises(EngineError, match="not a readable preset"):
        presets.load(path)


def test_a_missing_preset_is_named(tmp_path):
    with pytest.raises(EngineError, match="There is no preset none"):
        presets.load(tmp_path / "none.json")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a\\b", ".hidden", "x" * 80, "end.", "c:x", "line\nbreak"])
def test_preset_names_lead_nowhere_else(tmp_path, name):
    with pytest.raises(EngineError, match="choose another name"):
        presets.preset_path(tmp_path, name)
