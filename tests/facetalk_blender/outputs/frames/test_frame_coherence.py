"""Frames that follow one another: the surface stays, and what did not change is the same to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from repository import import_from_extension

pytest.importorskip("bpy")
marching_cubes = pytest.importorskip("skimage.measure").marching_cubes
appearance = import_from_extension("facetalk_blender.look.appearance")
coherence = import_from_extension("facetalk_blender.outputs.frames.frame_coherence")
mesh_building = import_from_extension("facetalk_blender.blender_data.mesh_building")
usd_frame = import_from_extension("facetalk_blender.outputs.frames.usd_frame")
SIZE, CELL = 40, 0.004


def frame(bulge):
    """A ball of which one side swells by `bulge` metres, as a head at speech."""
    x, y, z = np.meshgrid(*3 * [np.arange(SIZE) * CELL - 0.0781], indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    field = 0.06 + bulge * np.clip(-z / 0.06, 0, 1) ** 2 - radius
    vertices, faces, _, _ = marching_cubes(field, 0.0)
    vertices = (vertices * CELL - 0.0781).astype(np.float32)
    swollen = (vertices[:, 2] < 0).astype(np.float32)[:, None]
    values = {appearance.SKIN_ATTRIBUTE: np.repeat(swollen, 3, 1), appearance.REST_ATTRIBUTE: 0.9 * vertices}
    values["number"] = np.arange(len(vertices), dtype=np.float32)[:, None]  # which a frame's look never has
    slots = (vertices[faces[:, 0], 2] < 0).astype(np.int32)
    starts = 3 * np.arange(len(faces), dtype=np.int32)
    return usd_frame.FrameMesh(vertices, faces.ravel().astype(np.int32), starts, appearance.Look(values, slots))


def divided(given):
    """The same with the middles of some longer edges as vertices, which lie on and half-way between the layers."""
    corners = given.corners.reshape(-1, 3)
    ends = np.unique(np.sort(corners[:, :2], 1), axis=0)
    ends = ends[np.linalg.norm(np.diff(given.vertices[ends], axis=1)[:, 0], axis=1) > 0.7 * CELL]
    ends = ends[::4]
    vertices = np.concatenate([given.vertices, given.vertices[ends].mean(1)])
    return usd_frame.FrameMesh(vertices, given.corners, given.starts, given.look, ends)


def triangles(mesh, numbers):
    """Triangles as Blender divides quads, in other numbers; each begins with its least vertex."""
    sizes = np.diff(mesh.starts, append=len(mesh.corners))
    quads = mesh.corners[mesh.starts[sizes == 4, None] + np.arange(4)]
    left = mesh.corners[mesh.starts[sizes == 3, None] + np.arange(3)]
    found = numbers[np.concatenate([quads[:, :3], quads[:, [0, 2, 3]], left])]
    found = np.take_along_axis(found, (found.argmin(1)[:, None] + np.arange(3)) % 3, 1)
    return found[np.lexsort(found.T)]


def test_the_surface_stays():
    kept = coherence.Coherence()
    for bulge in (0.0, 0.003, 0.0031, 0.00312, -0.002):
        given = frame(bulge)
        made = kept.followed(given)
        numbers = made.look.values["number"][:, 0].astype(int)
        assert sorted(numbers) == list(range(len(given.vertices)))
        assert np.linalg.norm(made.vertices - given.vertices[numbers], axis=1).max() < 2e-5
        assert len(made.starts) < 0.7 * len(given.starts)
        np.testing.assert_array_equal(triangles(made, numbers), triangles(given, np.arange(len(numbers))))
        for name, values in made.look.values.items():
            if name == "number":
                continue
            apart = np.abs(values - given.look.values[name][numbers])
            assert apart.max() <= coherence.TOLERANCES[name] + 1e-7, name
        first = made.corners[made.starts]
        slots = (given.vertices[numbers][first, 2] < 0).astype(np.int32)
        assert (slots == made.look.slots).mean() > 0.9  # of a triangle's first corner, which may be another one


def test_what_did_not_change_is_the_same_in_the_same_place():
    kept = coherence.Coherence()
    before, after = kept.followed(frame(0.001)), kept.followed(frame(0.003))
    plain = frame(0.001), frame(0.003)
    for (one, other), least, most in (((before, after), 0.4, 1.0), (plain, 0.0, 0.3)):
        count = min(len(one.vertices), len(other.vertices))
        assert least <= (one.vertices[:count] == other.vertices[:count]).all(1).mean() <= most
        count = min(len(one.corners), len(other.corners))
        assert least <= (one.corners[:count] == other.corners[:count]).mean()
    edges = [mesh_building.with_edges_of_corners(mesh.vertices, mesh.corners, mesh.starts) for mesh in (before, after)]
    placed = [kept.edges(geometry.edges, geometry.corner_edges) for geometry in edges]
    for geometry, (found, corner_edges) in zip(edges, placed, strict=True):
        np.testing.assert_array_equal(found[corner_edges], geometry.edges[geometry.corner_edges])
    count = min(len(found) for found, _ in placed)
    assert (placed[0][0][:count] == placed[1][0][:count]).all(1).mean() > 0.5


def test_the_grid_is_found_where_edges_are_divided():
    given = divided(frame(0.001))
    count = len(frame(0.001).vertices)
    assert len(given.vertices) > 1.15 * count
    _, cell = coherence._grid_of(given.vertices)
    np.testing.assert_allclose(cell, CELL, rtol=1e-3)


def test_vertices_between_others_are_told_apart_by_these():
    given = divided(frame(0.001))
    first = len(given.vertices) - len(given.ends)
    one, other = given.vertices[given.ends].transpose(1, 0, 2)
    moved = replace(given, vertices=np.concatenate([given.vertices[:first], 0.8 * one + 0.2 * other]))
    for known, least, most in ((given.ends, 1.0, 1.0), (None, 0.0, 0.5)):
        kept = coherence.Coherence()
        before, after = (kept._keys(replace(mesh, ends=known)) for mesh in (given, moved))
        assert len(np.unique(before)) > 0.98 * len(before)
        np.testing.assert_array_equal(before[:first], after[:first])
        assert least <= (before == after)[first:].mean() <= most


def test_quads_stay_while_their_triangles_do():
    kept = coherence.Coherence()
    found = []
    for bulge in (0.001, 0.002):
        made = kept.followed(frame(bulge))
        sizes = np.diff(made.starts, append=len(made.corners))
        assert (sizes == 4).sum() % 3 == 0
        numbers = np.arange(len(made.vertices))
        found.append((triangles(made, numbers), made.corners[: 4 * (sizes == 4).sum()].reshape(-1, 4)))
    (_, before), (now, after) = found
    there = {tuple(triangle) for triangle in now}
    turned = [np.take_along_axis(t, (t.argmin(1)[:, None] + np.arange(3)) % 3, 1) for t in coherence.halves(before)]
    whole = [tuple(a) in there and tuple(b) in there for a, b in zip(*turned, strict=True)]
    assert 0.5 < np.mean(whole) < 0.95
    quads = {tuple(quad) for quad in after}
    stayed = [tuple(quad) in quads for quad in before[whole]]
    assert np.mean(stayed) > 0.98


def test_small_meshes_are_left_alone():
    given = frame(0.0)
    small = usd_frame.FrameMesh(given.vertices[:3], np.arange(3, dtype=np.int32), np.zeros(1, np.int32), given.look)
    assert coherence.Coherence().followed(small) is small
