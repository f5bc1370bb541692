"""The template: vertices in canonical space, how they follow the identity, and the two lip curves.

Tensors of the bundle's template file:
    vertices (V, 3) float32, mean head;
    identity_modes_q (M, V, 3) int8 with identity_modes_scale (M,): a mode is q * scale;
    polygons (P, 4) integer, -1 pads triangles; polygon_uv (P, 4, 2); regions (V, K) uint8;
    lip_upper (n, 3), lip_lower (m, 3): curves on the mean head's mid-line, from the front inwards;
    displacement_moved (W + 1, ceil(V / 8)) uint8, bits of the vertices that a weight moves (the last row: from the
    canonical pose to the neutral one), and for these in turn displacement (N, 3), per unit of weight, of any identity.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from ...shared.arkit import ARKIT_NAMES
from ...shared.regions import EYE_REGIONS
from ..head import Array, NeuralHead
from ..region_geometry import gaze_rotations

LIP_CURVES = ("lip_upper", "lip_lower")
LIP_NEIGHBOURS = 3


def identity_coefficients(head: NeuralHead, identity: Array | None) -> Tensor | None:
    """Coefficients (M,) of the template's identity modes for an identity code (L,), by least squares."""
    if identity is None or head.identity_basis is None:
        return None
    code = head.prepare_identity(identity).code[0]
    return torch.linalg.lstsq(head.identity_basis, code[:, None]).solution[:, 0]


def canonical_vertices(head: NeuralHead, identity: Array | None) -> Tensor:
    """Template vertices (V, 3) in canonical space for an identity code (L,); None is the mean head."""
    vertices = head.template["vertices"].float().to(head.device)
    displacement = _identity_displacement(head, identity)
    return vertices if displacement is None else vertices + displacement


def template_regions(head: NeuralHead, identity: Array | None, vertices: Tensor) -> np.ndarray:
    """Soft weights (V, K) uint8 of the head's region_names for template vertices (V, 3) in canonical space."""
    stored = head.template["regions"].cpu().numpy()
    geometry = head.geometry(identity)
    if geometry is None:
        return stored
    refined = geometry.refined(vertices.cpu().numpy(), stored.astype(np.float32) / 255)
    return np.round(255 * refined).astype(np.uint8)


def vertex_displacements(head: NeuralHead) -> Tensor:
    """Displacements (V, W + 1, 3) of the template's vertices: per unit of weight, then to the neutral pose."""
    bits, count = head.template["displacement_moved"].cpu().numpy(), len(head.template["vertices"])
    moved = torch.from_numpy(np.unpackbits(bits, axis=1, count=count).astype(bool))  # (W + 1, V)
    dense = torch.zeros(*moved.shape, 3)
    dense[moved] = head.template["displacement"].float().cpu()
    return dense.transpose(0, 1).to(head.device)


def turned_eyes(head: NeuralHead, vertices: Tensor, regions: np.ndarray, identity: Array | None) -> Tensor | None:
    """Displacements (V, W, 3) per unit of ARKit weight that turn the eyeballs of template vertices (V, 3).

    A weight of one turns an eyeball by its whole angle; in between, vertices go straight, 0.5 mm inside at most. None
    when the bundle does not tell its eyes.
    """
    geometry = head.geometry(identity)
    if geometry is None:
        return None
    places = vertices.cpu().numpy()
    ball = regions[:, [head.region_names.index(name) for name in EYE_REGIONS]].sum(1) > 127
    moved = np.zeros((len(places), len(ARKIT_NAMES), 3), np.float32)
    for number in (number for number, name in enumerate(ARKIT_NAMES) if name.startswith("eyeLook")):
        turns = gaze_rotations(np.eye(len(ARKIT_NAMES))[number])
        for eye, turn, own in zip(
            geometry.eyes, turns, (ball & (places[:, 0] > 0), ball & (places[:, 0] < 0)), strict=True
        ):
            offset = places[own] - eye.centre
            moved[own, number] = offset @ turn.T - offset
    return torch.from_numpy(moved).to(head.device)


def canonical_lip_curves(head: NeuralHead, identity: Array | None) -> tuple[Tensor, Tensor]:
    """Upper (n, 3) and lower (m, 3) lip curve in canonical space for an identity code (L,).

    A curve point moves with the template vertices nearest to it.
    """
    curves, displacement = _mean_lip_curves(head), _identity_displacement(head, identity)
    if displacement is not None:
        curves = curves + interpolated(head, curves, displacement)
    upper, lower = curves.split([len(head.template[name]) for name in LIP_CURVES])
    return upper, lower


def lip_displacements(head: NeuralHead) -> Tensor:
    """Displacements (n + m, W + 1, 3) of the upper and the lower lip curve, as `vertex_displacements` has them."""
    return interpolated(head, _mean_lip_curves(head), vertex_displacements(head))


def _mean_lip_curves(head: NeuralHead) -> Tensor:
    """The mean head's upper, then its lower lip curve (n + m, 3)."""
    return torch.cat([head.template[name].float() for name in LIP_CURVES]).to(head.device)


def interpolated(head: NeuralHead, points: Tensor, values: Tensor) -> Tensor:
    """Values (P, ...) at points (P, 3) near the mean head's template, from those (V, ...) of its nearest vertices."""
    tree = cKDTree(head.template["vertices"].float().cpu().numpy())
    distances, nearest = tree.query(points.cpu().numpy(), k=LIP_NEIGHBOURS)
    weights = 1.0 / torch.from_numpy(distances).float().to(points.device).clamp_min(1e-6)  # (P, 3)
    shares = weights / weights.sum(1, keepdim=True)
    return torch.einsum("pk,pk...->p...", shares, values[torch.from_numpy(nearest).to(points.device)])


def _identity_displacement(head: NeuralHead, identity: Array | None) -> Tensor | None:
    coefficients = identity_coefficients(head, identity)
    if coefficients is None:
        return None
    modes = head.template["identity_modes_q"].to(head.device)  # (M, V, 3)
    scaled = coefficients * head.template["identity_modes_scale"].float().to(head.device)  # (M,)
    return torch.tensordot(scaled, modes.float(), 1)  # (V, 3)
