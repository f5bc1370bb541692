"""The motion in exported files, as readers find it that share nothing with Blender, for every output."""

import numpy as np
import pytest
from blender_scene import START, bpy, generate, speaking_strip
from independent_readers import Gltf, alembic_arrays
from repository import import_from_extension

exporting = import_from_extension("facetalk_blender.exchange.exporting")
frame_storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")
LENGTH = 12
FRAMES = (START, START + 5, START + LENGTH - 1)


def surface(item, frame):
    """Vertices (V, 3) at a scene frame, as files with y up have them."""
    bpy.context.scene.frame_set(frame)
    mesh = item.evaluated_get(bpy.context.view_layer.depsgraph).data
    points = np.array([tuple(item.matrix_world @ vertex.co) for vertex in mesh.vertices])
    return np.stack([points[:, 0], points[:, 2], -points[:, 1]], 1)


@pytest.fixture(params=["EXPRESSION_CURVES", "SHAPE_KEYS", "FRAME_MESHES"])
def exported(scene, client, tmp_path, request):
    """Write a head of an output; the head and a function that writes a kind of file."""
    strip = speaking_strip(scene, tmp_path, seconds=LENGTH / 24, frame=START)
    options = {"storage": frame_storage.FrameStorage("CACHE")} if request.param == "FRAME_MESHES" else {}
    run = generate(client, strip, output=request.param, add_stage=False, **options)
    scene.frame_start, scene.frame_end = START, START + LENGTH - 1
    item = bpy.data.objects[run.result_name]

    def write(kind, suffix):
        if reason := exporting.problem(kind, [item]):
            pytest.skip(reason)
        exporting.export(kind, tmp_path / f"head{suffix}", scene, strip.name, [item])
        return tmp_path / f"head{suffix}"

    return item, write


def test_alembic_has_the_surface_of_every_frame(exported):
    item, write = exported
    path = write("alembic", ".abc")
    for frame in FRAMES:
        wanted = surface(item, frame)
        found = [array.reshape(-1, 3) for array in alembic_arrays(path, 12 * len(wanted))]
        # An array that is there already is not written again, and other arrays may be as long.
        nearest = min(np.abs(array - wanted).max() for array in found)
        assert nearest < 1e-5, (frame, len(found))


def test_gltf_moves_the_surface_by_morph_targets(exported):
    item, write = exported
    gltf = Gltf(write("gltf", ".glb"))
    (mesh,) = (number for number, mesh in enumerate(gltf.content["meshes"]) if mesh["name"] == item.data.name)
    for frame in FRAMES:
        wanted = surface(item, frame)
        corners = gltf.positions(mesh, (frame - START) / 24)
        distances = np.linalg.norm(corners[:, None] - wanted[None], axis=2)
        assert distances.min(1).max() < 1e-4  # every corner lies on a vertex
        assert distances.min(0).max() < 1e-4  # and every vertex has a corner
