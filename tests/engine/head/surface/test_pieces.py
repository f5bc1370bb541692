"""Pieces of a mesh, against spheres of known place and volume."""

import numpy as np
import pytest
from skimage.measure import marching_cubes

from engine.head.surface.pieces import piece_volumes, without_small_pieces

SPHERES = (((20, 20, 20), 12), ((40, 40, 40), 4), ((40, 10, 40), 3))


@pytest.fixture(scope="module")
def spheres():
    """Three solid balls and a hollow in the first one; vertices and faces on a grid of unit cells."""
    grid = np.stack(np.meshgrid(*[np.arange(50.0)] * 3, indexing="ij"), -1)
    distance = np.min([np.linalg.norm(grid - centre, axis=-1) - radius for centre, radius in SPHERES], 0)
    distance = np.maximum(distance, 5 - np.linalg.norm(grid - SPHERES[0][0], axis=-1))
    vertices, faces, _, _ = marching_cubes(distance, 0.0, gradient_direction="descent")
    return vertices, faces.astype(np.int32)


def test_volumes_are_those_of_the_balls_and_the_hollow(spheres):
    _, volumes = piece_volumes(*spheres)
    expected = [4 / 3 * np.pi * radius**3 for _, radius in SPHERES] + [-4 / 3 * np.pi * 5**3]
    np.testing.assert_allclose(np.sort(volumes), np.sort(expected), rtol=0.08)


@pytest.mark.parametrize(("smallest", "left"), [(1, (0, 1, 2)), (200, (0, 1)), (1000, (0,)), (1e9, (0,))])
def test_small_solid_pieces_go_and_hollows_and_the_largest_piece_stay(spheres, smallest, left):
    vertices, faces = spheres
    kept, kept_faces, canonical = without_small_pieces(
        vertices, faces, smallest, ((0, 0, 0), (49, 49, 49)), 2 * vertices
    )
    to_ball = np.stack([np.linalg.norm(kept - centre, axis=1) - radius for centre, radius in SPHERES], 1)
    nearest = np.abs(to_ball).argmin(1)
    assert set(nearest) - set(left) <= {0}
    assert set(left) <= set(nearest)
    np.testing.assert_array_equal(canonical, 2 * kept)
    corners = {tuple(np.sort(corner, axis=0).ravel()) for corner in vertices[faces]}
    assert {tuple(np.sort(corner, axis=0).ravel()) for corner in kept[kept_faces]} <= corners
    hollow = np.linalg.norm(kept - SPHERES[0][0], axis=1) < 6
    assert hollow.sum() == (np.linalg.norm(vertices - SPHERES[0][0], axis=1) < 6).sum() > 0


def test_what_a_side_of_the_box_cuts_goes_but_not_the_largest_piece(spheres):
    vertices, faces = spheres
    box = ((8, 0, 0), (vertices[:, 0].max(), 49, 49))  # touches the first ball on the left, the second on the right
    kept, _ = without_small_pieces(vertices, faces, 1, box)
    centres = np.array([centre for centre, _ in SPHERES])
    owner = np.linalg.norm(kept[:, None] - centres, axis=2).argmin(1)
    assert set(owner) == {0, 2}
