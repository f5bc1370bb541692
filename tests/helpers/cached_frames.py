"""Heads whose frames lie in the file or in a cache folder, and what they show."""

import numpy as np
import scripted_shapes
from blender_scene import COUNT, START, bpy, generate
from repository import import_from_extension

storage = import_from_extension("facetalk_blender.outputs.frames.frame_storage")

# What is stored in steps or in half precision, and what follows from it.
ROUNDED = {"position": 8e-6, "facetalk_rest": 3.2e-5, "normals": 1e-3}
ROUNDED |= {"facetalk_color": 2.0**-9 + 1e-6, "facetalk_skin": 2.0**-8 + 1e-6, "facetalk_tissue": 2.0**-8 + 1e-6}


def make(client, strip, choice="CACHE", **settings):
    run = generate(client, strip, storage=storage.FrameStorage(choice), **settings)
    assert run.error == ""
    assert run.state.name == "DONE"
    return bpy.data.objects[run.result_name]


def shown(head, frame):
    """Everything the evaluated mesh has at a frame: arrays by name, materials."""
    head.hide_viewport = False  # what is hidden is not evaluated
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.view_layer.depsgraph).data
    kinds = {"FLOAT_VECTOR": ("vector", 3), "FLOAT_COLOR": ("color", 4), "INT": ("value", 1)}
    values = {}
    for attribute in mesh.attributes:
        if attribute.data_type not in kinds or attribute.name == ".corner_edge":
            continue  # edges have no order of their own
        member, width = kinds[attribute.data_type]
        kind = np.float32 if "FLOAT" in attribute.data_type else np.int32
        values[attribute.name] = np.empty((len(attribute.data), width), kind)
        attribute.data.foreach_get(member, values[attribute.name].ravel())
    normals = np.empty((len(mesh.loops), 3), np.float32)
    mesh.corner_normals.foreach_get("vector", normals.ravel())
    materials = [slot.material.name for slot in head.material_slots]
    edges = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", edges.ravel())
    shapes = {"normals": normals, "edges": np.unique(np.sort(edges, 1), axis=0)}
    assert all(polygon.use_smooth for polygon in mesh.polygons)
    return values | shapes, (materials, mesh.color_attributes.active_color_name)


def check_same(mine, others):
    assert mine[0].keys() == others[0].keys()
    for name, values in mine[0].items():
        np.testing.assert_allclose(values, others[0][name], atol=ROUNDED.get(name, 1e-6), err_msg=name)
    assert mine[1:] == others[1:]


def check(head, frame, start=START):
    index = frame - start if 0 <= frame - start < COUNT else COUNT  # outside the clip the head rests
    values = shown(head, frame)[0]
    np.testing.assert_allclose(values["position"], scripted_shapes.surface(index)[1]["vertices"], atol=8e-6)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".blend1")
