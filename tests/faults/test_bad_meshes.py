"""Numbers that point nowhere in a message are refused before Blender, which would crash, sees them."""

import subprocess
import sys

from fault_counts import amount, count
from repository import HELPERS

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
    geometry, uv, look, members = template_head.ready_to_write(fields, arrays, COLORS)
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
