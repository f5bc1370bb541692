"""Numbers that point nowhere, in a bundle or a message, are refused before Blender, which would crash, sees them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from fault_counts import amount, count
from repository import HELPERS

from engine.bundle import Bundle
from engine.head.template import Template
from engine.shared.errors import EngineError

CASES = amount(300, 3000)
CHILD = """
import sys
sys.path.insert(0, HELPERS)
import bpy
import numpy as np
import scripted_shapes
from repository import import_from_extension
building = import_from_extension("facetalk_blender.blender_data.mesh_building")
template_head = import_from_extension("facetalk_blender.outputs.template_head")
frame_meshes = import_from_extension("facetalk_blender.outputs.frames.frame_meshes")
material = import_from_extension("facetalk_blender.look.material")
datablocks = import_from_extension("facetalk_blender.blender_data.datablocks")
UNUSABLE = import_from_extension("facetalk_blender.generation.conversation").UNUSABLE
COLORS = ((0.5, 0.4, 0.3), (0.1, 0.1, 0.1))
random = np.random.default_rng(SEED)
built = refused = 0


def mutated(arrays):
    arrays = {name: array.copy() for name, array in arrays.items()}
    name = list(arrays)[random.integers(len(arrays))]
    array = arrays[name]
    kind = random.integers(6)
    if kind == 0:
        values = [-1, -2, -(2**31), 2**31 - 1, len(arrays["vertices"]), 0]
        if array.dtype.kind == "f":
            values = [np.nan, np.inf, -np.inf, 3e38, -3e38, 0.0]
        rows = random.integers(0, max(array.shape[0], 1), random.integers(1, 4))
        array[rows] = np.asarray(values[random.integers(len(values))]).astype(array.dtype)
    elif kind == 1:
        array[...] = -1 if array.dtype.kind == "i" else 0
    elif kind == 2:
        arrays[name] = array[: random.integers(0, array.shape[0])]
    elif kind == 3:
        arrays[name] = np.concatenate([array, array[:7]])
    elif kind == 4:
        arrays[name] = array.astype(random.choice(["<f4", "<f8", "<i4", "|u1"]))
    else:
        arrays[name] = array.reshape(-1) if random.integers(2) else array[..., None]
    return arrays


def show(mesh):
    mesh.update()
    item = bpy.data.objects.new("item", mesh)
    bpy.context.scene.collection.objects.link(item)
    shown = item.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    shown.calc_loop_triangles()
    shown.corner_normals[:1]
    bpy.data.objects.remove(item)
    bpy.data.meshes.remove(mesh)


def fill(arrays, polygons):
    mesh = bpy.data.meshes.new("mesh")
    building.fill_mesh(mesh, arrays["vertices"], arrays[polygons])
    return mesh


def in_pieces(geometry, look):
    pieces = building.mesh_pieces("mesh", geometry)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            mesh = datablocks.resolve(bpy.data.meshes, end.value)
            material.dress_mesh(mesh, look)
            return mesh


def template(fields, arrays):
    geometry, uv, look, members = template_head._ready_to_write(fields, arrays, COLORS)
    mesh = in_pieces(geometry, look)
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", uv)
    return mesh


def surface(fields, arrays):
    frame = frame_meshes._frame_of_message(fields, arrays, COLORS)
    return in_pieces(building.with_edges_of_corners(frame.vertices, frame.corners, frame.starts), frame.look)


for number in range(CASES):
    fields, arrays = scripted_shapes.template() if number % 2 else scripted_shapes.surface(3)
    changed = mutated(arrays)
    ways = [lambda: fill(changed, "polygons" if number % 2 else "faces")]
    ways.append(lambda: (template if number % 2 else surface)(fields, changed))
    for way in ways:
        try:
            show(way())
            built += 1
        except UNUSABLE:
            refused += 1
print("meshes:", built, "built,", refused, "refused")
"""


def test_messages_with_bad_numbers_do_not_crash_blender():
    code = f"HELPERS, CASES, SEED = {str(HELPERS)!r}, {CASES}, 1\n{CHILD}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert "meshes:" in run.stdout, (run.returncode, run.stderr[-2000:])
    count(run.stdout.strip())


@pytest.fixture(scope="module")
def tensors():
    return Bundle.open("starter").tensors("head.template")


def changed(tensors, name, change):
    return tensors | {name: change(tensors[name].clone())}


BAD = {
    "only -1": ("polygons", lambda p: torch.full_like(p, -1)),
    "a vertex beyond the last": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), 32000)),
    "a negative corner": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), -7)),
    "one vertex four times": ("polygons", lambda p: p.index_fill(0, torch.tensor([5]), 3)),
    "three columns": ("polygons", lambda p: p[:, :3]),
    "floating-point corners": ("polygons", lambda p: p.float()),
    "no polygon": ("polygons", lambda p: p[:0]),
    "coordinates of other polygons": ("polygon_uv", lambda p: p[:-1]),
    "regions of other vertices": ("regions", lambda p: p[:-1]),
    "regions that are no bytes": ("regions", lambda p: p.float()),
    "modes of other vertices": ("identity_modes_q", lambda p: p[:, :-1]),
    "scales of other modes": ("identity_modes_scale", lambda p: p[:-1]),
    "a lip curve without points": ("lip_upper", lambda p: p[:0]),
    "a flat lip curve": ("lip_lower", lambda p: p[:, :2]),
    "bits of other vertices": ("displacement_moved", lambda p: p[:, :-1]),
    "more bits than displacements": ("displacement_moved", lambda p: torch.full_like(p, 255)),
    "a weight too few": ("displacement_moved", lambda p: p[:-1]),
    "displacements missing": ("displacement", lambda p: p[:-1]),
    "no vertices": ("vertices", lambda p: p[:0]),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_template_that_does_not_fit_is_refused(tensors, name):
    key, change = BAD[name]
    with pytest.raises(EngineError, match="template does not fit"):
        Template.of(changed(tensors, key, change))


def test_a_template_without_a_tensor_is_refused(tensors):
    for name in tensors:
        with pytest.raises(EngineError, match=name):
            Template.of({key: tensor for key, tensor in tensors.items() if key != name})


def test_the_starters_template_is_whole(tensors):
    assert np.isfinite(Template.of(tensors).uv).all()
