"""A coarse mesh gets finer borders between its regions, and stays the same surface."""

import numpy as np
import pytest
from repository import import_from_extension

refinement = import_from_extension("facetalk_blender.look.refinement")
appearance = import_from_extension("facetalk_blender.look.appearance")
NAMES = ("skin", "lips", "sclera", "iris", "pupil")
RADIUS = 0.1


def sphere(rows=32, columns=40):
    """An eyeball of triangles: vertices (V, 3), faces (F, 3)."""
    polar = np.linspace(0, np.pi, rows + 1)[1:-1, None]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)
    rings = np.stack(np.broadcast_arrays(np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)))
    vertices = np.concatenate([[[0, 0, 1]], rings.reshape(3, -1).T, [[0, 0, -1]]])
    faces = []
    for column in range(columns):
        following = (column + 1) % columns
        faces.append((0, 1 + column, 1 + following))
        for row in range(rows - 2):
            a, b = 1 + row * columns + column, 1 + row * columns + following
            faces += [(a, a + columns, b), (b, a + columns, b + columns)]
        last = 1 + (rows - 2) * columns
        faces.append((len(vertices) - 1, last + following, last + column))
    return vertices.astype(np.float32), np.array(faces, np.int32)


def area(vertices, faces):
    first, second, third = vertices[faces].transpose(1, 0, 2).astype(float)
    return np.linalg.norm(np.cross(second - first, third - first), axis=1).sum() / 2


def eyeball():
    directions, faces = sphere()
    weights = np.zeros((len(directions), len(NAMES)), np.uint8)
    back = directions[:, 2] < -0.4
    weights[back, 0], weights[~back, 2] = 255, 255
    everywhere = np.arange(len(directions), dtype=np.int32)
    regions = appearance.Regions(NAMES, weights, directions * RADIUS, everywhere, directions)
    return directions * RADIUS, faces, regions


def test_the_surface_stays_closed_and_where_it_is():
    vertices, faces, regions = eyeball()
    finer, divided, _, _ = refinement.refined(vertices, faces, regions)
    assert len(divided) > 3 * len(faces)
    assert area(finer, divided) == pytest.approx(area(vertices, faces), rel=1e-5)
    edges = np.concatenate([divided[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    directed, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 1).all()
    assert {tuple(edge) for edge in directed} == {tuple(edge[::-1]) for edge in directed}


def test_the_iris_is_a_circle_around_the_gaze():
    vertices, faces, regions = eyeball()
    finer, _, told, _ = refinement.refined(vertices, faces, regions)
    strongest = np.array(NAMES)[told.weights.argmax(1)]
    angle = np.degrees(np.arccos(np.clip(finer[:, 2] / np.linalg.norm(finer, axis=1), -1, 1)))
    assert (strongest[angle < 8] == "pupil").all()
    assert (strongest[(angle > 11) & (angle < 22)] == "iris").all()
    assert (strongest[(angle > 26) & (angle < 90)] == "sclera").all()
    assert len(told.rest) == len(told.weights) == len(finer)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_polygons_of_iris_and_pupil_end_on_circles(scale):
    vertices, faces, regions = eyeball()
    finer, divided, told, _ = refinement.refined(vertices * scale, faces, regions)
    slots = appearance.Look.of(told, divided, (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR)).slots
    angle = np.degrees(np.arccos(np.clip(finer[:, 2] / np.linalg.norm(finer, axis=1), -1, 1)))[divided]  # (F, 3)
    of = {name: angle[slots == appearance.SLOTS.index(name)] for name in ("Pupil", "Iris", "Eyes")}
    slack = 0.6  # degrees: edges are straight, and cut where the circle on the eyeball crosses them
    assert of["Pupil"].max() < 9 + slack
    assert of["Iris"].min() > 9 - slack
    assert of["Iris"].max() < 24 + slack
    assert of["Eyes"].min() > 24 - slack


def test_a_fine_mesh_is_cut_along_the_borders_alone():
    vertices, faces, regions = eyeball()
    finer, divided, _, _ = refinement.refined(vertices / 100, faces, regions)
    np.testing.assert_array_equal(finer[: len(vertices)], vertices / 100)
    height = vertices[faces][:, :, 2] / RADIUS
    away = (height.max(1) < 0.8) & ((height.max(1) < -0.5) | (height.min(1) > -0.3))
    assert {tuple(face) for face in faces[away]} <= {tuple(face) for face in divided}
    assert len(faces) < len(divided) < len(faces) + 1100  # two circles for each of iris and pupil, and the lids


def test_no_polygon_lies_on_both_sides_of_a_soft_border():
    vertices, faces, regions = eyeball()
    weights = np.zeros_like(regions.weights)
    weights[:, 1] = np.clip(127.5 + 6000 * (vertices[:, 1] + 0.3 * vertices[:, 0]), 0, 255)
    weights[:, 0] = 255 - weights[:, 1]
    finer, divided, told, _ = refinement.refined(vertices, faces, appearance.Regions(NAMES, weights))
    slots = appearance.Look.of(told, divided, (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR)).slots
    beyond = (finer[:, 1] + 0.3 * finer[:, 0])[divided]
    lips = slots == appearance.SLOTS.index("Lips")
    assert 0.4 < lips.mean() < 0.6
    assert beyond[lips].min() > -2e-4  # metres; weights are in steps of 1 / 255
    assert beyond[~lips].max() < 2e-4


def test_a_mesh_of_one_region_comes_back_as_it_is():
    vertices, faces, _ = eyeball()
    weights = np.zeros((len(vertices), len(NAMES)), np.uint8)
    weights[:, 0] = 255
    np.testing.assert_array_equal(
        refinement.refined(vertices / 100, faces, appearance.Regions(NAMES, weights))[1], faces
    )


def test_colours_blend_over_the_width_alone():
    vertices, faces, regions = eyeball()
    _, divided, told, _ = refinement.refined(vertices, faces, regions)
    angle = np.degrees(np.arccos(np.clip(told.eye_directions[:, 2], -1, 1)))
    blended = ((told.weights[:, 3:] > 0) & (told.weights[:, 3:] < 255)).any(1)[told.eye_vertices]
    for limit in (9.0, 24.0):
        assert (np.abs(angle - limit) < 0.41).sum() > 40  # the two circles along which it is cut
    assert not blended[(np.abs(angle - 9) > 0.41) & (np.abs(angle - 24) > 0.41)].any()
    # So nothing of the pupil's colour reaches beyond its border: no triangle leads from its inside to the outside.
    corners = angle[divided]
    assert not ((corners.min(1) < 9 - 0.5) & (corners.max(1) > 9 + 0.5)).any()


def test_polygons_of_a_ring_around_the_gaze_have_one_slot():
    """Of a mesh that is not cut: an eye of fixed topology, whose rings are not quite around the gaze."""
    polar, around = np.radians(np.arange(1.4, 60, 2.9)), np.linspace(0, 2 * np.pi, 32, endpoint=False)
    rings = [[np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)] for p in polar for a in around]
    tilt = np.radians(0.3)
    turn = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    directions = (np.array(rings) @ turn.T).astype(np.float32)
    row, column = np.divmod(np.arange(32 * (len(polar) - 1)), 32)
    first, second = row * 32 + column, row * 32 + (column + 1) % 32
    quads = np.stack([first, second, second + 32, first + 32], 1).astype(np.int32)
    weights = np.zeros((len(directions), len(NAMES)), np.uint8)
    weights[:, 2] = 255
    everywhere = np.arange(len(directions), dtype=np.int32)
    regions = appearance.Regions(NAMES, weights, directions, everywhere, directions)
    told = refinement.with_round_irises(regions, refinement.RING_WIDTH)
    colors = (appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR)
    for turned in (quads, np.roll(quads, 1, 1)):
        slots = appearance.Look.of(told, turned, colors).slots.reshape(-1, 32)
        assert (slots == slots[:, :1]).all()
        assert {appearance.SLOTS[slot] for slot in slots[:, 0]} == {"Pupil", "Iris", "Eyes"}


def test_a_fine_mesh_is_only_cut_along_borders():
    vertices, faces, regions = eyeball()
    edge = np.median(np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1))
    counts = []
    for wanted in (1.1, 0.9):
        scaled = vertices * (wanted * refinement.FINE_ENOUGH / edge)
        finer, divided, told, _ = refinement.refined(scaled.astype(np.float32), faces, regions)
        counts.append(len(divided))
    assert len(faces) < counts[1] < 0.6 * counts[0]
    iris = np.array(NAMES)[told.weights.argmax(1)] == "iris"
    angle = np.degrees(np.arccos(np.clip(finer[:, 2] / np.linalg.norm(finer, axis=1), -1, 1)))
    assert iris[(angle > 11) & (angle < 22)].all() and not iris[angle > 26].any()
