"""Lip opening: the distance between the lips in the mid-sagittal plane, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ...shared.errors import EngineError
from ...shared.units import MILLIMETRES_PER_UNIT
from ..arkit_map import FittedArkitMap
from ..head import Array, NeuralHead
from ..template import Template
from .correspondence import FRAMES_AT_ONCE, backward_map, find_roots, posed_positions

# The template and the field differ by some tenths of a millimetre, which two steps bring below the opening's accuracy.
BROYDEN_STEPS = 2
POINTS_PER_LIP = 24
CHUNKS_A_REPORT = 16  # some tenths of a second on a slow core
FITTED_REACH = 3 / MILLIMETRES_PER_UNIT  # a linear model of other heads' motion leads less near than a template


def has_lip_curves(head: NeuralHead, identity: Array | None = None) -> bool:
    """Whether the lip opening can be measured; a fitted map has its curves on the mean head (None) alone."""
    if head.template is not None and head.arkit_map.exact_basis is not None:
        return True
    return identity is None and isinstance(head.arkit_map, FittedArkitMap)


def lip_opening(
    head: NeuralHead,
    expressions: Array,
    identity: Array | None = None,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Distance between the lips (N,) in millimetres for expression codes (N, E).

    Zero when the lips touch or press on each other; see `gap`. Raises EngineError without lip curves.
    progress: called with the fraction done, 0..1, now and then where there are many codes; what it raises ends
        the work.
    """
    codes = torch.as_tensor(expressions, dtype=torch.float32, device=head.device)
    if head.template is not None and head.arkit_map.exact_basis is not None:
        basis = torch.from_numpy(head.arkit_map.exact_basis).to(head.device)
        return _opening_of_template(head, head.template, codes, codes @ basis, identity, progress)
    if isinstance(head.arkit_map, FittedArkitMap) and identity is None:
        return _opening_of_fit(head, head.arkit_map, codes, progress)
    raise EngineError("This head has no lip curves to measure; fit ARKit weights to it, or use the starter bundle.")


def _chunks(codes: Tensor, progress: Callable[[float], None] | None) -> Iterator[Tensor]:
    """Codes (N, E), FRAMES_AT_ONCE at a time. progress: see `lip_opening`."""
    for number, chunk in enumerate(codes.split(FRAMES_AT_ONCE)):
        if progress is not None and number and number % CHUNKS_A_REPORT == 0:
            progress(number * FRAMES_AT_ONCE / len(codes))
        yield chunk


def _opening_of_template(
    head: NeuralHead,
    template: Template,
    codes: Tensor,
    weights: Tensor,
    identity: Array | None,
    progress: Callable[[float], None] | None,
) -> np.ndarray:
    """The opening (N,) for codes (N, E), which are weights (N, W)."""
    prepared = head.prepare_identity(identity)
    upper, lower = (_thinned(curve) for curve in template.lip_curves(head.modes.coefficients(prepared.code)))
    curves = torch.cat([upper, lower])  # (n + m, 3)
    basis = torch.cat([_thinned(part) for part in template.lip_displacements(weights.shape[1])])
    openings = []
    with torch.no_grad():
        for chunk, weighted in zip(_chunks(codes, progress), weights.split(FRAMES_AT_ONCE), strict=True):
            guesses = posed_positions(curves, basis, weighted)  # (B, n + m, 3)
            posed = find_roots(backward_map(head, prepared, chunk), curves, guesses, BROYDEN_STEPS).points
            openings.append(gap(posed[:, : len(upper)], posed[:, len(upper) :]))
    return (torch.cat(openings) * MILLIMETRES_PER_UNIT).cpu().numpy()


def _opening_of_fit(
    head: NeuralHead, fitted: FittedArkitMap, codes: Tensor, progress: Callable[[float], None] | None
) -> np.ndarray:
    """The opening (N,) for codes (N, E) on the mean head."""
    prepared = head.prepare_identity(None)
    openings = []
    with torch.no_grad():
        for chunk in _chunks(codes, progress):
            deformed = backward_map(head, prepared, chunk)
            if head.deforms_forward:
                posed = deformed(fitted.lip_canonical.expand(len(chunk), -1, -1))  # (B, L, 3)
            else:
                guesses = fitted.lip_rest + torch.tensordot(chunk, fitted.lip_motion, 1)
                posed = find_roots(deformed, fitted.lip_canonical, guesses, reach=FITTED_REACH).points
            openings.append(gap(posed[:, : fitted.upper_points], posed[:, fitted.upper_points :]))
    return (torch.cat(openings) * MILLIMETRES_PER_UNIT - fitted.allowance_mm).clamp_min(0).cpu().numpy()


def _thinned(curve: Tensor) -> Tensor:
    """At most POINTS_PER_LIP rows of a curve's values (n, ...), both ends among them."""
    count = min(len(curve), POINTS_PER_LIP)
    return curve[torch.linspace(0, len(curve) - 1, count).round().long()]


def gap(upper: Tensor, lower: Tensor) -> Tensor:
    """Smallest distance (B,) between two polylines (B, n, 3) and (B, m, 3) seen from the side, in their own unit.

    Only y (up) and z (forward) count, so a jaw that shifts sideways does not open the lips. Zero where the polylines
    cross, or where the upper one lies below the lower one at the place where they are nearest.
    """
    upper, lower = upper[..., [2, 1]], lower[..., [2, 1]]  # (B, n, 2): forward, up
    pieces = [_nearest(upper, lower), _nearest(lower, upper)]  # each: distance (B,), vector (B, 2)
    vectors = torch.stack([pieces[0][1], -pieces[1][1]], 1)  # (B, 2, 2), from the lower curve to the upper curve
    distances = torch.stack([pieces[0][0], pieces[1][0]], 1)  # (B, 2)
    smallest, side = distances.min(1)
    rise = vectors[torch.arange(len(side), device=side.device), side, 1]
    return torch.where(_cross(upper, lower) | (rise < 0), torch.zeros_like(smallest), smallest)


def _nearest(points: Tensor, line: Tensor) -> tuple[Tensor, Tensor]:
    """Smallest distance (B,) of points (B, P, 2) to a polyline (B, Q, 2), and the vector (B, 2) from it to them."""
    start, along = line[:, None, :-1], (line[:, 1:] - line[:, :-1])[:, None]  # (B, 1, Q - 1, 2)
    from_start = points[:, :, None] - start  # (B, P, Q - 1, 2)
    share = (from_start * along).sum(-1, keepdim=True) / along.square().sum(-1, keepdim=True).clamp_min(1e-20)
    vectors = (from_start - share.clamp(0.0, 1.0) * along).flatten(1, 2)  # (B, P (Q - 1), 2)
    distances, place = vectors.norm(dim=-1).min(1)
    return distances, vectors[torch.arange(len(place), device=place.device), place]


def _cross(one: Tensor, other: Tensor) -> Tensor:
    """Whether two polylines (B, n, 2) and (B, m, 2) have segments that cross; (B,) bool."""
    a, b = one[:, :-1, None], one[:, 1:, None]  # (B, n - 1, 1, 2)
    c, d = other[:, None, :-1], other[:, None, 1:]  # (B, 1, m - 1, 2)
    apart_cd = _side(a, b, c) * _side(a, b, d) < 0
    apart_ab = _side(c, d, a) * _side(c, d, b) < 0
    return (apart_cd & apart_ab).flatten(1).any(1)


def _side(start: Tensor, end: Tensor, point: Tensor) -> Tensor:
    """Twice the signed area of the triangle: positive when the point lies left of the line from start to end."""
    along, to = end - start, point - start
    return along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
