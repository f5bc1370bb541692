"""The head of fixed topology that the engine sends as "template": mesh, UVs, regions, materials, neutral shape key."""

from __future__ import annotations

import bpy
import numpy as np

from ...engine.protocol import Message
from ..appearance import Look, Regions, colors_of
from .mesh_building import dress, fill_mesh


def write_template(owner: bpy.types.Object, message: Message) -> None:
    """Give an object with an empty mesh the template of a message, and the shape key Neutral."""
    mesh, polygons = owner.data, message.arrays["polygons"]
    fill_mesh(mesh, message.arrays["vertices"], polygons)
    corners = message.arrays["uv"][polygons >= 0] if polygons.shape[1] == 4 else message.arrays["uv"]
    layer = mesh.uv_layers.new(name="UVMap")
    layer.uv.foreach_set("vector", np.ascontiguousarray(corners, np.float32).ravel())
    regions = Regions.of_message(message.fields, message.arrays)
    dress(owner, Look.of(regions, polygons, colors_of(owner)))
    owner.shape_key_add(name="Neutral", from_mix=False)
