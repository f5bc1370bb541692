"""Fixed topology: where the vertices of a template, given in canonical space, lie in each expression's posed space.

The expression network maps posed points to canonical ones, so a vertex v poses to a root x of x + w(x) d(x) = v
(Eq. 15). The backward field is not invertible where lips or lids touch, and a search from v may end on the wrong lip;
the template's own displacements give a guess near the right root, and a root that leaves its guess is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...shared.arkit import ARKIT_NAMES
from ...shared.errors import EngineError
from ...shared.units import MILLIMETRES_PER_UNIT
from ..head import Array, NeuralHead, PreparedIdentity
from ..template import Template

BROYDEN_STEPS = 4
ACCEPTED_DISTANCE = 1.0 / MILLIMETRES_PER_UNIT
LARGEST_PROJECTION = 1.0 / MILLIMETRES_PER_UNIT
FRAMES_AT_ONCE = 32
BLINKS = (ARKIT_NAMES.index("eyeBlinkLeft"), ARKIT_NAMES.index("eyeBlinkRight"))

BackwardMap = Callable[[Tensor], Tensor]


@dataclass
class Roots:
    """Posed points (B, P, 3) with their residuals |x + w d - v| (B, P) in model units, and which were accepted."""

    points: Tensor
    residual: Tensor
    accepted: Tensor

    def statistics(self) -> dict[str, float]:
        """Mean and 95th percentile of the residual in millimetres over all points, and the accepted share."""
        millimetres = self.residual.flatten().cpu().numpy() * MILLIMETRES_PER_UNIT
        return {
            "mean_mm": float(millimetres.mean()),
            "p95_mm": float(np.percentile(millimetres, 95)),
            "accepted": float(self.accepted.float().mean()),
        }


def backward_map(head: NeuralHead, prepared: PreparedIdentity, expressions: Tensor) -> BackwardMap:
    """The map of posed points (B, P, 3) to canonical points (B, P, 3) under expression codes (B, E) (Eq. 15).

    With a head that deforms forward the same formula maps canonical points to posed ones.
    """
    frames = len(expressions)
    folded = head.expression.fold(
        prepared.code.expand(frames, -1), prepared.anchors.expand(frames, -1, -1), expressions
    )

    def canonical(points: Tensor) -> Tensor:
        offsets = head.expression.evaluate(points, folded)[..., :3]  # (B, P, 3)
        mask = head.mask_weights(points)
        return points + (offsets if mask is None else mask[..., None] * offsets)

    return canonical


def find_roots(
    canonical: BackwardMap,
    targets: Tensor,
    guesses: Tensor,
    steps: int = BROYDEN_STEPS,
    reach: float = ACCEPTED_DISTANCE,
) -> Roots:
    """Roots of canonical(x) = targets (P, 3) near guesses (B, P, 3), by Broyden's good method for every point at once.

    The inverse Jacobian starts as the identity. A point whose residual did not fall, or that went further than `reach`
    (model units) from its guess, keeps its guess.
    """
    points = guesses
    error = canonical(points) - targets  # (B, P, 3)
    first = best_residual = error.norm(dim=-1)  # (B, P)
    best = points
    inverse = torch.eye(3, device=points.device).expand(*points.shape, 3)  # (B, P, 3, 3)
    for _ in range(steps):
        step = -(inverse @ error[..., None])[..., 0]
        points = points + step
        new_error = canonical(points) - targets
        change = (inverse @ (new_error - error)[..., None])[..., 0]  # H dF
        row = (step[..., None, :] @ inverse)[..., 0, :]  # dx^T H
        scale = (step * change).sum(-1, keepdim=True)
        scale = torch.where(scale.abs() < 1e-12, torch.full_like(scale, torch.inf), scale)
        inverse = inverse + ((step - change) / scale)[..., None] * row[..., None, :]
        error = new_error
        residual = error.norm(dim=-1)
        better = residual < best_residual
        best, best_residual = torch.where(better[..., None], points, best), torch.where(better, residual, best_residual)
    accepted = (best_residual < first) & ((best - guesses).norm(dim=-1) <= reach)
    return Roots(torch.where(accepted[..., None], best, guesses), torch.where(accepted, best_residual, first), accepted)


def posed_positions(points: Tensor, basis: Tensor, weights: Tensor) -> Tensor:
    """Posed points (N, P, 3): points (P, 3) plus basis (P, W + 1, 3) weighted by (N, W), plus its neutral part."""
    moved = torch.einsum("pwc,nw->npc", basis[:, :-1], weights)  # (N, P, 3)
    return moved + (points + basis[:, -1])


def moved_to_surface(head: NeuralHead, points: Tensor, prepared: PreparedIdentity, expression: Tensor) -> Tensor:
    """Posed points (P, 3) after one Newton step along the gradient of the signed distance, at most 1 mm."""
    query = points.detach().requires_grad_()
    distance = head.signed_distance(query, prepared.code[0], expression)  # (P,)
    (gradient,) = torch.autograd.grad(distance.sum(), query)  # (P, 3)
    step = -distance.detach()[:, None] * gradient / gradient.square().sum(-1, keepdim=True).clamp_min(1e-6)
    length = step.norm(dim=-1, keepdim=True)
    return points + step * (LARGEST_PROJECTION / length.clamp_min(LARGEST_PROJECTION))


class FixedTopologyHead:
    """A template mesh that has one identity and follows expression codes.

    polygons: (P, 4) int32 vertex indices, -1 in the last column of a triangle; uv: (P, 4, 2) float32;
    regions: (V, K) uint8 soft weights, 0..255, of the head's region_names.
    """

    def __init__(self, head: NeuralHead, identity: Array | None = None):
        """Raises EngineError when the head's bundle has no template or no ARKit weights of its own."""
        template, basis = head.fixed_topology(), head.arkit_map.exact_basis
        if basis is None:
            raise EngineError(
                "The codes of this model are not ARKit weights; use the Frame Meshes output or the starter."
            )
        self.head, self.prepared = head, head.prepare_identity(identity)
        self.polygons, self.uv = template.polygons, template.uv
        self.canonical = template.canonical(head.modes.coefficients(self.prepared.code))  # (V, 3)
        places, regions = self.canonical.cpu().numpy(), self.prepared.regions
        self.regions = regions.of_template(template, places)  # (V, K)
        self._reading = torch.from_numpy(basis).to(head.device)  # (E, W)
        self._basis = template.displacements(basis.shape[1])  # (V, W + 1, 3)
        geometry = regions.geometry()
        if geometry is not None:
            ball = regions.on_eyes(self.regions)
            self._complete_blinks(template, ball)
            turns = geometry.eye_turns(places, ball, basis.shape[1])  # (V, W, 3)
            self._basis[:, :-1] += torch.from_numpy(turns).to(head.device)
        self._columns = self._basis[:, :-1].transpose(0, 1).reshape(self._basis.shape[1] - 1, -1).contiguous()
        self._neutral = self.canonical + self._basis[:, -1]  # (V, 3)

    def _complete_blinks(self, template: Template, ball: np.ndarray) -> None:
        """Add to both blinks what they lack on this head; ball: (V,) bool, which vertices lie on an eyeball."""
        neutral = (self.canonical + self._basis[:, -1]).cpu().numpy()
        for lids, column in zip(template.lids(ball) or (), BLINKS, strict=False):
            added = lids.completion(neutral, self._basis[:, column].cpu().numpy())
            self._basis[torch.from_numpy(lids.skin), column] += torch.from_numpy(added).to(self._basis.device)

    def neutral(self) -> np.ndarray:
        """Vertices (V, 3) in model units with all weights zero."""
        return self._neutral.cpu().numpy()

    def positions(self, expressions: Array) -> Iterator[np.ndarray]:
        """Vertices (V, 3) in model units, one after the other, for expression codes (N, E)."""
        codes = torch.as_tensor(expressions, dtype=torch.float32, device=self.head.device)
        for chunk in codes.split(FRAMES_AT_ONCE):
            moved = torch.addmm(self._neutral.flatten(), chunk @ self._reading, self._columns)  # (n, 3 V)
            yield from moved.view(len(chunk), -1, 3).cpu().numpy()

    def on_surface(self, expression: Array) -> tuple[np.ndarray, dict[str, float]]:
        """Vertices (V, 3) as roots of the backward field for one code (E,), and the roots' residual statistics.

        Slower than `positions` and bound to the same implicit surface as the Frame Meshes: refused roots are moved to
        the zero level along the gradient instead.
        """
        head = self.head
        code = torch.as_tensor(expression, dtype=torch.float32, device=head.device)[None]
        guess = posed_positions(self.canonical, self._basis, code @ self._reading)  # (1, V, 3)
        with torch.no_grad():
            roots = find_roots(backward_map(head, self.prepared, code), self.canonical, guess)
        refused, points = ~roots.accepted[0], roots.points[0].clone()
        if refused.any():
            points[refused] = moved_to_surface(head, points[refused], self.prepared, code[0])
        return points.cpu().numpy(), roots.statistics()
