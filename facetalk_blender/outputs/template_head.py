"""The head of fixed topology that the engine sends as "template": mesh, UVs, regions, material, neutral shape key."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.protocol import Message
from .. import appearance
from ..material import head_material
from .mesh_building import fill_mesh


def write_template(owner: bpy.types.Object, message: Message) -> None:
    """Give an object with an empty mesh the template of a message, and the shape key Neutral."""
    mesh, polygons = owner.data, message.arrays["polygons"]
    fill_mesh(mesh, message.arrays["vertices"], polygons)
    corners = message.arrays["uv"][polygons >= 0] if polygons.shape[1] == 4 else message.arrays["uv"]
    layer = mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", np.ascontiguousarray(corners, np.float32).ravel())
    names = message.fields["region_names"]
    appearance.write(mesh, appearance.vertex_appearance(message.arrays["regions"], names))
    mesh.materials.append(head_material())
    owner.shape_key_add(name="Neutral", from_mix=False)
