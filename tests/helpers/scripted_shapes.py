"""Closed-form shapes that the scripted engine streams and tests compare with."""

import numpy as np

RATE = 24.0
WEIGHT_NAMES = ["jawOpen", "mouthClose"]
REGION_NAMES = ["skin", "lips"]


def take(duration):
    """Codes whose first number is the frame's index."""
    count = round(RATE * duration)
    codes = np.zeros((count, 4), np.float32)
    codes[:, 0] = np.arange(count)
    return {"codes": codes, "weights": codes[:, :2].copy(), "lip_opening_mm": codes[:, 0].copy()}


def surface(index):
    """A closed double cone, radius 0.1 m, whose rim has index + 3 vertices."""
    rim = index + 3
    angles = np.linspace(0, 2 * np.pi, rim, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(rim)], 1)
    vertices = 0.1 * np.concatenate([circle, [[0, 0, 1], [0, 0, -1]]]).astype(np.float32)
    i, j = np.arange(rim), (np.arange(rim) + 1) % rim
    top, bottom = np.full(rim, rim), np.full(rim, rim + 1)
    faces = np.concatenate([np.stack([i, j, top], 1), np.stack([j, i, bottom], 1)]).astype(np.int32)
    return {"region_names": REGION_NAMES}, {"vertices": vertices, "faces": faces, "regions": regions(rim + 2)}


def regions(count):
    """Half skin, half lips."""
    weights = np.zeros((count, 2), np.uint8)
    weights[: count // 2, 0] = 255
    weights[count // 2 :, 1] = 255
    return weights


def template():
    """A pyramid: one quad below, four triangles above."""
    vertices = 0.1 * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, 1]], np.float32)
    polygons = np.array([[3, 2, 1, 0], [0, 1, 4, -1], [1, 2, 4, -1], [2, 3, 4, -1], [3, 0, 4, -1]], np.int32)
    uv = np.linspace(0, 1, 40, dtype=np.float32).reshape(5, 4, 2)
    arrays = {"vertices": vertices, "polygons": polygons, "uv": uv, "regions": regions(5)}
    return {"region_names": REGION_NAMES}, arrays


def positions(index):
    """The pyramid with its tip moved on a curve."""
    vertices = template()[1]["vertices"].copy()
    vertices[4, 2] += 0.05 * np.sin(0.7 * index)
    vertices[4, 0] += 0.01 * index
    return vertices


def arkit_shape(index):
    """The pyramid with its tip moved by the weight of that number alone."""
    vertices = template()[1]["vertices"].copy()
    vertices[4, 2] += 0.01 * (index + 1)
    return vertices
