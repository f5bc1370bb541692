"""What other readers find in exported files: colours, one animation, weights at rest, the whole character."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from blender_scene import START, bpy, generate, speaking_strip
from repository import import_from_extension
from speaking_faces import bake, face, speech

exporting = import_from_extension("facetalk_blender.exchange.exporting")
frame_storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")
gltf_file = import_from_extension("facetalk_blender.exchange.gltf_file")
subjects = import_from_extension("facetalk_blender.exchange.subjects")
usd_file = import_from_extension("facetalk_blender.exchange.usd_file")
appearance = import_from_extension("facetalk_blender.look.appearance")
VALIDATE = """
const validator = require("gltf-validator"), fs = require("fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""
LENGTH = 24


def export(kind, path, strip, **options):
    scene = bpy.context.scene
    items = subjects.subjects(scene, strip.name, None)
    reason = exporting.problem(kind, items)
    if any(text in reason for text in ("built without", "Enable the add-on", "an object for every frame")):
        pytest.skip(reason)
    exporting.export(kind, path, scene, strip.name, items, **options)
    return path


@pytest.fixture
def head(scene, client, tmp_path):
    """A head of ours with curves, in colours of its own; its strip and its file's path without a suffix."""
    strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START)
    colors = {"skin_color": (0.2, 0.1, 0.05), "eye_color": (0.1, 0.3, 0.6)}
    run = generate(client, strip, output="EXPRESSION_CURVES", add_stage=False, **colors)
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    return strip, bpy.data.objects[run.result_name], tmp_path / "head"


def test_gltf_of_a_head_has_its_colours(head):
    strip, item, path = head
    before = [slot.material.name for slot in item.material_slots], set(item.data.attributes.keys())
    materials = set(bpy.data.materials)
    content = gltf_file.read_json(export("gltf", path.with_suffix(".glb"), strip))
    found = {material["name"]: material["pbrMetallicRoughness"] for material in content["materials"]}
    np.testing.assert_allclose(found["Skin"]["baseColorFactor"], [0.2, 0.1, 0.05, 1.0], atol=1e-3)
    assert found["Lips"]["baseColorFactor"] != found["Skin"]["baseColorFactor"]
    assert {values["metallicFactor"] for values in found.values()} == {0}
    for mesh in content["meshes"]:
        for primitive in mesh["primitives"]:
            assert [name for name in primitive["attributes"] if name.startswith("COLOR")] == ["COLOR_0"]
        assert not any(mesh["weights"])
    assert ([slot.material.name for slot in item.material_slots], set(item.data.attributes.keys())) == before
    assert item.data.color_attributes.active_color_name == appearance.COLOR_ATTRIBUTE
    assert set(bpy.data.materials) == materials


def test_what_hangs_on_a_head_goes_with_it(head):
    strip, item, path = head
    face(["x"], "Collar").parent = item
    face(["x"], "Bystander")
    content = gltf_file.read_json(export("gltf", path.with_suffix(".glb"), strip, whole=True))
    assert {node["name"] for node in content["nodes"] if "mesh" in node} == {item.name, "Collar"}
    attributes = {mesh["name"]: mesh["primitives"][0]["attributes"] for mesh in content["meshes"]}
    assert "COLOR_0" in attributes[item.data.name]
    assert "COLOR_0" not in attributes["Collar"]


def test_usd_of_a_head_has_its_colours(head):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom

    strip, _, path = head
    stage = Usd.Stage.Open(str(export("usd", path.with_suffix(".usdc"), strip)))
    shaders = {prim.GetParent().GetName(): prim for prim in stage.Traverse() if prim.GetTypeName() == "Shader"}
    assert shaders["Skin"].GetAttribute("info:id").Get() == "UsdPreviewSurface"
    np.testing.assert_allclose(shaders["Skin"].GetAttribute("inputs:diffuseColor").Get(), [0.2, 0.1, 0.05], atol=1e-3)
    (mesh,) = (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    colors = np.array(UsdGeom.Gprim(mesh).GetDisplayColorPrimvar().Get())
    assert len(colors) == len(mesh.GetAttribute("points").Get())
    np.testing.assert_allclose(colors[0], [0.2, 0.1, 0.05], atol=0.01)
    computed = {"facetalk_gaze", "facetalk_lid", "facetalk_wrinkle"}  # what only the head's own shader reads
    assert not computed & {primvar.GetPrimvarName() for primvar in UsdGeom.PrimvarsAPI(mesh).GetPrimvars()}


@pytest.mark.parametrize("place", ["FILE", "CACHE"])
def test_usd_of_frame_meshes_has_their_colours(scene, client, tmp_path, place):
    pytest.importorskip("pxr")
    from pxr import Usd, UsdGeom

    strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START)
    colors = {"skin_color": (0.2, 0.1, 0.05), "eye_color": (0.1, 0.3, 0.6)}
    run = generate(client, strip, add_stage=False, storage=frame_storage.FrameStorage(place), **colors)
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    item = bpy.data.objects[run.result_name]
    before = [modifier.name for modifier in item.modifiers], set(bpy.data.node_groups.keys())
    stage = Usd.Stage.Open(str(export("usd", tmp_path / "head.usdc", strip)))
    assert ([modifier.name for modifier in item.modifiers], set(bpy.data.node_groups.keys())) == before
    assert all(
        modifier.show_viewport and modifier.show_render for modifier in item.modifiers if "Detail" in modifier.name
    )
    (mesh,) = (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    primvars = UsdGeom.PrimvarsAPI(mesh)
    assert not [primvar for primvar in primvars.GetPrimvars() if "facetalk" in primvar.GetPrimvarName()]
    for frame in (START, START + LENGTH - 1):
        shown = UsdGeom.Gprim(mesh).GetDisplayColorPrimvar().ComputeFlattened(frame)
        assert len(shown) == len(mesh.GetAttribute("points").Get(frame))
        scene.frame_set(frame)
        evaluated = item.evaluated_get(bpy.context.view_layer.depsgraph).data
        expected = np.empty((len(evaluated.vertices), 4), np.float32)
        evaluated.attributes[appearance.COLOR_ATTRIBUTE].data.foreach_get("color", expected.ravel())
        np.testing.assert_allclose(np.array(shown), expected[:, :3], atol=1e-6)


def corner_normals(mesh, time):
    """Normals (C, 3) of the corners of a mesh in a USD file."""
    normals = np.array(mesh.GetNormalsAttr().Get(time))
    corners = np.array(mesh.GetFaceVertexIndicesAttr().Get(time))
    return normals[corners] if mesh.GetNormalsInterpolation() == "vertex" else normals


@pytest.mark.parametrize("smooth", [True, False])
def test_usd_has_a_normal_for_each_vertex_that_is_smooth(scene, client, tmp_path, monkeypatch, smooth):
    if usd_file._open_usd() is None:
        pytest.skip("this Blender has no Python modules of OpenUSD")
    from pxr import Usd, UsdGeom

    strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START)
    run = generate(client, strip, output="SHAPE_KEYS", add_stage=False)
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    bpy.data.objects[run.result_name].data.polygons.foreach_set(
        "use_smooth", [smooth] * len(bpy.data.objects[run.result_name].data.polygons)
    )
    with monkeypatch.context() as patched:
        patched.setattr(usd_file, "shrink", lambda path: None)
        before = Usd.Stage.Open(str(export("usd", tmp_path / "before.usdc", strip)))
    after = Usd.Stage.Open(str(export("usd", tmp_path / "after.usdc", strip)))
    assert sorted(path.name for path in tmp_path.glob("*after*")) == ["after.usdc"]
    (old,), (new,) = (
        [UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)] for stage in (before, after)
    )
    assert new.GetNormalsInterpolation() == ("vertex" if smooth else "faceVarying")
    assert new.GetNormalsAttr().GetTimeSamples() == old.GetNormalsAttr().GetTimeSamples()
    for time in (START, START + LENGTH - 1):
        np.testing.assert_allclose(corner_normals(new, time), corner_normals(old, time), atol=1e-3)
        np.testing.assert_array_equal(new.GetPointsAttr().Get(time), old.GetPointsAttr().Get(time))


@pytest.fixture
def character(scene, tmp_path):
    """Face and teeth that speak, hair and body on the same armature, a second character, a hidden mesh."""
    strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START)
    collection = bpy.data.collections.new("Hero")
    scene.collection.children.link(collection)
    for name, place in (("Rig", collection), ("Other Rig", scene.collection)):
        rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
        place.objects.link(rig)
        bpy.context.view_layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        rig.data.edit_bones.new("Bone").tail = (0, 0, 1)
        bpy.ops.object.mode_set(mode="OBJECT")
    face(["jawOpen"], "A Teeth")
    face(["jawOpen", "eyeBlink_L"], "Face").data.shape_keys.key_blocks["eyeBlink_L"].value = 0.25
    for name, rig in {"A Teeth": "Rig", "Face": "Rig", "Body": "Rig", "Stranger": "Other Rig"}.items():
        item = bpy.data.objects.get(name) or face(["x"], name)
        item.modifiers.new("Armature", "ARMATURE").object = bpy.data.objects[rig]
        item.vertex_groups.new(name="Bone").add(list(range(len(item.data.vertices))), 1.0, "REPLACE")
    face(["x"], "Hair").parent = bpy.data.objects["Rig"]
    for name in ("Cap", "Secret"):
        item = face(["x"], name)
        scene.collection.objects.unlink(item)
        collection.objects.link(item)
        item.hide_viewport = name == "Secret"
    for name in ("A Teeth", "Face"):
        scene.collection.objects.unlink(bpy.data.objects[name])
        collection.objects.link(bpy.data.objects[name])
    bake(strip, speech(LENGTH / 24), targets=("A Teeth", "Face"))
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    scene.frame_set(START + 9)
    return strip, tmp_path / "character.glb"


def test_gltf_of_a_character_is_whole_with_one_animation(character):
    strip, path = character
    content = gltf_file.read_json(export("gltf", path, strip, whole=True))
    names = {node["name"] for node in content["nodes"] if "mesh" in node}
    assert names == {"A Teeth", "Face", "Body", "Hair", "Cap"}
    (animation,) = content["animations"]
    times = [content["accessors"][sampler["input"]] for sampler in animation["samplers"]]
    assert {accessor["min"][0] for accessor in times} == {0.0}
    assert max(accessor["max"][0] for accessor in times) == pytest.approx((LENGTH - 1) / 24)
    moved = {content["nodes"][c["target"]["node"]]["name"] for c in animation["channels"]}
    assert {"A Teeth", "Face"} <= moved
    (mesh,) = (mesh for mesh in content["meshes"] if mesh["name"] == "Face")
    assert dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True)) == {"jawOpen": 0, "eyeBlink_L": 0.25}


def test_what_speaks_alone(character):
    strip, path = character
    content = gltf_file.read_json(export("gltf", path, strip))
    assert {node["name"] for node in content["nodes"] if "mesh" in node} == {"A Teeth", "Face"}


@pytest.mark.parametrize("what", ["head", "character"])
def test_the_validator_of_gltf_finds_no_error(what, request):
    strip, *_, path = request.getfixturevalue(what)
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", "require('gltf-validator')"], capture_output=True).returncode:
        pytest.skip("needs Node.js with gltf-validator in NODE_PATH")
    file = export("gltf", path.with_suffix(".glb"), strip, whole=True)
    report = json.loads(subprocess.run([node, "-e", VALIDATE, str(file)], capture_output=True, check=True).stdout)
    assert (report["issues"]["numErrors"], report["issues"]["numWarnings"]) == (0, 0), report["issues"]["messages"]
