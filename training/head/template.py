"""The fixed topology of the starter: ICT-FaceKit's visible polygons in the canonical pose, cut below the neck."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ground_truth import NECK_PLANE, HeadTopology
from training.head.ict import FaceKit, canonical_weights
from training.head.labels import vertex_regions
from training.head.parts import boundary_loops, eye_rim, outer_shell

WHOLE_SUBMESHES = ("face", "head_neck")
VISIBLE_SUBMESHES = ("mouth_socket", "teeth")
LEAST_DISPLACEMENT = 0.03 * UNITS_PER_MILLIMETRE  # per unit of weight; smaller ones are not stored
LIP_CURVE_LENGTH = 0.075  # from the vermilion's border inwards along the skin, 19 mm
LIP_CURVE_POINTS = 40
POSITION_KEYS = ("vertices", "identity_modes_scale", "lip_upper", "lip_lower")


def template_tensors(topology: HeadTopology) -> dict[str, Tensor]:
    """The tensors of the template file; see `engine/head/template.py` for names and shapes."""
    kit = topology.face_kit
    mean = kit.canonical(kit.neutral)
    polygons, texture = _chosen_polygons(topology, mean)
    vertices, modes = mean.copy(), kit.identity.copy()
    _lift_to_plane(kit, vertices, modes)
    displacements = displacement_table(kit)
    polygons, texture, source = _with_flat_end(polygons, texture, vertices)
    vertices, modes = vertices[source], modes[:, source]
    regions, displacements = vertex_regions(kit)[source], displacements[source]
    used = np.unique(polygons[polygons >= 0])
    renumbered = np.full(len(vertices) + 1, -1, np.int32)  # the last entry keeps -1, the padding, as it is
    renumbered[used] = np.arange(len(used))
    modes = modes[:, used]
    scale = np.abs(modes).max((1, 2)) / 127.0
    upper, lower = lip_curves(kit)
    moved, displacements = sparse_displacements(displacements[used])
    tensors = {
        "vertices": vertices[used].astype(np.float32),
        "identity_modes_scale": scale.astype(np.float32),
        "identity_modes_q": np.round(modes / scale[:, None, None]).astype(np.int8),
        "polygons": renumbered[polygons].astype(np.int16),
        "polygon_uv": kit.uv[texture],
        "regions": np.round(255 * regions[used]).astype(np.uint8),
        "lip_upper": upper,
        "lip_lower": lower,
        "displacement_moved": moved,
        "displacement": displacements.astype(np.float32),
        "lid_rims": np.stack([renumbered[eye_rim(kit, side)] for side in (1.0, -1.0)]).astype(np.int32),
    }
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in tensors.items()}


def displacement_table(face_kit: FaceKit) -> np.ndarray:
    """(V, 58, 3): displacement per unit of each weight, then from the canonical pose to the neutral one."""
    back = -np.tensordot(canonical_weights(), face_kit.expression, 1)
    return np.concatenate([face_kit.expression, back[None]]).transpose(1, 0, 2)


def _chosen_polygons(topology: HeadTopology, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Polygons (P, 4) and texture corners (P, 4): skin above the neck plane, outer eyeballs, the visible mouth."""
    kit = topology.face_kit
    chosen = np.isin(kit.polygon_submesh, [kit.submesh_names.index(name) for name in (*WHOLE_SUBMESHES, "gums_tongue")])
    visible = topology.candidates[topology.visible]
    visible_vertices = np.zeros(len(mean), bool)
    visible_vertices[visible] = True
    seen = visible_vertices[kit.polygons].all(1)  # -1 pads with the last vertex, which belongs to a lash
    seen |= (visible_vertices[kit.polygons[:, :3]].all(1)) & (kit.polygons[:, 3] < 0)
    chosen |= seen & np.isin(kit.polygon_submesh, [kit.submesh_names.index(name) for name in VISIBLE_SUBMESHES])
    for submesh in ("eyeball_L", "eyeball_R"):
        own = kit.polygon_submesh == kit.submesh_names.index(submesh)
        chosen |= own & outer_shell(kit, submesh)[kit.polygons[:, 0]]
    highest = np.where(kit.polygons >= 0, mean[kit.polygons][..., 1], -np.inf).max(1)
    chosen &= highest > NECK_PLANE
    return kit.polygons[chosen], kit.polygon_uv[chosen]


def _lift_to_plane(kit: FaceKit, vertices: np.ndarray, modes: np.ndarray) -> None:
    """Move vertices just below the neck plane onto it, along edges to vertices above; their modes follow."""
    chosen = np.isin(kit.polygon_submesh, [kit.submesh_names.index(name) for name in WHOLE_SUBMESHES])
    polygons = kit.polygons[chosen]
    # Diagonals count as edges: a corner may face a vertex above the plane only across its polygon.
    edges = np.concatenate([polygons[:, [a, b]] for a in range(4) for b in range(4) if a != b])
    edges = edges[(edges >= 0).all(1)]
    low = vertices[:, 1] < NECK_PLANE
    edges = np.unique(edges[low[edges[:, 0]] & ~low[edges[:, 1]]], axis=0)
    start, end = edges.T
    share = (NECK_PLANE - vertices[start, 1]) / (vertices[end, 1] - vertices[start, 1])
    moved = vertices[start] + share[:, None] * (vertices[end] - vertices[start])
    moved_modes = modes[:, start] + share[:, None] * (modes[:, end] - modes[:, start])
    moved_modes[..., 1] = 0.0
    for vertex in np.unique(start):
        vertices[vertex] = moved[start == vertex].mean(0)
        modes[:, vertex] = moved_modes[:, start == vertex].mean(1)


def _with_flat_end(
    polygons: np.ndarray, texture: np.ndarray, vertices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Close the neck's lower rim with a fan on vertices of its own, so that shading keeps the edge.

    Returns polygons, texture corners, and for every vertex, the new ones included, the vertex that it copies.
    """
    triangles = np.concatenate([polygons[:, [0, 1, 2]], polygons[polygons[:, 3] >= 0][:, [0, 2, 3]]])
    rim = next(loop for loop in boundary_loops(triangles) if np.allclose(vertices[loop, 1], NECK_PLANE, atol=1e-5))
    corner_texture = dict(zip(polygons.ravel().tolist(), texture.ravel().tolist(), strict=True))
    own = len(vertices) + np.arange(len(rim))
    # A fan around a rim vertex instead of a new centre: the rim is nearly convex, and nothing else has to be stored.
    fan = np.stack([own[2:], own[1:-1], np.full(len(rim) - 2, own[0]), np.full(len(rim) - 2, -1)], 1)
    rim_texture = np.array([corner_texture[vertex] for vertex in rim.tolist()])
    fan_texture = np.stack(
        [rim_texture[2:], rim_texture[1:-1], np.full(len(rim) - 2, rim_texture[0]), np.full(len(rim) - 2, -1)], 1
    )
    source = np.concatenate([np.arange(len(vertices)), rim])
    return np.concatenate([polygons, fan]), np.concatenate([texture, fan_texture]), source


def sparse_displacements(displacements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Displacements (V, W + 1, 3) as (W + 1, ceil(V / 8)) bits of who moves, and the moves (N, 3) in that order."""
    by_weight = displacements.transpose(1, 0, 2)
    moved = np.linalg.norm(by_weight, axis=2) > LEAST_DISPLACEMENT  # (W + 1, V)
    return np.packbits(moved, axis=1), by_weight[moved]


def lip_curves(kit: FaceKit) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower lip on the mean canonical head's mid-line, each (n, 3) from the front inwards."""
    mean = kit.canonical(kit.neutral)
    middle = np.flatnonzero(np.abs(mean[:, 0]) < 1e-5)
    neighbours = _edges_of(kit.submesh("face"), middle)
    hole = np.unique(kit.submesh("mouth_socket"))
    curves = []
    for landmark, towards in ((51, -1.0), (57, 1.0)):
        path = [int(kit.landmarks[landmark])]
        while True:
            onward = [vertex for vertex in neighbours[path[-1]] if vertex not in path]
            if len(path) == 1:
                onward = [vertex for vertex in onward if towards * (mean[vertex, 1] - mean[path[0], 1]) > 0]
            if not onward:
                break
            path.append(onward[0])
        curves.append(_resampled(mean[_into_socket(kit, mean, path, hole)]))
    return curves[0], curves[1]


def _edges_of(triangles: np.ndarray, chosen: np.ndarray) -> dict[int, list[int]]:
    """Neighbours along edges between chosen vertices."""
    inside = set(chosen.tolist())
    neighbours: dict[int, list[int]] = {vertex: [] for vertex in inside}
    for a, b in np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).tolist():
        if a in inside and b in inside:
            neighbours[a].append(b)
            neighbours[b].append(a)
    return neighbours


def _into_socket(kit: FaceKit, mean: np.ndarray, path: list[int], socket: np.ndarray) -> list[int]:
    """The path continued on the mouth socket, whose rim repeats the face's vertices."""
    start = int(socket[np.linalg.norm(mean[socket] - mean[path[-1]], axis=1).argmin()])
    neighbours = _edges_of(kit.submesh("mouth_socket"), socket[np.abs(mean[socket, 0]) < 1e-5])
    path = [*path, start]
    for _ in range(6):
        onward = [vertex for vertex in neighbours[path[-1]] if vertex not in path]
        if not onward:
            break
        path.append(onward[0])
    return path


def _resampled(points: np.ndarray) -> np.ndarray:
    """(LIP_CURVE_POINTS, 3) float32 at equal steps along the first LIP_CURVE_LENGTH of a polyline."""
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    places = np.linspace(0, min(LIP_CURVE_LENGTH, steps[-1]), LIP_CURVE_POINTS)
    return np.stack([np.interp(places, steps, points[:, axis]) for axis in range(3)], 1).astype(np.float32)
