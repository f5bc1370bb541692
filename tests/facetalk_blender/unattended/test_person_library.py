"""Persons as assets: what the library holds, read by a Blender that has never heard of the extension."""

import json
import os
import subprocess
import sys

import pytest
from blender_scene import bpy
from registered_extension import module
from repository import ROOT, import_from_extension

command = import_from_extension("facetalk_blender.unattended.command")
library = import_from_extension("facetalk_blender.unattended.person_library")
weights = import_from_extension("engine.shared.weights").WEIGHT_NAMES
OWN = f"{library.CATALOGUE_ID}:FaceTalk/Persons:FaceTalk-Persons\n"

# Appends one person into an empty file, and links it into another one.
READER = """
import json, sys
import bpy
import numpy as np
path, found = sys.argv[1], {}
with bpy.data.libraries.load(path, assets_only=True) as (there, wanted):
    found["assets"], wanted.collections = list(there.collections), ["Kofi"]
(person,) = wanted.collections
bpy.context.scene.collection.children.link(person)
facts = person.asset_data
found["facts"] = [facts.author, facts.catalog_id, facts.description, sorted(tag.name for tag in facts.tags)]
preview = np.empty(4 * np.prod(person.preview.image_size), np.float32)
person.preview.image_pixels_float.foreach_get(preview)
found["preview"] = [list(person.preview.image_size), float(preview.reshape(-1, 4)[:, :3].std())]
head, hair = person.objects["Kofi"], person.objects["Kofi Hair"]
found["objects"] = sorted(item.type for item in person.objects)
found["modifiers"] = {item.name: [m.name for m in item.modifiers] for item in person.objects}
found["keys"] = [key.name for key in head.data.shape_keys.key_blocks]
def roots():
    bpy.context.view_layer.update()
    curves = hair.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    places = np.empty(3 * len(curves.points), np.float32)
    curves.attributes["position"].data.foreach_get("vector", places)
    return places.reshape(-1, 3)[[curve.first_point_index for curve in curves.curves]]
rest = roots()
head.data.shape_keys.key_blocks["jawOpen"].value = 1.0
moved = np.linalg.norm(roots() - rest, axis=1)
found["beard"], found["crown"] = float(moved[rest[:, 2] < -0.08].mean()), float(moved[rest[:, 2] > 0.1].max())
found["nodes"] = sorted({node.bl_idname for tree in bpy.data.node_groups for node in tree.nodes})
with bpy.data.libraries.load(path, link=True, assets_only=True) as (there, wanted):
    wanted.collections = ["Kofi"]
instance = bpy.data.objects.new("Instance", None)
instance.instance_type, instance.instance_collection = "COLLECTION", wanted.collections[0]
bpy.context.scene.collection.objects.link(instance)
depsgraph = bpy.context.evaluated_depsgraph_get()
found["instances"] = sorted(one.object.type for one in depsgraph.object_instances if one.is_instance)
print("FOUND" + json.dumps(found))
"""


def read(path):
    """What READER finds in a library."""
    words = [sys.executable, "-c", READER, str(path)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in shown.splitlines() if line.startswith("FOUND"))[5:])


def test_a_person_of_the_library_needs_no_extension(registered, tmp_path):
    (tmp_path / "blender_assets.cats.txt").write_text("VERSION 1\n\nf0: mine")
    path = tmp_path / "persons.blend"
    chosen = module("facetalk_blender.settings.preferences").preferences(bpy.context)
    chosen.engine_python = os.environ.get("FACETALK_ENGINE_PYTHON", "")
    assert bpy.ops.facetalk.save_persons(filepath=str(path), names="kofi") == {"FINISHED"}
    assert (tmp_path / "blender_assets.cats.txt").read_text() == "VERSION 1\n\nf0: mine\n" + OWN
    assert {item.name for item in tmp_path.iterdir()} == {"persons.blend", "blender_assets.cats.txt"}
    found = read(path)
    assert found["assets"] == ["Kofi"]
    author, catalogue, description, tags = found["facts"]
    assert (author, catalogue) == ("FaceTalk for Blender", str(library.CATALOGUE_ID))
    assert description.startswith("Male, 26, West Africa: buzz, goatee.")
    assert {"male", "West Africa", "buzz"} <= set(tags)
    size, contrast = found["preview"]
    assert min(size) >= 128
    assert contrast > 0.05  # a picture, not one colour
    assert found["objects"] == ["CURVES", "MESH", "MESH"]
    assert found["modifiers"]["Kofi"] == ["FaceTalk Face Detail"]
    assert found["modifiers"]["Kofi Hair"] == ["FaceTalk Hair on Skin"]
    assert found["keys"] == ["Neutral", *weights]
    # The jaw takes the beard along, and leaves the crown.
    assert found["beard"] > 0.003
    assert found["crown"] < 0.001
    stock = ("GeometryNode", "ShaderNode", "FunctionNode", "NodeGroup", "NodeReroute", "NodeFrame")
    assert all(kind.startswith(stock) for kind in found["nodes"])
    assert found["instances"] == ["CURVES", "MESH", "MESH"]
    task = module("facetalk_blender.generation.session").session.person_library
    assert (task.error, task.fraction) == ("", 1.0)


def test_what_cannot_be_written_is_said(registered, tmp_path, capsys):
    for words, reason in (
        (["--output", str(tmp_path / "persons.txt")], "--output must end in .blend"),
        (["--output", str(tmp_path / "absent" / "persons.blend")], "choose another folder for --output"),
    ):
        assert command.main(["persons", *words]) != 0
        assert reason in capsys.readouterr().err
    with pytest.raises(RuntimeError, match="There is no Nobody; the persons are Anna"):
        bpy.ops.facetalk.save_persons(filepath=str(tmp_path / "persons.blend"), names="Anna, Nobody")
    with pytest.raises(RuntimeError, match="choose another folder"):
        bpy.ops.facetalk.save_persons(filepath=str(tmp_path / "absent" / "persons.blend"))
    assert not list(tmp_path.iterdir())


def test_an_open_file_is_not_written_over(registered, tmp_path):
    path = str(tmp_path / "mine.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    before = (tmp_path / "mine.blend").read_bytes()
    with pytest.raises(RuntimeError, match="choose another name"):
        bpy.ops.facetalk.save_persons(filepath=path)
    assert (tmp_path / "mine.blend").read_bytes() == before


def test_catalogues_are_listed_once(tmp_path):
    for _ in range(2):
        library.list_catalogue(tmp_path)
    text = (tmp_path / "blender_assets.cats.txt").read_text()
    assert text.count(str(library.CATALOGUE_ID)) == 1
    assert "VERSION 1\n" in text


def test_every_person_has_a_picture():
    persons = import_from_extension("facetalk_blender.person.persons")
    for name in persons.persons():
        assert persons.picture(name).read_bytes()[:2] == b"\xff\xd8"
    assert (ROOT / "facetalk_blender/person/pictures").is_dir()
