"""The head of fixed topology that the engine sends as "template": mesh, UVs, regions, materials, shape keys."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from ...engine.shared.protocol import Message
from ...engine.shared.shapes import check_positions
from ..blender_data.datablocks import resolve
from ..blender_data.mesh_building import Geometry, mesh_pieces, with_edges
from ..blender_data.piece_queue import PieceQueue
from ..look.appearance import Color, Look, Regions, colors_of, group_members
from ..look.material import dress_mesh
from ..look.refinement import RING_WIDTH, with_round_irises
from ..sound.strip import Clip
from .result_writer import ResultWriter

NEUTRAL = "Neutral"  # the shape key of the head at rest


class TemplateWriter(ResultWriter):
    """Writes the template, with the shape key Neutral, and a shape key for each "positions" that follows."""

    def __init__(self, scene: bpy.types.Scene, clip: Clip, text: bpy.types.Text):
        super().__init__(scene, clip, text)
        self._queue = PieceQueue()

    @property
    def ready(self) -> bool:
        """Whether another message can be taken; else the engine waits."""
        return not self._queue.full

    def write(self, message: Message) -> None:
        """Take the "template" or "positions" of the engine; `work` makes use of it."""
        if message.kind == "template":
            colors = colors_of(self.result())
            self._queue.add(self._template_pieces, ready_to_write, message.fields, message.arrays, colors)
        elif message.kind == "positions":
            self._queue.add(self._key_pieces, _key_positions, message.fields, message.arrays)

    def work(self, deadline: float) -> bool:
        """Write until the deadline; True when nothing is left. Raises DataBlockLost when the object was deleted."""
        return self._queue.work(deadline)

    def finish(self) -> Iterator[None]:
        """Complete the object in pieces, and remove earlier results of the same take."""
        self._queue.end()
        yield from super().finish()

    def discard(self) -> None:
        """Remove everything that was written; results that it had hidden are as the artist left them."""
        self._queue.end()
        super().discard()

    def add_key(self, owner: bpy.types.Object, index: int) -> bpy.types.ShapeKey:
        """Add the shape key for positions of an index."""
        raise NotImplementedError

    def _template_pieces(
        self, geometry: Geometry, corner_uv: np.ndarray, look: Look, members: list[tuple[str, float, list[int]]]
    ) -> Iterator[None]:
        uid = yield from mesh_pieces(self.result().name, geometry)
        mesh = resolve(bpy.data.meshes, uid)
        mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", corner_uv)
        dress_mesh(mesh, look)
        yield
        owner, mesh = self.result(), resolve(bpy.data.meshes, uid)
        empty, name, owner.data = owner.data, owner.data.name, mesh
        bpy.data.meshes.remove(empty)
        mesh.name = name
        for group, weight, vertices in members:
            yield
            groups = self.result().vertex_groups
            (groups.get(group) or groups.new(name=group)).add(vertices, weight, "REPLACE")
        yield
        self.result().shape_key_add(name=NEUTRAL, from_mix=False)

    def _key_pieces(self, index: int, positions: np.ndarray) -> Iterator[None]:
        if len(positions) != 3 * len(self.result().data.vertices):
            raise ValueError("positions of another mesh")
        block = self.add_key(self.result(), index)
        block.points.foreach_set("co", positions)
        yield


def ready_to_write(
    fields: dict, arrays: dict[str, np.ndarray], colors: tuple[Color, Color]
) -> tuple[Geometry, np.ndarray, Look, list[tuple[str, float, list[int]]]]:
    """A "template" of the engine as arrays that go into a mesh unchanged. NumPy only: a worker thread calls it."""
    polygons = arrays["polygons"]
    geometry = with_edges(arrays["vertices"], polygons)
    if arrays["uv"].shape != (*polygons.shape, 2):
        raise ValueError("texture coordinates of another mesh")
    corner_uv = np.ascontiguousarray(arrays["uv"][polygons >= 0], np.float32).ravel()
    regions = with_round_irises(Regions.of_message(fields, arrays), RING_WIDTH)
    look = Look.of(regions, polygons, colors)
    return geometry, corner_uv, look, group_members(regions)


def _key_positions(fields: dict, arrays: dict[str, np.ndarray]) -> tuple[int, np.ndarray]:
    check_positions(arrays["vertices"])
    return int(fields["index"]), np.ascontiguousarray(arrays["vertices"], np.float32).ravel()


def is_template(item: bpy.types.Object) -> bool:
    """Whether a result is a head of fixed topology."""
    keys = item.data.shape_keys
    return keys is not None and keys.reference_key.name == NEUTRAL and item.data.library is None


def reshape(item: bpy.types.Object, neutral: np.ndarray) -> bool:
    """Give a head of fixed topology another identity at rest, (V, 3) metres; False when it has other vertices.

    Its expressions move along, as the offsets that they are: near to what making it again would give.
    """
    keys = item.data.shape_keys
    if len(neutral) != len(item.data.vertices):
        return False
    before = np.empty(neutral.size, np.float32)
    keys.reference_key.points.foreach_get("co", before)
    change = np.ascontiguousarray(neutral, np.float32).ravel() - before
    shape = np.empty_like(before)
    for block in keys.key_blocks:
        block.points.foreach_get("co", shape)
        block.points.foreach_set("co", shape + change)
    item.data.attributes["position"].data.foreach_set("vector", before + change)
    item.data.update()
    return True
