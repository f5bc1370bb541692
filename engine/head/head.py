"""The neural head: identity and expression networks behind one signed distance (FaceTalk 3.1, supplement Eq. 11 to 15).

Lengths are model units (1 unit = 0.25 m; +y up, +z out of the face, +x the subject's left); distances are positive
outside the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..shared.errors import EngineError
from ..shared.regions import NECK
from .arkit_map import ExactArkitMap, FittedArkitMap
from .controls import IdentityControls
from .networks.conditioned_mlp import FoldedLayer
from .networks.expression import ExpressionNetwork
from .networks.forward_identity import ForwardIdentityNetwork, ForwardIdentityState
from .networks.identity import IdentityNetwork, IdentityState
from .networks.regions import RegionNetwork
from .networks.smoothing import GaussianMask, SmoothingConfig
from .region_geometry import RegionGeometry, has_region_geometry, region_geometry

Array = np.ndarray | Tensor
BOX = ((-0.55, -0.50, -0.95), (0.55, 0.75, 0.40))
CACHED_IDENTITIES = 4
# Points per call: a 192-wide hidden layer of 2048 points stays in a core's second-level cache, and the identity
# network spreads its points over 40 slots.
DEFORMATION_CHUNK, DISTANCE_CHUNK, ACCELERATOR_CHUNK = 2048, 16384, 1 << 18


@dataclass
class PreparedIdentity:
    """An identity code (1, L) on the head's device with everything that follows from it alone."""

    code: Tensor
    state: IdentityState | ForwardIdentityState
    geometry: RegionGeometry | None = None


class PosedField:
    """The signed distance field of one identity and one expression; everything per frame is already folded in."""

    def __init__(self, head: NeuralHead, prepared: PreparedIdentity, folded: list[FoldedLayer]):
        self.head, self.prepared, self.folded = head, prepared, folded

    def deformation(self, points: Tensor) -> Tensor:
        """Unmasked network output (P, 3 + hyper) at points (P, 3): offsets, then hyper coordinates.

        The points are posed ones, or canonical ones for a head that deforms forward.
        """
        size = DEFORMATION_CHUNK if points.device.type == "cpu" else ACCELERATOR_CHUNK
        return torch.cat([self.head.expression.evaluate(chunk[None], self.folded)[0] for chunk in points.split(size)])

    def canonical(self, points: Tensor, mask: Tensor | None = None) -> Tensor:
        """Canonical points (P, 3 + hyper) of posed points (P, 3) (Eq. 15; see `SmoothingConfig` for its two readings).

        Raises EngineError for a head that deforms forward.
        """
        if self.head.deforms_forward:
            raise EngineError(
                "This head deforms forward, so it has no distances at posed points; leave the expression out for "
                "distances at canonical points, or extract its surface."
            )
        moved = self.deformation(points)  # (P, 3 + h)
        mask = self.head.mask_weights(points) if mask is None else mask
        if mask is None:
            return torch.cat([points + moved[:, :3], moved[:, 3:]], 1)
        smoothing = self.head.smoothing
        scaled = mask[:, None] * moved
        hyper = scaled if smoothing is None or smoothing.config.scale_hyper else moved
        return torch.cat([points + scaled[:, :3], hyper[:, 3:]], 1)

    def canonical_distance(self, canonical: Tensor) -> Tensor:
        """Identity network's signed distances (P,) at canonical points (P, 3 + hyper)."""
        size = DISTANCE_CHUNK if canonical.device.type == "cpu" else ACCELERATOR_CHUNK
        evaluate, state = self.head.identity.evaluate, self.prepared.state
        return torch.cat([evaluate(chunk[None], state)[0] for chunk in canonical.split(size)])

    def signed_distance(self, points: Tensor, mask: Tensor | None = None) -> Tensor:
        """Signed distances (P,) at posed points (P, 3)."""
        return self.canonical_distance(self.canonical(points, mask))


class NeuralHead:
    """A head that identity and expression codes drive.

    Args:
        identity, expression: the two networks; with a ForwardIdentityNetwork, expressions deform canonical points.
        smoothing: parameters of the Gaussian mask, or None for no mask.
        regions: a network that only the starter has.
        template: tensors of the fixed topology (see `correspondence.Template`), or None.
        identity_basis: (L, M) modes of identity codes for the template's identity modes, or None.
        expression_basis: (E, 52) orthonormal columns that embed animation weights in expression codes, or None.
        fitted_map: for codes without such a basis, a map to animation weights that was fitted, or None.
        identity_codes, expression_codes: (N, L) and (M, E) code books of the training subjects and scans, or None.
        controls: measured controls of the identity, or None.
        box: least and greatest corner of the box that holds the surface; the family's own when not given.
        device: a torch device.
    """

    def __init__(
        self,
        identity: IdentityNetwork | ForwardIdentityNetwork,
        expression: ExpressionNetwork,
        smoothing: SmoothingConfig | None = None,
        regions: RegionNetwork | None = None,
        template: dict[str, Tensor] | None = None,
        identity_basis: Tensor | None = None,
        expression_basis: Tensor | None = None,
        fitted_map: FittedArkitMap | None = None,
        identity_codes: Tensor | None = None,
        expression_codes: Tensor | None = None,
        controls: IdentityControls | None = None,
        box: tuple[tuple[float, ...], tuple[float, ...]] = BOX,
        device: str | torch.device = "cpu",
    ):
        self.device = torch.device(device)
        self.box = tuple(tuple(corner) for corner in box)
        self.identity, self.expression, self.region_network = (
            None if network is None else network.to(self.device).eval().requires_grad_(False)
            for network in (identity, expression, regions)
        )
        self.smoothing = None if smoothing is None else GaussianMask.over_box(smoothing, *map(torch.tensor, self.box))
        self.template, self.controls = template, controls
        self.identity_basis, self.expression_basis = (
            None if basis is None else torch.as_tensor(basis, dtype=torch.float32, device=self.device)
            for basis in (identity_basis, expression_basis)
        )
        self.arkit_map: ExactArkitMap | FittedArkitMap | None = fitted_map
        if self.expression_basis is not None:
            self.arkit_map = ExactArkitMap(self.expression_basis.cpu().numpy())
        self._code_books = {"identity": identity_codes, "expression": expression_codes}
        self._prepared: dict[bytes, PreparedIdentity] = {}

    @property
    def deforms_forward(self) -> bool:
        """Whether expressions move canonical points to posed ones (released NPHM) instead of the other way round."""
        return isinstance(self.identity, ForwardIdentityNetwork)

    @property
    def identity_dimensions(self) -> int:
        """Length of an identity code."""
        return self.identity.config.dimensions

    @property
    def expression_dimensions(self) -> int:
        """Length of an expression code."""
        return self.expression.config.expression_dimensions

    @property
    def region_names(self) -> list[str]:
        """Names of the regions in the order of `regions`' last axis."""
        if self.region_network is None:
            return ["skin"]
        names = self.region_network.config.names
        return [*names, NECK] if has_region_geometry(names, self.template) else names

    def prepare_identity(self, identity: Array | None = None) -> PreparedIdentity:
        """The identity code (L,), None for the mean head, with its tables; the last few are kept.

        Raises EngineError when the code's length does not fit.
        """
        code = self._code(identity, self.identity_dimensions, "identity")
        key = code.cpu().numpy().tobytes()
        if key not in self._prepared:
            with torch.no_grad():
                prepared = PreparedIdentity(code, self.identity.prepare(code))
            if len(self._prepared) >= CACHED_IDENTITIES:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[key] = prepared
        return self._prepared[key]

    def pose(self, identity: Array | None = None, expression: Array | None = None) -> PosedField:
        """The field of an identity code (L,) and an expression code (E,); None stands for zeros."""
        prepared = self.prepare_identity(identity)
        code = self._code(expression, self.expression_dimensions, "expression")
        with torch.no_grad():
            folded = self.expression.fold(prepared.code, prepared.state.anchors, code)
        return PosedField(self, prepared, folded)

    def mask_weights(self, points: Tensor) -> Tensor | None:
        """The smoothing mask (P,) at points (P, 3), or None when the head has none."""
        return None if self.smoothing is None else self.smoothing(points)

    def signed_distance(
        self, points: Array, identity: Array | None = None, expression: Array | None = None, mask: Array | None = None
    ) -> Array:
        """Signed distances (...) in model units at posed points (..., 3); the input's kind comes back.

        A head that deforms forward has distances at canonical points only: expression must be None for it.

        mask gives a smoothing weight per point (...); None uses the head's own mask. A tensor of points that requires
        a gradient gets a differentiable result. Raises EngineError when a code's length does not fit.
        """
        flat, weights = self._points(points), None if mask is None else self._points(mask, 0)
        with torch.set_grad_enabled(flat.requires_grad):
            posed = self.pose(identity, expression)
            canonical_wanted = self.deforms_forward and expression is None
            values = posed.canonical_distance(flat) if canonical_wanted else posed.signed_distance(flat, weights)
        return _like(values.view(points.shape[:-1]), points)

    def deformation(self, points: Array, identity: Array | None = None, expression: Array | None = None) -> Array:
        """Unmasked deformation (..., 3 + hyper) at points (..., 3): offsets, then hyper coordinates.

        The points are posed ones, or canonical ones for a head that deforms forward.
        """
        flat = self._points(points)
        with torch.set_grad_enabled(flat.requires_grad):
            values = self.pose(identity, expression).deformation(flat)
        return _like(values.view(*points.shape[:-1], -1), points)

    def anchors(self, identity: Array | None = None) -> np.ndarray:
        """Anchors (n, 3) of an identity code (L,)."""
        return self.prepare_identity(identity).state.anchors[0].cpu().numpy()

    def regions(self, points: Array, identity: Array | None = None, expression: Array | None = None) -> Array:
        """Soft region weights (P, K), summing to one, at canonical points (P, 3); the expression turns the eyes."""
        flat = self._points(points)
        if self.region_network is None:
            return _like(torch.ones(len(flat), 1), points)
        code = self.prepare_identity(identity).code
        with torch.no_grad():
            logits = [self.region_network(chunk[None], code)[0] for chunk in flat.split(DISTANCE_CHUNK)]
        weights = torch.softmax(torch.cat(logits), -1)
        geometry = self.geometry(identity, expression)
        if geometry is not None:
            weights = torch.from_numpy(geometry.refined(flat.cpu().numpy(), weights.cpu().numpy())).to(self.device)
        return _like(weights, points)

    def geometry(self, identity: Array | None = None, expression: Array | None = None) -> RegionGeometry | None:
        """Eyeballs and neck of an identity code (L,) in canonical space; None when the bundle has none.

        The eyes are turned as an expression code (E,) says: the field's eyeballs themselves never turn.
        """
        if self.region_network is None or not has_region_geometry(self.region_network.config.names, self.template):
            return None
        prepared = self.prepare_identity(identity)
        if prepared.geometry is None:
            from .topology.template import identity_coefficients

            coefficients = identity_coefficients(self, identity)
            prepared.geometry = region_geometry(self.region_network.config.names, self.template, coefficients)
        if expression is None or self.expression_basis is None:
            return prepared.geometry
        return prepared.geometry.turned(self.weights(np.asarray(expression)[None])[0])

    def eye_directions(
        self, points: Array, identity: Array | None = None, expression: Array | None = None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Which of the canonical points (P, 3) lie on or close around an eyeball (E,) int32, and where on it (E, 3).

        A direction is a unit vector from the eyeball's centre: right, up and forward of the gaze, float32. None when
        the bundle does not tell its eyes.
        """
        geometry = self.geometry(identity, expression)
        if geometry is None:
            return None
        flat = np.asarray(points.cpu() if isinstance(points, Tensor) else points)
        rows = geometry.near_eyes(flat)
        return rows, geometry.directions(flat[rows])

    def weights(self, expressions: Array) -> np.ndarray | None:
        """ARKit weights (N, 52) of expression codes (N, E), not clipped; None when the codes have no such reading."""
        return None if self.arkit_map is None else self.arkit_map.weights(expressions)

    def random_identity(self, seed: int, deviation: float, limit: float) -> np.ndarray:
        """A random identity code (L,): normal coefficients of the identity modes, times deviation, clipped to +-limit.

        Raises EngineError when the bundle has no identity modes.
        """
        if self.identity_basis is None:
            raise EngineError("This model bundle has no random heads; use its mean head or give an identity code.")
        basis = self.identity_basis.cpu().numpy()
        coefficients = np.random.default_rng(seed).standard_normal(basis.shape[1]) * deviation
        return (basis @ np.clip(coefficients, -limit, limit)).astype(np.float32)

    def controlled_identity(self, values: dict[str, float]) -> np.ndarray:
        """The identity code (L,) of the mean head moved by measured controls, in standard deviations of each.

        Raises EngineError when the bundle has no such control or a value is out of range.
        """
        if self.identity_basis is None or self.controls is None:
            raise EngineError("This model bundle has no head controls; reset them or use the starter bundle.")
        return (self.identity_basis.cpu().numpy() @ self.controls.coefficients(values)).astype(np.float32)

    def code_book(self, book: str) -> np.ndarray | None:
        """Codes (N, L) of the training subjects ("identity") or (N, E) of the training scans ("expression"), or None.

        As the official embedding (max_norm 1) hands them out: a longer code is shortened to length 1.
        """
        codes = self._code_books[book]
        return None if codes is None else (codes / codes.norm(dim=1, keepdim=True).clamp_min(1.0)).numpy()

    def code_book_row(self, book: str, row: int) -> np.ndarray:
        """The code (L,) or (E,) of one row of `code_book`. Raises EngineError when the bundle has no such row."""
        codes = self.code_book(book)
        if codes is None:
            raise EngineError(f"This model bundle holds no {book} codes of its training; use mean or a .npy file.")
        if not 0 <= row < len(codes):
            raise EngineError(f"This model bundle holds {book} codes 0 to {len(codes) - 1}; {row} is not among them.")
        return codes[row]

    def lip_opening(self, expressions: Array, identity: Array | None = None) -> np.ndarray | None:
        """Distance between the lips (N,) in millimetres for expression codes (N, E); None without lip curves.

        Zero when the lips touch or press on each other; see `lips.gap`. A fitted map has its curves on the mean head
        alone.
        """
        from .topology.lips import lip_opening, lip_opening_of_fit

        if self.template is not None and self.expression_basis is not None:
            return lip_opening(self, expressions, identity)
        if isinstance(self.arkit_map, FittedArkitMap) and identity is None:
            return lip_opening_of_fit(self, self.arkit_map, expressions)
        return None

    def _points(self, points: Array, trailing: int = 3) -> Tensor:
        tensor = torch.as_tensor(points, dtype=torch.float32, device=self.device)
        return tensor.reshape(-1, trailing) if trailing else tensor.reshape(-1)

    def _code(self, code: Array | None, length: int, kind: str) -> Tensor:
        if code is None:
            return torch.zeros(1, length, device=self.device)
        tensor = torch.as_tensor(code, dtype=torch.float32, device=self.device)
        if tensor.shape != (length,):
            raise EngineError(
                f"The {kind} code has shape {tuple(tensor.shape)}, but this head needs ({length},); "
                "use a code that was made for this model bundle."
            )
        return tensor[None]


def _like(values: Tensor, given: Array) -> Array:
    return values if isinstance(given, Tensor) else values.cpu().numpy()
