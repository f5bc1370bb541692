"""Surfaces by marching cubes over every point of a grid, which narrow bands must find without most of its points."""

import numpy as np
import torch
from skimage.measure import marching_cubes

CELL_TOLERANCE = 1e-4
# A field is within this of what it is when evaluated among other points. What lies nearer to 0 may be cut or not.
FIELD_ROUNDING = 1e-6


def grid(box, resolution):
    """Points (resolution^3, 3) float32, x slowest."""
    axes = [torch.linspace(low, high, resolution, dtype=torch.float64).float() for low, high in zip(*box, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).view(-1, 3)


def distance(points, centre):
    """Of points (..., 3) from centres (..., 3), by operations that round alike wherever a point stands in an array."""
    x, y, z = (points - centre).unbind(-1)
    return (x * x + y * y + z * z).sqrt()


def dense_values(field, box, resolution):
    """field at every point of the grid, as an array of three dimensions."""
    return field(grid(box, resolution)).view(3 * (resolution,)).numpy()


def surface_of(values, box):
    """(vertices, faces) of a grid of values."""
    places, faces, _, _ = marching_cubes(values, 0.0, gradient_direction="descent")
    return places * (np.subtract(box[1], box[0]) / (len(values) - 1)) + box[0], faces


def assert_surface_of(vertices, values, box):
    """Vertices are those of the surface of values: as many, each within CELL_TOLERANCE of one, and the reverse.

    A value that rounding decides the sign of adds or removes the crossings of its six edges, all next to that point.
    Where the field changes little along an edge, rounding moves its crossing further.
    """
    expected, _ = surface_of(values, box)
    undecided = int((np.abs(values) < FIELD_ROUNDING).sum())
    assert abs(len(vertices) - len(expected)) <= 6 * undecided
    step = np.subtract(box[1], box[0]) / (len(values) - 1)
    places = (expected - box[0]) / step  # (E, 3) in cells, between two grid points each
    ends = [np.clip(end(places.round(3)).astype(int), 0, len(values) - 1) for end in (np.floor, np.ceil)]
    change = np.abs(np.subtract(*(values[tuple(end.T)] for end in ends)))
    allowed = CELL_TOLERANCE + np.where(change > 0, FIELD_ROUNDING / np.maximum(change, FIELD_ROUNDING), 0)
    distances = torch.cdist(torch.from_numpy(vertices).double(), torch.from_numpy(expected).double()) / step.min()
    assert (distances.min(0).values.numpy() < allowed).all()
    nearest = distances.min(1)
    assert (nearest.values.numpy() < allowed[nearest.indices.numpy()]).all()
