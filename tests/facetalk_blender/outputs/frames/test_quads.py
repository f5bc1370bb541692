"""Triangles joined to quads are the same triangles, as Blender divides quads, and most find a partner."""

import numpy as np
import pytest
from repository import import_from_extension

pytest.importorskip("bpy")
quads = import_from_extension("facetalk_blender.outputs.frames.quads")


def grid(side, turned):
    """Triangles of a bumpy sheet, in order or shuffled; vertices, faces, slots."""
    x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    vertices = np.stack([x, y, 0.3 * np.sin(x) * np.cos(y)], -1).reshape(-1, 3).astype(np.float32)
    a = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    faces = np.stack([a, a + side, a + side + 1, a, a + side + 1, a + 1], 1).reshape(-1, 3).astype(np.int32)
    slots = (faces[:, 0] % side > side // 2).astype(np.int32)
    if turned:
        order = np.random.default_rng(0).permutation(len(faces))
        faces, slots = np.roll(faces[order], 1, axis=1), slots[order]
    return vertices, faces, slots


def divided(found, left, slots):
    """Triangles and their slots as rows, in an order of their own."""
    faces = np.concatenate([found[:, :3], found[:, [0, 2, 3]], left])
    slots = np.concatenate([slots[: len(found)], slots])
    faces = np.take_along_axis(faces, (faces.argmin(1)[:, None] + np.arange(3)) % 3, 1)
    rows = np.c_[faces, slots]
    return rows[np.lexsort(rows.T)]


@pytest.mark.parametrize("turned", [False, True])
def test_the_same_triangles_are_there(turned):
    vertices, faces, slots = grid(40, turned)
    found, left, made = quads.joined(vertices, faces, slots)
    assert len(found) > 0.45 * len(faces)
    nothing = np.empty((0, 4), np.int32)
    np.testing.assert_array_equal(divided(found, left, made), divided(nothing, faces, slots))


def test_sharp_edges_and_borders_of_slots_stay():
    vertices, faces, slots = grid(40, turned=False)
    vertices[:, 2] = np.random.default_rng(0).normal(0.0, 5.0, len(vertices))
    assert len(quads.joined(vertices, faces, slots)[0]) < 0.4 * len(faces)
    vertices[:, 2] = 0.0
    alone = np.arange(len(faces), dtype=np.int32)  # each triangle in a slot of its own
    found, left, made = quads.joined(vertices, faces, alone)
    assert not len(found)
    np.testing.assert_array_equal(left, faces)
    np.testing.assert_array_equal(made, alone)


def test_few_triangles_are_left_alone():
    vertices, faces, slots = grid(5, turned=False)
    found, left, made = quads.joined(vertices, faces, slots)
    assert not len(found)
    assert left is faces
    assert made is slots
